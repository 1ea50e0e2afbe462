/** ``LayerPlayback``: the button that plays through the layers' maps like frames of a film. */
import type { Context } from "../context";
import { button, setAttribute, svg } from "../dom/dom";

/** Milliseconds that each layer is shown for. */
const PACE = 500;

// SVG paths, since not every font has these glyphs.
const TRIANGLE = "M2 0V10L10 5Z";
const PAUSE = "M1 0H4V10H1ZM6 0H9V10H6Z";

const READY = "Play through the layers, shallow to deep, until stopped (y)";
const NOT_READY = "There are no maps of several layers to play: slow methods have none, others get theirs after the map";

/**
 * Plays through the layers whose maps the kernel has sent ahead, without requesting any. When it is stopped, the layer
 * shown is requested.
 */
export class LayerPlayback {
  readonly element: HTMLButtonElement;
  private readonly sign = svg("path");
  private timer = 0;
  /** The layer that is being shown. */
  private shownLayer = "";
  private stopsAtEnd = false;

  constructor(private readonly context: Context) {
    const { scrub, signal } = context;
    const drawing = svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, this.sign);
    this.element = button("camwidget-button camwidget-step camwidget-play", {}, drawing);
    this.element.addEventListener("click", () => this.toggle(), { signal });
    scrub.listen(() => {
      // Another control has moved to another layer, and requests it.
      if (this.isPlaying && scrub.current !== this.shownLayer) this.end();
      this.update();
    });
    context.watch(["layers"], () => this.update());
    signal.addEventListener("abort", () => window.clearInterval(this.timer));
  }

  get isPlaying(): boolean {
    return this.timer !== 0;
  }

  toggle(): void {
    if (this.stop() || !this.canPlay) return;
    // With reduced motion preferred, each layer is shown once.
    this.stopsAtEnd = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.timer = window.setInterval(() => this.next(), PACE);
    if (this.stopsAtEnd) this.show(0);
    else this.next();
  }

  /** False when it was not playing. */
  stop(): boolean {
    if (!this.isPlaying) return false;
    this.end();
    this.context.scrub.commit();
    return true;
  }

  /** Stops when another control of the row is used. */
  stopOn(row: HTMLElement): void {
    const { signal } = this.context;
    const other = ({ target }: Event): boolean => !(target instanceof Node && this.element.contains(target));
    row.addEventListener("pointerdown", (event) => other(event) && this.stop(), { capture: true, signal });
    row.addEventListener(
      "keydown",
      (event) => {
        // Keys that only move the focus, and shortcuts of the view, do not stop it.
        if (["Tab", "Shift", "y", "?", "Escape"].includes(event.key)) return;
        if (other(event) || ![" ", "Enter"].includes(event.key)) this.stop();
      },
      { capture: true, signal },
    );
  }

  private get canPlay(): boolean {
    return this.context.scrub.available.length > 1;
  }

  private next(): void {
    const { scrub } = this.context;
    const { available } = scrub;
    if (available.length < 2) {
      // Another class, method or picture is being explained: its map comes at the layer that is requested.
      this.end();
      scrub.cancel();
      return;
    }
    const now = available.indexOf(scrub.current);
    if (this.stopsAtEnd && now === available.length - 1) this.stop();
    else this.show((now + 1) % available.length);
  }

  private show(at: number): void {
    const { scrub } = this.context;
    this.shownLayer = scrub.available[at] ?? "";
    scrub.moveTo(this.shownLayer);
  }

  private end(): void {
    window.clearInterval(this.timer);
    this.timer = 0;
    this.update();
  }

  private update(): void {
    const { element, isPlaying } = this;
    const can = isPlaying || this.canPlay;
    this.sign.setAttribute("d", isPlaying ? PAUSE : TRIANGLE);
    setAttribute(element, "aria-label", isPlaying ? "Stop playing through the layers" : "Play through the layers");
    setAttribute(element, "aria-disabled", String(!can));
    setAttribute(element, "title", isPlaying ? "Stop here (y, Esc)" : can ? READY : NOT_READY);
  }
}
