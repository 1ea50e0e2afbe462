/** The rule by which a fraction masks pixels. It must agree with camwidget/masking/rank_rule.py to the pixel. */

export type Mode = "remove" | "keep" | "multiply";

/** Levels below this number belong to the masked fraction: 0 selects none, 65536 all of them. */
export function threshold(fraction: number): number {
  return Math.floor(fraction * 65536 + 0.5);
}

/** picture × saliency / 255, rounded half up, in integers. */
export function multiply(picture: number, saliency: number): number {
  return Math.floor((2 * picture * saliency + 255) / 510);
}

/** Ranks are spread over this many levels. */
const LEVELS = 65536;

/**
 * The level of every pixel, 0 for the strongest evidence, as camwidget/masking/rank_rule.py gives it: ranked by falling
 * saliency, ties in reading order, the ranks spread over 65536 levels.
 *
 * @param saliency finite numbers ≥ 0, −0 not among them
 */
export function rankLevels(saliency: Float32Array): Uint16Array {
  const count = saliency.length;
  // The bits of a number ≥ 0 are ordered as the numbers are; inverted, the strongest come first.
  const bits = new Uint32Array(count);
  bits.set(new Uint32Array(saliency.buffer, saliency.byteOffset, count));
  for (let i = 0; i < count; i++) bits[i] = ~bits[i]!;
  const order = sorted(bits);
  const levels = new Uint16Array(count);
  // Exact up to pictures of 2³⁷ pixels.
  for (let rank = 0; rank < count; rank++) levels[order[rank]!] = Math.floor((rank * LEVELS) / count);
  return levels;
}

/** Stable radix sort: the indices in ascending order, by the lower, then the upper 16 bits. */
function sorted(bits: Uint32Array): Uint32Array {
  const count = bits.length;
  let from = Uint32Array.from({ length: count }, (_, i) => i);
  let to = new Uint32Array(count);
  for (const shift of [0, 16]) {
    const starts = new Uint32Array(LEVELS + 1);
    for (let i = 0; i < count; i++) starts[((bits[i]! >>> shift) & 0xffff) + 1]!++;
    for (let key = 0; key < LEVELS; key++) starts[key + 1]! += starts[key]!;
    for (let i = 0; i < count; i++) {
      const at = from[i]!;
      const key = (bits[at]! >>> shift) & 0xffff;
      to[starts[key]!++] = at;
    }
    [from, to] = [to, from];
  }
  return from;
}
