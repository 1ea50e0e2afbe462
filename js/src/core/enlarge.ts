/** A layer's map as the kernel has it, row by row, rectified. */
export interface Grid {
  readonly rows: number;
  readonly columns: number;
  readonly cells: Float32Array;
}

/** Per pixel of one axis: the two cells it lies between, and how much of each. */
interface Axis {
  readonly first: Uint32Array;
  readonly second: Uint32Array;
  readonly ofFirst: Float32Array;
  readonly ofSecond: Float32Array;
}

const { fround } = Math;

/** Where the pixels lie among the cells, every step in float32. */
function axis(cells: number, pixels: number): Axis {
  const made: Axis = {
    first: new Uint32Array(pixels),
    second: new Uint32Array(pixels),
    ofFirst: new Float32Array(pixels),
    ofSecond: new Float32Array(pixels),
  };
  const scale = fround(cells / pixels);
  for (let at = 0; at < pixels; at++) {
    const exact = Math.max(0, fround(fround(scale * (at + 0.5)) - 0.5));
    const first = Math.min(Math.floor(exact), cells - 1);
    const part = Math.min(1, fround(exact - first));
    made.first[at] = first;
    made.second[at] = Math.min(first + 1, cells - 1);
    made.ofFirst[at] = fround(1 - part);
    made.ofSecond[at] = part;
  }
  return made;
}

/**
 * A grid at the size of the picture, as torch.nn.functional.interpolate(mode="bilinear",
 * align_corners=False) gives it: first along the rows, then between them. Of a sum of two products only
 * the second product is rounded on its own, as torch's fused multiply-add does on today's processors.
 */
export function enlarge({ rows, columns, cells }: Grid, width: number, height: number): Float32Array {
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

/** A map of numbers ≥ 0 as bytes, 255 its maximum; all zeros stay zeros. */
export function toBytes(map: Float32Array): Uint8Array {
  let peak = 0;
  for (const value of map) if (value > peak) peak = value;
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
