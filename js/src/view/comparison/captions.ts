/** Captions over the two compared pictures, and the column with B's numbers. */
import { readings, rounded, unitSuffix } from "../../core/numberFormat";
import type { Quantity } from "../../core/numberFormat";
import { numbers, texts } from "../../core/parse";
import type { Context } from "../context";
import { numberCell, showNumbers } from "../controls/classList";
import { fit, make, setAttribute, setText } from "../dom/dom";
import { portion, trait } from "../model";
import { methods, mapLayer, quantity, rows, targetLabel } from "../traits";
import { compared, comparedFraction, DIMENSIONS, isComparing, comparedMap, comparedPrediction } from "./comparedTraits";
import type { NumberPair, Label } from "./comparedTraits";

/** Creates a line over each of the two pictures: how its map differs, and its model's number for the class. */
export function captions(context: Context): readonly [HTMLElement, HTMLElement] {
  const { model } = context;
  const percent = (fraction: number): string => `${rounded(100 * fraction, 1)} %`;
  const a = new Caption("A");
  const b = new Caption("B");
  context.watch(
    ["compare", "compared_explanation", "compared_scene", "compared_prediction", "scene", "models", "pictures", "picture", "methods", "method",
      "explanation", "rows", "masked", "target", "stance", "fraction"],
    () => {
      if (!isComparing(model)) return;
      const now = compared(model);
      const own = comparedFraction(model);
      const ownLabel = { ...labelOf(context), fraction: own === null ? "" : percent(portion(model, "fraction")) };
      const map = comparedMap(model);
      const otherLabel = map === null ? null : { ...map.label, fraction: own === null ? "" : percent(own) };
      // The class is always named at the end, next to its number.
      const shownKeys = DIMENSIONS.filter(
        (key) => key === "method" || (key !== "target" && (key in now || (otherLabel !== null && otherLabel[key] !== ownLabel[key]))),
      );
      const answer = comparedPrediction(model);
      a.show(ownLabel, shownKeys, numbersOf(context), quantity(model.get("quantity")));
      b.show(otherLabel, shownKeys, answer.target, answer.quantity);
    },
  );
  return [a.element, b.element];
}

class Caption {
  readonly element: HTMLElement;
  private readonly what = make("span", "camwidget-caption-title");
  private readonly numbers = make("span", "camwidget-caption-numbers");

  constructor(private readonly name: string) {
    const badge = make("span", "camwidget-badge", { "data-of": name }, name);
    this.element = make("div", "camwidget-caption-line", { "data-of": name, hidden: true }, badge, this.what, this.numbers);
  }

  show(
    label: Label | null, shownKeys: readonly (keyof Label)[], { unmasked, masked }: NumberPair, measured: Quantity | null,
  ): void {
    const parts = label === null ? [] : [...shownKeys.map((key) => label[key]), label.target];
    const title = parts.filter((part) => part !== "").join(" · ");
    setText(this.what, title);
    this.element.title = `${this.name}: ${title}`;
    const shown = readings(masked === undefined ? [unmasked] : [unmasked, masked], measured).join(" → ");
    setText(this.numbers, label === null || !Number.isFinite(unmasked) ? "" : `${shown}${unitSuffix(measured, " ")}`);
  }
}

function labelOf({ model }: Context): Label {
  const method = trait(model, "method");
  return {
    model: texts(model.get("models"))[0] ?? "",
    picture: texts(model.get("pictures"))[trait(model, "picture")] ?? "",
    target: targetLabel(model),
    method: methods(model.get("methods")).find(({ name }) => name === method)?.label ?? method,
    layer: mapLayer(model.get("explanation")).layer,
    fraction: "",
  };
}

function numbersOf({ model }: Context): NumberPair {
  const target = trait(model, "target");
  const all = rows(model.get("rows"));
  const at = all.findIndex(({ index }) => index === target);
  return { unmasked: all[at]?.unmasked ?? Number.NaN, masked: numbers(model.get("masked"))[at] };
}

/** Creates the column with the numbers of B's model for each class listed for A. */
export function comparedNumbersColumn(context: Context): readonly [HTMLElement, HTMLElement] {
  const { model } = context;
  const badge = make("span", "camwidget-badge", { "data-of": "B" }, "B");
  const head = make("div", "camwidget-compared-heading", { title: "B's prediction; – where its model has no class of that name" }, badge);
  const column = make("div", "camwidget-compared-numbers", { role: "group", "aria-label": "B's numbers" });
  context.watch(["compare", "rows", "target", "compared_prediction"], () => {
    head.hidden = column.hidden = !isComparing(model);
    if (column.hidden) {
      column.replaceChildren();
      return;
    }
    const all = rows(model.get("rows"));
    const target = trait(model, "target");
    const { rows: answers, quantity: measured } = comparedPrediction(model);
    const cells = fit(column, all.length, (at) => numberCell(context, at, "compared-number"));
    all.forEach(({ index }, at) => {
      const cell = cells[at];
      if (cell === undefined) return;
      const answer = answers.get(index);
      setAttribute(cell, "data-chosen", String(index === target));
      showNumbers(cell, answer?.unmasked ?? Number.NaN, answer?.masked, measured);
    });
  });
  return [head, column];
}
