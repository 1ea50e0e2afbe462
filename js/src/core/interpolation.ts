/** Enlarging grids of cells to the size of a picture: bilinear as in PyTorch, or by the nearest cell. */

import { peakOf } from "./geometry";

/** A layer's map as the kernel has it, row by row, rectified. */
export interface CellGrid {
  readonly rows: number;
  readonly columns: number;
  readonly cells: Float32Array;
}

/** Per pixel of one axis: the two cells it lies between, and how much of each. */
export interface Axis {
  readonly first: Uint32Array;
  readonly second: Uint32Array;
  readonly ofFirst: Float32Array;
  readonly ofSecond: Float32Array;
}

const { fround } = Math;

/** The two cells that a pixel lies between, and how much of each, every step in float32. */
function between(at: number, cells: number, pixels: number): [number, number, number, number] {
  const exact = Math.max(0, fround(fround(fround(cells / pixels) * (at + 0.5)) - 0.5));
  const first = Math.min(Math.floor(exact), cells - 1);
  const part = Math.min(1, fround(exact - first));
  return [first, Math.min(first + 1, cells - 1), fround(1 - part), part];
}

/** Where the pixels lie among the cells. */
export function axis(cells: number, pixels: number): Axis {
  const made: Axis = {
    first: new Uint32Array(pixels),
    second: new Uint32Array(pixels),
    ofFirst: new Float32Array(pixels),
    ofSecond: new Float32Array(pixels),
  };
  for (let at = 0; at < pixels; at++) {
    [made.first[at], made.second[at], made.ofFirst[at], made.ofSecond[at]] = between(at, cells, pixels);
  }
  return made;
}

/**
 * A grid at the size of the picture, as torch.nn.functional.interpolate(mode="bilinear",
 * align_corners=False) gives it: first along the rows, then between them. Of a sum of two products only
 * the second product is rounded on its own, as torch's fused multiply-add does on today's processors.
 */
export function enlarge({ rows, columns, cells }: CellGrid, width: number, height: number): Float32Array {
  const out = new Float32Array(width * height);
  const across = axis(columns, width);
  const down = axis(rows, height);
  // Each row of cells is stretched once, not once for every pixel row that needs it.
  const stretched = new Float32Array(rows * width);
  for (let row = 0, i = 0; row < rows; row++) {
    const start = row * columns;
    for (let x = 0; x < width; x++, i++) {
      const left = cells[start + across.first[x]!]! * across.ofFirst[x]!;
      const right = cells[start + across.second[x]!]! * across.ofSecond[x]!;
      stretched[i] = left + fround(right);
    }
  }
  for (let y = 0, i = 0; y < height; y++) {
    const above = down.first[y]! * width;
    const below = down.second[y]! * width;
    const ofAbove = down.ofFirst[y]!;
    const ofBelow = down.ofSecond[y]!;
    for (let x = 0; x < width; x++, i++) {
      out[i] = stretched[above + x]! * ofAbove + fround(stretched[below + x]! * ofBelow);
    }
  }
  return out;
}

/** A grid of the cells of each of a clip's frames, one below the other, at the size of these frames, each by itself. */
export function enlargeFrames({ rows, columns, cells }: CellGrid, width: number, height: number, frames: number): Float32Array {
  if (frames === 1) return enlarge({ rows, columns, cells }, width, height);
  const [own, size] = [rows / frames, (width * height) / frames];
  const out = new Float32Array(width * height);
  for (let frame = 0; frame < frames; frame++) {
    const part = cells.subarray(frame * own * columns, (frame + 1) * own * columns);
    out.set(enlarge({ rows: own, columns, cells: part }, width, height / frames), frame * size);
  }
  return out;
}

/** One pixel of what `enlarge` gives, to the bit. */
export function enlargeAt({ rows, columns, cells }: CellGrid, width: number, height: number, x: number, y: number): number {
  const [left, right, ofLeft, ofRight] = between(x, columns, width);
  const [above, below, ofAbove, ofBelow] = between(y, rows, height);
  const stretched = (row: number): number =>
    fround(cells[row * columns + left]! * ofLeft + fround(cells[row * columns + right]! * ofRight));
  return fround(stretched(above) * ofAbove + fround(stretched(below) * ofBelow));
}

/** The highest value of several maps, enlarged to the picture; it may be below that of their cells. */
export function enlargedPeak(grids: readonly CellGrid[], width: number, height: number): number {
  const all = grids.map((grid) => ({ grid, bound: peakOf(grid.cells) })).sort((a, b) => b.bound - a.bound);
  let peak = 0;
  for (const { grid, bound } of all) {
    // Interpolated values do not exceed the cells': mostly one map decides.
    if (bound <= peak) break;
    peak = Math.max(peak, peakOf(enlarge(grid, width, height)));
  }
  return peak;
}

/** A map of numbers ≥ 0 as bytes, 255 its maximum; all zeros stay zeros. */
export function toBytes(map: Float32Array): Uint8Array {
  const peak = peakOf(map);
  const out = new Uint8Array(map.length);
  if (peak === 0) return out;
  for (let i = 0; i < map.length; i++) out[i] = halfToEven(fround(fround(map[i]! / peak) * 255));
  return out;
}

/** numpy's rounding, which is the kernel's: 178.5 becomes 178. */
function halfToEven(value: number): number {
  const low = Math.floor(value);
  const over = value - low;
  return over > 0.5 || (over === 0.5 && low % 2 === 1) ? low + 1 : low;
}

/** The cell of a grid of `cells` that holds the center of pixel `at`, of `size` pixels. */
export function nearestCell(at: number, size: number, cells: number): number {
  return Math.floor(((2 * at + 1) * cells) / (2 * size));
}

/** Enlarges a grid of cells to the picture without smoothing: what the layer really resolves. */
export function expandCells(
  cells: Uint8Array,
  rows: number,
  columns: number,
  width: number,
  height: number,
): Uint8Array {
  const out = new Uint8Array(width * height);
  const column = new Uint32Array(width);
  for (let x = 0; x < width; x++) column[x] = nearestCell(x, width, columns);
  for (let y = 0, i = 0; y < height; y++) {
    const start = nearestCell(y, height, rows) * columns;
    for (let x = 0; x < width; x++, i++) out[i] = cells[start + column[x]!]!;
  }
  return out;
}
