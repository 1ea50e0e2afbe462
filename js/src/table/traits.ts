/** Parsers of the score table's synced traits, which camwidget/widget/panels/evaluate.py sets. */

import { fields, list, text } from "../core/parse";
import type { Fields } from "../core/parse";
import type { Model } from "../view/model";
import type { ScoreTableTraits } from "./syncedTraits";

export type Better = "higher" | "lower";

/** A metric as the head of a column. */
export interface Column {
  readonly name: string;
  readonly label: string;
  readonly tip: string;
  readonly better: Better;
}

export interface Cell {
  /** Null where there is no number. */
  readonly value: number | null;
  readonly text: string;
  readonly note: string;
  readonly best: boolean;
  readonly waits: boolean;
}

/** A method's scores, one a column. */
export interface ScoreRow {
  readonly name: string;
  readonly label: string;
  readonly color: string;
  readonly cells: readonly Cell[];
}

/** By which column the rows are sorted, the best first; "" is the order in which they were requested. */
export interface Order {
  readonly column: string;
  readonly reverse: boolean;
}

/** The table's model, with its own synced traits. */
export type TableModel = Model<ScoreTableTraits>;

export function columns(value: unknown): readonly Column[] {
  return list(value).map(fields).map(({ name, label, tip, better }) => ({
    name: text(name), label: text(label, text(name)), tip: text(tip), better: better === "lower" ? "lower" : "higher",
  }));
}

export function rows(value: unknown): readonly ScoreRow[] {
  return list(value).map(fields).map(({ name, label, color, cells }) => ({
    name: text(name), label: text(label, text(name)), color: text(color), cells: list(cells).map(fields).map(cell),
  }));
}

function cell({ value, text: shown, note, best, waits }: Fields): Cell {
  return {
    value: typeof value === "number" && Number.isFinite(value) ? value : null,
    text: text(shown, "–"), note: text(note), best: best === true, waits: waits === true,
  };
}

export function order(value: unknown): Order {
  const { column, reverse } = fields(value);
  return { column: text(column), reverse: reverse === true };
}
