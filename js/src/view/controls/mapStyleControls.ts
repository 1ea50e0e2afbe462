/** Controls for how the map is drawn: color map, opacity, cells, box, contour and outlines. */
import { gradient, GRAY } from "../../core/colormap";
import { fields, text } from "../../core/parse";
import { toggleBoxes, toggleFindings, toggleOverlay } from "../actions";
import type { Context } from "../context";
import { button, labeledLine, make, setAttribute, setChoices, setText } from "../dom/dom";
import type { Tool } from "../dom/dom";
import { Slider } from "../dom/slider";
import { findings } from "../findings";
import { OWN_KEYS } from "../host/compat";
import { portion, trait } from "../model";
import type { Model } from "../model";
import { partsAreOn, pictureParts, toggleParts } from "../pictureParts";
import type { Contours } from "../picture/contours";
import { byteMap, mode } from "../traits";

const SCALE = "Each map is scaled to its own maximum: the colors of two maps do not compare";

/** Creates the button "style" and its drawer with the controls for how the map is drawn. */
export function mapStyleTool(context: Context, contour: Contours, truth: HTMLElement): Tool {
  const { signal } = context;
  const id = context.id("style");
  const opener = button(
    "camwidget-button camwidget-map-style-open",
    { "aria-expanded": "false", "aria-controls": id, title: "Colors, opacity, box, contour and outlines of the map" },
    "style",
  );
  const drawer = make("div", "camwidget-map-style", { id, hidden: true }, colormap(context, contour), opacity(context), region(context, contour), truth);
  const show = (open: boolean): void => {
    drawer.hidden = !open;
    setAttribute(opener, "aria-expanded", String(open));
    // Below the bottom edge nobody would see that it has opened.
    if (open) drawer.scrollIntoView({ block: "nearest" });
  };
  opener.addEventListener("click", () => show(drawer.hidden === true), { signal });
  drawer.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      show(false);
      opener.focus({ preventScroll: true });
    },
    { signal },
  );
  return { buttons: [opener], drawer };
}

/** Creates the color scale, from low to high, with a note where it is not linear. */
export function legend(context: Context): HTMLElement {
  return make("span", "camwidget-legend", { title: SCALE }, "low", colorBar(context), "high", scaleNote(context));
}

/** Creates a bar with the chosen colors, from low to high. */
function colorBar(context: Context): HTMLElement {
  const { model } = context;
  const bar = make("span", "camwidget-legend-bar", { "aria-hidden": "true" });
  context.watch(["colormap", "colormaps"], () => {
    bar.style.backgroundImage = gradient(byteMap(model.get("colormaps")).get(trait(model, "colormap")) ?? GRAY);
  });
  return bar;
}

function colormap(context: Context, contour: Contours): HTMLElement {
  const { model, signal } = context;
  const select = make("select", "camwidget-select", {
    "aria-label": "Color map",
    title: "Colors of the map, from low to high",
    ...OWN_KEYS,
  });
  select.addEventListener("change", () => context.write({ colormap: select.value }), { signal });
  context.watch(["colormap", "colormaps"], () => {
    const maps = byteMap(model.get("colormaps"));
    const name = trait(model, "colormap");
    setChoices(select, [...maps.keys()].map((of) => ({ value: of, label: of })), name);
  });
  return labeledLine(
    "Map",
    select,
    make(
      "span",
      "camwidget-legend",
      { title: SCALE },
      "low",
      make("span", "camwidget-legend-scale", {}, colorBar(context), contour.level),
      "high",
    ),
    contour.reading,
  );
}

/** Creates a note that is shown where the colors are not proportional to the map, A's or B's. */
function scaleNote(context: Context): HTMLElement {
  const note = make("span", "camwidget-legend-note", {}, "not linear");
  context.watch(["explanation", "compared_explanation"], () => {
    const notes = (["explanation", "compared_explanation"] as const).map((name) => text(fields(context.model.get(name))["scale_note"]));
    const summary = [...new Set(notes)].filter((text) => text !== "").join("; ");
    note.hidden = summary === "";
    setAttribute(note, "title", summary === "" ? "" : `Drawn brighter than in proportion: ${summary}. Masks, boxes and numbers use the map itself.`);
  });
  return note;
}

