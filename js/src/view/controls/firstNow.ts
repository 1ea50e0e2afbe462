import { pickClass } from "../actions";
import { numberCell, showNumbers } from "./classList";
import type { Context } from "../context";
import { button, make, setText } from "../dom/dom";
import { firstNow, quantity, rows } from "../traits";

/** The class that is most probable now that the picture is masked, whether it is among those listed or not. */
export function firstNowRow(context: Context): HTMLElement {
  const { model, signal } = context;
  const name = button("camwidget-first-name", { title: "Explain this class" }, "…");
  const bar = make("span", "camwidget-first-bar", { "aria-hidden": "true" });
  const cell = numberCell(context, 0, "first-now");
  const row = make(
    "div",
    "camwidget-first",
    { role: "group", "aria-label": "Most probable class of the masked picture" },
    make("span", "camwidget-first-label", {}, "now first"),
    name,
    bar,
    cell,
  );
  let index = -1;
  name.addEventListener("click", () => index >= 0 && pickClass(context, index), { signal });
  context.watch(["first_now", "quantity", "rows"], () => {
    const now = firstNow(model.get("first_now"));
    index = now?.index ?? -1;
    // Its place is kept while the picture is whole; where no class can be first, it has none.
    row.hidden = quantity(model.get("quantity")) !== null || rows(model.get("rows")).length < 2;
    row.classList.toggle("camwidget-first-none", now === null);
    if (now === null) return;
    setText(name, now.name);
    bar.style.setProperty("--camwidget-value", `${100 * now.masked}%`);
    showNumbers(cell, now.whole, now.masked, null);
  });
  return row;
}
