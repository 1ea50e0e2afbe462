import { describe, expect, it } from "vitest";
import { enlarge } from "../src/core/interpolation";
import { rankLevels, threshold } from "../src/core/maskingRule";

/** FNV-1a, to compare fifty thousand numbers with one. */
function hash(data: Uint8Array): number {
  let h = 0x811c9dc5;
  for (const byte of data) h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return h;
}

/** By the rule as it is written: a stable sort by falling saliency. */
function slowly(saliency: Float32Array): number[] {
  const order = Array.from(saliency.keys()).sort((a, b) => saliency[b]! - saliency[a]! || a - b);
  const levels = new Array<number>(order.length);
  order.forEach((pixel, rank) => (levels[pixel] = Math.floor((rank * 65536) / order.length)));
  return levels;
}

describe("ranks", () => {
  // From camwidget.masking.rank_rule.rank_levels, of torch's enlargement of the same cells, divided by its maximum.
  it.each([
    [7, 7, 224, 224, 0, 0xdd3219d1],
    [12, 9, 160, 192, 0, 0xf41f5e11],
    [56, 56, 224, 224, 0, 0xc22b5661],
    [5, 5, 300, 260, 0.5, 0x5a88677d],
  ])("are the kernel's, %i×%i to %i×%i", (rows, columns, height, width, less, known) => {
    const cells = Float32Array.from({ length: rows * columns }, (_, i) =>
      Math.max(0, Math.fround(Math.fround(((i * 37 + 11) % 101) / 101) - less)),
    );
    const map = enlarge({ rows, columns, cells }, width, height);
    const peak = map.reduce((most, value) => Math.max(most, value), 0);
    const levels = rankLevels(map.map((value) => Math.fround(value / peak)));
    expect(hash(new Uint8Array(levels.buffer))).toBe(known);
  });

  it("leave ties in reading order, zeros too", () => {
    const flat = new Float32Array(8);
    expect(Array.from(rankLevels(flat))).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((rank) => rank * 8192));
    const tied = Float32Array.from({ length: 5000 }, (_, i) => ((i * 7919) % 13) / 12);
    expect(Array.from(rankLevels(tied))).toEqual(slowly(tied));
  });

  it("tell the smallest numbers apart, and the largest", () => {
    const odd = Float32Array.from([1e-45, 0, 1, 0.99999994, 3e38, 1.2e-38, 1e-45]);
    expect(Array.from(rankLevels(odd))).toEqual(slowly(odd));
  });

  it("cover the fraction they are asked for", () => {
    const map = Float32Array.from({ length: 1000 }, (_, i) => Math.abs(Math.sin(i)));
    const top = rankLevels(map).filter((level) => level < threshold(0.25)).length;
    expect(top).toBe(250);
  });
});
