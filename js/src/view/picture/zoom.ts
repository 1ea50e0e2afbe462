/** ``Zoom``: zooming and panning of the picture by wheel, keys, drag and pinch. */
import { relativeCenter } from "../../core/geometry";
import type { Point, Position } from "../../core/geometry";
import { texts } from "../../core/parse";
import { moved, revealing, seen, FULL_VIEW, zoomed } from "../../core/viewport";
import type { Viewport } from "../../core/viewport";
import type { Context } from "../context";
import { button, relativePosition, setAttribute, setText } from "../dom/dom";
import { Listeners } from "../listeners";
import type { Stage } from "./stage";
import { WheelZoom } from "./wheelZoom";

/** The largest movement of a click, in CSS pixels. */
const STILL = 3;

/** What one press of a key does. */
const STRIDE = 1.5;

/** The size in CSS pixels from which a pixel of the picture is drawn as a square. */
const CRISP = 3;

/** An element that shows a part of a picture. All panes share one viewport. */
export interface Pane {
  /** The element that clips the plane, and takes wheel and pointer events. */
  readonly clip: HTMLElement;
  readonly plane: HTMLElement;
  readonly canvas: HTMLCanvasElement;
}

/**
 * Zooms and pans the picture. The plane is resized and not transformed by CSS, so that lines stay thin and marks keep
 * their size.
 */
export class Zoom {
  /** Whether the last press on the picture was a drag and no click. */
  dragged = false;
  private viewport: Viewport = FULL_VIEW;
  private size = "";
  /** The number of pictures when one was last shown. */
  private count = 0;
  private readonly badge: HTMLButtonElement;
  private readonly panes: Pane[] = [];
  private readonly listeners = new Listeners();
  /** The last positions of the pressed pointers, in CSS pixels. */
  private readonly down = new Map<number, Position>();
  private from: Position = { x: 0, y: 0 };

  constructor(
    private readonly context: Context,
    private readonly stage: Stage,
  ) {
    const { signal } = context;
    this.badge = button("camwidget-button camwidget-zoomed", { title: "Show the whole picture again (0)", hidden: true });
    this.badge.addEventListener("click", () => this.reset(), { signal });
    stage.frame.append(this.badge);
    // On the window: it may be let go anywhere.
    for (const end of ["pointerup", "pointercancel"] as const) {
      window.addEventListener(end, ({ pointerId }) => this.up(pointerId), { signal });
    }
    this.add(stage);
    context.watch(["scene"], () => this.fit());
    stage.frames.listen(() => {
      this.lay();
      this.listeners.notify();
    });
  }

  /** Adds a pane, which shows the same viewport and can move it. */
  add(pane: Pane): void {
    const { signal } = this.context;
    this.panes.push(pane);
    new WheelZoom(pane.clip, signal, (event, factor) => this.wheel(pane.clip, event, factor));
    this.listenToPointers(pane.clip, signal);
    this.lay();
  }

  /** Calls `update` whenever another part of the picture is seen. */
  listen(update: () => void): void {
    this.listeners.add(update);
  }

  /** Zooms in (+1) or out (-1) by one step about the center. */
  step(by: number): void {
    this.setViewport(zoomed(this.viewport, STRIDE ** by, { x: 0.5, y: 0.5 }));
  }

  reset(): void {
    this.setViewport(FULL_VIEW);
  }

  /** Moves the picture as far as is needed to see a pixel of it. */
  reveal(point: Point): void {
    this.setViewport(revealing(this.viewport, this.stage.frames.inFrame(relativeCenter(point, this.stage.canvas))));
  }

  /** Where in the frame, from 0 to 1 each way, a pixel is seen. */
  seen(point: Point): Position {
    return seen(this.viewport, this.stage.frames.inFrame(relativeCenter(point, this.stage.canvas)));
  }

  /** Pictures of the same size are compared at the same place; one that has just been opened is seen whole. */
  private fit(): void {
    const { width, height } = this.stage.canvas;
    const size = this.stage.sceneId === null ? "" : `${width}×${height}`;
    const count = texts(this.context.model.get("pictures")).length;
    const isOpened = count > this.count;
    this.count = count;
    if (size === this.size && !isOpened) return;
    this.size = size;
    this.reset();
  }

  private setViewport(viewport: Viewport): void {
    const { stage, badge } = this;
    if (this.size === "") viewport = FULL_VIEW;
    this.viewport = viewport;
    this.lay();
    const { scale } = viewport;
    const isCloser = scale > 1;
    if (!isCloser && badge === document.activeElement) stage.focus();
    badge.hidden = !isCloser;
    const times = scale < 9.95 ? scale.toFixed(1) : String(Math.round(scale));
    setText(badge, `×${times} ↺`);
    setAttribute(badge, "aria-label", `Enlarged ${times} times: show the whole picture again`);
    this.listeners.notify();
  }

