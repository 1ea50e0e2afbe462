import { enlarge, toBytes } from "../src/core/interpolation";

/** Synthetic traits: a picture of soft blobs, and a map that likes one of them. */

type Field = (x: number, y: number) => number;

function blob(cx: number, cy: number, radius: number): Field {
  return (x, y) => Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * radius ** 2));
}

export const NAMES = [
  "honeycombed", "bubbly", "waffled", "cracked", "a class whose name does not fit its column",
  "<b>hostile</b>", "lined", "zigzagged",
];

export function scene(id: string, width: number, height: number): Record<string, unknown> {
  const blobs = [blob(0.35, 0.4, 0.16), blob(0.7, 0.65, 0.12), blob(0.75, 0.2, 0.08)];
  const picture = new Uint8Array(width * height * 3);
  const blur = new Uint8Array(picture.length);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 3) {
      const [a = 0, b = 0, c = 0] = blobs.map((one) => one(x / width, y / height));
      const grain = 14 * Math.sin(40 * (x / width)) * Math.sin(40 * (y / height));
      const base = [60 + 60 * (y / height), 90 + 40 * (x / width), 120];
      const tint = [150 * a + 60 * b, 120 * a + 130 * b - 40 * c, 20 * a + 100 * c];
      for (let k = 0; k < 3; k++) {
        picture[i + k] = Math.min(255, Math.max(0, base[k]! + tint[k]! + grain));
        blur[i + k] = Math.min(255, Math.max(0, base[k]! + 0.35 * tint[k]!));
      }
    }
  }
  const mean = new Uint8Array([118, 121, 120]);
  return { id, width, height, picture, fills: { blur, mean, black: new Uint8Array(3) } };
}

/** [name, channels, side]: what a small net has. */
export const LAYERS = [
  ["stem", 16, 112], ["layer1.0", 16, 56], ["layer1.1", 16, 56], ["layer2.0", 32, 28], ["layer2.1", 32, 28],
  ["layer3.0", 64, 14], ["layer3.1", 64, 14], ["layer4.0", 128, 12], ["layer4.1", 128, 12],
] as const;

/** The deeper the layer, the rounder its map. */
function evidence(target: number, depth: number): Field {
  const centers = [blob(0.35, 0.4, 0.14), blob(0.7, 0.65, 0.12), blob(0.75, 0.2, 0.12)];
  const field = centers[target % centers.length]!;
  const edges: Field = (x, y) => Math.abs(Math.sin(50 * x) * Math.cos(44 * y)) * (0.3 + 0.7 * field(x, y));
  const part = depth / (LAYERS.length - 1);
  return (x, y) => part * field(x, y) + (1 - part) * edges(x, y);
}

function sampled(field: Field, columns: number, rows: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, i) =>
    field(((i % columns) + 0.5) / columns, (Math.floor(i / columns) + 0.5) / rows),
  );
}

/** Every layer's map as it is sent beforehand. */
export function layerMaps(of: string, target: number, method: string): Record<string, unknown> {
  const layers = LAYERS.map(([name, , side], depth) => ({
    name, rows: side, columns: side, cells: sampled(evidence(target, depth), side, side),
  }));
  return { scene: of, target, method, layers };
}

/** What the classes listed have at one layer. */
export function classes(of: string, method: string, layer: string): Record<string, unknown> {
  const depth = Math.max(0, LAYERS.findIndex(([name]) => name === layer));
  const side = LAYERS[depth]![2];
  const each = [0, 1, 2, 3, 4].map((index) => ({
    index, name: NAMES[index], rows: side, columns: side, cells: sampled(evidence(index, depth), side, side),
  }));
  return { scene: of, method, layer, text: "", classes: each };
}

interface Request {
  readonly of: string;
  readonly width: number;
  readonly height: number;
  readonly target: number;
  readonly layer: string;
  readonly label: string;
  readonly atInput: boolean;
}

export function explanation(requested: Request): Record<string, unknown> {
  const { of, width, height, target, layer, label, atInput } = requested;
  const depth = Math.max(0, LAYERS.findIndex(([name]) => name === layer));
  const side = LAYERS[depth]![2];
  const cells = sampled(evidence(target, depth), side, side);
  const saliency = toBytes(enlarge({ rows: side, columns: side, cells }, width, height));
  const order = Array.from(saliency.keys()).sort((a, b) => saliency[b]! - saliency[a]! || a - b);
  const levels = new Uint16Array(width * height);
  order.forEach((pixel, rank) => (levels[pixel] = Math.floor((rank * 65536) / order.length)));
  return {
    scene: of, saliency, levels, cells: toBytes(cells), cells_shape: [side, side],
    title: `${label} of ${NAMES[target] ?? ""}`, empty: false, note: "",
    layer: atInput ? "input" : layer, at_input: atInput,
  };
}

/** Straight lines between a few colors, good enough to look at. */
export function ramp(...stops: readonly (readonly [number, number, number])[]): Uint8Array {
  const out = new Uint8Array(768);
  for (let v = 0; v < 256; v++) {
    const at = (v / 255) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(at));
    for (let k = 0; k < 3; k++) {
      const from = stops[low]![k]!;
      out[3 * v + k] = Math.round(from + (stops[low + 1]![k]! - from) * (at - low));
    }
  }
  return out;
}
