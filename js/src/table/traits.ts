/** The synced traits of the evaluation, read defensively, as `view/traits.ts` reads the explorer's. `widget/table.py` writes them. */

/** A method or a metric that can be chosen. */
export interface Choice {
  readonly name: string;
  readonly label: string;
  readonly group: string;
  readonly tip: string;
  /** Why it cannot be had here; null when it can. */
  readonly reason: string | null;
  readonly slow: boolean;
}

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
export interface Row {
  readonly name: string;
  readonly label: string;
  readonly color: string;
  readonly cells: readonly Cell[];
}

/** By which column the rows are sorted, the best first; "" is the order in which they were asked for. */
export interface Order {
  readonly column: string;
  readonly reverse: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

export function text(value: unknown, otherwise = ""): string {
  return typeof value === "string" ? value : otherwise;
}

export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

export function share(value: unknown): number {
  return typeof value === "number" && value > 0 ? Math.min(1, value) : 0;
}

export function choices(value: unknown): readonly Choice[] {
  return list(value).map(({ name, label, group, tip, reason, slow }) => ({
    name: text(name), label: text(label, text(name)), group: text(group), tip: text(tip),
    reason: typeof reason === "string" ? reason : null, slow: slow === true,
  }));
}

export function columns(value: unknown): readonly Column[] {
  return list(value).map(({ name, label, tip, better }) => ({
    name: text(name), label: text(label, text(name)), tip: text(tip), better: better === "lower" ? "lower" : "higher",
  }));
}

export function rows(value: unknown): readonly Row[] {
  return list(value).map(({ name, label, color, cells }) => ({
    name: text(name), label: text(label, text(name)), color: text(color), cells: list(cells).map(cell),
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
