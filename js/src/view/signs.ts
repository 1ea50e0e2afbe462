import { area, border, HIDDEN, KEPT } from "../core/paint";
import type { Shade } from "../core/paint";
import type { Context } from "./context";
import type { Painted } from "./painted";
import { flag, unit } from "./traits";

const SVG = "http://www.w3.org/2000/svg";

/**
 * What is painted, outlined over the picture: on the screen only, never in the pixels that the model gets. It goes with
 * the map's overlay, so that these can be seen alone; but not while someone paints.
 */
export class Signs {
  readonly element = element("svg", { class: "camwidget-signs", "aria-hidden": "true", preserveAspectRatio: "none" });
  private readonly context: Context;
  private readonly painted: Painted;
  private readonly hatch: string;
  private request = 0;

  constructor(context: Context, painted: Painted) {
    this.context = context;
    this.painted = painted;
    this.hatch = context.id("kept");
    painted.listen(() => this.later());
    context.watch(["overlay", "opacity"], () => this.update());
    context.signal.addEventListener("abort", () => cancelAnimationFrame(this.request));
  }

  /** After the tool was taken up, or put down. */
  update(): void {
    const { model, tool } = this.context;
    const isOn = flag(model.get("overlay"), true) && unit(model.get("opacity"), 0.5) > 0;
    this.element.style.display = isOn || tool === "paint" ? "" : "none";
    if (this.element.childElementCount === 0) this.draw();
  }

  private later(): void {
    if (this.request !== 0) return;
    this.request = requestAnimationFrame(() => {
      this.request = 0;
      this.draw();
    });
  }

  private draw(): void {
    const { pixels, width } = this.painted;
    if (width === 0) return;
    this.element.setAttribute("viewBox", `0 0 ${width} ${pixels.length / width}`);
    this.element.replaceChildren(
      this.pattern(width),
      element("path", { class: "area", d: area(pixels, width, KEPT), fill: `url(#${this.hatch})` }),
      ...this.lines("hidden", HIDDEN),
      ...this.lines("kept", KEPT),
    );
  }

  /** Each line on a darker one: there is no picture on which the two of them cannot be seen. */
  private lines(name: string, shade: Shade): readonly SVGElement[] {
    const d = border(this.painted.pixels, this.painted.width, shade);
    return d === "" ? [] : [element("path", { class: `under ${name}`, d }), element("path", { class: name, d })];
  }

  /** Thin lines, some forty across the picture. */
  private pattern(width: number): SVGElement {
    const step = width / 40;
    const made = element("pattern", {
      id: this.hatch, width: step, height: step, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
    });
    made.append(element("rect", { width: step / 4, height: step }));
    return made;
  }
}

function element(tag: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(SVG, tag) as SVGElement;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}
