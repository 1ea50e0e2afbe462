/** The listed classes with their numbers, and the most probable class of the masked picture. */
import { decimals, readings, unitSuffix } from "../../core/numberFormat";
import type { Quantity } from "../../core/numberFormat";
import { numbers } from "../../core/parse";
import { pickClass } from "../actions";
import type { Context } from "../context";
import { button, fit, make, setAttribute, setText } from "../dom/dom";
import { findings } from "../findings";
import { trait } from "../model";
import { mostProbable, quantity, rows, stance } from "../traits";

/** Smaller changes are not marked: they would be shown as "0.97 → 0.97". */
const VISIBLE = 0.005;

export interface ClassList {
  readonly head: HTMLElement;
  readonly names: HTMLElement;
  readonly numbers: HTMLElement;
}

/**
 * Creates the list of class names and their numbers; the bars between them are a widget of their own (bqplot).
 *
 * @param control what stands over the list
 */
export function classList(context: Context, control: HTMLElement): ClassList {
  const { model } = context;
  const caption = make("span", "camwidget-caption");
  const head = make(
    "div",
    "camwidget-class-heading",
    {},
    make("span", "camwidget-heading", {}, "Prediction"),
    control,
    caption,
  );
  const names = make("div", "camwidget-class-names", { role: "group", "aria-label": "Classes" });
  const values = make("div", "camwidget-numbers");
  context.watch(["rows", "masked", "target", "stance", "quantity", "found"], () => {
    const found = findings(model.get("found")).boxes;
    const all = rows(model.get("rows"));
    const masked = numbers(model.get("masked"));
    const target = trait(model, "target");
    const { other } = stance(model);
    const measured = quantity(model.get("quantity"));
    setText(caption, `${masked.length > 0 ? "unmasked → masked" : "unmasked"}${unitSuffix(measured, ", ")}`);
    const buttons = fit(names, all.length, (at) => nameButton(context, at));
    const cells = fit(values, all.length, (at) => numberCell(context, at));
    all.forEach((row, at) => {
      const item = buttons[at];
      const cell = cells[at];
      if (item === undefined || cell === undefined) return;
      const chosen = String(row.index === target);
      item.dataset["index"] = String(row.index);
      const isRival = row.index === other;
      const deed = isRival ? `The class explained is contrasted with ${row.name}` : `Explain ${row.name}`;
      const where = found.find((one) => one.index === row.index)?.where ?? "";
      const placed = where === "" ? deed : `${deed}, ${where} in the picture`;
      item.title = at < 9 ? `${placed} (${at + 1})` : placed;
      if (where === "") item.removeAttribute("aria-label");
      else setAttribute(item, "aria-label", `${row.name}, ${where}`);
      setAttribute(item, "data-rival", String(isRival));
      setText(item, row.name);
      setAttribute(item, "aria-pressed", chosen);
      setAttribute(cell, "data-chosen", chosen);
      showNumbers(cell, row.unmasked, masked[at], measured);
    });
  });
  return { head, names, numbers: values };
}

/** Creates the sentence that stands in place of the list where the model finds nothing. */
export function nothingFound(context: Context): HTMLElement {
  const note = make("p", "camwidget-found-note", { hidden: true });
  context.watch(["found"], () => {
    const why = findings(context.model.get("found")).note;
    setText(note, why);
    note.hidden = why === "";
  });
  return note;
}

function nameButton(context: Context, at: number): HTMLButtonElement {
  const made = button("camwidget-name", { "aria-describedby": context.id(`number-${at}`) });
  made.addEventListener("click", () => pickClass(context, Number(made.dataset["index"])), {
    signal: context.signal,
  });
  return made;
}

export function numberCell(context: Context, at: number, of = "number"): HTMLElement {
  return make(
    "div",
    "camwidget-number",
    { id: context.id(`${of}-${at}`) },
    make("span", "camwidget-unmasked"),
    make("span", "camwidget-arrow"),
    make("span", "camwidget-masked"),
  );
}

export function showNumbers(
  cell: Element, unmasked: number, masked: number | undefined, measured: Quantity | null,
): void {
  const [first, arrow, second] = cell.children;
  if (first === undefined || arrow === undefined || second === undefined) return;
  const [before, after] = readings(masked === undefined ? [unmasked] : [unmasked, masked], measured);
  setText(first, before ?? "");
  setText(arrow, masked === undefined ? "" : " → ");
  setText(second, after ?? "");
  const change = masked === undefined ? 0 : masked - unmasked;
  const visible = measured === null ? VISIBLE : 0.5 * 10 ** -decimals(unmasked, masked ?? 0);
  const direction = change >= visible ? "up" : change <= -visible ? "down" : "same";
  setAttribute(cell, "data-change", direction);
}

/** Creates the row with the most probable class of the masked picture, which need not be a listed one. */
export function mostProbableRow(context: Context): HTMLElement {
  const { model, signal } = context;
  const name = button("camwidget-most-probable-name", { title: "Explain this class" }, "…");
  const label = make("span", "camwidget-most-probable-label", {}, "now first");
  const bar = make("span", "camwidget-most-probable-bar", { "aria-hidden": "true" });
  const cell = numberCell(context, 0, "most-probable-number");
  const row = make(
    "div",
    "camwidget-most-probable",
    { role: "group", "aria-label": "Most probable class of the masked picture" },
    label,
    name,
    bar,
    cell,
  );
  let index = -1;
  name.addEventListener("click", () => index >= 0 && pickClass(context, index), { signal });
  context.watch(["most_probable", "quantity", "rows", "found"], () => {
    const now = mostProbable(model.get("most_probable"));
    index = now?.index ?? -1;
    // The row keeps its space while the picture is unmasked; of quantities, boxes, or one class, none is most probable.
    const finds = findings(model.get("found")).questions.length > 0;
    row.hidden = finds || quantity(model.get("quantity")) !== null || rows(model.get("rows")).length < 2;
    row.classList.toggle("camwidget-most-probable-none", now === null);
    if (now === null) return;
    setText(label, now.wasFirst ? "still first" : "now first");
    setText(name, now.name);
    bar.style.setProperty("--camwidget-value", `${100 * now.masked}%`);
    showNumbers(cell, now.unmasked, now.masked, null);
  });
  return row;
}
