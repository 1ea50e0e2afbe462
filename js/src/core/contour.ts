/** Contours of a map as an SVG path, by marching squares. */
/** A map with more squares along its lines than this is noise without an outline: it is averaged first. */
import { clamp } from "./parse";

const MOST = 12_000;

/** A map of bytes, row by row; each of its values stands for `side` × `side` pixels of the picture. */
interface Field {
  readonly values: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly side: number;
}

/** From each side of a square that a line enters by, the side that it leaves by. Sides are numbered over the whole map. */
interface Steps {
  readonly next: Int32Array;
  readonly entries: readonly number[];
  readonly isLeft: Uint8Array;
}

// The sides of a square, clockwise from above.
const TOP = 0;
const RIGHT = 1;
const BOTTOM = 2;
const LEFT = 3;

/**
 * The lines along which a map has a value, as an SVG path in the picture's pixels, by marching squares. A square has
 * its corners in the middles of four neighboring pixels: going clockwise around it, a line enters where the map rises to
 * the value, and leaves where it falls below. So the lines of neighboring squares follow each other. They end at the
 * picture's edge. A map that is noise is averaged over squares of pixels until it has few enough lines to be told apart.
 *
 * @param values one byte a pixel, row by row
 * @param level the value, above 0 and at most 255
 */
export function contour(values: Uint8Array, width: number, height: number, level: number): string {
  let field: Field = { values, width, height, side: 1 };
  for (;;) {
    const steps = march(field, level);
    if (steps !== null) return path(steps, field, level, width, height);
    field = halved(field);
  }
}

/** All steps through all squares; null if there are too many. */
function march({ values, width, height }: Field, level: number): Steps | null {
  // The outermost pixels count twice, or the lines would end half a pixel before the edge.
  const stride = width + 2;
  const next = new Int32Array(2 * stride * (height + 2));
  const isLeft = new Uint8Array(next.length);
  const entries: number[] = [];
  const ofRow = (j: number): number => width * clamp(j - 1, 0, height - 1);
  for (let j = 0; j <= height; j++) {
    const above = ofRow(j);
    const below = ofRow(j + 1);
    let a = values[above]! >= level;
    let d = values[below]! >= level;
    for (let i = 0; i <= width; i++) {
      const column = Math.min(width - 1, i);
      const b = values[above + column]! >= level;
      const c = values[below + column]! >= level;
      if (a !== b || b !== c || c !== d) {
        if (entries.length >= MOST) return null;
        const at = 2 * (j * stride + i);
        const sides = [at, at + 3, at + 2 * stride, at + 1];
        const step = (from: number, to: number): void => {
          entries.push(sides[from]!);
          next[sides[from]!] = sides[to]!;
          isLeft[sides[to]!] = 1;
        };
        if (a === c && b === d) {
          const middle = values[above + Math.max(0, i - 1)]! + values[above + column]! +
            values[below + Math.max(0, i - 1)]! + values[below + column]!;
          saddle(a, middle >= 4 * level, step);
        } else {
          const entry = !a && b ? TOP : !b && c ? RIGHT : !c && d ? BOTTOM : LEFT;
          const exit = a && !b ? TOP : b && !c ? RIGHT : c && !d ? BOTTOM : LEFT;
          step(entry, exit);
        }
      }
      a = b;
      d = c;
    }
  }
  return { next, entries, isLeft };
}

/** A saddle, whose opposite corners are alike: the mean of all four decides which of them are connected. */
function saddle(isFirst: boolean, isHigh: boolean, step: (from: number, to: number) => void): void {
  if (isFirst) {
    step(LEFT, isHigh ? BOTTOM : TOP);
    step(RIGHT, isHigh ? TOP : BOTTOM);
  } else {
    step(TOP, isHigh ? LEFT : RIGHT);
    step(BOTTOM, isHigh ? RIGHT : LEFT);
  }
}

function path({ next, entries, isLeft }: Steps, field: Field, level: number, width: number, height: number): string {
  const parts: string[] = [];
  const isDone = new Uint8Array(next.length);
  const follow = (start: number): void => {
    if (isDone[start] === 1) return;
    let side = start;
    let sign = "M";
    // 0 in `next` means that the line ends: side 0 is the picture's corner, which no line leaves.
    do {
      isDone[side] = 1;
      parts.push(sign, place(side, field, level, width, height));
      sign = "L";
      side = next[side]!;
    } while (side !== 0 && side !== start);
    if (side === start) parts.push("Z");
  };
  // First those that begin at the edge: starting in their middle would split them in two.
  for (const side of entries) if (isLeft[side] === 0) follow(side);
  for (const side of entries) follow(side);
  return parts.join("");
}

/** Where a line crosses a side of a square. */
function place(side: number, { values, width: columns, height: rows, side: size }: Field, level: number, width: number, height: number): string {
  const stride = columns + 2;
  const corner = side >> 1;
  const i = corner % stride;
  const j = (corner - i) / stride;
  const isDown = side % 2 === 1;
  const value = (x: number, y: number): number =>
    values[columns * clamp(y - 1, 0, rows - 1) + clamp(x - 1, 0, columns - 1)]!;
  const start = value(i, j);
  const part = (level - start) / (value(isDown ? i : i + 1, isDown ? j + 1 : j) - start);
  const x = size * (i - 0.5 + (isDown ? 0 : part));
  const y = size * (j - 0.5 + (isDown ? part : 0));
  return `${hundredths(x, width)} ${hundredths(y, height)}`;
}

function hundredths(value: number, most: number): number {
  return Math.round(100 * clamp(value, 0, most)) / 100;
}

function halved({ values, width, height, side }: Field): Field {
  const columns = (width + 1) >> 1;
  const rows = (height + 1) >> 1;
  const out = new Uint8Array(columns * rows);
  for (let j = 0, k = 0; j < rows; j++) {
    const above = 2 * j * width;
    const below = Math.min(2 * j + 1, height - 1) * width;
    for (let i = 0; i < columns; i++, k++) {
      const left = 2 * i;
      const right = Math.min(left + 1, width - 1);
      out[k] = (values[above + left]! + values[above + right]! + values[below + left]! + values[below + right]! + 2) >> 2;
    }
  }
  return { values: out, width: columns, height: rows, side: 2 * side };
}
