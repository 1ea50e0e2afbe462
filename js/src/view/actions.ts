/** Actions that buttons and keyboard shortcuts share. */
import { clamp, texts } from "../core/parse";
import type { Context } from "./context";
import { findings } from "./findings";
import { trait } from "./model";
import { contrasts, methodsHere, mode, rows, stance } from "./traits";
import { references } from "./promptAndReferences";
import type { Kind } from "./traits";

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
  const all = methodsHere(context.model);
  const now = all.findIndex(({ name }) => name === trait(context.model, "method"));
  const onwards = [...all.slice(now + 1), ...all.slice(0, Math.max(0, now))];
  const next = onwards.find(({ reason, slow }) => reason === null && !slow);
  if (next !== undefined) context.write({ method: next.name });
}

/** Chooses a class: the one that is explained, or the other one where that is waited for. */
export function pickClass(context: Context, index: number): void {
  if (trait(context.model, "awaits_rival")) context.write({ stance: { kind: "rather", other: index } });
  else context.write({ target: index });
}

/** Chooses a stance towards the class that is explained. */
export function pickStance(context: Context, kind: Kind): void {
  const { model, runsModel } = context;
  if (runsModel) {
    if (kind === "rather") context.write({ awaits_rival: !trait(model, "awaits_rival") });
    else context.write({ stance: { kind, other: -1 }, awaits_rival: false });
    return;
  }
  // A page without the model has only what was computed.
  const now = stance(model);
  const known = contrasts(model).filter((one) => one.target === trait(model, "target") && one.kind === kind);
  const next = known[(known.findIndex(({ other }) => other === now.other) + 1) % known.length];
  if (kind === "for" || next !== undefined) context.write({ stance: { kind, other: next?.other ?? -1 } });
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

/** Draws what the model finds in the picture, or not. */
export function toggleFindings(context: Context): void {
  context.write({ findings: !trait(context.model, "findings") });
}

/** Asks the next question about the detection. */
export function nextQuestion(context: Context): void {
  const { questions } = findings(context.model.get("found"));
  const next = questions[(questions.indexOf(trait(context.model, "about")) + 1) % questions.length];
  if (next !== undefined) context.write({ about: next });
}

/** Makes a picture a reference, or no reference any more. */
export function toggleReference(context: Context, picture: number): void {
  const known = references(context.model.get("references"));
  if (known?.kind !== "pictures" || picture < 0) return;
  const there = known.items.find((one) => one.picture === picture);
  if (there === undefined) context.model.send({ type: "reference", add: picture });
  else removeReference(context, there.name);
}

export function removeReference(context: Context, name: string): void {
  context.model.send({ type: "reference", remove: name });
}

/** Picture × map has no overlay to toggle. */
export function toggleOverlay(context: Context): void {
  if (mode(context.model.get("mode")) === "multiply") return;
  context.write({ overlay: !trait(context.model, "overlay") });
}
