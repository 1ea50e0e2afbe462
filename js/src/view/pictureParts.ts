/** Parts of the picture, such as superpixels: parsed, and whether they are drawn. */
import type { Point } from "../core/geometry";
import { bytes, fields, flag, list, number, text, uint16 } from "../core/parse";
import type { Context } from "./context";
import { trait } from "./model";

/** What a part adds to the class's score, with its standard error; null while that is not known. */
export interface PartValue {
  readonly value: number;
  readonly error: number | null;
}

export interface PictureParts {
  readonly scene: string;
  readonly width: number;
  readonly height: number;
  readonly count: number;
  /** The part of each pixel, row by row. */
  readonly labels: Uint16Array;
  /** Whether they are the parts of the map shown, and not superpixels of the picture alone. */
  readonly isOfMap: boolean;
}

/** Null where the value is malformed. */
export function pictureParts(value: unknown): PictureParts | null {
  const from = fields(value);
  const raw = bytes(from["labels"]);
  const [width, height, count] = [number(from["width"], 0), number(from["height"], 0), number(from["count"], 0)];
  if (raw === null || raw.length === 0 || raw.length !== 2 * width * height) return null;
  return { scene: text(from["scene"]), width, height, count, labels: uint16(raw), isOfMap: flag(from["of_map"], false) };
}

/** The values of a map's parts; none of a map without parts. */
export function partValues(explanation: unknown): readonly PartValue[] {
  const from = fields(fields(explanation)["parts"]);
  const errors = list(from["errors"]);
  return list(from["values"]).map((value, at) => {
    const error = number(errors[at], Number.NaN);
    return { value: number(value, 0), error: Number.isNaN(error) ? null : error };
  });
}

/** Whether parts are drawn: those of a map that has them, unless they are switched off, and others if switched on. */
export function partsAreOn({ model }: Context): boolean {
  const choice = trait(model, "parts");
  return choice === "on" || (choice !== "off" && flag(fields(model.get("picture_parts"))["of_map"], false));
}

/** Draws the parts of the picture, or not. */
export function toggleParts(context: Context): void {
  const isOfMap = flag(fields(context.model.get("picture_parts"))["of_map"], false);
  const next = !partsAreOn(context);
  context.write({ parts: next === isOfMap ? "auto" : next ? "on" : "off" });
}

/** The number of the part at a pixel. */
export function partAt({ labels, width }: PictureParts, { x, y }: Point): number {
  return labels[y * width + x] ?? -1;
}
