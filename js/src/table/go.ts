import { text, unit } from "../core/parse";
import { button, make, setAttribute, setText } from "../view/dom/dom";
import { watch } from "../view/model";
import type { TableModel } from "./traits";

/** Start or Cancel, what is being done, and how far it is. */
export function goLine(model: TableModel, signal: AbortSignal): HTMLElement {
  const press = button("camwidget-table-button", {});
  press.addEventListener("click", () => model.send({ type: model.get("running") === true ? "cancel" : "start" }), { signal });
  const said = make("span", "camwidget-table-said");
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
    setText(said, text(model.get("message")));
    said.dataset["wrong"] = String(model.get("wrong") === true);
    // Read out what came of it, not every step on the way.
    setAttribute(said, "aria-live", running ? "off" : "polite");
    bar.dataset["running"] = String(running);
    setAttribute(bar, "aria-valuenow", String(percent));
    done.style.width = `${percent}%`;
  });
  return make("div", "camwidget-table-go", {}, make("div", "camwidget-table-line", {}, press, said), bar);
}
