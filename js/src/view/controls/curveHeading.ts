/** Texts around the chart and the picture: the curve's heading and names, sentence on the mask, status, error. */
import type { Mode } from "../../core/maskingRule";
import type { Context } from "../context";
import { button, fit, make, setText } from "../dom/dom";
import { trait } from "../model";
import { lineNames, mode, quantity } from "../traits";
import { rivalQuestion } from "./stanceControl";

const CURVE: Readonly<Record<Mode, string>> = {
  remove: " as evidence is removed",
  keep: " as evidence is kept",
  multiply: "Picture × map",
};

/** Creates the heading over the curve, which is another widget. */
export function curveHeading(context: Context): HTMLElement {
  const head = make("div", "camwidget-curve-heading camwidget-heading");
  context.watch(["mode", "quantity"], () => {
    const now = mode(context.model.get("mode"));
    const measured = quantity(context.model.get("quantity"));
    const unit = measured === null || measured.unit === "" ? "" : ` (${measured.unit})`;
    const what = measured === null ? "Confidence" : `Value${unit}`;
    setText(head, now === "multiply" ? CURVE[now] : `${what}${CURVE[now]}`);
  });
  return head;
}

/** Creates the names of the curve's lines next to their ends, over the right margin. */
export function curveNames(context: Context): HTMLElement {
  const names = make("div", "camwidget-curve-names");
  context.watch(["curve_names"], () => {
    const all = lineNames(context.model.get("curve_names"));
    const lines = fit(names, all.length, () => make("span", ""));
    all.forEach(({ name, color, place }, at) => {
      const line = lines[at];
      if (line === undefined) return;
      setText(line, name);
      line.title = name;
      line.style.setProperty("--camwidget-line-color", color);
      line.style.setProperty("--camwidget-place", String(place));
    });
  });
  return names;
}

/** Creates the sentence under the slider, a live region. */
export function sentence(context: Context): HTMLElement {
  const line = make("div", "camwidget-mask-sentence", { "aria-live": "polite" });
  context.watch(["sentence", "awaits_rival", "target", "rows"], () => {
    const { model } = context;
    const asked = trait(model, "awaits_rival");
    setText(line, asked ? rivalQuestion(model) : trait(model, "sentence"));
  });
  return line;
}

export function status(context: Context, help: HTMLElement): HTMLElement {
  const line = make("span", "camwidget-status-text");
  context.watch(["status"], () => {
    const status = trait(context.model, "status");
    setText(line, status);
    // It is cut off where there is no room.
    line.title = status;
  });
  return make("div", "camwidget-status", {}, line, help);
}

export function errorLine(context: Context): HTMLElement {
  const message = make("span", "camwidget-error-text");
  const dismiss = button("camwidget-quiet", { "aria-label": "Dismiss", title: "Dismiss this message" }, "×");
  dismiss.addEventListener("click", () => context.write({ error: "" }), { signal: context.signal });
  const line = make("div", "camwidget-error", { role: "alert" }, message, dismiss);
  context.watch(["error"], () => {
    const error = trait(context.model, "error");
    setText(message, error);
    line.hidden = error === "";
  });
  return line;
}
