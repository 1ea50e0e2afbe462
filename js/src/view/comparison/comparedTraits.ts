/** Parsers of the comparison's synced traits. A is the map that the view shows, B the one compared with it. */
import type { Quantity } from "../../core/numberFormat";
import { fields, flag, list, number, text } from "../../core/parse";
import type { Model } from "../model";
import { explanation, quantity, scene, sceneId } from "../traits";
import type { Explanation, Scene } from "../traits";

export const DIMENSIONS = ["model", "picture", "target", "method", "layer", "fraction"] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export const ARRANGEMENTS = ["side", "split", "difference"] as const;
export type Arrangement = (typeof ARRANGEMENTS)[number];

/** The dimensions in which B differs; empty: nothing is compared. */
export type Compare = Readonly<Partial<Record<Dimension, unknown>>>;

/** The names of a map's model, picture, class, method and layer, and the fraction that is masked where B has its own. */
export type Label = Readonly<Record<Dimension, string>>;

export interface ComparedMap {
  /** B's own picture, or A's where it is the same. */
  readonly scene: Scene;
  readonly map: Explanation;
  readonly label: Label;
  /** Sentences on the settings of A that B's model does not have, and what B has instead. */
  readonly note: string;
  /** Why there is no difference of the two maps; "" where there is one. */
  readonly noDifference: string;
}

export interface ComparedStatus {
  readonly busy: boolean;
  readonly note: string;
  readonly error: string;
}

export interface NumberPair {
  readonly unmasked: number;
  /** Undefined while nothing is masked. */
  readonly masked: number | undefined;
}

export interface ComparedPrediction {
  /** What the numbers are where they are no probabilities. */
  readonly quantity: Quantity | null;
  readonly target: NumberPair;
  /** By the number of A's class. */
  readonly rows: ReadonlyMap<number, NumberPair>;
}

export function compared(model: Model): Compare {
  const from = fields(model.get("compare"));
  return Object.fromEntries(DIMENSIONS.filter((key) => key in from).map((key) => [key, from[key]]));
}

export function isComparing(model: Model): boolean {
  return Object.keys(compared(model)).length > 0;
}

/** The fraction of B that is masked; null where it is A's. */
export function comparedFraction(model: Model): number | null {
  const { fraction } = compared(model);
  return typeof fraction === "number" && fraction >= 0 && fraction <= 1 ? fraction : null;
}

export function arrangement(model: Model): Arrangement {
  const value = model.get("arrangement");
  return ARRANGEMENTS.find((one) => one === value) ?? "side";
}

/** Null unless there is a map that covers its picture. */
export function comparedMap(model: Model): ComparedMap | null {
  const from = fields(model.get("compared_explanation"));
  const own = model.get("compared_scene");
  const id = text(from["scene"]);
  const of = scene(id !== "" && sceneId(own) === id ? own : model.get("scene"));
  const map = explanation(from, of);
  if (of === null || map === null) return null;
  const names = fields(from["label"]);
  const label = Object.fromEntries(DIMENSIONS.map((key) => [key, text(names[key])])) as Label;
  return { scene: of, map, label, note: text(from["substitutions"]), noDifference: text(from["no_difference"]) };
}

export function comparedStatus(model: Model): ComparedStatus {
  const from = fields(model.get("compared_status"));
  return { busy: flag(from["busy"], false), note: text(from["note"]), error: text(from["error"]) };
}

export function comparedPrediction(model: Model): ComparedPrediction {
  const from = fields(model.get("compared_prediction"));
  const rows = new Map<number, NumberPair>();
  for (const row of list(from["rows"])) {
    rows.set(number(fields(row)["index"], -1), change(row));
  }
  return { quantity: quantity(from["quantity"]), target: change(from["target"]), rows };
}

function change(value: unknown): NumberPair {
  const { unmasked, masked } = fields(value);
  return { unmasked: number(unmasked, Number.NaN), masked: typeof masked === "number" ? masked : undefined };
}
