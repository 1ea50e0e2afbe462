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
