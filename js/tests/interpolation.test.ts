import { describe, expect, it } from "vitest";
import { enlarge, enlargeFrames, toBytes } from "../src/core/interpolation";
import type { CellGrid } from "../src/core/interpolation";
import { float32 } from "../src/core/parse";

/** The same cells that torch was given. */
function grid(rows: number, columns: number): CellGrid {
  const cells = Float32Array.from({ length: rows * columns }, (_, i) => Math.fround((i * 37 + 11) % 101) / 101);
  return { rows, columns, cells };
}

/** FNV-1a, to compare fifty thousand numbers with one. */
function hash(data: Uint8Array): number {
  let h = 0x811c9dc5;
  for (const byte of data) h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return h;
}

// From torch 2, float32 on the CPU: interpolate(x, size=(h, w), mode="bilinear", align_corners=False).
const SMALL = [
  0.108910888, 0.16124469, 0.318246126, 0.475247532, 0.632248938, 0.789250374, 0.841584146,
  0.118811876, 0.171145707, 0.328147113, 0.485148519, 0.642149866, 0.799151361, 0.851485074,
  0.158415839, 0.210749656, 0.367751092, 0.524752498, 0.681753933, 0.83875531, 0.891089082,
  0.198019803, 0.250353605, 0.40735504, 0.564356446, 0.721357882, 0.878359318, 0.93069309,
  0.20792079, 0.260254622, 0.417256027, 0.574257433, 0.73125881, 0.888260305, 0.940594077,
];

const SMALL_BYTES = [
  30, 44, 86, 129, 171, 214, 228, 32, 46, 89, 132, 174, 217, 231, 43, 57, 100, 142,
  185, 227, 242, 54, 68, 110, 153, 196, 238, 252, 56, 71, 113, 156, 198, 241, 255,
];

describe("enlarging a grid", () => {
  it("gives torch's numbers, small", () => {
    const map = enlarge(grid(2, 3), 7, 5);
    map.forEach((value, at) => expect(value).toBeCloseTo(SMALL[at]!, 6));
    expect(Array.from(toBytes(map))).toEqual(SMALL_BYTES);
    const fewer = enlarge(grid(5, 5), 2, 3);
    [0.410891086, 0.243399337, 0.297029704, 0.712871253, 0.766501665, 0.599009871].forEach((value, at) =>
      expect(fewer[at]).toBeCloseTo(value, 6),
    );
    expect(Array.from(toBytes(fewer))).toEqual([137, 81, 99, 237, 255, 199]);
  });

  it.each([
    [7, 7, 224, 224, 0x770e3f98, 0x5ab91e0b],
    [12, 9, 192, 160, 0xe18e3e72, 0xfebadcab],
    [56, 56, 224, 224, 0x4485cb5a, 0x1cc28814],
  ])("gives torch's bits, %i×%i to %i×%i", (rows, columns, height, width, floats, bytes) => {
    const map = enlarge(grid(rows, columns), width, height);
    expect(hash(new Uint8Array(map.buffer))).toBe(floats);
    expect(hash(toBytes(map))).toBe(bytes);
  });

  it("changes nothing at the same size", () => {
    const same = grid(5, 4);
    expect(enlarge(same, 4, 5)).toEqual(same.cells);
  });
});

describe("a map as bytes", () => {
  it("leaves zeros zeros", () => {
    expect(Array.from(toBytes(new Float32Array(3)))).toEqual([0, 0, 0]);
  });

  it("rounds halves to even, as numpy does", () => {
    const of255 = (...values: number[]): number[] => Array.from(toBytes(Float32Array.from([255, ...values]))).slice(1);
    expect(of255(127.5, 0.5, 1.5, 2.5, 254.4)).toEqual([128, 0, 2, 2, 254]);
  });

  it("takes the smallest maximum there is", () => {
    expect(Array.from(toBytes(Float32Array.from([1e-45, 0])))).toEqual([255, 0]);
  });
});

describe("floats from the wire", () => {
  it("are read at an odd offset", () => {
    const buffer = new Uint8Array(9);
    new DataView(buffer.buffer).setFloat32(1, 0.25, true);
    new DataView(buffer.buffer).setFloat32(5, 3, true);
    expect(Array.from(float32(buffer.subarray(1)))).toEqual([0.25, 3]);
  });
});

describe("the frames of a clip", () => {
  it("are enlarged each by itself, one below the other", () => {
    const [first, second] = [Float32Array.from([1, 4, 2, 8]), Float32Array.from([0, 5, 3, 9])];
    const cells = Float32Array.from([...first, ...second]);
    const found = enlargeFrames({ rows: 4, columns: 2, cells }, 5, 14, 2);
    const each = [first, second].map((part) => enlarge({ rows: 2, columns: 2, cells: part }, 5, 7));
    expect(Array.from(found)).toEqual(each.flatMap((part) => Array.from(part)));
    expect(found).not.toEqual(enlarge({ rows: 4, columns: 2, cells }, 5, 14));
    expect(enlargeFrames({ rows: 2, columns: 2, cells: first }, 5, 7, 1)).toEqual(each[0]);
  });
});
