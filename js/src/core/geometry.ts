/** Conversions between pixels, positions in pixels, and positions relative to a picture's size. */
import { clamp } from "./parse";

/** A pixel of a picture, counted from 0. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A position to fractions of a unit: in pixels, or from 0 to 1 where a function says so. */
export interface Position {
  readonly x: number;
  readonly y: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The middle of a pixel, in pixels: (0.5, 0.5) for the first. */
export function pixelCenter({ x, y }: Point): Position {
  return { x: x + 0.5, y: y + 0.5 };
}

/** The middle of a pixel, from 0 to 1 each way. */
export function relativeCenter({ x, y }: Point, { width, height }: Size): Position {
  return { x: (x + 0.5) / width, y: (y + 0.5) / height };
}

/** The pixel at a position in pixels, the nearest one where it is outside the picture. */
export function pixelAt({ x, y }: Position, { width, height }: Size): Point {
  return { x: clamp(Math.floor(x), 0, width - 1), y: clamp(Math.floor(y), 0, height - 1) };
}

/** The largest of some numbers ≥ 0; 0 of none. */
export function peakOf(values: Iterable<number>): number {
  let peak = 0;
  for (const value of values) if (value > peak) peak = value;
  return peak;
}
