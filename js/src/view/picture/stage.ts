/** The large picture: its canvas with map and mask, and the overlays that are zoomed with it. */
import { Compositor } from "../../core/compositor";
import type { Heat } from "../../core/compositor";
import { pixelAt } from "../../core/geometry";
import type { Point, Position } from "../../core/geometry";
import { enlarge, toBytes } from "../../core/interpolation";
import { PaintLayer } from "../brush/paintLayer";
import { PaintOutlines } from "../brush/paintOutlines";
import type { Context } from "../context";
import { make, relativePosition, setAttribute, setText } from "../dom/dom";
import { OWN_KEYS } from "../host/compat";
import { frameTask, Listeners } from "../listeners";
import { trait } from "../model";
import { explanation, mapStyle, mode, scene } from "../traits";
import type { Explanation, Scene } from "../traits";
import { BaselineFills } from "./baselineFill";
import type { Preview } from "./layerScrubber";
import { Frames } from "./frames";
import { foundOverlay } from "./foundOverlay";
import { boxes, outlines } from "./outlines";
import { PartsOverlay } from "./partsOverlay";
import { CancelButton, previewTag, progressLine } from "./progress";

/** The longest side of pictures whose pixels are shown as squares; the browser smooths larger ones. */
export const SMALL = 96;

/** The map on the canvas: saliency and tone-mapped saliency, a byte each, and rank levels, which a preview lacks. */
export interface Drawn {
  readonly saliency: Uint8Array;
  readonly drawn?: Uint8Array | null;
  readonly knee: number | null;
  readonly levels: Uint16Array | null;
}

const UNMASKED = { mode: "remove", fraction: 0 } as const;

/** The picture as the model gets it, masked, with the map over its unmasked pixels. */
export class Stage {
  /** The frame around the picture; zooming does not change it. */
  readonly frame: HTMLElement;
  /** Clips the plane where the picture is enlarged. */
  readonly clip: HTMLElement;
  /** The canvas and all that is placed in the picture's coordinates; it is larger than the frame where the picture is zoomed. */
  readonly plane: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly cancel: CancelButton;
  /** Of a clip, the frame that is shown. */
  readonly frames: Frames;
  /** The map on the canvas; null if there is none, or it is all zeros. */
  drawn: Drawn | null = null;
  readonly painted: PaintLayer;
  readonly paintOutlines: PaintOutlines;
  /** The parts of the picture, which a click hides. */
  readonly parts: PartsOverlay;
  /** The region that is asked about, of a model that takes one. */
  readonly region: PaintLayer;
  readonly regionOutlines: PaintOutlines;
  private readonly fillings: BaselineFills;
  private readonly compositor = new Compositor();
  private readonly drawing: CanvasRenderingContext2D | null;
  private readonly empty = make("div", "camwidget-empty");
  private readonly note = make("div", "camwidget-note");
  private image: ImageData | null = null;
  private scene: Scene | null = null;
  private map: Explanation | null = null;
  private preview: Preview | null = null;
  private rawScene: unknown = undefined;
  private readonly listeners = new Listeners();
  private title = "";

  /** Repaints at the next frame, once for all changes. */
  readonly repaint: () => void;

  constructor(private readonly context: Context) {
    const { model, scrub } = context;
    this.repaint = frameTask(context.signal, () => this.paint()).schedule;
    this.frames = new Frames(context);
    this.cancel = new CancelButton(context, () => this.focus());
    this.painted = new PaintLayer(context);
    this.paintOutlines = new PaintOutlines(context, this.painted);
    this.parts = new PartsOverlay(context, this.painted);
    this.region = new PaintLayer(context, "region");
    this.regionOutlines = new PaintOutlines(context, this.region, "camwidget-region-outlines");
    this.fillings = new BaselineFills(context);
    this.canvas = make("canvas", "camwidget-canvas", { role: "img" });
    this.drawing = this.canvas.getContext("2d");
    // What is clicked or painted belongs to one frame.
    this.canvas.addEventListener("pointerdown", () => this.frames.stop(), { signal: context.signal });
    this.plane = make("div", "camwidget-plane", {}, this.canvas, outlines(context), boxes(context), this.parts.element, foundOverlay(context));
    this.clip = make("div", "camwidget-clip", {}, this.plane);
    this.frame = make(
      "div",
      "camwidget-frame",
      {
        tabindex: 0,
        role: "group",
        "aria-label": "Picture",
        // No tooltip: it would cover the picture. The line below the picture has the same hint.
        "aria-description":
          "Click a point (or w a s d, enter) to list the classes with the strongest maps there; + and - zoom",
        ...OWN_KEYS,
      },
      this.clip,
      this.empty,
      this.note,
      previewTag(context),
      progressLine(context),
      this.cancel.element,
    );
    context.watch(["scene", "explanation"], () => {
      this.read(model.get("scene"), model.get("explanation"));
      this.repaint();
    });
    context.watch(["overlay", "opacity", "cells", "colormap", "colormaps"], () => {
      this.compositor.setStyle(mapStyle(model));
      this.repaint();
    });
    context.watch(["fraction", "mode", "baseline", "baseline_fill"], () => this.repaint());
    this.painted.listen(() => {
      this.label();
      this.repaint();
    });
    context.watch(["busy", "partial"], () => {
      setAttribute(this.frame, "aria-busy", String(trait(model, "busy")));
      this.frame.classList.toggle("camwidget-partial", trait(model, "partial"));
      if (this.scene === null) this.announceEmpty();
    });
    scrub.listen(() => {
      if (this.preview === scrub.preview) return;
      this.drawMap();
      this.repaint();
    });
  }

