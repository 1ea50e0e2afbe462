/** ``Slider``: a range input from 0 to 100 % that ignores changes of its trait while it is dragged. */
import { percent } from "../../core/numberFormat";
import { OWN_KEYS } from "../host/compat";
import { make } from "./dom";

interface Options {
  readonly className: string;
  readonly label: string;
  readonly title: string;
  readonly step: number;
  readonly signal: AbortSignal;
  /** Called for each movement, with 0..1. */
  readonly input: (value: number) => void;
  /** Called when the pointer is released; `moved` is false for a touch without a drag. */
  readonly release: (moved: boolean) => void;
}

/**
 * A slider over 0..100 %. While it is dragged, values that come in from elsewhere are ignored.
 */
export class Slider {
  readonly element: HTMLInputElement;
  dragging = false;
  private moved = false;

  constructor(options: Options) {
    const { signal } = options;
    this.element = make("input", `camwidget-range ${options.className}`, {
      type: "range",
      min: 0,
      max: 100,
      step: options.step,
      "aria-label": options.label,
      title: options.title,
      ...OWN_KEYS,
    });
    this.element.addEventListener(
      "input",
      () => {
        this.moved = true;
        this.decorate();
        options.input(this.value);
      },
      { signal },
    );
    this.element.addEventListener(
      "pointerdown",
      (event) => {
        if (event.button !== 0 || this.element.disabled) return;
        this.dragging = true;
        this.moved = false;
      },
      { signal },
    );
    const release = (): void => {
      if (!this.dragging) return;
      this.dragging = false;
      options.release(this.moved);
    };
    // On the window: the button may be let go anywhere. A canceled touch has an event of its own.
    window.addEventListener("pointerup", release, { signal });
    window.addEventListener("pointercancel", release, { signal });
    this.element.addEventListener("blur", release, { signal });
  }

  get value(): number {
    return Number(this.element.value) / 100;
  }

  follow(value: number): void {
    if (this.dragging) return;
    this.element.value = String(100 * value);
    this.decorate();
  }

  /** Updates the filled part of the track, and what screen readers say: "25 %" instead of "25". */
  private decorate(): void {
    this.element.style.setProperty("--camwidget-slider-fill", String(this.value));
    this.element.setAttribute("aria-valuetext", percent(this.value));
  }
}
