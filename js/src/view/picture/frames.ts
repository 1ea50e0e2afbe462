/** The frame shown of a clip, whose frames lie one below the other in the picture, and its controls. */
import { clamp } from "../../core/parse";
import type { Position } from "../../core/geometry";
import type { Context } from "../context";
import { button, make, setAttribute, setText, svg } from "../dom/dom";
import { OWN_KEYS } from "../host/compat";
import { Listeners } from "../listeners";
import { trait } from "../model";
import { frameCount } from "../traits";

/** Milliseconds that each frame is shown for. */
const PACE = 200;

// SVG paths, since not every font has these glyphs.
const TRIANGLE = "M2 0V10L10 5Z";
const PAUSE = "M1 0H4V10H1ZM6 0H9V10H6Z";

/** Which frame of a clip is shown; a picture is a clip of one frame. */
export class Frames {
  private readonly listeners = new Listeners();
  private timer = 0;
  /** The frame shown while the clip plays; the kernel is told where it stops. */
  private playing = 0;
  private stopsAtEnd = false;

  constructor(private readonly context: Context) {
    context.watch(["frame", "scene"], () => this.listeners.notify());
    context.signal.addEventListener("abort", () => window.clearInterval(this.timer));
  }

  get count(): number {
    return frameCount(this.context.model.get("scene"));
  }

  get shown(): number {
    return clamp(this.isPlaying ? this.playing : trait(this.context.model, "frame"), 0, this.count - 1);
  }

  get isPlaying(): boolean {
    return this.timer !== 0;
  }

  /** Calls `update` whenever another frame, or another clip, is shown. */
  listen(update: () => void): void {
    this.listeners.add(update);
  }

  show(frame: number): void {
    this.end();
    this.context.write({ frame: clamp(frame, 0, this.count - 1) });
    this.listeners.notify();
  }

  step(by: number): void {
    if (this.count > 1) this.show(this.shown + by);
  }

  /** Plays the clip until stopped; with reduced motion preferred, once. */
  toggle(): void {
    if (this.stop() || this.count < 2) return;
    this.stopsAtEnd = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.playing = this.stopsAtEnd ? 0 : this.shown;
    this.timer = window.setInterval(() => this.next(), PACE);
    this.listeners.notify();
  }

  /** False when it was not playing. */
  stop(): boolean {
    if (!this.isPlaying) return false;
    this.show(this.shown);
    return true;
  }

  /** A place in the whole strip, from 0 to 1 each way, as one in the frame shown. */
  inFrame({ x, y }: Position): Position {
    return { x, y: y * this.count - this.shown };
  }

  private next(): void {
    if (this.count < 2 || (this.stopsAtEnd && this.playing >= this.count - 1)) {
      this.stop();
      return;
    }
    this.playing = (this.playing + 1) % this.count;
    this.listeners.notify();
  }

  private end(): void {
    window.clearInterval(this.timer);
    this.timer = 0;
  }
}

/** Creates the line with play button, slider and number of the frame; hidden where the picture is no clip. */
export function frameControl({ signal }: Context, frames: Frames): HTMLElement {
  const sign = svg("path");
  const drawing = svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, sign);
  const play = button("camwidget-button camwidget-play-frames", {}, drawing);
  play.addEventListener("click", () => frames.toggle(), { signal });
  const range = make("input", "camwidget-range camwidget-frames", {
    type: "range",
    min: 0,
    step: 1,
    "aria-label": "Frame of the clip",
    title: "Frame of the clip (< and >)",
    ...OWN_KEYS,
  });
  range.addEventListener("input", () => frames.show(Number(range.value)), { signal });
  const number = make("span", "camwidget-frame-number", { "aria-hidden": "true" });
  const line = make("div", "camwidget-frame-control", {}, make("span", "camwidget-frame-label", {}, "Frame"), play, range, number);
  const update = (): void => {
    const { count, shown, isPlaying } = frames;
    line.hidden = count < 2;
    range.max = String(Math.max(1, count - 1));
    const value = String(shown);
    // Setting the value it has already would disturb a drag.
    if (range.value !== value) range.value = value;
    setAttribute(range, "aria-valuetext", `${shown + 1} of ${count}`);
    setText(number, `${shown + 1} / ${count}`);
    sign.setAttribute("d", isPlaying ? PAUSE : TRIANGLE);
    setAttribute(play, "aria-label", isPlaying ? "Pause the clip" : "Play the clip");
    setAttribute(play, "title", isPlaying ? "Pause here (k, Esc)" : "Play the clip (k)");
  };
  frames.listen(update);
  update();
  return line;
}
