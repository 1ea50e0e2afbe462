import { Compositor } from "../core/compositor";
import { GREY } from "../core/colormap";
import type { Context } from "./context";
import { make, OWN_KEYS, setAttribute, setText } from "./dom";
import { byteMap, explanation, flag, mode, number, scene, text, unit } from "./traits";
import type { Explanation, Scene } from "./traits";

/** Pictures this small are shown as their pixels; larger ones are smoothed by the browser. */
const SMALL = 96;

/** The picture as the model gets it, with the map over what is left of it. */
export class Stage {
  readonly frame: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  private readonly compositor = new Compositor();
  private readonly paper: CanvasRenderingContext2D | null;
  private readonly empty = make("div", "camwidget-empty");
  private readonly note = make("div", "camwidget-note");
  private image: ImageData | null = null;
  private scene: Scene | null = null;
  private rawScene: unknown = undefined;
  private request = 0;

  constructor(private readonly context: Context) {
    const { model, signal } = context;
    this.canvas = make("canvas", "camwidget-canvas", { role: "img" });
    this.paper = this.canvas.getContext("2d");
    this.frame = make(
      "div",
      "camwidget-frame",
      {
        tabindex: 0,
        role: "group",
        "aria-label": "Picture",
        title: "Click a point (or w a s d, enter) to ask which classes have the strongest maps there",
        ...OWN_KEYS,
      },
      this.canvas,
      this.empty,
      this.note,
      progressLine(context),
    );
    context.watch(["scene", "explanation"], () => {
      this.read(model.get("scene"), model.get("explanation"));
      this.repaint();
    });
    context.watch(["overlay", "opacity", "cells", "colormap", "colormaps"], () => {
      this.compositor.setLook({
        overlay: flag(model.get("overlay"), true),
        opacity: unit(model.get("opacity"), 0.5),
        cells: flag(model.get("cells"), false),
        colors: byteMap(model.get("colormaps")).get(text(model.get("colormap"))) ?? GREY,
      });
      this.repaint();
    });
    context.watch(["fraction", "mode", "baseline"], () => this.repaint());
    context.watch(["busy"], () => {
      const busy = flag(model.get("busy"), false);
      setAttribute(this.frame, "aria-busy", String(busy));
      if (this.scene === null) this.announceEmpty();
    });
    signal.addEventListener("abort", () => cancelAnimationFrame(this.request));
  }

  /** The picture on show; null when there is none. */
  get sceneId(): string | null {
    return this.scene?.id ?? null;
  }

  /** At most once a frame, however many changes ask for it. */
  repaint(): void {
    if (this.request !== 0 || this.context.signal.aborted) return;
    this.request = requestAnimationFrame(() => {
      this.request = 0;
      this.paint();
    });
  }

  private paint(): void {
    if (this.image === null || this.paper === null || this.scene === null) return;
    const { model } = this.context;
    this.compositor.paint({
      mode: mode(model.get("mode")),
      fraction: this.context.fraction(),
      fill: this.scene.fills.get(text(model.get("baseline"))) ?? null,
    });
    this.paper.putImageData(this.image, 0, 0);
  }

  private read(rawScene: unknown, rawExplanation: unknown): void {
    if (rawScene !== this.rawScene) {
      this.rawScene = rawScene;
      this.scene = scene(rawScene);
      this.resize();
    }
    const map = explanation(rawExplanation, this.scene);
    // A map of zeros ranks nothing: the kernel masks nothing by it, so neither does the picture.
    this.compositor.setHeat(map?.empty === true ? null : map);
    this.describe(map);
  }

  private resize(): void {
    const { scene: shown, canvas, compositor } = this;
    canvas.hidden = shown === null;
    this.announceEmpty();
    if (shown === null) return;
    const { width, height } = shown;
    const changed = width !== compositor.width || height !== compositor.height;
    compositor.setPicture(shown);
    if (!changed) return;
    canvas.width = width;
    canvas.height = height;
    canvas.classList.toggle("camwidget-pixelated", Math.max(width, height) <= SMALL);
    this.frame.style.setProperty("--camwidget-aspect", String(width / height));
    this.image = new ImageData(compositor.pixels, width, height);
  }

  private announceEmpty(): void {
    const waiting = flag(this.context.model.get("busy"), false);
    this.empty.hidden = this.scene !== null;
    setText(this.empty, waiting ? "Waiting for the model…" : "No picture yet");
  }

  private describe(map: Explanation | null): void {
    const title = map?.title ?? "";
    setAttribute(this.canvas, "aria-label", title === "" ? "The picture the model gets" : title);
    // It looks like no map at all, so it must say what it is.
    const silent = map?.empty === true ? "No positive evidence for this class at this layer" : "";
    const note = map === null || map.note === "" ? silent : map.note;
    setText(this.note, note);
    this.note.hidden = note === "";
  }
}

function progressLine(context: Context): HTMLElement {
  const done = make("div", "camwidget-progress-done");
  const line = make("div", "camwidget-progress", { role: "progressbar", "aria-label": "Computing" }, done);
  context.watch(["busy", "progress"], () => {
    const progress = number(context.model.get("progress"), -1);
    line.hidden = !flag(context.model.get("busy"), false);
    line.classList.toggle("camwidget-indeterminate", progress < 0);
    done.style.width = progress < 0 ? "" : `${100 * Math.min(1, progress)}%`;
    if (progress < 0) line.removeAttribute("aria-valuenow");
    else setAttribute(line, "aria-valuenow", String(Math.round(100 * progress)));
  });
  return line;
}
