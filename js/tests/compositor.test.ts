import { describe, expect, it } from "vitest";
import { emphasis, gradient, GRAY } from "../src/core/colormap";
import { Compositor } from "../src/core/compositor";
import type { Heat, MapStyle } from "../src/core/compositor";
import { expandCells, nearestCell } from "../src/core/interpolation";
import { multiply, threshold } from "../src/core/maskingRule";
import { bytes, uint16 } from "../src/core/parse";

const SIZE = 4 * 3;
const rgb = Uint8Array.from({ length: SIZE * 3 }, (_, i) => (i * 37 + 11) % 256);
const saliency = Uint8Array.from({ length: SIZE }, (_, i) => 255 - i * 20);
const levels = Uint16Array.from({ length: SIZE }, (_, i) => Math.floor((i * 65536) / SIZE));
const heat: Heat = { saliency, levels, cells: null };
const plain: MapStyle = { overlay: false, opacity: 1, cells: false, colors: GRAY };
const whole = { mode: "remove", fraction: 0, fill: null } as const;

function compositor(look: MapStyle = plain): Compositor {
  const made = new Compositor();
  made.setPicture({ width: 4, height: 3, rgb });
  made.setHeat(heat);
  made.setStyle(look);
  return made;
}

function pixel(pixels: Uint8ClampedArray, at: number): number[] {
  return Array.from(pixels.slice(4 * at, 4 * at + 4));
}

function original(at: number): number[] {
  return [...rgb.slice(3 * at, 3 * at + 3), 255];
}

describe("the masking rule", () => {
  it("rounds the threshold half up", () => {
    expect(threshold(0)).toBe(0);
    expect(threshold(1)).toBe(65536);
    expect(threshold(0.25)).toBe(16384);
    expect(threshold(1.5 / 65536)).toBe(2);
    expect(threshold(1.49 / 65536)).toBe(1);
  });

  it("is exact at the boundary of a level", () => {
    const made = compositor();
    const level = levels[3]!;
    const at = (fraction: number): number[] => pixel(made.paint({ ...whole, fraction }), 3);
    expect(at(level / 65536)).toEqual(original(3));
    expect(at((level + 1) / 65536)).toEqual([0, 0, 0, 255]);
  });

  it("masks nothing at 0 and everything at 1, and the other way round for keep", () => {
    const made = compositor();
    const fill = new Uint8Array([9, 8, 7]);
    const all = (mode: "remove" | "keep", fraction: number): number[][] => {
      const pixels = made.paint({ mode, fraction, fill });
      return Array.from({ length: SIZE }, (_, i) => pixel(pixels, i));
    };
    const picture = Array.from({ length: SIZE }, (_, i) => original(i));
    const filled = picture.map(() => [9, 8, 7, 255]);
    expect(all("remove", 0)).toEqual(picture);
    expect(all("remove", 1)).toEqual(filled);
    expect(all("keep", 0)).toEqual(filled);
    expect(all("keep", 1)).toEqual(picture);
  });

  it("selects the same pixels for remove and keep", () => {
    const made = compositor();
    const removed = made.paint({ mode: "remove", fraction: 0.5, fill: null }).slice();
    const kept = made.paint({ mode: "keep", fraction: 0.5, fill: null });
    for (let i = 0; i < SIZE; i++) {
      const [gone, left] = [pixel(removed, i), pixel(kept, i)];
      expect(levels[i]! < 32768 ? [gone, left] : [left, gone]).toEqual([[0, 0, 0, 255], original(i)]);
    }
  });

  it("takes a whole picture as fill, and changes it when it changes", () => {
    const made = compositor();
    const fill = rgb.map((value) => 255 - value);
    const pixels = made.paint({ mode: "remove", fraction: 1, fill });
    expect(pixel(pixels, 5)).toEqual([...fill.slice(15, 18), 255]);
    made.paint({ mode: "remove", fraction: 1, fill: new Uint8Array([1, 2, 3]) });
    expect(pixel(pixels, 5)).toEqual([1, 2, 3, 255]);
  });

  it("fills with black when the fill is not known, also after a change of size", () => {
    const made = compositor();
    expect(pixel(made.paint({ mode: "remove", fraction: 1, fill: null }), 0)).toEqual([0, 0, 0, 255]);
    made.setPicture({ width: 1, height: 2, rgb: new Uint8Array(6).fill(77) });
    made.setHeat({ saliency: new Uint8Array(2), levels: new Uint16Array([0, 32768]), cells: null });
    const pixels = made.paint({ mode: "remove", fraction: 0.5, fill: null });
    expect(Array.from(pixels)).toEqual([0, 0, 0, 255, 77, 77, 77, 255]);
  });

  it("multiplies with rounding half up, for every pair of bytes", () => {
    const wrong: number[][] = [];
    for (let p = 0; p < 256; p++) {
      for (let s = 0; s < 256; s++) {
        // p·s/255 + 1/2, and whether the next whole number would be too large: all in integers.
        const rounded = multiply(p, s);
        const twice = 2 * p * s + 255;
        if (510 * rounded > twice || 510 * (rounded + 1) <= twice) wrong.push([p, s]);
      }
    }
    expect(wrong).toEqual([]);
    expect(multiply(255, 255)).toBe(255);
    expect(multiply(255, 1)).toBe(1);
    expect(multiply(17, 0)).toBe(0);
  });

  it("shows picture × map without the overlay", () => {
    const made = compositor({ ...plain, overlay: true });
    const pixels = made.paint({ mode: "multiply", fraction: 0.3, fill: null });
    for (let i = 0; i < SIZE; i++) {
      const expected = original(i).slice(0, 3).map((value) => multiply(value, saliency[i]!));
      expect(pixel(pixels, i)).toEqual([...expected, 255]);
    }
  });
});

