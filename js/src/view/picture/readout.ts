/** The readout below the picture: the map's value and the listed classes' evidence at the hovered pixel. */
import type { Point } from "../../core/geometry";
import { enlargeAt, enlargedPeak } from "../../core/interpolation";
import { threshold } from "../../core/maskingRule";
import type { Context } from "../context";
import { legend } from "../controls/mapStyleControls";
import { fit, make, setText } from "../dom/dom";
import { findings } from "../findings";
import { trait } from "../model";
import { classMaps, mode, mapLayer } from "../traits";
import { prompt } from "../promptAndReferences";
import type { ClassMaps } from "../traits";
import { groundTruthSummary } from "./outlines";
import type { Stage } from "./stage";
import type { Zoom } from "./zoom";

/** The most classes that are listed: there is room for no more. */
const MOST = 3;

/** Smaller values are left out: they would be shown as 0.00. */
const LEAST = 0.005;

const HINT = hint("point: values", "click: classes", "wheel: zoom", "drag: pan");
const FINDING = {
  boxes: hint("click a box: ask about it", "point: values", "wheel: zoom"),
  areas: hint("click: the class there", "point: values", "wheel: zoom"),
  region: hint("click: the class there", "point: values", "paint: ask about a region"),
};
const PARTS = hint("click a part: hide it, or show it again", "point: values", "wheel: zoom");
const PARTS_ALONE = hint("point at a part: its value", "wheel: zoom", "drag: pan");
const PAINTING = hint("drag: paint", "shift click: a straight line", "x: next brush", "wheel: zoom");

/** A class with the value of its map at the pixel. */
interface Strength {
  readonly index: number;
  readonly name: string;
  readonly value: number;
}

/**
 * Creates the line below the picture that describes the pixel under the pointer: the map's value, the fraction at which
 * the slider masks it, and the listed classes with evidence there. It is no live region: screen readers would read it
 * out at every move.
 */
export function readout(context: Context, stage: Stage, zoom: Zoom): HTMLElement {
  const { model, hover, scrub } = context;
  const facts = make("div", "camwidget-readout-pixel");
  const names = make("span", "camwidget-readout-classes", {
    title: "The listed classes' maps at this pixel, on one scale: 1 is the highest value of all of them",
  });
  const caption = make("span", "camwidget-readout-caption");
  const scale = legend(context);
  const line = make("div", "camwidget-readout", {}, scale, facts, make("div", "camwidget-readout-evidence", {}, caption, names));
  let known: ClassMaps = classMaps(null);
  let peak = 0;
  const update = (): void => {
    const point = hover.value;
    line.classList.toggle("camwidget-readout-empty", point === null);
    scale.hidden = point !== null;
    setText(facts, point === null ? (context.tool.value === "" ? groundTruthSummary(context) || usage(context, stage) : PAINTING) : describePixel(context, stage, point));
    // A preview is of another layer, at which the other classes' maps are not known.
    const isUnknown = point === null || scrub.preview !== null || known.classes.length === 0;
    const strongest = isUnknown ? [] : strengths(known, peak ||= peakOfClasses(known, stage), stage, point);
    setText(caption, isUnknown ? "" : strongest.length === 0 ? "no evidence for the classes listed" : "evidence");
    const target = trait(model, "target");
    const parts = fit(names, strongest.length, () => make("span", "", {}, make("span", ""), make("b", "")));
    strongest.forEach(({ index, name, value }, at) => {
      const [label, amount] = parts[at]?.children ?? [];
      if (label === undefined || amount === undefined) return;
      parts[at]?.classList.toggle("camwidget-chosen", index === target);
      setText(label, name);
      setText(amount, value.toFixed(2));
    });
  };
  context.watch(["class_maps", "method", "prompt", "explanation", "scene", "target"], () => {
    const received = classMaps(model.get("class_maps"));
    const isCurrent =
      received.scene === stage.sceneId &&
      received.method === trait(model, "method") &&
      received.layer === mapLayer(model.get("explanation")).layer &&
      received.text === (prompt(model.get("prompt"))?.text ?? "");
    known = isCurrent ? received : classMaps(null);
    peak = 0;
    update();
  });
  context.watch(["fraction", "mode", "ground_truth", "outlines", "box", "boxes", "found", "findings", "picture_parts", "parts"], update);
  stage.listen(update);
  hover.listen(update);
  context.tool.listen(update);
  follow(context, stage, zoom);
  return line;
}

/** What the pointer does on the picture. */
function usage({ model, runsModel }: Context, stage: Stage): string {
  if (stage.parts.drawn !== null) return runsModel ? PARTS : PARTS_ALONE;
  const { areas, boxes, takesRegion } = findings(model.get("found"));
  if (!trait(model, "findings") || (areas === null && boxes.length === 0)) return HINT;
  if (areas === null) return FINDING.boxes;
  return takesRegion ? FINDING.region : FINDING.areas;
}

/** Joins hints so that lines break only between two of them. */
function hint(...all: readonly string[]): string {
  return all.map((one) => one.replaceAll(" ", "\u00a0")).join(" · ");
}

/** Keeps `hover` at the pixel under the pointer, also while the picture is zoomed or panned. */
function follow({ hover, signal }: Context, stage: Stage, zoom: Zoom): void {
  let last: PointerEvent | null = null;
  stage.clip.addEventListener(
    "pointermove",
    (event) => {
      if (event.pointerType === "touch") return;
      last = event;
      hover.set(stage.at(event));
    },
    { signal },
  );
  stage.clip.addEventListener(
    "pointerleave",
    () => {
      last = null;
      hover.set(null);
    },
    { signal },
  );
  zoom.listen(() => {
    if (last !== null) hover.set(stage.at(last));
  });
}

/** Describes a pixel: the map's value, and the fraction at which the slider masks it. */
function describePixel(context: Context, stage: Stage, { x, y }: Point): string {
  const at = y * stage.canvas.width + x;
  const { drawn } = stage;
  const parts = [`saliency ${((drawn?.saliency[at] ?? 0) / 255).toFixed(2)}`];
  const part = stage.parts.describe({ x, y });
  if (part !== "") parts.unshift(part);
  const level = drawn?.levels?.[at];
  if (level !== undefined) {
    // Rounded up, so that the pixel is masked at the fraction shown.
    parts.push(`top ${(Math.ceil((1000 * (level + 1)) / 65536) / 10).toFixed(1)}\u00a0%`);
    const isTop = level < threshold(context.fraction());
    const chosen = mode(context.model.get("mode"));
    if (chosen !== "multiply" && isTop === (chosen === "remove")) parts.push("removed");
  }
  return parts.join(" · ");
}

/** Returns the classes with evidence at a pixel, strongest first. */
function strengths(known: ClassMaps, peak: number, stage: Stage, { x, y }: Point): readonly Strength[] {
  const { width, height } = stage.canvas;
  return known.classes
    .map(({ index, name, grid }) => ({ index, name, value: enlargeAt(grid, width, height, x, y) / peak }))
    .filter(({ value }) => value >= LEAST)
    .sort((a, b) => b.value - a.value)
    .slice(0, MOST);
}

function peakOfClasses({ classes }: ClassMaps, { canvas: { width, height } }: Stage): number {
  return enlargedPeak(classes.map(({ grid }) => grid), width, height) || 1;
}
