/** ``Contours``: the contour line of the map over the picture, and its controls. */
import { contour } from "../../core/contour";
import { percent } from "../../core/numberFormat";
import { fromTone } from "../../core/toneMapping";
import type { Context } from "../context";
import { button, line, make, overlay, setAttribute, setText } from "../dom/dom";
import { Slider } from "../dom/slider";
import { portion } from "../model";
import type { Stage } from "./stage";

/** The first level: half of the maximum. */
const FIRST = 0.5;

/** The lowest level; 0 turns the contour off. */
const LOWEST = 0.01;

/** The contour of the map shown, or of a preview, at a part of its maximum, and its controls. */
export class Contours {
  readonly toggle: HTMLElement;
  /** The mark on the color scale, and the level as a text; shown only while the contour is on. */
  readonly level: HTMLElement;
  readonly reading: HTMLElement;
  private readonly drawing: SVGElement;
  private drawn: Uint8Array | null = null;
  private at = 0;
  /** The last level, for turning the contour on again. */
  private last = FIRST;

  constructor(
    private readonly context: Context,
    private readonly stage: Stage,
  ) {
    const { signal } = context;
    this.toggle = button(
      "camwidget-button",
      { "aria-pressed": "false", title: "Outline where the map reaches a part of its maximum; a grainy map is averaged first (c)" },
      "contour",
    );
    this.toggle.addEventListener("click", () => this.flip(), { signal });
    const range = new Slider({
      className: "camwidget-contour-level",
      label: "Level of the contour, of the map's maximum",
      title: "Where on the color scale the contour is drawn; the number is the part of its maximum that the map reaches inside",
      step: 1,
      signal,
      input: (value) => context.write({ contour: Math.max(LOWEST, value) }),
      release: () => range.follow(this.chosenLevel),
    });
    this.level = range.element;
    this.reading = make("span", "camwidget-contour-value", { "aria-hidden": "true" });
    this.drawing = overlay("camwidget-contours");
    this.drawing.append(...line(""));
    // Below marks and outlines.
    stage.canvas.after(this.drawing);
    stage.listen(() => this.draw());
    context.watch(["contour"], () => {
      const { chosenLevel, level, reading } = this;
      if (chosenLevel > 0) this.last = chosenLevel;
      else if (level === document.activeElement) this.toggle.focus();
      setAttribute(this.toggle, "aria-pressed", String(chosenLevel > 0));
      level.hidden = reading.hidden = chosenLevel === 0;
      if (chosenLevel > 0) range.follow(chosenLevel);
      this.draw();
    });
  }

  /** Turns the contour off, or on at its last level. */
  flip(): void {
    this.context.write({ contour: this.chosenLevel > 0 ? 0 : this.last });
  }

  private get chosenLevel(): number {
    return portion(this.context.model, "contour");
  }

  private draw(): void {
    const { chosenLevel, drawing, stage } = this;
    const shown = stage.drawn;
    // The line lies where the colors reach its level; the number beside it is the part of the map's maximum there.
    setText(this.reading, percent(fromTone(chosenLevel, shown?.knee ?? null)));
    const map = chosenLevel > 0 ? (shown?.drawn ?? shown?.saliency ?? null) : null;
    if (map === this.drawn && chosenLevel === this.at) return;
    this.drawn = map;
    this.at = chosenLevel;
    const { width, height } = stage.canvas;
    const path = map === null ? "" : contour(map, width, height, 255 * chosenLevel);
    drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    for (const child of drawing.children) child.setAttribute("d", path);
  }
}