  /** Lays out each pane by the viewport. To be called after a canvas has changed its size. */
  lay(): void {
    const { scale, left, top } = this.viewport;
    const isCloser = scale > 1;
    const { clientWidth } = this.stage.clip;
    const { count, shown } = this.stage.frames;
    for (const { clip, plane, canvas } of this.panes) {
      const { style } = plane;
      style.width = `${100 * scale}%`;
      style.height = `${100 * scale * count}%`;
      style.left = `${-100 * left}%`;
      style.top = `${-100 * (top + scale * shown)}%`;
      clip.classList.toggle("camwidget-enlarged", isCloser);
      clip.classList.toggle("camwidget-film", count > 1);
      canvas.classList.toggle("camwidget-crisp", isCloser && scale * clientWidth > CRISP * canvas.width);
    }
  }

  /** Zooms by a factor; false where that changes nothing, so that the page may scroll. */
  private wheel(clip: HTMLElement, event: WheelEvent, factor: number): boolean {
    const next = zoomed(this.viewport, factor, positionIn(clip, { x: event.clientX, y: event.clientY }));
    if (this.size === "" || (factor < 1 && this.viewport.scale === 1)) return false;
    this.setViewport(next);
    return true;
  }

  private listenToPointers(clip: HTMLElement, signal: AbortSignal): void {
    const { down, context } = this;
    clip.addEventListener(
      "pointerdown",
      (event) => {
        if (down.size === 0) this.dragged = false;
        if (context.tool.value !== "" || event.button !== 0 || down.size === 2) return;
        this.from = place(event);
        down.set(event.pointerId, this.from);
        // Two fingers never click.
        if (down.size === 2) this.dragged = true;
      },
      { signal },
    );
    clip.addEventListener(
      "pointermove",
      (event) => {
        // Let go where nobody could tell.
        if (event.pointerType === "mouse" && event.buttons === 0) this.up(event.pointerId);
        const before = down.get(event.pointerId);
        if (before === undefined) return;
        const now = place(event);
        if (down.size === 2) this.pinch(clip, event.pointerId, now);
        else this.drag(clip, event, before, now);
      },
      { signal },
    );
    // Two fingers are ours also where one scrolls the page.
    const own = (event: TouchEvent): void => {
      if (context.tool.value === "" && event.touches.length > 1 && event.cancelable) event.preventDefault();
    };
    clip.addEventListener("touchstart", own, { passive: false, signal });
    clip.addEventListener("touchmove", own, { passive: false, signal });
  }

  private up(pointer: number): void {
    this.down.delete(pointer);
    if (this.down.size > 0) return;
    for (const { clip } of this.panes) clip.classList.remove("camwidget-dragging");
  }

  private drag(clip: HTMLElement, event: PointerEvent, before: Position, now: Position): void {
    if (!this.dragged && distance(this.from, now) <= STILL) return;
    if (!this.dragged) {
      this.dragged = true;
      if (this.viewport.scale > 1) {
        clip.setPointerCapture(event.pointerId);
        clip.classList.add("camwidget-dragging");
      }
    }
    this.down.set(event.pointerId, now);
    this.pull(clip, before, now);
  }

  /** Zooms and moves so that the point between two fingers stays between them. */
  private pinch(clip: HTMLElement, moving: number, now: Position): void {
    const still = [...this.down].find(([id]) => id !== moving)?.[1];
    const before = this.down.get(moving);
    if (still === undefined || before === undefined) return;
    this.down.set(moving, now);
    const apart = distance(still, before);
    if (apart === 0) return;
    const from = positionIn(clip, between(still, before));
    const to = positionIn(clip, between(still, now));
    const closer = zoomed(this.viewport, distance(still, now) / apart, from);
    this.setViewport(moved(closer, to.x - from.x, to.y - from.y));
  }

  private pull(clip: HTMLElement, before: Position, now: Position): void {
    if (this.viewport.scale === 1) return;
    const from = positionIn(clip, before);
    const to = positionIn(clip, now);
    this.setViewport(moved(this.viewport, to.x - from.x, to.y - from.y));
  }
}

/** A position in the window as one in an element, from 0 to 1; its middle while it has no size. */
function positionIn(clip: HTMLElement, { x, y }: Position): Position {
  return relativePosition(clip, { clientX: x, clientY: y }) ?? { x: 0.5, y: 0.5 };
}

function place({ clientX, clientY }: PointerEvent): Position {
  return { x: clientX, y: clientY };
}

function between(a: Position, b: Position): Position {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

function distance(a: Position, b: Position): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
