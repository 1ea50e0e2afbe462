/** Vector drawings over the picture: outlines of the ground truth, and the map's box and peak. */
import { relativeCenter } from "../../core/geometry";
import { toggleOutlines } from "../actions";
import type { Context } from "../context";
import { button, line, make, overlay, placeAt, setAttribute, setText } from "../dom/dom";
import { trait } from "../model";
import type { Model } from "../model";
import { box, scene, groundTruth } from "../traits";
import type { MapBox, Scene } from "../traits";

/** The outlines over the picture: drawn by the browser, so that they are sharp at any zoom. */
export function outlines(context: Context): SVGElement {
  const { model } = context;
  const drawing = overlay("camwidget-outlines");
  context.watch(["ground_truth", "scene", "outlines"], () => {
    const on = trait(model, "outlines");
    const of = on ? scene(model.get("scene")) : null;
    const known = of === null ? null : groundTruth(model.get("ground_truth"));
    if (of === null || known === null || known.scene !== of.id) {
      drawing.replaceChildren();
      return;
    }
    drawing.setAttribute("viewBox", `0 0 ${of.width} ${of.height}`);
    drawing.replaceChildren(
      ...known.objects.flatMap((path) => line(path, "object")),
      ...(known.evidence === "" ? [] : line(known.evidence, "evidence", "under evidence")),
    );
  });
  return drawing;
}

/** How the map agrees with the ground truth as it is drawn now; "" where none is drawn. */
export function groundTruthSummary({ model }: Context): string {
  return [outlinesSummary(model), boxSummary(model)].filter((one) => one !== "").join(" ");
}

/** How much of the map lies inside the outlines, while they are drawn. */
function outlinesSummary(model: Model): string {
  if (!trait(model, "outlines")) return "";
  return groundTruth(model.get("ground_truth"))?.summary ?? "Not known for this picture.";
}

/** How the map's box agrees with the true ones, while it is drawn. */
function boxSummary(model: Model): string {
  return trait(model, "boxes") ? (box(model.get("box"))?.summary ?? "") : "";
}

/**
 * Creates the line on the ground truth: a toggle, the map's share inside the outlines, and the agreement of its box.
 * Its place is kept for all pictures if one has ground truth.
 */
export function groundTruthLine(context: Context): HTMLElement {
  const { model, signal } = context;
  const toggle = button(
    "camwidget-button camwidget-ground-truth-toggle",
    { "aria-pressed": "false", title: "Outline what is truly there; thick: where the evidence for the chosen class is (o)" },
    "outlines",
  );
  toggle.addEventListener("click", () => toggleOutlines(context), { signal });
  const note = make("span", "");
  const agreement = make("span", "");
  const element = make(
    "div",
    "camwidget-line camwidget-ground-truth",
    {},
    make("span", "camwidget-label", {}, "Truth"),
    toggle,
    make("span", "camwidget-ground-truth-summary", { "aria-live": "polite" }, note, agreement),
  );
  context.watch(["ground_truth", "has_ground_truth", "outlines"], () => {
    const on = trait(model, "outlines");
    element.hidden = !trait(model, "has_ground_truth");
    setAttribute(toggle, "aria-pressed", String(on));
    setText(note, outlinesSummary(model));
  });
  context.watch(["outlines", "boxes"], () => {
    element.classList.toggle("camwidget-ground-truth-shown", trait(model, "outlines") || trait(model, "boxes"));
  });
  context.watch(["box", "boxes"], () => setText(agreement, boxSummary(model)));
  return element;
}

/** The box around the strongest part of the map, and a mark at its peak: a dot where it hits, a cross where it misses. */
export function boxes(context: Context): HTMLElement {
  const { model } = context;
  const drawing = make("div", "camwidget-boxes", { "aria-hidden": "true" });
  context.watch(["box", "scene", "boxes"], () => {
    const of = trait(model, "boxes") ? scene(model.get("scene")) : null;
    const found = of === null ? null : box(model.get("box"));
    if (of === null || found === null || found.scene !== of.id) drawing.replaceChildren();
    else drawing.replaceChildren(frame(found, of), mark(found, of));
  });
  return drawing;
}

function frame({ left, top, right, bottom }: MapBox, { width, height }: Scene): SVGElement {
  const path = `M${left} ${top}H${right}V${bottom}H${left}Z`;
  // The picture's own pixels, and lines that are as thick at any size.
  const made = overlay("camwidget-box", `0 0 ${width} ${height}`);
  made.append(...line(path));
  return made;
}

function mark({ x, y, hit }: MapBox, scene: Scene): SVGElement {
  const shape = hit === "miss" ? "M5 5L15 15M15 5L5 15" : hit === "hit" ? "M10 10h0" : "M10 5V15M5 10H15";
  const made = overlay("camwidget-peak", "0 0 20 20");
  made.append(...line(`M18 10A8 8 0 1 1 2 10A8 8 0 1 1 18 10Z${shape}`));
  made.dataset["hit"] = hit;
  placeAt(made, relativeCenter({ x, y }, scene));
  return made;
}
