/** What the model finds in the picture, drawn over it: boxes and areas with their names; a click on one chooses it. */
import { relativeCenter } from "../../core/geometry";
import type { Point } from "../../core/geometry";
import { area, border, edges, HIDDEN } from "../../core/userMask";
import { pickClass } from "../actions";
import type { Context } from "../context";
import { line, make, overlay, placeAt, svg } from "../dom/dom";
import { classAt, findings } from "../findings";
import type { Areas, Findings, FoundBox } from "../findings";
import { trait } from "../model";
import { scene } from "../traits";
import type { Scene } from "../traits";

/** Boxes that have moved by less, in pixels of the picture, are drawn once. */
const MOVED = 1;

/** Creates the drawing. Of a masked picture it shows what is found there, and where the chosen box was before. */
export function foundOverlay(context: Context): HTMLElement {
  const { model } = context;
  const drawing = make("div", "camwidget-found", { "aria-hidden": "true" });
  context.watch(["found", "found_masked", "findings", "scene", "target", "overlay", "class_names", "about"], () => {
    const of = trait(model, "findings") ? scene(model.get("scene")) : null;
    const { before, now } = shown(context, of);
    if (of === null || before === null) {
      drawing.replaceChildren();
      return;
    }
    const target = trait(model, "target");
    const about = trait(model, "about");
    const parts =
      before.areas === null
        ? before.boxes.flatMap((one) => boxParts(one, now === null ? one : now.boxes.find(({ index }) => index === one.index), target, about, of))
        : areaParts((now ?? before).areas ?? before.areas, target);
    drawing.classList.toggle("camwidget-found-alone", !trait(model, "overlay"));
    drawing.replaceChildren(...parts);
  });
  return drawing;
}

/** Chooses what is found at a pixel; false where nothing is, or it is not drawn. */
export function pickFound(context: Context, point: Point): boolean {
  const { model } = context;
  const { before, now } = shown(context, trait(model, "findings") ? scene(model.get("scene")) : null);
  const index = before === null ? -1 : classAt(now ?? before, point);
  if (index < 0) return false;
  pickClass(context, index);
  return true;
}

/** What is found in the picture shown, and in the masked one; null where there is nothing. */
function shown({ model }: Context, of: Scene | null): { readonly before: Findings | null; readonly now: Findings | null } {
  const before = findings(model.get("found"));
  if (of === null || before.scene !== of.id || (before.boxes.length === 0 && before.areas === null)) return { before: null, now: null };
  const now = findings(model.get("found_masked"));
  return { before, now: now.scene === of.id ? now : null };
}

function boxParts(before: FoundBox, now: FoundBox | undefined, target: number, about: string, of: Scene): readonly Node[] {
  const chosen = before.index === target;
  const isLost = now === undefined || now.lost;
  const drawn = isLost ? before : now;
  const frame = overlay("camwidget-found-box", `0 0 ${of.width} ${of.height}`);
  frame.append(...line(outline(drawn)));
  const side = chosen && !isLost ? edge(drawn, about) : "";
  if (side !== "") frame.append(...line(side, "over camwidget-asked-edge", "under camwidget-asked-edge"));
  frame.classList.toggle("camwidget-found-lost", isLost);
  const label = make("span", "camwidget-found-label", {}, `${before.name} `, make("b", "", {}, isLost ? "lost" : drawn.score.toFixed(2)));
  const parts: (HTMLElement | SVGElement)[] = [frame, label];
  if (chosen && !isLost && isMoved(before, drawn)) {
    const was = overlay("camwidget-found-box camwidget-found-before", `0 0 ${of.width} ${of.height}`);
    was.append(...line(outline(before)));
    parts.unshift(was);
  }
  for (const part of parts) part.classList.toggle("camwidget-chosen", chosen);
  // Above the box where there is room, else inside it.
  const isInside = drawn.top < of.height / 12;
  label.classList.toggle("camwidget-found-inside", isInside);
  const left = Math.max(0, drawn.left) / of.width;
  const right = Math.min(of.width, drawn.right) / of.width;
  placeAt(label, { x: left, y: Math.max(0, drawn.top) / of.height });
  // It begins at the box's left edge, or ends at its right one: towards the side with more room.
  if (left + right > 1) {
    label.style.left = "auto";
    label.style.right = `${100 * (1 - right)}%`;
  }
  label.style.maxWidth = `${100 * Math.max(right, 1 - left)}%`;
  return parts;
}

function outline({ left, top, right, bottom }: FoundBox): string {
  return `M${left} ${top}H${right}V${bottom}H${left}Z`;
}

/** The edge of a box that is asked about; "" where it is no edge. */
function edge({ left, top, right, bottom }: FoundBox, about: string): string {
  if (about === "left" || about === "right") return `M${about === "left" ? left : right} ${top}V${bottom}`;
  if (about === "top" || about === "bottom") return `M${left} ${about === "top" ? top : bottom}H${right}`;
  return "";
}

function isMoved(one: FoundBox, other: FoundBox): boolean {
  return (["left", "top", "right", "bottom"] as const).some((side) => Math.abs(one[side] - other[side]) > MOVED);
}

/** The borders of all areas, that of the chosen class and its pixels over them, and their names. */
function areaParts({ width, height, classes, labels }: Areas, target: number): readonly Node[] {
  const drawn = overlay("camwidget-found-areas", `0 0 ${width} ${height}`);
  drawn.append(...line(edges(classes, width)));
  const chosen = Int8Array.from(classes, (one) => (one === target ? HIDDEN : 0));
  const path = border(chosen, width, HIDDEN);
  if (path !== "") {
    drawn.append(svg("path", { class: "fill", d: area(chosen, width, HIDDEN) }), ...line(path, "over camwidget-chosen", "under"));
  }
  const names = labels.map(({ index, name, x, y }) => {
    const label = make("span", "camwidget-found-label camwidget-found-area-label", {}, name);
    label.classList.toggle("camwidget-chosen", index === target);
    placeAt(label, relativeCenter({ x, y }, { width, height }));
    return label;
  });
  return [drawn, ...names];
}
