/** Actions that buttons and keyboard shortcuts share. */
import { clamp, texts } from "../core/parse";
import type { Context } from "./context";
import { trait } from "./model";
import { methods, mode, rows } from "./traits";

export function nudgeFraction(context: Context, percents: number): void {
  if (mode(context.model.get("mode")) === "multiply") return;
  const next = Math.round(100 * context.fraction()) + percents;
  context.write({ fraction: clamp(next, 0, 100) / 100 });
}

export function stepPicture(context: Context, by: number): void {
  const next = trait(context.model, "picture") + by;
  if (next >= 0 && next < texts(context.model.get("pictures")).length) context.write({ picture: next });
}

/** Chooses the next method that can be used and is not slow. */
export function nextMethod(context: Context): void {
  const all = methods(context.model.get("methods"));
  const now = all.findIndex(({ name }) => name === trait(context.model, "method"));
  const onwards = [...all.slice(now + 1), ...all.slice(0, Math.max(0, now))];
  const next = onwards.find(({ reason, slow }) => reason === null && !slow);
  if (next !== undefined) context.write({ method: next.name });
}

export function pickClass(context: Context, index: number): void {
  context.write({ target: index });
}

export function pickRow(context: Context, at: number): void {
  const row = rows(context.model.get("rows"))[at];
  if (row !== undefined) pickClass(context, row.index);
}

export function toggleOutlines(context: Context): void {
  if (trait(context.model, "has_ground_truth")) context.write({ outlines: !trait(context.model, "outlines") });
}

export function toggleBoxes(context: Context): void {
  context.write({ boxes: !trait(context.model, "boxes") });
}

/** Picture × map has no overlay to toggle. */
export function toggleOverlay(context: Context): void {
  if (mode(context.model.get("mode")) === "multiply") return;
  context.write({ overlay: !trait(context.model, "overlay") });
}
