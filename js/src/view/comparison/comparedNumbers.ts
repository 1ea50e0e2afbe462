import type { Context } from "../context";
import { numberCell, showNumbers } from "../controls/classList";
import { fit, make, setAttribute } from "../dom/dom";
import { trait } from "../model";
import { rows } from "../traits";
import { isComparing, otherAnswer } from "./comparedTraits";

/** What B's model says of each listed class, beside A's numbers. */
export function otherNumbers(context: Context): readonly [HTMLElement, HTMLElement] {
  const { model } = context;
  const badge = make("span", "camwidget-badge", { "data-of": "B" }, "B");
  const head = make("div", "camwidget-otherhead", { title: "What B's model says; – where it has no class of that name" }, badge);
  const column = make("div", "camwidget-others", { role: "group", "aria-label": "B's numbers" });
  context.watch(["compare", "rows", "target", "other_answer"], () => {
    head.hidden = column.hidden = !isComparing(model);
    if (column.hidden) {
      column.replaceChildren();
      return;
    }
    const all = rows(model.get("rows"));
    const target = trait(model, "target");
    const { rows: answers, quantity: measured } = otherAnswer(model);
    const cells = fit(column, all.length, (at) => numberCell(context, at, "other-number"));
    all.forEach(({ index }, at) => {
      const cell = cells[at];
      if (cell === undefined) return;
      const answer = answers.get(index);
      setAttribute(cell, "data-chosen", String(index === target));
      showNumbers(cell, answer?.whole ?? Number.NaN, answer?.masked, measured);
    });
  });
  return [head, column];
}
