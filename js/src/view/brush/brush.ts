/** ``Brush``: a tool that paints on the picture which pixels are hidden or kept. */
import { pixelCenter } from "../../core/geometry";
import type { Point, Position } from "../../core/geometry";
import { HIDDEN, KEPT } from "../../core/userMask";
import type { Shade } from "../../core/userMask";
import type { Context } from "../context";
import { button, labeledLine, make, placeAt, setAttribute, setText } from "../dom/dom";
import type { Tool } from "../dom/dom";
import { RadioGroup } from "../dom/radioGroup";
import type { RadioChoice } from "../dom/radioGroup";
import { OWN_KEYS } from "../host/compat";
import { findings } from "../findings";
import type { Stage } from "../picture/stage";
import type { PaintLayer } from "./paintLayer";

/** What is painted: the mask, or the region that is asked about. */
type Purpose = "mask" | "region";

const PURPOSES: readonly RadioChoice<Purpose>[] = [
  { value: "mask", label: "mask", title: "Paint what is hidden, or kept" },
  { value: "region", label: "question", title: "Mark the region that is asked about: its mean score is explained" },
];

const REGION_SHADES: readonly RadioChoice<Shade>[] = [
  { value: HIDDEN, label: "ask", title: "Mark pixels that are asked about (x for the next)" },
  { value: 0, label: "erase", title: "Take pixels out of the question; without any, it is about the whole picture (x for the next)" },
];

const SHADES: readonly RadioChoice<Shade>[] = [
  { value: HIDDEN, label: "hide", title: "Paint what the fill is to replace, whatever the slider says (x for the next)" },
  { value: KEPT, label: "keep", title: "Paint what stays as it is, whatever the slider says (x for the next)" },
  { value: 0, label: "erase", title: "Take paint away: the slider decides again (x for the next)" },
];

/** The marker that keys move. */
interface Marker {
  readonly point: Point | null;
  move(right: number, down: number): void;
  probeAtMarker(): void;
}

/** The brush: while it is active, the pointer paints on the picture. */
export class Brush implements Tool {
  readonly buttons: readonly HTMLElement[];
  readonly drawer: HTMLElement;
  private readonly opener: HTMLButtonElement;
  private readonly shades: RadioGroup<Shade>;
  private readonly regionShades: RadioGroup<Shade>;
  private readonly purposes: RadioGroup<Purpose>;
  private readonly purposeLine: HTMLElement;
  private purpose: Purpose = "mask";
  private readonly size: HTMLInputElement;
  private readonly ring = make("div", "camwidget-brush", { "aria-hidden": "true", hidden: true });
  private readonly reading = make("output", "camwidget-brush-value", { "aria-hidden": "true" });
  private readonly wiper: HTMLButtonElement;
  private shade: Shade = HIDDEN;
  /** The brush's last position, from which shift draws a straight line. */
  private last: Position | null = null;
  private pointer: number | null = null;
  private sized = false;
  /** The tooltip of the picture, removed while the brush is active. */
  private readonly title: string;

