import type { Context } from "../context";
import { make } from "../dom/dom";
import { line, overlay } from "../dom/svg";
import { trait } from "../model";
import { box, scene } from "../traits";
import type { Box, Scene } from "../traits";

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

function frame({ left, top, right, bottom }: Box, { width, height }: Scene): SVGElement {
  const path = `M${left} ${top}H${right}V${bottom}H${left}Z`;
  // The picture's own pixels, and lines that are as thick at any size.
  const made = overlay("camwidget-box", `0 0 ${width} ${height}`);
  made.append(...line(path));
  return made;
}

function mark({ x, y, hit }: Box, { width, height }: Scene): SVGElement {
  const shape = hit === "miss" ? "M5 5L15 15M15 5L5 15" : hit === "hit" ? "M10 10h0" : "M10 5V15M5 10H15";
  const made = overlay("camwidget-peak", "0 0 20 20");
  made.append(...line(`M18 10A8 8 0 1 1 2 10A8 8 0 1 1 18 10Z${shape}`));
  made.dataset["hit"] = hit;
  // The middle of the pixel.
  made.style.left = `${(100 * (x + 0.5)) / width}%`;
  made.style.top = `${(100 * (y + 0.5)) / height}%`;
  return made;
}
