/** Drawing of the difference of two maps over their picture. */
import { blendTable, COLORMAP_BYTES, GRAY, OPAQUE, setBlend } from "./colormap";

/** Two maps of one picture, one byte a pixel. */
export interface MapPair {
  readonly rgb: Uint8Array;
  readonly a: Uint8Array;
  readonly b: Uint8Array;
}

/**
 * Paints A's map minus B's over the picture in gray: the low end of the colors where there is more in B, the
 * high end where there is more in A, and the stronger the further apart the two are. `out` is RGBA.
 */
export function paintDifference(out: Uint32Array, { rgb, a, b }: MapPair, colors: Uint8Array, opacity: number): void {
  const table = differenceTable(colors, opacity);
  for (let i = 0; i < out.length; i++) {
    const at = 255 + a[i]! - b[i]!;
    const gray = luma(rgb[3 * i]!, rgb[3 * i + 1]!, rgb[3 * i + 2]!);
    const rb = (((gray << 16) | gray) * table.stay[at]! + table.redBlue[at]!) >>> 8;
    const g = gray * table.stay[at]! + table.green[at]!;
    out[i] = OPAQUE | (rb & 0xff00ff) | (g & 0xff00);
  }
}

/** Per difference from -255 to 255: how much of the gray stays (of 256), and the color to add to it. */
function differenceTable(given: Uint8Array, opacity: number): ReturnType<typeof blendTable> {
  const colors = given.length === COLORMAP_BYTES ? given : GRAY;
  const table = blendTable(511);
  for (let at = 0; at < 511; at++) {
    setBlend(table, at, colors, at >> 1, Math.round(256 * opacity * strength(Math.abs(at - 255) / 255)));
  }
  return table;
}

/** How strongly a difference covers the picture. Its color is pale where it is small, and must be seen there too. */
function strength(apart: number): number {
  return 1 - (1 - apart) ** 3;
}

/** Rec. 601, in integers. */
export function luma(red: number, green: number, blue: number): number {
  return (77 * red + 150 * green + 29 * blue + 128) >> 8;
}