  constructor(
    private readonly context: Context,
    private readonly stage: Stage,
  ) {
    const { signal } = context;
    this.title = stage.frame.title;
    this.opener = button(
      "camwidget-button camwidget-paint-toggle",
      { "aria-pressed": "false", "aria-expanded": "false", title: "Paint on the picture what to hide, or to keep (p)" },
      "paint",
    );
    this.opener.addEventListener("click", () => this.toggle(), { signal });
    this.buttons = [this.opener];
    this.shades = new RadioGroup(
      "camwidget-shades", { "aria-label": "What the brush does" }, SHADES, ({ label }) => label,
      (shade) => this.choose(shade), signal,
    );
    this.regionShades = new RadioGroup(
      "camwidget-shades camwidget-region-shades", { "aria-label": "What the brush does to the question" }, REGION_SHADES, ({ label }) => label,
      (shade) => this.choose(shade), signal,
    );
    this.purposes = new RadioGroup(
      "camwidget-segments camwidget-purposes", { "aria-label": "What is painted" }, PURPOSES, ({ value }) => value,
      (purpose) => this.turnTo(purpose), signal,
    );
    this.purposeLine = labeledLine("Paint", this.purposes.element);
    this.purposeLine.hidden = true;
    this.size = make("input", "camwidget-range camwidget-brush-size", {
      type: "range", min: 1, max: 100, step: 1, "aria-label": "Size of the brush, in pixels of the picture",
      title: "Size of the brush, in pixels of the picture ({ and })", ...OWN_KEYS,
    });
    this.size.addEventListener("input", () => this.show(), { signal });
    this.wiper = button("camwidget-button", { title: "Take all paint away from this picture" }, "clear");
    this.wiper.addEventListener("click", () => this.layer.clear(), { signal });
    this.drawer = this.build();
    stage.plane.append(stage.paintOutlines.element, stage.regionOutlines.element, this.ring);
    stage.painted.listen(() => this.show());
    stage.region.listen(() => this.show());
    context.watch(["scene"], () => this.fitSize());
    context.watch(["found"], () => this.followModel());
    this.listen(stage.canvas);
    this.show();
  }

  get isOn(): boolean {
    return this.context.tool.value === "paint";
  }

  toggle(): void {
    if (this.isOn) this.stop();
    else this.start();
  }

  /** Deactivates the brush; returns false if it was not active. */
  stop(): boolean {
    if (!this.isOn) return false;
    this.lift();
    this.context.tool.set("");
    this.showActive();
    return true;
  }

  /** Switches to the next of hide, keep and erase, or of ask and erase. */
  cycle(): void {
    if (!this.isOn) return;
    const all = this.choices;
    const now = all.findIndex(({ value }) => value === this.shade);
    this.choose(all[(now + 1) % all.length]!.value);
  }

  /** What the brush draws on. */
  private get layer(): PaintLayer {
    return this.purpose === "mask" ? this.stage.painted : this.stage.region;
  }

  private get choices(): readonly RadioChoice<Shade>[] {
    return this.purpose === "mask" ? SHADES : REGION_SHADES;
  }

  private turnTo(purpose: Purpose): void {
    if (purpose === this.purpose) return;
    this.lift();
    this.purpose = purpose;
    this.choose(HIDDEN);
  }

  /** Lets the region be painted of a model that is asked about one: that is what the brush begins with there. */
  private followModel(): void {
    const { takesRegion } = findings(this.context.model.get("found"));
    if (this.purposeLine.hidden !== takesRegion) return;
    this.purposeLine.hidden = !takesRegion;
    this.turnTo(takesRegion ? "region" : "mask");
  }

  /** Makes the brush a quarter larger or smaller, by at least one pixel. */
  resize(by: 1 | -1): void {
    if (!this.isOn) return;
    const now = Number(this.size.value);
    this.size.value = String(now + by * Math.max(1, Math.round(now / 4)));
    this.show();
  }

  /** The marker of the keyboard; while the brush is active, it follows the marker and paints there. */
  marker(of: Marker): Pick<Marker, "move" | "probeAtMarker"> {
    return {
      move: (right, down) => {
        of.move(right, down);
        if (this.isOn && of.point !== null) this.moveRing(pixelCenter(of.point));
      },
      probeAtMarker: () => {
        if (!this.isOn) {
          of.probeAtMarker();
          return;
        }
        if (of.point === null) of.move(0, 0);
        if (of.point !== null) this.dab(pixelCenter(of.point));
      },
    };
  }

  private dab(spot: Position): void {
    this.layer.begin();
    this.stroke(spot, spot);
    this.layer.end();
    this.last = spot;
    this.moveRing(spot);
  }

  private start(): void {
    this.context.tool.set("paint");
    this.showActive();
    this.stage.focus();
  }

  private showActive(): void {
    const on = this.isOn;
    setAttribute(this.opener, "aria-pressed", String(on));
    setAttribute(this.opener, "aria-expanded", String(on));
    this.drawer.hidden = !on;
    this.ring.hidden = true;
    this.stage.frame.title = on ? "" : this.title;
    this.stage.frame.classList.toggle("camwidget-painting", on);
    this.stage.paintOutlines.update();
    this.stage.regionOutlines.update();
  }

