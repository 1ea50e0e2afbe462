import type { Context } from "./context";
import { make } from "./dom";
import { box, flag, scene } from "./traits";
import type { Box, Scene } from "./traits";

const SVG = "http://www.w3.org/2000/svg";

/** The box around the strongest part of the map, and a mark at its peak: a dot where it hits, a cross where it misses. */
export function boxes(context: Context): HTMLElement {
  const { model } = context;
  const drawing = make("div", "camwidget-boxes", { "aria-hidden": "true" });
  context.watch(["box", "scene", "boxes"], () => {
    const of = flag(model.get("boxes"), false) ? scene(model.get("scene")) : null;
    const found = of === null ? null : box(model.get("box"));
    if (of === null || found === null || found.scene !== of.id) drawing.replaceChildren();
    else drawing.replaceChildren(frame(found, of), mark(found, of));
  });
  return drawing;
}

function frame({ left, top, right, bottom }: Box, { width, height }: Scene): SVGElement {
  const path = `M${left} ${top}H${right}V${bottom}H${left}Z`;
  // The picture's own pixels, and lines that are as thick at any size.
  return drawn(`0 0 ${width} ${height}`, "camwidget-box", path);
}

function mark({ x, y, hit }: Box, { width, height }: Scene): SVGElement {
  const shape = hit === "miss" ? "M5 5L15 15M15 5L5 15" : hit === "hit" ? "M10 10h0" : "M10 5V15M5 10H15";
  const made = drawn("0 0 20 20", "camwidget-peak", `M18 10A8 8 0 1 1 2 10A8 8 0 1 1 18 10Z${shape}`);
  made.dataset["hit"] = hit;
  // The middle of the pixel.
  made.style.left = `${(100 * (x + 0.5)) / width}%`;
  made.style.top = `${(100 * (y + 0.5)) / height}%`;
  return made;
}

/** Each line on a darker one: there is no picture on which the two of them cannot be seen. */
function drawn(viewBox: string, className: string, path: string): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("viewBox", viewBox);
  svg.setAttribute("preserveAspectRatio", "none");
  for (const kind of ["under", "over"]) {
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("class", kind);
    line.setAttribute("d", path);
    svg.append(line);
  }
  return svg;
}
