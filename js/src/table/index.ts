/** Entry point of the score table, an anywidget module: choices, start button, progress, and scores. */
import { text, unit } from "../core/parse";
import { button, make, setAttribute, setText } from "../view/dom/dom";
import { watch, widgetModule } from "../view/model";
import { Chooser } from "./chooser";
import { ScoreGrid } from "./scoreGrid";
import type { TableModel } from "./traits";

/** Builds one view of the model inside `root`; everything it holds on to ends with the signal. */
function mount(model: TableModel, root: HTMLElement, signal: AbortSignal): void {
  const methods = new Chooser(model, signal, "Methods", "methods", "chosen_methods");
  const metrics = new Chooser(model, signal, "Metrics", "metrics", "chosen_metrics");
  const scores = new ScoreGrid(model, signal);
  const parts = [
    make("div", "camwidget-table-choose", {}, methods.element, metrics.element),
    runControls(model, signal),
    scores.caption,
    scores.element,
  ];
  root.classList.add("camwidget-table");
  root.append(...parts);
  // The notebook around must not act on what is typed here.
  root.addEventListener("keydown", (event) => event.key !== "Tab" && event.stopPropagation(), { signal });
  signal.addEventListener("abort", () => parts.forEach((part) => part.remove()));
}

/** Creates the button "Start" or "Cancel", a message and a progress bar. */
export function runControls(model: TableModel, signal: AbortSignal): HTMLElement {
  const press = button("camwidget-table-button", {});
  press.addEventListener("click", () => model.send({ type: model.get("running") === true ? "cancel" : "start" }), { signal });
  const message = make("span", "camwidget-table-message");
  const done = make("div", "camwidget-table-done");
  const bar = make(
    "div",
    "camwidget-table-bar",
    { role: "progressbar", "aria-label": "Evaluation", "aria-valuemin": 0, "aria-valuemax": 100 },
    done,
  );
  watch(model, ["running", "ready", "progress", "message", "wrong"], signal, () => {
    const running = model.get("running") === true;
    const percent = Math.round(100 * unit(model.get("progress"), 0));
    setText(press, running ? "Cancel" : "Start");
    press.title = running ? "Stop; what is finished stays" : "Score the maps of the picture, class and layer that are shown";
    press.disabled = !running && model.get("ready") !== true;
    setText(message, text(model.get("message")));
    message.dataset["wrong"] = String(model.get("wrong") === true);
    // Read out what came of it, not every step on the way.
    setAttribute(message, "aria-live", running ? "off" : "polite");
    bar.dataset["running"] = String(running);
    setAttribute(bar, "aria-valuenow", String(percent));
    done.style.width = `${percent}%`;
  });
  return make("div", "camwidget-table-start", {}, make("div", "camwidget-table-line", {}, press, message), bar);
}

export default widgetModule(mount);
