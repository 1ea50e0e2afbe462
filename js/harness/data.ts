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

export function explanation(
  of: string,
  width: number,
  height: number,
  target: number,
): Record<string, unknown> {
  const centres = [blob(0.35, 0.4, 0.14), blob(0.7, 0.65, 0.12), blob(0.75, 0.2, 0.12)];
  const field = centres[target % centres.length]!;
  const saliency = new Uint8Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) saliency[i] = Math.round(255 * field(x / width, y / height));
  }
  const order = Array.from(saliency.keys()).sort((a, b) => saliency[b]! - saliency[a]! || a - b);
  const levels = new Uint16Array(width * height);
  order.forEach((pixel, rank) => (levels[pixel] = Math.floor((rank * 65536) / order.length)));
  const cells = new Uint8Array(144);
  for (let i = 0; i < 144; i++) {
    cells[i] = Math.round(255 * field(((i % 12) + 0.5) / 12, (Math.floor(i / 12) + 0.5) / 12));
  }
  return {
    scene: of, saliency, levels, cells, cells_shape: [12, 12],
    title: `Grad-CAM of ${NAMES[target] ?? ""}`, empty: false, note: "",
  };
}

/** Straight lines between a few colours, good enough to look at. */
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
