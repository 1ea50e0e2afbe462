/**
 * Paint on a picture: encoding, brush strokes and outlines. Its effect on the mask must agree with
 * camwidget/masking/user_mask.py to the pixel.
 */
import type { Position } from "./geometry";
import { clamp } from "./parse";

export const HIDDEN = 1;
export const KEPT = -1;

/** A value of paint: hidden, kept, or 0, which leaves the pixel to the slider. */
export type Shade = typeof HIDDEN | typeof KEPT | 0;

/** Runs in reading order: value, length, value, length, …; nothing painted at the end is left out. */
export function encode(paint: Int8Array): number[] {
  const runs: number[] = [];
  for (let i = 0; i < paint.length; ) {
    const value = paint[i]!;
    const start = i;
    while (i < paint.length && paint[i] === value) i++;
    if (value !== 0 || i < paint.length) runs.push(value, i - start);
  }
  return runs;
}

/** Null where they are no runs, or more than the picture has pixels. */
export function decode(runs: readonly unknown[], size: number): Int8Array | null {
  if (runs.length % 2 !== 0) return null;
  const paint = new Int8Array(size);
  let at = 0;
  for (let k = 0; k < runs.length; k += 2) {
    const value = runs[k];
    const length = runs[k + 1];
    if (value !== HIDDEN && value !== KEPT && value !== 0) return null;
    if (typeof length !== "number" || !Number.isInteger(length) || length < 1 || length > size - at) return null;
    paint.fill(value, at, at + length);
    at += length;
  }
  return paint;
}

/**
 * Draws with a round brush from one spot to another: every pixel whose middle is no farther from that line than the
 * radius, and the pixel under each end, however fine the brush. True when a pixel has changed.
 */
export function draw(
  paint: Int8Array,
  width: number,
  from: Position,
  to: Position,
  diameter: number,
  shade: Shade,
): boolean {
  const height = paint.length / width;
  const radius = diameter / 2;
  const left = Math.max(0, Math.floor(Math.min(from.x, to.x) - radius));
  const right = Math.min(width - 1, Math.floor(Math.max(from.x, to.x) + radius));
  const top = Math.max(0, Math.floor(Math.min(from.y, to.y) - radius));
  const bottom = Math.min(height - 1, Math.floor(Math.max(from.y, to.y) + radius));
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const long = dx * dx + dy * dy;
  let changed = false;
  const set = (x: number, y: number): void => {
    const at = y * width + x;
    if (paint[at] === shade) return;
    paint[at] = shade;
    changed = true;
  };
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const px = x + 0.5 - from.x;
      const py = y + 0.5 - from.y;
      const along = long === 0 ? 0 : clamp((px * dx + py * dy) / long, 0, 1);
      const ax = px - along * dx;
      const ay = py - along * dy;
      if (ax * ax + ay * ay <= radius * radius) set(x, y);
    }
  }
  for (const { x, y } of [from, to]) {
    if (x >= 0 && x < width && y >= 0 && y < height) set(Math.floor(x), Math.floor(y));
  }
  return changed;
}

/** The parts of the picture that are hidden, and kept. */
export function covered(paint: Int8Array): { readonly hidden: number; readonly kept: number } {
  let hidden = 0;
  let kept = 0;
  for (const value of paint) {
    if (value === HIDDEN) hidden++;
    else if (value === KEPT) kept++;
  }
  return { hidden: hidden / paint.length, kept: kept / paint.length };
}

/** The border around all pixels of a shade, along their edges, as an SVG path in the picture's pixels. */
export function border(paint: Int8Array, width: number, shade: Shade): string {
  const height = paint.length / width;
  const { left, right, top, bottom } = bounds(paint, width, shade);
  const is = (x: number, y: number): boolean =>
    x >= 0 && x < width && y >= 0 && y < height && paint[y * width + x] === shade;
  let path = "";
  for (let y = top; y <= bottom + 1; y++) {
    for (let x = left; x <= right; ) {
      const start = x;
      while (x <= right && is(x, y) !== is(x, y - 1)) x++;
      if (x > start) path += `M${start} ${y}H${x}`;
      else x++;
    }
  }
  for (let x = left; x <= right + 1; x++) {
    for (let y = top; y <= bottom; ) {
      const start = y;
      while (y <= bottom && is(x, y) !== is(x - 1, y)) y++;
      if (y > start) path += `M${x} ${start}V${y}`;
      else y++;
    }
  }
  return path;
}

/** The edges between pixels of different labels, as an SVG path in the picture's pixels. */
export function edges(labels: Uint16Array, width: number): string {
  const height = labels.length / width;
  let path = "";
  for (let y = 1; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const start = x;
      while (x < width && labels[y * width + x] !== labels[(y - 1) * width + x]) x++;
      if (x > start) path += `M${start} ${y}H${x}`;
    }
  }
  for (let x = 1; x < width; x++) {
    for (let y = 0; y < height; y++) {
      const start = y;
      while (y < height && labels[y * width + x] !== labels[y * width + x - 1]) y++;
      if (y > start) path += `M${x} ${start}V${y}`;
    }
  }
  return path;
}

/** The first and last columns and rows that have a shade; the last before the first where none has. */
function bounds(
  paint: Int8Array,
  width: number,
  shade: Shade,
): { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number } {
  let [left, right, top, bottom] = [width, -1, Infinity, -1];
  for (let i = 0, x = 0, y = 0; i < paint.length; i++) {
    if (paint[i] === shade) {
      if (x < left) left = x;
      if (x > right) right = x;
      if (top === Infinity) top = y;
      bottom = y;
    }
    if (++x === width) {
      x = 0;
      y += 1;
    }
  }
  return { left, right, top, bottom };
}

/** The pixels of a shade as filled rows, an SVG path in the picture's pixels. */
export function area(paint: Int8Array, width: number, shade: Shade): string {
  let path = "";
  for (let i = 0; i < paint.length; ) {
    if (paint[i] !== shade) {
      i++;
      continue;
    }
    const start = i;
    const row = Math.floor(i / width);
    while (i < (row + 1) * width && paint[i] === shade) i++;
    path += `M${start % width} ${row}h${i - start}v1h${start - i}z`;
  }
  return path;
}

/** Bits of a byte from the highest on, as numpy packs them; null where there are too few. */
export function unpackBits(packed: Uint8Array, size: number): Uint8Array | null {
  if (packed.length !== Math.ceil(size / 8)) return null;
  return Uint8Array.from({ length: size }, (_, i) => (packed[i >> 3]! >> (7 - (i & 7))) & 1);
}
