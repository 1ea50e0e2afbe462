/** ``ComparedPicture``: a canvas with B's picture and map, or with the difference of A's and B's maps. */
import { GRAY } from "../../core/colormap";
import { Compositor } from "../../core/compositor";
import { paintDifference } from "../../core/difference";
import type { Position } from "../../core/geometry";
import { bytes } from "../../core/parse";
import type { PaintLayer } from "../brush/paintLayer";
import type { Context } from "../context";
import { make, placeAt, relativePosition, setAttribute } from "../dom/dom";
import type { PointerPosition } from "../dom/dom";
import { frameTask } from "../listeners";
import { trait } from "../model";
import { BaselineFills } from "../picture/baselineFill";
import { SMALL } from "../picture/stage";
import { mapStyle, mode, sceneId } from "../traits";
import type { Explanation, Scene } from "../traits";
import { comparedFraction } from "./comparedTraits";
import type { ComparedMap } from "./comparedTraits";

/** A's picture and map. */
export interface ShownMap {
  readonly scene: Scene;
  readonly map: Explanation;
}

/** B's picture with its map and the same mask as A's, or the difference of the two, on a canvas of its own. */
export class ComparedPicture {
  /** The element that fills the plane; the picture is as large as fits in it. */
  readonly sheet: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  private readonly inner: HTMLElement;
  private readonly cross = crosshair();
  private readonly compositor = new Compositor();
  private readonly fillings: BaselineFills;
  private readonly drawing: CanvasRenderingContext2D | null;
  private image: ImageData | null = null;
  private shown: ComparedMap | null = null;
  private minuend: ShownMap | null = null;

  /** Repaints at the next frame, once for all changes. */
  readonly repaint: () => void;

  constructor(
    private readonly context: Context,
    private readonly painted: PaintLayer,
  ) {
    const { model } = context;
    this.repaint = frameTask(context.signal, () => this.paint()).schedule;
    this.fillings = new BaselineFills(context, "compared_baseline_fill");
    this.canvas = make("canvas", "camwidget-compared-canvas", { role: "img" });
    this.drawing = this.canvas.getContext("2d");
    this.inner = make("div", "camwidget-compared-inner", {}, this.canvas, this.cross);
    this.sheet = make("div", "camwidget-compared-sheet", {}, this.inner);
    context.watch(["overlay", "opacity", "cells", "colormap", "colormaps", "difference_colors"], () => {
      this.compositor.setStyle(mapStyle(model));
      this.repaint();
    });
    context.watch(["fraction", "compare", "mode", "baseline", "compared_baseline_fill"], () => this.repaint());
    painted.listen(() => this.repaint());
  }

  /**
   * Shows B.
   *
   * @param minuend what A shows, if the difference to it is to be shown instead
   * @param aspect width by height of the plane that the picture lies in
   */
  show(other: ComparedMap, minuend: ShownMap | null, aspect: number): void {
    const { width, height } = other.scene;
    if (other.scene.rgb !== this.shown?.scene.rgb) this.compositor.setPicture(other.scene);
    this.compositor.setHeat(other.map.empty ? null : other.map);
    this.shown = other;
    this.minuend = minuend;
    if (this.image?.width !== width || this.image.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.canvas.classList.toggle("camwidget-pixelated", Math.max(width, height) <= SMALL);
      this.image = new ImageData(new Uint8ClampedArray(4 * width * height), width, height);
    }
    this.fit(width / height, aspect);
    setAttribute(this.canvas, "aria-label", minuend === null ? `B: ${other.map.title}` : "A's map minus B's");
    this.repaint();
  }

  /** The place under a pointer; null before there is a picture. */
  at(pointer: PointerPosition): Position | null {
    return relativePosition(this.canvas, pointer);
  }

  /** B's saliency at a place, from 0 to 1; NaN where there is none. */
  saliency({ x, y }: Position): number {
    if (this.shown === null) return Number.NaN;
    const { scene, map } = this.shown;
    return valueAt(map.saliency, scene.width, Math.floor(x * scene.width), Math.floor(y * scene.height));
  }

  /** Marks a place, or none. */
  mark(place: Position | null): void {
    markAt(this.cross, place);
  }

  private paint(): void {
    const { image, drawing, shown, minuend } = this;
    if (image === null || drawing === null || shown === null) return;
    const { model } = this.context;
    if (minuend === null) {
      const filling = this.fillings.of(shown.scene, trait(model, "baseline"));
      const byMap = { mode: mode(model.get("mode")), fraction: comparedFraction(model) ?? this.context.fraction() };
      // What is painted on A's very pixels is painted on B's too.
      const own = shown.scene.id === sceneId(model.get("scene")) ? { paint: this.painted.pixels } : {};
      const pixels = this.compositor.paint({ ...byMap, ...filling, ...own });
      image.data.set(pixels);
    } else {
      const style = mapStyle(model);
      paintDifference(
        new Uint32Array(image.data.buffer),
        { rgb: minuend.scene.rgb, a: minuend.map.saliency, b: shown.map.saliency },
        bytes(model.get("difference_colors")) ?? GRAY,
        style.overlay ? style.opacity : 0,
      );
    }
    drawing.putImageData(image, 0, 0);
  }

  /** Fits the picture into the middle of a plane of another aspect. */
  private fit(own: number, aspect: number): void {
    const width = Math.min(1, own / aspect);
    const height = Math.min(1, aspect / own);
    const { style } = this.inner;
    style.width = `${100 * width}%`;
    style.height = `${100 * height}%`;
    style.left = `${50 * (1 - width)}%`;
    style.top = `${50 * (1 - height)}%`;
  }
}

/** The saliency at a pixel, from 0 to 1. */
export function valueAt(saliency: Uint8Array, width: number, x: number, y: number): number {
  return (saliency[y * width + x] ?? Number.NaN) / 255;
}

/** Creates a crosshair that is visible on dark and bright pictures, hidden until it marks a position. */
export function crosshair(): HTMLElement {
  return make("div", "camwidget-cross", { "aria-hidden": "true", hidden: true });
}

export function markAt(cross: HTMLElement, place: Position | null): void {
  cross.hidden = place === null;
  if (place === null) return;
  placeAt(cross, place);
}