describe("the overlay", () => {
  const shown: MapStyle = { ...plain, overlay: true };

  it("leaves the picture byte for byte when off, at opacity 0, and where the map is 0", () => {
    for (const look of [plain, { ...shown, opacity: 0 }]) {
      const pixels = compositor(look).paint(whole);
      for (let i = 0; i < SIZE; i++) expect(pixel(pixels, i)).toEqual(original(i));
    }
    const made = compositor(shown);
    made.setHeat({ ...heat, saliency: new Uint8Array(SIZE) });
    const pixels = made.paint(whole);
    for (let i = 0; i < SIZE; i++) expect(pixel(pixels, i)).toEqual(original(i));
  });

  it("is of what is drawn, where that is brighter than the map; the product is of the map itself", () => {
    const drawn = saliency.map((value) => Math.min(255, 2 * value));
    const brighter = compositor(shown);
    brighter.setHeat({ ...heat, drawn });
    const expected = compositor(shown);
    expected.setHeat({ ...heat, saliency: drawn });
    expect(Array.from(brighter.paint(whole))).toEqual(Array.from(expected.paint(whole)));
    const product = { mode: "multiply" as const, fraction: 0, fill: null };
    expect(Array.from(brighter.paint(product))).toEqual(Array.from(compositor(shown).paint(product)));
  });

  it("reaches the color map's end where the map is highest and the opacity 1", () => {
    const colors = new Uint8Array(768);
    colors.set([250, 130, 20], 765);
    const pixels = compositor({ ...shown, colors }).paint(whole);
    expect(pixel(pixels, 0)).toEqual([250, 130, 20, 255]);
  });

  it("rounds the blend to within one of the exact value", () => {
    const colors = Uint8Array.from({ length: 768 }, (_, i) => (i * 91) % 256);
    const pixels = compositor({ ...shown, opacity: 0.6, colors }).paint(whole);
    for (let i = 0; i < SIZE; i++) {
      const weight = Math.round(256 * 0.6 * emphasis(saliency[i]!)) / 256;
      for (let k = 0; k < 3; k++) {
        const exact = rgb[3 * i + k]! * (1 - weight) + colors[3 * saliency[i]! + k]! * weight;
        expect(Math.abs(pixels[4 * i + k]! - exact)).toBeLessThanOrEqual(0.5);
      }
    }
  });

  it("never covers the fill", () => {
    const pixels = compositor(shown).paint({ mode: "remove", fraction: 0.5, fill: new Uint8Array([5, 6, 7]) });
    for (let i = 0; i < SIZE; i++) {
      if (levels[i]! < 32768) expect(pixel(pixels, i)).toEqual([5, 6, 7, 255]);
    }
  });

  it("draws the whole picture when no map belongs to it", () => {
    const made = compositor(shown);
    made.setHeat(null);
    const pixels = made.paint({ mode: "keep", fraction: 0.1, fill: null });
    for (let i = 0; i < SIZE; i++) expect(pixel(pixels, i)).toEqual(original(i));
  });

  it("weighs weak values less than in proportion, and keeps their order", () => {
    expect(emphasis(0)).toBe(0);
    expect(emphasis(255)).toBe(1);
    expect(emphasis(64)).toBeLessThan(64 / 255);
    for (let v = 1; v < 256; v++) expect(emphasis(v)).toBeGreaterThan(emphasis(v - 1));
  });

  it("paints into the same memory from frame to frame", () => {
    const made = compositor(shown);
    const first = made.paint(whole);
    expect(made.paint({ ...whole, fraction: 0.4 })).toBe(first);
    made.setPicture({ width: 4, height: 3, rgb });
    expect(made.paint(whole)).toBe(first);
  });
});

