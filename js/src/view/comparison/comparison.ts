/** ``Comparison``: shows two maps, A and B, side by side, split, or as their difference. */
import { gradient, GRAY } from "../../core/colormap";
import { pixelAt, relativeCenter } from "../../core/geometry";
import { bytes, clamp } from "../../core/parse";
import type { Context } from "../context";
import { button, make, setAttribute, setText } from "../dom/dom";
import type { Tool } from "../dom/dom";
import { trait } from "../model";
import type { Stage } from "../picture/stage";
import type { Zoom } from "../picture/zoom";
import { explanation, scene, sceneId } from "../traits";
import { captions, comparedNumbersColumn } from "./captions";
import { crosshair, markAt, ComparedPicture, valueAt } from "./comparedPicture";
import type { ShownMap } from "./comparedPicture";
import { arrangement, compared, isComparing, comparedMap, comparedStatus } from "./comparedTraits";
import type { Compare, ComparedMap } from "./comparedTraits";
import { comparisonDrawer, firstCompare } from "./differenceDrawer";
import { Divider } from "./divider";

/**
 * Shows A, the view's own map, and B, which differs from it in one or two dimensions: side by side, split, or their
 * difference.
 */
export class Comparison {
  readonly tool: Tool;
  /** The two frames with what is over and below them. */
  readonly around: readonly HTMLElement[];
  /** B's numbers and their heading, next to A's. */
  readonly numbers: readonly HTMLElement[];
  private readonly opener: HTMLButtonElement;
  private readonly picture: ComparedPicture;
  private readonly divider: Divider;
  /** B's frame next to A's, and its plane, which is zoomed like A's. */
  private readonly frame: HTMLElement;
  private readonly plane = make("div", "camwidget-compared-plane");
  private readonly frameMessage = make("div", "camwidget-compared-message");
  private readonly cross = crosshair();
  private readonly message = make("span", "camwidget-compare-message", { "aria-live": "polite" });
  private readonly legend: HTMLElement;
  private readonly readout = make("output", "camwidget-compare-readout", { "aria-hidden": "true" });
  private readonly line: HTMLElement;
  private mine: ShownMap | null = null;
  private other: ComparedMap | null = null;
  private last: Compare | undefined;
  /** Whether the pointer is on B's own frame: the mark is then in A's. */
  private isOnOther = false;

  constructor(
    private readonly context: Context,
    private readonly stage: Stage,
    private readonly zoom: Zoom,
    private readonly root: HTMLElement,
  ) {
    const { model, scrub, signal } = context;
    this.picture = new ComparedPicture(context, stage.painted);
    this.opener = button(
      "camwidget-button camwidget-compare-open",
      {
        "aria-pressed": "false",
        "aria-controls": context.id("compare"),
        title: "Compare with another model, picture, class, method or layer (v)",
      },
      "compare",
    );
    this.opener.addEventListener("click", () => (isComparing(model) ? this.end() : this.begin()), { signal });
    this.tool = { buttons: [this.opener], drawer: comparisonDrawer(context, () => this.end()) };
    const clip = make("div", "camwidget-compared-clip", {}, this.plane);
    this.frame = make(
      "div",
      "camwidget-compared-frame",
      { role: "group", "aria-label": "Picture B", hidden: true },
      clip,
      this.frameMessage,
    );
    zoom.add({ clip, plane: this.plane, canvas: this.picture.canvas });
    zoom.listen(() => this.clip());
    this.divider = new Divider(context, stage.frame, (place) => this.clip(place));
    const bar = make("span", "camwidget-legend-bar", { "aria-hidden": "true" });
    this.legend = make(
      "span",
      "camwidget-legend camwidget-compare-legend",
      { title: "A's map minus B's, each scaled to its own maximum: from -1, through none, to 1" },
      "more in B",
      bar,
      "more in A",
    );
    context.watch(["difference_colors"], () => {
      bar.style.backgroundImage = gradient(bytes(model.get("difference_colors")) ?? GRAY);
    });
    this.line = make("div", "camwidget-compare-line", { hidden: true }, this.message, this.legend, this.readout);
    stage.plane.append(this.cross);
    stage.frame.append(this.divider.element);
    this.around = [...captions(context), stage.frame, this.frame, this.line];
    this.numbers = comparedNumbersColumn(context);
    this.followPointer();
    context.watch(["compare", "arrangement", "scene", "explanation", "compared_explanation", "compared_scene", "compared_status", "busy"], () =>
      this.update(),
    );
    stage.painted.listen(() => isComparing(model) && this.updateMessages());
    scrub.listen(() => this.place());
  }

  /** In the same frame as A. */
  repaint(): void {
    if (isComparing(this.context.model)) this.picture.repaint();
  }

  /** Goes on to the next arrangement: side by side, split, difference, off. */
  cycle(): void {
    const { model } = this.context;
    const now = arrangement(model);
    if (!isComparing(model)) this.begin("side");
    else if (now === "difference") this.end();
    else this.context.write({ arrangement: now === "side" ? "split" : "difference" });
  }

  private begin(shown: string = arrangement(this.context.model)): void {
    const first = this.last ?? firstCompare(this.context);
    if (first !== undefined) this.context.write({ compare: first, arrangement: shown });
  }

  private end(): void {
    const inside = this.tool.drawer?.contains(document.activeElement) === true;
    if (inside) this.opener.focus();
    else if (document.activeElement === this.divider.element) this.stage.focus();
    this.context.write({ compare: {} });
  }

  private update(): void {
    const { model } = this.context;
    const on = isComparing(model);
    if (on) this.last = compared(model);
    setAttribute(this.opener, "aria-pressed", String(on));
    this.root.classList.toggle("camwidget-comparing", on);
    this.root.classList.toggle("camwidget-side", on && arrangement(model) === "side");
    for (const part of [...this.around.slice(0, 2), this.line]) part.hidden = !on;
    this.read();
    this.place();
    this.updateMessages();
    this.point();
  }

