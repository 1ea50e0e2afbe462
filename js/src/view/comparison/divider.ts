/** The draggable divider between A and B in the split arrangement. */
import { percent } from "../../core/numberFormat";
import { clamp } from "../../core/parse";
import type { Context } from "../context";
import { make, setAttribute } from "../dom/dom";
import { OWN_KEYS } from "../host/compat";
import { portion } from "../model";

/** Percents that a key moves the divider. */
const STEP = 2;
const STRIDE = 10;

/**
 * The line between A and B in one frame. It keeps its place in the frame when the pictures below are enlarged or moved:
 * so it is never out of reach.
 */
export class Divider {
  readonly element: HTMLElement;
  /** From 0 to 1: the model's, or the pointer's while it is dragged. */
  place = 0.5;
  private dragging = false;

  /**
   * @param frame the frame that it divides
   * @param moved called with its position, from 0 to 1, after each change
   */
  constructor(
    private readonly context: Context,
    private readonly frame: HTMLElement,
    private readonly moved: (place: number) => void,
  ) {
    const { model, signal } = context;
    this.element = make(
      "div",
      "camwidget-divider",
      {
        role: "slider",
        tabindex: 0,
        "aria-label": "Divider: A on its left, B on its right",
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        title: "Drag: A is on the left, B on the right (← →)",
        hidden: true,
        ...OWN_KEYS,
      },
      make("span", "camwidget-divider-grip", { "aria-hidden": "true" }),
      make("span", "camwidget-divider-name", { "aria-hidden": "true" }, "A"),
      make("span", "camwidget-divider-name", { "aria-hidden": "true" }, "B"),
    );
    const listen = (type: string, act: (event: PointerEvent) => void): void =>
      this.element.addEventListener(type, (event) => act(event as PointerEvent), { signal });
    listen("pointerdown", (event) => {
      if (event.button !== 0) return;
      // The picture below must not take it for a drag of its own.
      event.stopPropagation();
      event.preventDefault();
      this.element.focus({ preventScroll: true });
      this.element.setPointerCapture?.(event.pointerId);
      this.dragging = true;
    });
    listen("pointermove", (event) => {
      if (this.dragging) this.follow(event.clientX);
    });
    const release = (): void => {
      if (!this.dragging) return;
      this.dragging = false;
      context.write({ divider: this.place });
    };
    listen("pointerup", release);
    listen("pointercancel", release);
    this.element.addEventListener("click", (event) => event.stopPropagation(), { signal });
    this.element.addEventListener("keydown", (event) => this.pressed(event), { signal });
    context.watch(["divider"], () => {
      if (!this.dragging) this.set(portion(model, "divider"));
    });
  }

  private follow(x: number): void {
    const { left, width } = this.frame.getBoundingClientRect();
    if (width > 0) this.set(clamp((x - left) / width, 0, 1));
  }

  private pressed(event: KeyboardEvent): void {
    const to = reached(event, 100 * this.place);
    if (to === null) return;
    event.preventDefault();
    this.set(clamp(to, 0, 100) / 100);
    this.context.write({ divider: this.place });
  }

  private set(place: number): void {
    this.place = place;
    this.element.style.left = `${100 * place}%`;
    setAttribute(this.element, "aria-valuenow", String(Math.round(100 * place)));
    setAttribute(this.element, "aria-valuetext", `A in the left ${percent(Math.round(100 * place) / 100)}`);
    this.moved(place);
  }
}

/** Where a key moves the divider, in percents; null for all other keys. */
function reached({ key, shiftKey, ctrlKey, metaKey, altKey }: KeyboardEvent, now: number): number | null {
  if (ctrlKey || metaKey || altKey) return null;
  const step = shiftKey ? STRIDE : STEP;
  if (key === "ArrowLeft" || key === "ArrowDown") return now - step;
  if (key === "ArrowRight" || key === "ArrowUp") return now + step;
  if (key === "Home") return 0;
  return key === "End" ? 100 : null;
}
