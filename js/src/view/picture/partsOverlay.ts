/** ``PartsOverlay``: the borders of the picture's parts, the one under the pointer, and the click that hides it. */
import { border, edges, HIDDEN } from "../../core/userMask";
import type { Point } from "../../core/geometry";
import type { PaintLayer } from "../brush/paintLayer";
import type { Context } from "../context";
import { line, overlay, svg } from "../dom/dom";
import { partAt, partsAreOn, partValues, pictureParts } from "../pictureParts";
import type { PictureParts } from "../pictureParts";

/** Draws the parts of the picture shown, and hides or shows one of them by paint. */
export class PartsOverlay {
  readonly element = overlay("camwidget-parts");
  private parts: PictureParts | null = null;
  private raw: unknown = undefined;
  private pointed = -1;

  constructor(private readonly context: Context, private readonly painted: PaintLayer) {
    context.watch(["picture_parts", "parts", "scene"], () => this.update());
    context.hover.listen(() => this.point());
    context.tool.listen(() => this.point());
    painted.listen(() => this.point());
  }

  /** The parts that are drawn; null where there are none, or those of another picture. */
  get drawn(): PictureParts | null {
    const { parts, painted } = this;
    const fits = parts?.scene === painted.sceneId && parts.labels.length === painted.pixels.length;
    return fits && partsAreOn(this.context) ? parts : null;
  }

  /** Describes the part at a pixel, with its value where the map has one for each; "" where none is drawn. */
  describe(point: Point): string {
    const { drawn } = this;
    if (drawn === null) return "";
    const at = partAt(drawn, point);
    const name = `part ${at + 1} of ${drawn.count}`;
    const known = drawn.isOfMap ? partValues(this.context.model.get("explanation"))[at] : undefined;
    if (known === undefined) return name;
    const error = known.error === null || known.error === 0 ? "" : ` ± ${known.error.toFixed(2)}`;
    return `${name}: ${known.value < 0 ? "−" : "+"}${Math.abs(known.value).toFixed(2)}${error}`;
  }

  /** Hides the part at a pixel, or shows it again if it is hidden; false where no parts are drawn, or nothing can be painted. */
  toggle(point: Point): boolean {
    const { drawn } = this;
    if (drawn === null || !this.context.runsModel) return false;
    const part = partAt(drawn, point);
    this.painted.toggle((pixel) => drawn.labels[pixel] === part);
    return true;
  }

  private update(): void {
    const { model } = this.context;
    const raw = model.get("picture_parts");
    if (raw !== this.raw) {
      this.raw = raw;
      this.parts = pictureParts(raw);
    }
    const { drawn } = this;
    this.pointed = -1;
    if (drawn === null) {
      this.element.replaceChildren();
      return;
    }
    this.element.setAttribute("viewBox", `0 0 ${drawn.width} ${drawn.height}`);
    this.element.replaceChildren(...line(edges(drawn.labels, drawn.width)), svg("path", { class: "pointed" }));
    this.point();
  }

  /** Marks the part under the pointer, unless a tool uses the pointer. */
  private point(): void {
    const { drawn, context } = this;
    const point = context.tool.value === "" ? context.hover.value : null;
    const pointed = drawn === null || point === null ? -1 : partAt(drawn, point);
    if (pointed === this.pointed) return;
    this.pointed = pointed;
    const mask = drawn === null || pointed < 0 ? null : Int8Array.from(drawn.labels, (one) => (one === pointed ? HIDDEN : 0));
    this.element.querySelector(".pointed")?.setAttribute("d", mask === null ? "" : border(mask, drawn!.width, HIDDEN));
  }
}