  private choose(shade: Shade): void {
    this.shade = shade;
    this.show();
  }

  private build(): HTMLElement {
    return make(
      "div",
      "camwidget-paint",
      { role: "group", "aria-label": "Paint", hidden: true },
      this.purposeLine,
      labeledLine("Brush", this.shades.element, this.regionShades.element, this.wiper),
      labeledLine("Size", this.size, this.reading),
    );
  }

  /** At first an eighth of the picture; at most half of it. */
  private fitSize(): void {
    const { width, height } = this.stage.canvas;
    const side = Math.min(width, height);
    this.size.max = String(Math.max(2, Math.round(side / 2)));
    if (!this.sized && this.stage.sceneId !== null) {
      this.sized = true;
      this.size.value = String(Math.max(1, Math.round(side / 8)));
    }
    this.show();
  }

  private show(): void {
    const { layer: painted, size, shade, ring, purpose } = this;
    this.shades.update(shade);
    this.regionShades.update(shade);
    this.purposes.update(purpose);
    this.shades.element.hidden = purpose !== "mask";
    this.regionShades.element.hidden = purpose === "mask";
    this.wiper.title = purpose === "mask" ? "Take all paint away from this picture" : "Ask about the whole picture again";
    const low = Number(size.min);
    size.style.setProperty("--camwidget-slider-fill", String((Number(size.value) - low) / (Number(size.max) - low)));
    setAttribute(size, "aria-valuetext", `${size.value} pixels`);
    setText(this.reading, `${size.value}\u00a0px`);
    ring.style.width = `${(100 * Number(size.value)) / Math.max(1, painted.width)}%`;
    ring.dataset["shade"] = this.choices.find(({ value }) => value === shade)!.label;
    if (!painted.isDrawing) this.wiper.disabled = painted.isEmpty;
  }

  private listen(canvas: HTMLCanvasElement): void {
    const { signal } = this.context;
    canvas.addEventListener("pointerdown", (event) => this.press(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.move(event), { signal });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
      canvas.addEventListener(end, (event) => this.release(event), { signal });
    }
    canvas.addEventListener("pointerleave", () => {
      if (this.pointer === null) this.ring.hidden = true;
    }, { signal });
  }

  private press(event: PointerEvent): void {
    const spot = this.isOn && event.button === 0 && this.pointer === null ? this.stage.over(event) : null;
    if (spot === null) return;
    // The focus stays with the keys of the view; a drag selects no text.
    event.preventDefault();
    this.stage.focus();
    this.pointer = event.pointerId;
    this.stage.canvas.setPointerCapture(event.pointerId);
    this.layer.begin();
    this.stroke(event.shiftKey && this.last !== null ? this.last : spot, spot);
    this.last = spot;
    this.moveRing(spot);
  }

  private move(event: PointerEvent): void {
    if (!this.isOn) return;
    const spot = this.stage.over(event);
    if (spot === null) return;
    this.moveRing(spot);
    if (event.pointerId !== this.pointer) return;
    // Browsers coalesce events into one for each frame; a quick stroke has passed several positions in it.
    const between = event.getCoalescedEvents?.() ?? [];
    for (const one of between.length > 0 ? between : [event]) {
      const to = this.stage.over(one);
      if (to === null || this.last === null) continue;
      this.stroke(this.last, to);
      this.last = to;
    }
  }

  private release(event: PointerEvent): void {
    if (event.pointerId === this.pointer) this.lift();
  }

  private lift(): void {
    this.pointer = null;
    this.layer.end();
  }

  private stroke(from: Position, to: Position): void {
    this.layer.draw(from, to, Number(this.size.value), this.shade);
  }

  private moveRing({ x, y }: Position): void {
    const { width, height } = this.stage.canvas;
    this.ring.hidden = false;
    placeAt(this.ring, { x: x / width, y: y / height });
  }
}
