/** ``ClassProbePopover``: the classes with the strongest maps at a clicked pixel. */
import { pixelAt, relativeCenter } from "../../core/geometry";
import type { Point } from "../../core/geometry";
import { clamp } from "../../core/parse";
import { pickClass } from "../actions";
import type { Context } from "../context";
import { button, fit, make, placeAt, setText } from "../dom/dom";
import { pickFound } from "./foundOverlay";
import { classProbe } from "../traits";
import type { ClassProbe } from "../traits";
import type { Stage } from "./stage";
import type { Zoom } from "./zoom";

/** The class probe: a click marks a pixel, and a popover lists the classes with the strongest maps there. */
export class ClassProbePopover {
  private readonly marker = make("div", "camwidget-class-probe-marker", { "aria-hidden": "true" });
  private readonly entries = make("div", "camwidget-class-probe-entries");
  private readonly heading = make("div", "camwidget-class-probe-heading");
  private readonly popover: HTMLElement;
  private readonly context: Context;
  private readonly stage: Stage;
  private readonly zoom: Zoom;
  private requested: Point | null = null;
  private result: ClassProbe | null = null;
  private closed = false;

  constructor(context: Context, stage: Stage, zoom: Zoom) {
    this.context = context;
    this.stage = stage;
    this.zoom = zoom;
    const { signal } = context;
    const close = button("camwidget-quiet camwidget-class-probe-close", { "aria-label": "Close", title: "Close (Esc)" }, "×");
    close.addEventListener(
      "click",
      () => {
        this.close();
        stage.frame.focus();
      },
      { signal },
    );
    this.popover = make(
      "div",
      "camwidget-class-probe",
      {
        role: "group",
        "aria-label": "Classes with the strongest maps at this point",
        title: "The most probable classes' maps at this point; 1 is the highest value of all of them anywhere in the picture",
      },
      this.heading,
      close,
      this.entries,
    );
    stage.plane.append(this.marker);
    stage.frame.append(this.popover);
    stage.canvas.addEventListener("click", (event) => this.probe(event), { signal });
    zoom.listen(() => this.update());
    context.watch(["class_probe"], () => {
      this.requested = null;
      this.closed = false;
      this.update();
    });
    context.watch(["scene"], () => {
      this.requested = null;
      this.update();
    });
  }

  /** Returns true if there was something to close. */
  close(): boolean {
    const open = !this.marker.hidden;
    if (open) this.context.hover.set(null);
    this.closed = true;
    this.requested = null;
    this.update();
    return open;
  }

  /** The pixel of the marker; null while there is none. */
  get point(): Point | null {
    return this.requested ?? this.result;
  }

  private probe(event: MouseEvent): void {
    // A tool's click is its own, and the end of a drag is none.
    if (this.context.tool.value !== "" || this.zoom.dragged) return;
    const point = this.stage.at(event);
    if (point !== null) this.ask(point);
  }

  /** Moves the marker by a part of the picture; from its middle when there is none. */
  move(right: number, down: number): void {
    const { canvas, frames } = this.stage;
    const { width } = canvas;
    const height = canvas.height / frames.count;
    const top = height * frames.shown;
    const marked = this.requested ?? this.result;
    // Within the frame shown of a clip.
    const from = marked === null ? { x: width / 2, y: height / 2 } : { x: marked.x, y: clamp(marked.y - top, 0, height - 1) };
    const step = Math.max(1, Math.round(Math.min(width, height) / 16));
    const { x, y } = pixelAt({ x: from.x + right * step, y: from.y + down * step }, { width, height });
    this.requested = { x, y: y + top };
    this.update();
    this.zoom.reveal(this.requested);
    this.context.hover.set(this.requested);
  }

  /** Probes the pixel of the marker, as a click there does. */
  probeAtMarker(): void {
    if (this.requested === null) this.move(0, 0);
    if (this.requested !== null) this.ask(this.requested);
  }

  /** Hides the part at a pixel, where parts are drawn; else chooses what the model finds there; lists the classes with evidence there where it finds nothing. */
  private ask(point: Point): void {
    if (this.stage.parts.toggle(point) || pickFound(this.context, point)) this.close();
    else this.send(point);
  }

  private send(point: Point): void {
    this.requested = point;
    this.closed = false;
    this.update();
    this.context.model.send({ type: "pick", x: point.x, y: point.y });
  }

  private update(): void {
    const given = classProbe(this.context.model.get("class_probe"));
    const fits = given !== null && given.scene === this.stage.sceneId && !this.closed;
    this.result = fits ? given : null;
    const point = this.requested ?? this.result;
    this.marker.hidden = point === null;
    const isCurrent = this.result !== null && point?.x === this.result.x && point.y === this.result.y;
    const y = point === null ? 0 : this.zoom.seen(point).y;
    // A point in another frame of a clip is not seen.
    this.popover.hidden = !isCurrent || (this.stage.frames.count > 1 && (y < 0 || y > 1));
    if (isCurrent && this.result !== null) this.list(this.result);
    if (point !== null) this.place(point);
  }

  /** Places marker and popover; the popover opens towards the middle of the picture, and stays inside it. */
  private place(point: Point): void {
    placeAt(this.marker, relativeCenter(point, this.stage.canvas));
    const { x, y } = this.zoom.seen(point);
    const { style } = this.popover;
    style.left = x <= 0.5 ? within(`${100 * x}% + 14px`, "100% - 188px") : "";
    style.right = x <= 0.5 ? "" : within(`${100 * (1 - x)}% + 14px`, "100% - 188px");
    const most = `100% - ${this.popover.offsetHeight}px`;
    style.top = y <= 0.5 ? within(`${100 * y}%`, most) : "";
    style.bottom = y <= 0.5 ? "" : within(`${100 * (1 - y)}%`, most);
  }

  private list({ classes, of }: ClassProbe): void {
    setText(this.heading, classes.length === 0 ? `No evidence of the top ${of}` : `Strongest of the top ${of}`);
    const items = fit(this.entries, classes.length, () => this.classButton());
    classes.forEach((probed, at) => {
      const item = items[at];
      const [name, value] = item?.children ?? [];
      if (item === undefined || name === undefined || value === undefined) return;
      item.dataset["index"] = String(probed.index);
      item.title = `Choose ${probed.name}`;
      item.style.setProperty("--camwidget-value", `${100 * probed.value}%`);
      setText(name, probed.name);
      setText(value, probed.value.toFixed(2));
    });
  }

  private classButton(): HTMLButtonElement {
    const made = button(
      "camwidget-class-probe-entry",
      {},
      make("span", "camwidget-class-probe-name"),
      make("span", "camwidget-class-probe-value"),
    );
    made.addEventListener(
      "click",
      () => {
        this.close();
        this.stage.frame.focus();
        pickClass(this.context, Number(made.dataset["index"]));
      },
      { signal: this.context.signal },
    );
    return made;
  }
}

function within(value: string, most: string): string {
  return `clamp(0px, ${value}, ${most})`;
}