function opacity(context: Context): HTMLElement {
  const { model, signal } = context;
  const range = new Slider({
    className: "camwidget-opacity",
    label: "Opacity of the map",
    title: "How strongly the map covers the picture; 0 shows exactly what the model gets",
    step: 1,
    signal,
    input: (value) => context.write({ opacity: value }),
    release: () => follow(),
  });
  const follow = (): void => range.follow(portion(model, "opacity"));
  const overlay = toggle("overlay", "Show the map over the picture (space)");
  const cells = toggle("cells", "Show the layer's own cells");
  overlay.addEventListener("click", () => toggleOverlay(context), { signal });
  cells.addEventListener("click", () => context.write({ cells: !trait(model, "cells") }), {
    signal,
  });
  context.watch(["opacity"], follow);
  context.watch(["overlay", "cells", "mode"], () => {
    const product = mode(model.get("mode")) === "multiply";
    setAttribute(overlay, "aria-pressed", String(trait(model, "overlay") && !product));
    setAttribute(cells, "aria-pressed", String(trait(model, "cells") && !product));
    range.element.disabled = product;
    cells.disabled = product;
    overlay.disabled = product;
  });
  return labeledLine(
    "Opacity",
    range.element,
    overlay,
    cells,
  );
}

/** Creates the controls for what marks the strong part of the map: its box, and its contour. */
function region(context: Context, contour: Contours): HTMLElement {
  const { model, signal } = context;
  const box = toggle("box", "");
  box.addEventListener("click", () => toggleBoxes(context), { signal });
  context.watch(["boxes"], () => setAttribute(box, "aria-pressed", String(trait(model, "boxes"))));
  context.watch(["box_threshold"], () => {
    box.title = `Show the map's box, around all above ${shareOf(model)} % of its maximum, and its peak (b)`;
  });
  return labeledLine("Region", box, boxThreshold(context), contour.toggle, findingsToggle(context), partsToggle(context));
}

/** Creates the toggle for what the model finds in the picture, shown where it finds anything. */
function findingsToggle(context: Context): HTMLElement {
  const { model, signal } = context;
  const made = toggle("", "");
  made.classList.add("camwidget-findings-toggle");
  made.addEventListener("click", () => toggleFindings(context), { signal });
  context.watch(["found", "findings"], () => {
    const { areas, boxes } = findings(model.get("found"));
    const what = areas === null ? "boxes" : "areas";
    made.hidden = areas === null && boxes.length === 0;
    setText(made, `found ${what}`);
    made.title = `Draw the ${what} that the model finds; a click on one chooses it (f)`;
    setAttribute(made, "aria-pressed", String(trait(model, "findings")));
  });
  return made;
}

/** Creates the toggle for the parts of the picture; a page has those of its maps only. */
function partsToggle(context: Context): HTMLElement {
  const { model, signal } = context;
  const made = toggle("parts", "");
  made.classList.add("camwidget-parts-toggle");
  made.addEventListener("click", () => toggleParts(context), { signal });
  context.watch(["picture_parts", "parts"], () => {
    const parts = pictureParts(model.get("picture_parts"));
    made.hidden = parts === null && !context.live;
    const what = parts?.isOfMap === true ? "the map's parts" : "superpixels";
    made.title = context.runsModel ? `Draw ${what}; a click on one hides it (h)` : `Draw ${what} (h)`;
    setAttribute(made, "aria-pressed", String(partsAreOn(context)));
  });
  return made;
}

/** The threshold of the box, in % of the map's maximum, without the last bits. */
function shareOf(model: Model): number {
  return Number((100 * trait(model, "box_threshold")).toPrecision(6));
}

/** Creates the field for the threshold of the box, shown while the box is. A saved page has the boxes of one threshold. */
function boxThreshold(context: Context): HTMLElement {
  const { model, signal } = context;
  const input = make("input", "camwidget-setting-number camwidget-box-threshold", {
    type: "number",
    min: 1,
    max: 100,
    step: 1,
    "aria-label": "Threshold of the box, % of the map's maximum",
    ...OWN_KEYS,
  });
  const title = "The box is around the largest region in which the map is at least this part of its maximum";
  const element = make("label", "camwidget-setting", { title }, "≥", input, "%");
  const follow = (): void => {
    input.value = String(shareOf(model));
  };
  input.addEventListener(
    "change",
    () => {
      const share = Number(input.value) / 100;
      if (share > 0 && share <= 1) context.write({ box_threshold: share });
      follow();
    },
    { signal },
  );
  context.watch(["box_threshold"], follow);
  context.watch(["boxes"], () => {
    element.hidden = !context.live || !trait(model, "boxes");
  });
  return element;
}

function toggle(label: string, title: string): HTMLButtonElement {
  return button("camwidget-button", { "aria-pressed": "false", title }, label);
}
