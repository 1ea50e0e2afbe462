import type { Point } from "./stage";

/** The pixel that the pointer is on, to be followed by whoever shows something of it. */
export class Pointed {
  /** In the picture's pixels; null while the pointer is elsewhere. */
  point: Point | null = null;
  private readonly listeners: (() => void)[] = [];

  /** Calls `update` whenever the pointer is on another pixel. */
  listen(update: () => void): void {
    this.listeners.push(update);
  }

  set(point: Point | null): void {
    if (this.point?.x === point?.x && this.point?.y === point?.y) return;
    this.point = point;
    for (const update of this.listeners) update();
  }
}
