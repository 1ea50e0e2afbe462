import type { Point } from "./stage";

/** The pixel that is pointed at, by pointer or marker; whoever reads something there listens. */
export class Pointed {
  private now: Point | null = null;
  private readonly listeners: (() => void)[] = [];

  /** Null: nothing is pointed at. */
  get point(): Point | null {
    return this.now;
  }

  set(point: Point | null): void {
    if (point?.x === this.now?.x && point?.y === this.now?.y) return;
    this.now = point;
    for (const update of this.listeners) update();
  }

  listen(update: () => void): void {
    this.listeners.push(update);
  }
}
