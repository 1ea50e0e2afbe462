import { make } from "../view/dom/dom";
import { widgetModule } from "../view/model";
import { Chooser } from "./choose";
import { goLine } from "./go";
import { ScoreGrid } from "./scores";
import type { TableModel } from "./traits";

/** Builds one view of the model inside `root`; everything it holds on to ends with the signal. */
function mount(model: TableModel, root: HTMLElement, signal: AbortSignal): void {
  const methods = new Chooser(model, signal, "Methods", "methods", "chosen_methods");
  const metrics = new Chooser(model, signal, "Metrics", "metrics", "chosen_metrics");
  const scores = new ScoreGrid(model, signal);
  const parts = [
    make("div", "camwidget-table-choose", {}, methods.element, metrics.element),
    goLine(model, signal),
    scores.caption,
    scores.element,
  ];
  root.classList.add("camwidget-table");
  root.append(...parts);
  // The notebook around must not act on what is typed here.
  root.addEventListener("keydown", (event) => event.key !== "Tab" && event.stopPropagation(), { signal });
  signal.addEventListener("abort", () => parts.forEach((part) => part.remove()));
}

export default widgetModule(mount);
