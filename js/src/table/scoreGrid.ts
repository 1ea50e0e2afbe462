/** The table of scores: methods in rows, metrics in columns, sorted by a click on a column's head. */
import { text } from "../core/parse";
import { button, fit, make, setAttribute, setText } from "../view/dom/dom";
import { watch, write } from "../view/model";
import { columns, order, rows } from "./traits";
import type { Better, Cell, Column, Order, ScoreRow, TableModel } from "./traits";

/** The table of scores with its caption. A click on a head sorts by its metric; a click on a row shows the method's map. */
export class ScoreGrid {
  readonly caption: HTMLElement;
  readonly element: HTMLElement;
  private readonly about = make("span", "");
  private readonly stale = make("span", "camwidget-table-stale");
  private readonly head = make("tr", "");
  private readonly body = make("tbody", "");

  constructor(
    private readonly model: TableModel,
    signal: AbortSignal,
  ) {
    const table = make("table", "camwidget-table-scores", {}, make("thead", "", {}, this.head), this.body);
    this.caption = make("div", "camwidget-table-caption", {}, this.about, this.stale);
    this.element = make("div", "camwidget-table-result", {}, table);
    this.head.addEventListener("click", (event) => this.sort(event.target), { signal });
    this.body.addEventListener("click", (event) => this.pick(event.target), { signal });
    watch(model, ["caption", "stale", "running", "columns", "rows", "order", "method"], signal, () => this.update());
  }

  private update(): void {
    const { model } = this;
    const shown = columns(model.get("columns"));
    const by = order(model.get("order"));
    const method = text(model.get("method"));
    const caption = text(model.get("caption"));
    this.element.hidden = this.caption.hidden = shown.length === 0;
    setText(this.about, `Scores of ${caption}`);
    const start = model.get("running") === true ? "" : "; press Start to evaluate it";
    setText(this.stale, model.get("stale") === true ? `the explorer shows another map now${start}` : "");
    const heads = fit(this.head, shown.length + 1, () => make("th", "", { scope: "col" }, button("camwidget-table-head", {})));
    heads.forEach((head, at) => fillHead(head, shown[at - 1], by));
    const lines = sorted(rows(model.get("rows")), shown, by);
    const made = fit(this.body, lines.length, () => make("tr", ""));
    lines.forEach((row, at) => fillRow(made[at], row, shown, row.name === method));
  }

  private sort(target: EventTarget | null): void {
    const head = target instanceof Element ? target.closest<HTMLElement>("th") : null;
    if (head === null) return;
    write(this.model, { order: turned(order(this.model.get("order")), head.dataset["name"] ?? "") });
  }

  private pick(target: EventTarget | null): void {
    const row = target instanceof Element ? target.closest<HTMLElement>("tr") : null;
    if (row !== null) this.model.send({ type: "pick", method: row.dataset["name"] ?? "" });
  }
}

function fillHead(head: HTMLElement, column: Column | undefined, by: Order): void {
  const [press] = Array.from(head.children);
  if (!(press instanceof HTMLElement)) return;
  const name = column?.name ?? "";
  head.dataset["name"] = name;
  // The arrow stays on the line of the last word.
  const [start, end] = fit(press, 2, (at) => make("span", at === 0 ? "" : "camwidget-table-end"));
  if (start === undefined || end === undefined) return;
  const [word, arrow] = fit(end, 2, (at) => make("span", at === 0 ? "" : "camwidget-table-better"));
  if (word === undefined || arrow === undefined) return;
  const label = column?.label ?? "Method";
  const last = label.lastIndexOf(" ") + 1;
  setText(start, label.slice(0, last));
  setText(word, label.slice(last));
  setText(arrow, column === undefined ? "" : column.better === "lower" ? "↓" : "↑");
  press.title = column === undefined ? "In the order of the methods" : `${column.tip} – Click to sort`;
  const is = column !== undefined && by.column === name;
  setAttribute(head, "aria-sort", is ? direction(column.better, by.reverse) : "none");
}

function fillRow(line: HTMLElement | undefined, row: ScoreRow, shown: readonly Column[], current: boolean): void {
  if (line === undefined) return;
  line.dataset["name"] = row.name;
  setAttribute(line, "aria-current", String(current));
  if (line.firstElementChild === null) {
    const press = button("camwidget-table-row", { title: "Show its map" });
    press.append(make("span", "camwidget-table-swatch", { "aria-hidden": "true" }), make("span", ""));
    line.append(make("th", "", { scope: "row" }, press));
  }
  const [swatch, label] = line.querySelectorAll<HTMLElement>("th span");
  if (swatch !== undefined) swatch.style.backgroundColor = row.color;
  if (label !== undefined) setText(label, row.label);
  const cells = fit(line, shown.length + 1, () => make("td", "")).slice(1);
  shown.forEach((_, at) => fillCell(cells[at], row.cells[at]));
}

function fillCell(place: HTMLElement | undefined, cell: Cell | undefined): void {
  if (place === undefined || cell === undefined) return;
  setText(place, cell.waits ? "…" : cell.text);
  place.dataset["best"] = String(cell.best);
  place.dataset["none"] = String(cell.value === null);
  // With more digits: two scores that look equal may differ.
  const value = cell.value === null ? "" : String(Number(cell.value.toPrecision(6)));
  place.title = cell.note !== "" ? cell.note : cell.best ? `${value}, the best of this column` : value;
}

/** Sorts rows by a column, best or worst first; rows without a score come last in both orders. */
export function sorted(rows: readonly ScoreRow[], columns: readonly Column[], order: Order): readonly ScoreRow[] {
  const at = columns.findIndex(({ name }) => name === order.column);
  const column = columns[at];
  if (column === undefined) return rows;
  const sign = (column.better === "lower" ? 1 : -1) * (order.reverse ? -1 : 1);
  const value = (row: ScoreRow): number | null => row.cells[at]?.value ?? null;
  return [...rows].sort((a, b) => {
    const [one, other] = [value(a), value(b)];
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    return sign * (one - other);
  });
}

/** Returns the order after a click on a column's head: best first, or worst first at the second click. */
export function turned(order: Order, column: string): Order {
  return { column, reverse: column !== "" && order.column === column && !order.reverse };
}

/** Returns the value of aria-sort, which tells the direction of the values and not which is best. */
export function direction(better: Better, reverse: boolean): "ascending" | "descending" {
  return (better === "lower") === reverse ? "descending" : "ascending";
}
