import type { Context } from "./context";
import { flag, layers, methods, mode, number, rows, text, texts } from "./traits";

/** What both a button and a key can do. */

export function nudgeFraction(context: Context, percents: number): void {
  if (mode(context.model.get("mode")) === "multiply") return;
  const next = Math.round(100 * context.fraction()) + percents;
  context.write({ fraction: Math.min(100, Math.max(0, next)) / 100 });
}

export function stepLayer(context: Context, by: number): void {
  const all = layers(context.model.get("layers"));
  const now = all.findIndex(({ name }) => name === text(context.model.get("layer")));
  const next = all[now + by];
  if (now >= 0 && next !== undefined) context.write({ layer: next.name });
}

export function stepPicture(context: Context, by: number): void {
  const next = number(context.model.get("picture"), -1) + by;
  if (next >= 0 && next < texts(context.model.get("pictures")).length) context.write({ picture: next });
}

export function nextMethod(context: Context): void {
  const usable = methods(context.model.get("methods")).filter(({ reason }) => reason === null);
  const now = usable.findIndex(({ name }) => name === text(context.model.get("method")));
  const next = usable[(now + 1) % usable.length];
  if (next !== undefined) context.write({ method: next.name });
}

export function pickClass(context: Context, index: number): void {
  context.write({ target: index });
}

export function pickRow(context: Context, at: number): void {
  const row = rows(context.model.get("rows"))[at];
  if (row !== undefined) pickClass(context, row.index);
}

/** Picture × map has no overlay to toggle. */
export function toggleOverlay(context: Context): void {
  if (mode(context.model.get("mode")) === "multiply") return;
  context.write({ overlay: !flag(context.model.get("overlay"), true) });
}