  /** Reads A's map and B's. The last B stays while another is computed. */
  private read(): void {
    const { model } = this.context;
    if (!isComparing(model)) {
      this.mine = this.other = null;
      return;
    }
    const of = scene(model.get("scene"));
    const map = explanation(model.get("explanation"), of);
    this.mine = of === null || map === null ? null : { scene: of, map };
    const found = comparedMap(model);
    if (found !== null || !this.isBusy) this.other = found;
    setAttribute(this.picture.sheet, "aria-busy", String(this.isBusy));
  }

  private get isBusy(): boolean {
    const { model } = this.context;
    return isComparing(model) && (trait(model, "busy") || comparedStatus(model).busy);
  }

  private place(): void {
    const { model, scrub } = this.context;
    const shown = arrangement(model);
    const on = isComparing(model);
    const { sheet } = this.picture;
    const isSideBySide = on && shown === "side";
    this.frame.hidden = !isSideBySide;
    // There is no map of B for a preview of another layer.
    const hasNoDifference = this.isIncomparable || scrub.preview !== null;
    const found = shown === "difference" && hasNoDifference ? null : this.other;
    this.divider.element.hidden = !on || shown !== "split" || found === null;
    if (!on || found === null) {
      sheet.remove();
      return;
    }
    if (isSideBySide) this.plane.append(sheet);
    else this.stage.canvas.after(sheet);
    sheet.classList.toggle("camwidget-compared-over", !isSideBySide);
    const aspect = this.mine === null ? 1 : this.mine.scene.width / this.mine.scene.height;
    this.frame.style.setProperty("--camwidget-aspect", String(aspect));
    this.picture.show(found, shown === "difference" ? this.mine : null, aspect);
    this.zoom.lay();
    this.clip();
  }

  /** Whether the two maps cannot be subtracted: one is missing, or they have different pixels. */
  private get isIncomparable(): boolean {
    const { mine, other: found } = this;
    return mine === null || found === null || found.noDifference !== "" || found.map.saliency.length !== mine.map.saliency.length;
  }

  private updateMessages(): void {
    const { model } = this.context;
    const { error, note } = comparedStatus(model);
    const shown = arrangement(model);
    const waits = this.isBusy && this.other === null ? "Waiting for B…" : "";
    const text = error || note || waits || (shown === "difference" && this.other?.noDifference) || this.other?.note || this.unpainted;
    const isInFrame = shown === "side" && this.other === null;
    setText(this.frameMessage, error === "" ? waits : `B: ${error}`);
    this.frameMessage.hidden = this.other !== null;
    // The message is shown either in B's frame or below.
    setText(this.message, isInFrame ? note : error === "" ? text : `B: ${error}`);
    this.message.hidden = this.message.textContent === "";
    this.legend.hidden = shown !== "difference" || this.isIncomparable || text !== "";
  }

  /** A note if A is painted and B is not, because it has other pixels. */
  private get unpainted(): string {
    const own = sceneId(this.context.model.get("scene"));
    const lacks = this.other !== null && this.other.scene.id !== own && !this.stage.painted.isEmpty;
    return lacks ? "What is painted on A is not on B, which has other pixels." : "";
  }

  /** Clips B to the right of the divider, whose place is in the frame and not in the zoomed plane. */
  private clip(place = this.divider.place): void {
    const { sheet } = this.picture;
    if (arrangement(this.context.model) !== "split") {
      sheet.style.clipPath = "";
      return;
    }
    const frame = this.stage.frame.getBoundingClientRect();
    const plane = this.stage.plane.getBoundingClientRect();
    const cut = plane.width === 0 ? place : (frame.left + place * frame.width - plane.left) / plane.width;
    sheet.style.clipPath = `inset(0 0 0 ${100 * clamp(cut, 0, 1)}%)`;
  }

  /** Marks the same position in both pictures while the pointer is over one of them. */
  private followPointer(): void {
    const { hover, signal } = this.context;
    let last: PointerEvent | null = null;
    const read = (): void => {
      const place = last === null ? null : this.picture.at(last);
      if (place === null || this.mine === null) return;
      this.isOnOther = true;
      const { width, height } = this.mine.scene;
      hover.set(pixelAt({ x: place.x * width, y: place.y * height }, this.mine.scene));
    };
    this.stage.canvas.addEventListener("pointermove", () => (this.isOnOther = false), { signal });
    this.picture.canvas.addEventListener(
      "pointermove",
      (event) => {
        last = event;
        read();
      },
      { signal },
    );
    this.picture.canvas.addEventListener(
      "pointerleave",
      () => {
        last = null;
        hover.set(null);
      },
      { signal },
    );
    // The picture may move under the pointer.
    this.zoom.listen(read);
    hover.listen(() => this.point());
  }

  private point(): void {
    const { mine } = this;
    const { model, hover } = this.context;
    const on = isComparing(model) && mine !== null && this.other !== null;
    const place = on && hover.value !== null ? relativeCenter(hover.value, mine.scene) : null;
    const isSideBySide = arrangement(model) === "side";
    this.picture.mark(isSideBySide && !this.isOnOther ? place : null);
    markAt(this.cross, isSideBySide && this.isOnOther ? place : null);
    if (place === null || mine === null || hover.value === null) {
      setText(this.readout, "");
      return;
    }
    const a = valueAt(mine.map.saliency, mine.scene.width, hover.value.x, hover.value.y);
    setText(this.readout, `A ${a.toFixed(2)} · B ${this.picture.saliency(place).toFixed(2)}`);
  }
}
