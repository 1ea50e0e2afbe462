/** Controls for the mask: mode, fraction and baseline. */
import type { Mode } from "../../core/maskingRule";
import { percent } from "../../core/numberFormat";
import { texts } from "../../core/parse";
import type { Context } from "../context";
import { make, setChoices, setText } from "../dom/dom";
import { RadioGroup } from "../dom/radioGroup";
import type { RadioChoice } from "../dom/radioGroup";
import { Slider } from "../dom/slider";
import { OWN_KEYS } from "../host/compat";
import { portion, trait } from "../model";
import { mode } from "../traits";

const MODES: readonly RadioChoice<Mode>[] = [
  { value: "remove", label: "remove", title: "Replace the pixels with the most evidence by the fill" },
  { value: "keep", label: "keep", title: "Keep the pixels with the most evidence, replace all others" },
  { value: "multiply", label: "× map", title: "Multiply the picture by the map" },
];

/**
 * Creates the masking slider. It repaints the picture in the same frame as it moves; the kernel gets the fraction at the
 * same time, and sends the predictions when they are computed.
 */
export function maskRow(context: Context, repaint: () => void): HTMLElement {
  const { model, signal } = context;
  const range = new Slider({
    className: "camwidget-fraction",
    label: "Fraction of the picture masked",
    title: "How much of the picture is masked, strongest evidence first (← →)",
    step: 0.5,
    signal,
    input: (value) => {
      context.write({ fraction: value });
      show();
      repaint();
    },
    release: (moved) => {
      // The model may have changed meanwhile: the slider's value wins if it was moved.
      const now = portion(model, "fraction");
      if (!moved) range.follow(now);
      else if (now !== range.value) context.write({ fraction: range.value });
      show();
      repaint();
    },
  });
  const reading = make("output", "camwidget-slider-value", { "aria-hidden": "true" });
  const show = (): void => setText(reading, percent(context.fraction()));
  context.fraction = () => (range.dragging ? range.value : portion(model, "fraction"));

  context.watch(["fraction", "mode"], () => {
    range.follow(portion(model, "fraction"));
    range.element.disabled = mode(model.get("mode")) === "multiply";
    show();
  });
  return make(
    "div",
    "camwidget-mask camwidget-line",
    {},
    make("span", "camwidget-label", { id: context.id("mask") }, "Mask"),
    modes(context),
    range.element,
    reading,
    fill(context),
  );
}

function modes(context: Context): HTMLElement {
  const { model, signal } = context;
  const group = new RadioGroup(
    "camwidget-segments", { "aria-labelledby": context.id("mask") }, MODES, ({ value }) => value,
    (value) => context.write({ mode: value }), signal,
  );
  context.watch(["mode", "modes"], () => {
    // An offline page has only the baselines that were computed.
    const known = texts(model.get("modes"));
    group.update(mode(model.get("mode")), (value) => known.length === 0 || known.includes(value));
  });
  return group.element;
}

function fill(context: Context): HTMLElement {
  const { model, signal } = context;
  const select = make("select", "camwidget-select", {
    title: `What replaces the masked pixels${context.live ? "" : "; inpainting needs the notebook"}`,
    ...OWN_KEYS,
  });
  select.addEventListener("change", () => context.write({ baseline: select.value }), { signal });
  context.watch(["baseline", "baselines", "mode"], () => {
    const names = texts(model.get("baselines"));
    setChoices(select, names.map((name) => ({ value: name, label: name })), trait(model, "baseline"));
    select.disabled = names.length < 2 || mode(model.get("mode")) === "multiply";
  });
  return make("label", "camwidget-fill", {}, "fill", select);
}