describe("cells", () => {
  it("finds the cell that holds a pixel's center", () => {
    expect(Array.from({ length: 6 }, (_, x) => nearestCell(x, 6, 3))).toEqual([0, 0, 1, 1, 2, 2]);
    expect(Array.from({ length: 5 }, (_, x) => nearestCell(x, 5, 2))).toEqual([0, 0, 1, 1, 1]);
    expect(Array.from({ length: 3 }, (_, x) => nearestCell(x, 3, 7))).toEqual([1, 3, 5]);
    expect(nearestCell(223, 224, 12)).toBe(11);
  });

  it("enlarges without smoothing", () => {
    const enlarged = expandCells(new Uint8Array([1, 2, 3, 4]), 2, 2, 4, 3);
    expect(Array.from(enlarged)).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
  });

  it("take the place of the smooth map, but never of the mask", () => {
    const made = compositor({ overlay: true, opacity: 1, cells: true, colors: GRAY });
    made.setHeat({ ...heat, cells: { values: new Uint8Array([255]), rows: 1, columns: 1 } });
    expect(pixel(made.paint(whole), 7)).toEqual([255, 255, 255, 255]);
    expect(pixel(made.paint({ ...whole, fraction: 0.25 }), 0)).toEqual([0, 0, 0, 255]);
  });
});

describe("values from the wire", () => {
  it("reads a DataView inside a larger, oddly placed buffer", () => {
    const buffer = new Uint8Array([99, 0x34, 0x12, 0xff, 0xff, 99]).buffer;
    const raw = bytes(new DataView(buffer, 1, 4));
    expect(Array.from(raw ?? [])).toEqual([0x34, 0x12, 0xff, 0xff]);
    expect(Array.from(uint16(raw ?? new Uint8Array()))).toEqual([0x1234, 0xffff]);
    expect(bytes("text")).toBeNull();
    expect(bytes(undefined)).toBeNull();
  });

  it("makes a gradient from low to high", () => {
    expect(gradient(GRAY, 3)).toBe("linear-gradient(to right, rgb(0, 0, 0), rgb(128, 128, 128), rgb(255, 255, 255))");
  });
});
