/** The part of a zoomed picture that is in view: zooming about a position, and panning. */
import type { Position } from "./geometry";
import { clamp } from "./parse";

/**
 * The visible part of a picture: its scale, and how far its left upper corner lies outside, in widths and heights of
 * the frame. The enlarged picture always covers the frame.
 */
export interface Viewport {
  readonly scale: number;
  readonly left: number;
  readonly top: number;
}

export const FULL_VIEW: Viewport = { scale: 1, left: 0, top: 0 };

export const MAX_SCALE = 16;

function fitted(scale: number, left: number, top: number): Viewport {
  const within = (value: number): number => clamp(value, 0, scale - 1);
  return { scale, left: within(left), top: within(top) };
}

/** Zooms by a factor about a position, which stays where it is unless the picture's edge would enter the frame. */
export function zoomed({ scale, left, top }: Viewport, factor: number, { x, y }: Position): Viewport {
  const next = clamp(scale * factor, 1, MAX_SCALE);
  const grown = next / scale;
  return fitted(next, (left + x) * grown - x, (top + y) * grown - y);
}

/** Pans with a pointer that drags the picture. */
export function moved({ scale, left, top }: Viewport, right: number, down: number): Viewport {
  return fitted(scale, left - right, top - down);
}

/** Where in the frame a place of the picture, from 0 to 1 each way, is seen; outside of 0..1 it is not. */
export function seen({ scale, left, top }: Viewport, { x, y }: Position): Position {
  return { x: x * scale - left, y: y * scale - top };
}

/** Moved no further than is needed to see a place of the picture, with some of what is around it. */
export function revealing(viewport: Viewport, place: Position): Viewport {
  const margin = 0.1;
  const { x, y } = seen(viewport, place);
  const lack = (at: number): number => (at < margin ? margin - at : at > 1 - margin ? 1 - margin - at : 0);
  return moved(viewport, lack(x), lack(y));
}
