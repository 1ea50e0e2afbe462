import { make } from "../view/dom/dom";
import { write } from "../view/model";
import { rows } from "../view/traits";
import { mount } from "../view/view";
import { bars } from "./bars";
import { curveChart } from "./curve";
import type { PageModel } from "./model";

/** The view with its charts, which a notebook draws by other widgets. */
export function pageView(model: PageModel): HTMLElement {
  // The page ends with its window.
  const { signal } = new AbortController();
  const root = make("div", "");
  const explorer = make("div", "camwidget-explorer camwidget-page");
  const pick = (at: number): void => {
    const row = rows(model.get("rows"))[at];
    if (row !== undefined) write(model, { target: row.index });
  };
  explorer.append(root, bars(model, pick, signal), curveChart(model, () => model.curve(), signal));
  mount(model, root, signal, false);
  return explorer;
}
