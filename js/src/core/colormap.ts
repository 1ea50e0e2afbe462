/** Color maps, their blending with a picture, and packing of pixels into 32-bit numbers. */

/** A color map is 256 RGB triples. */
export const COLORMAP_BYTES = 768;

/** Gray, for the moment before the kernel has sent a map. */
export const GRAY: Uint8Array = Uint8Array.from({ length: COLORMAP_BYTES }, (_, i) =>
  Math.floor(i / 3),
);

/**
 * How strongly a value colors its pixel, 0..1 before the opacity. Weak values are held back more
 * than in proportion, so that the picture stays visible where the map is weak.
 */
export function emphasis(value: number): number {
  const v = value / 255;
  return v * (0.35 + 0.65 * Math.sqrt(v));
}

/** Per saliency value: how much of the picture stays (of 256), and the color to add to it. */
export interface BlendTable {
  readonly stay: Uint32Array;
  readonly redBlue: Uint32Array;
  readonly green: Uint32Array;
}

export function blendTable(size = 256): BlendTable {
  return {
    stay: new Uint32Array(size),
    redBlue: new Uint32Array(size),
    green: new Uint32Array(size),
  };
}

/**
 * Sets an entry of a table to a color at a weight of 0…256. Red and blue share a word, 16 bits apart, so that one
 * multiplication serves both. Half a unit (0x80) is added beforehand: the later shift then rounds, and a weight of 0
 * gives the picture's byte back unchanged.
 *
 * @param color the index of the color among the 256 of `colors`
 */
export function setBlend(table: BlendTable, at: number, colors: Uint8Array, color: number, weight: number): void {
  const [red, green, blue] = [colors[3 * color]!, colors[3 * color + 1]!, colors[3 * color + 2]!];
  table.stay[at] = 256 - weight;
  table.redBlue[at] = ((blue << 16) | red) * weight + 0x800080;
  table.green[at] = green * weight + 0x80;
}

export function fillBlendTable(table: BlendTable, colors: Uint8Array, opacity: number): void {
  for (let v = 0; v < 256; v++) setBlend(table, v, colors, v, Math.round(256 * opacity * emphasis(v)));
}

/** A CSS gradient for the legend, built from numbers only. */
export function gradient(colors: Uint8Array, stops = 17): string {
  const parts: string[] = [];
  for (let k = 0; k < stops; k++) {
    const at = 3 * Math.round((255 * k) / (stops - 1));
    parts.push(`rgb(${colors[at]!}, ${colors[at + 1]!}, ${colors[at + 2]!})`);
  }
  return `linear-gradient(to right, ${parts.join(", ")})`;
}

/**
 * Pixels are handled as one Uint32 each, in the byte order of ImageData. Every platform with a
 * browser stores these little endian, so red is the lowest byte.
 */
export const OPAQUE = 0xff000000;

export function pack(red: number, green: number, blue: number): number {
  return (OPAQUE | (blue << 16) | (green << 8) | red) >>> 0;
}

/** RGB bytes to opaque pixels. */
export function fromRgb(rgb: Uint8Array, out: Uint32Array): void {
  for (let i = 0, j = 0; i < out.length; i++, j += 3) {
    out[i] = OPAQUE | (rgb[j + 2]! << 16) | (rgb[j + 1]! << 8) | rgb[j]!;
  }
}