  /** The id of the picture shown; null when there is none. */
  get sceneId(): string | null {
    return this.scene?.id ?? null;
  }

  /** Calls `update` whenever another map is drawn. */
  listen(update: () => void): void {
    this.listeners.add(update);
  }

  /** Returns the pixel under or nearest to a pointer; null before there is a picture. */
  at({ clientX, clientY }: { readonly clientX: number; readonly clientY: number }): Point | null {
    const spot = this.over({ clientX, clientY });
    return spot === null ? null : pixelAt(spot, this.canvas);
  }

  /** Returns the position of a pointer in pixels of the picture, also outside it; null before there is a picture. */
  over({ clientX, clientY }: { readonly clientX: number; readonly clientY: number }): Position | null {
    const position = relativePosition(this.canvas, { clientX, clientY });
    const { width, height } = this.canvas;
    return position === null ? null : { x: position.x * width, y: position.y * height };
  }

  focus(): void {
    this.frame.focus({ preventScroll: true });
  }

  private paint(): void {
    if (this.image === null || this.drawing === null || this.scene === null) return;
    const { model } = this.context;
    const chosen = mode(model.get("mode"));
    const byMap =
      this.preview === null || chosen === "multiply" ? { mode: chosen, fraction: this.context.fraction() } : UNMASKED;
    const filling = this.fillings.of(this.scene, trait(model, "baseline"));
    this.compositor.paint({ ...byMap, ...filling, paint: this.painted.pixels });
    this.frame.classList.toggle("camwidget-provisional", this.compositor.provisional);
    this.drawing.putImageData(this.image, 0, 0);
  }

  private read(rawScene: unknown, rawExplanation: unknown): void {
    if (rawScene !== this.rawScene) {
      this.rawScene = rawScene;
      this.scene = scene(rawScene);
      this.resize();
    }
    this.map = explanation(rawExplanation, this.scene);
    this.drawMap();
  }

  private drawMap(): void {
    this.chooseMap();
    this.listeners.notify();
  }

  /** Chooses what is drawn: the kernel's map, or a preview of another layer's. */
  private chooseMap(): void {
    const { scene: shown, map, compositor } = this;
    this.preview = shown === null ? null : this.context.scrub.preview;
    this.frame.classList.toggle("camwidget-previewing", this.preview !== null);
    if (shown !== null && this.preview !== null) {
      const heat = previewHeat(this.preview, shown);
      compositor.setHeat(heat);
      const empty = !heat.saliency.includes(255);
      this.drawn = empty ? null : { saliency: heat.saliency, knee: null, levels: null };
      this.describe(`Preview of the map at ${this.preview.layer}`, empty, "");
      return;
    }
    // A map of zeros ranks no pixels: nothing is masked by it, in the kernel and here.
    this.drawn = map?.empty === true ? null : map;
    compositor.setHeat(map?.empty === true ? null : map);
    this.describe(map?.title ?? "", map?.empty === true, map?.note ?? "");
  }

  private resize(): void {
    const { scene: shown, canvas, compositor } = this;
    canvas.hidden = shown === null;
    this.announceEmpty();
    if (shown === null) return;
    const { width, height, frames } = shown;
    const frameHeight = height / frames;
    this.frame.style.setProperty("--camwidget-aspect", String(width / frameHeight));
    canvas.classList.toggle("camwidget-pixelated", Math.max(width, frameHeight) <= SMALL);
    const changed = width !== compositor.width || height !== compositor.height;
    compositor.setPicture(shown);
    if (!changed) return;
    canvas.width = width;
    canvas.height = height;
    this.image = new ImageData(compositor.pixels, width, height);
  }

  private announceEmpty(): void {
    const isBusy = trait(this.context.model, "busy");
    this.empty.hidden = this.scene !== null;
    setText(this.empty, isBusy ? "Waiting for the model…" : "No picture yet");
  }

  private describe(title: string, empty: boolean, note: string): void {
    this.title = title === "" ? "The picture the model gets" : title;
    this.label();
    // A map of zeros looks as if there were no map.
    const substitute = empty ? "No positive evidence for this class at this layer" : "";
    const message = note === "" ? substitute : note;
    setText(this.note, message);
    this.note.hidden = message === "";
  }

  private label(): void {
    if (this.painted.isDrawing) return;
    const { summary } = this.painted;
    setAttribute(this.canvas, "aria-label", summary === "" ? this.title : `${this.title}; painted: ${summary}`);
  }
}

/** A preview in the form of the kernel's maps, without ranks since a preview masks nothing. */
function previewHeat({ grid }: Preview, { width, height }: Scene): Heat {
  return {
    saliency: toBytes(enlarge(grid, width, height)),
    levels: new Uint16Array(width * height),
    cells: { values: toBytes(grid.cells), rows: grid.rows, columns: grid.columns },
  };
}
