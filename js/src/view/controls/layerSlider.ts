/** Controls for the layer: step buttons, a slider with one stop for each layer, and a list. */
import type { Context } from "../context";
import { button, fit, make, setAttribute, setChoices } from "../dom/dom";
import { OWN_KEYS } from "../host/compat";
import { trait } from "../model";
import { layers } from "../traits";
import type { Layer } from "../traits";

/** The most stops that get tick marks. */
const MOST_TICKS = 24;

/** How long the keys must rest before a layer is requested. */
const PAUSE = 400;

const NO_LAYER = "This method explains the picture itself, at no layer";
const ONE_LAYER = "This page has maps of this class at this layer only; at other layers they need Python";

/**
 * Creates the row that chooses the layer of the map, from shallow to deep: by step, by slider, by name.
 *
 * @param play the button that plays through the layers
 * @param leave moves the focus elsewhere when the row is disabled
 */
export function layerPicker(context: Context, play: HTMLElement, leave: () => void): HTMLElement {
  const { model, scrub, signal } = context;
  const select = make("select", "camwidget-select", {
    "aria-label": "Layer",
    title: "The layer the map is taken from, shallow to deep",
    ...OWN_KEYS,
  });
  select.addEventListener("change", () => scrub.request(select.value), { signal });
  const shallower = step(context, -1, "‹", "Shallower layer", "[");
  const deeper = step(context, 1, "›", "Deeper layer", "]");
  const titles = [shallower, deeper, select].map((control) => [control, control.title] as const);
  const onlyOne = make("span", "camwidget-only-layer", { hidden: true }, "only layer");
  const stops = scrubber(context);
  stops.append(onlyOne);
  const row = make(
    "div",
    "camwidget-layer camwidget-line",
    { role: "group", "aria-label": "Layer" },
    make("span", "camwidget-label", { "aria-hidden": "true" }, "Layer"),
    shallower,
    deeper,
    play,
    stops,
    select,
  );
  const update = (): void => {
    const all = layers(model.get("layers"));
    const now = all.findIndex(({ name }) => name === scrub.current);
    const { isDisabled } = scrub;
    // Before they are disabled: the keys would go to the notebook.
    const focused = document.activeElement;
    if (isDisabled && (focused === select || focused === play || stops.contains(focused))) leave();
    setAttribute(row, "aria-disabled", String(isDisabled));
    const isAlone = context.host === "model" && all.length === 1;
    row.title = isDisabled ? NO_LAYER : isAlone ? ONE_LAYER : "";
    for (const [control, title] of titles) setAttribute(control, "title", row.title || title);
    onlyOne.hidden = isDisabled || !isAlone;
    setChoices(select, choices(all, trait(model, "layer")), scrub.current);
    select.disabled = isDisabled || all.length < 2;
    // aria-disabled and not `disabled`, which would drop the focus at the last layer.
    setAttribute(shallower, "aria-disabled", String(isDisabled || now <= 0));
    setAttribute(deeper, "aria-disabled", String(isDisabled || now < 0 || now === all.length - 1));
  };
  context.watch(["layers"], update);
  scrub.listen(update);
  return row;
}

function step(context: Context, by: number, sign: string, label: string, key: string): HTMLElement {
  const made = button(
    "camwidget-button camwidget-step",
    { "aria-label": label, title: `${label} (${key})` },
    sign,
  );
  made.addEventListener("click", () => context.scrub.step(by), { signal: context.signal });
  return made;
}

/** Creates the slider with one stop for each layer; it keeps its space if there is nothing to choose. */
function scrubber(context: Context): HTMLElement {
  const { model, scrub } = context;
  const range = make("input", "camwidget-range camwidget-scrubber", {
    type: "range",
    min: 0,
    step: 1,
    "aria-label": "Layer, shallow to deep",
    title: "Scrub through the layers, shallow to deep",
    ...OWN_KEYS,
  });
  const ticks = make("div", "camwidget-ticks", { "aria-hidden": "true" });
  let all: readonly Layer[] = [];
  let stop = -1;
  const update = (): void => {
    all = layers(model.get("layers"));
    const last = all.length - 1;
    const now = all.findIndex(({ name }) => name === scrub.current);
    // A layer that is not in the list has no stop: the slider stays where it was.
    stop = now >= 0 ? now : stop < 0 ? last : Math.min(stop, last);
    range.hidden = ticks.hidden = last < 1;
    range.disabled = scrub.isDisabled;
    range.max = String(Math.max(1, last));
    const value = String(Math.max(0, stop));
    // Setting the value it has already would disturb a drag.
    if (range.value !== value) range.value = value;
    const layer = all[now];
    setAttribute(range, "aria-valuetext", layer === undefined ? scrub.current : describe(layer));
    fit(ticks, last < MOST_TICKS ? last + 1 : 0, () => make("i", ""));
  };
  whenMoved(
    range,
    context.signal,
    () => {
      const layer = all[Number(range.value)];
      if (layer !== undefined) scrub.moveTo(layer.name);
    },
    () => scrub.commit(),
  );
  context.watch(["layers"], update);
  scrub.listen(update);
  return make("div", "camwidget-stops", {}, ticks, range);
}

/**
 * Calls back while the slider moves, and once when it rests. Key presses in quick succession count as one movement; a
 * pointer that is released where it was pressed rests too.
 */
function whenMoved(range: HTMLInputElement, signal: AbortSignal, move: () => void, rest: () => void): void {
  let byKeys = false;
  let pressed = false;
  let timer = 0;
  const listen = (type: string, act: () => void): void => range.addEventListener(type, act, { signal });
  const restNow = (): void => {
    window.clearTimeout(timer);
    rest();
  };
  const release = (): void => {
    if (pressed) restNow();
    pressed = false;
  };
  listen("pointerdown", () => {
    byKeys = false;
    pressed = true;
  });
  listen("keydown", () => (byKeys = true));
  listen("input", () => {
    window.clearTimeout(timer);
    move();
  });
  listen("change", () => {
    window.clearTimeout(timer);
    if (byKeys) timer = window.setTimeout(restNow, PAUSE);
    else restNow();
  });
  listen("blur", restNow);
  // On the window: the pointer may be released anywhere.
  window.addEventListener("pointerup", release, { signal });
  window.addEventListener("pointercancel", release, { signal });
  signal.addEventListener("abort", () => window.clearTimeout(timer));
}

function choices(all: readonly Layer[], present: string): { value: string; label: string }[] {
  const listed = all.map((layer) => ({ value: layer.name, label: describe(layer) }));
  const missing = present !== "" && all.length > 0 && !all.some(({ name }) => name === present);
  return missing ? [...listed, { value: present, label: present }] : listed;
}

function describe({ name, shape, frames }: Layer): string {
  const [, height, width] = shape;
  if (height === undefined || width === undefined) return name;
  return `${name} · ${height / frames}×${width}${frames > 1 ? ` in ${frames} frames` : ""}`;
}
