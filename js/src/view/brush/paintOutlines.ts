/** Outlines of the painted areas over the picture. */
import { area, border, HIDDEN, KEPT } from "../../core/userMask";
import type { Shade } from "../../core/userMask";
import type { Context } from "../context";
import { line, overlay, svg } from "../dom/dom";
import { frameTask } from "../listeners";
import { portion, trait } from "../model";
import type { PaintLayer } from "./paintLayer";

/**
 * Outlines of paint over the picture, which are not in the pixels that the model gets. They are hidden with the map's
 * overlay, so that these pixels can be seen alone, except while the brush is active.
 */
export class PaintOutlines {
  readonly element: SVGSVGElement;
  private readonly context: Context;
  private readonly painted: PaintLayer;
  private readonly hatch: string;

  constructor(context: Context, painted: PaintLayer, className = "") {
    this.element = overlay(`camwidget-paint-outlines ${className}`.trim());
    this.context = context;
    this.painted = painted;
    this.hatch = context.id(`kept${className}`);
    painted.listen(frameTask(context.signal, () => this.draw()).schedule);
    context.watch(["overlay", "opacity"], () => this.update());
  }

  /** To be called after the brush was activated or deactivated. */
  update(): void {
    const { model, tool } = this.context;
    const isOn = trait(model, "overlay") && portion(model, "opacity") > 0;
    this.element.style.display = isOn || tool.value === "paint" ? "" : "none";
    if (this.element.childElementCount === 0) this.draw();
  }

  private draw(): void {
    const { pixels, width } = this.painted;
    if (width === 0) return;
    this.element.setAttribute("viewBox", `0 0 ${width} ${pixels.length / width}`);
    this.element.replaceChildren(
      this.pattern(width),
      svg("path", { class: "area", d: area(pixels, width, KEPT), fill: `url(#${this.hatch})` }),
      ...this.lines("hidden", HIDDEN),
      ...this.lines("kept", KEPT),
    );
  }

  private lines(name: string, shade: Shade): readonly SVGElement[] {
    const d = border(this.painted.pixels, this.painted.width, shade);
    return d === "" ? [] : line(d, name, `under ${name}`);
  }

  /** The hatching of kept areas: about forty thin lines across the picture. */
  private pattern(width: number): SVGElement {
    const step = width / 40;
    const made = svg("pattern", {
      id: this.hatch, width: step, height: step, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
    });
    made.append(svg("rect", { width: step / 4, height: step }));
    return made;
  }
}
