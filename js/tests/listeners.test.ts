import { describe, expect, it, vi } from "vitest";
import type { Point } from "../src/core/geometry";
import { frameTask, Listeners, Observable } from "../src/view/listeners";

describe("an observable value", () => {
  it("notifies of another value only", () => {
    const hover = new Observable<Point | null>(null, (a, b) => a?.x === b?.x && a?.y === b?.y);
    const seen: unknown[] = [];
    hover.listen(() => seen.push(hover.value));
    for (const point of [{ x: 1, y: 2 }, { x: 1, y: 2 }, { x: 1, y: 3 }, null, null]) hover.set(point);
    expect(seen).toEqual([{ x: 1, y: 2 }, { x: 1, y: 3 }, null]);
  });
});

describe("listeners", () => {
  it("may remove themselves while they are notified", () => {
    const listeners = new Listeners();
    const first = vi.fn(() => listeners.delete(first));
    const second = vi.fn();
    listeners.add(first);
    listeners.add(second);
    listeners.notify();
    listeners.notify();
    expect([first.mock.calls.length, second.mock.calls.length, listeners.size]).toEqual([1, 2, 1]);
  });
});

describe("a task for the next frame", () => {
  const frame = (): Promise<number> => new Promise((resolve) => requestAnimationFrame(resolve));

  it("runs once however often it is scheduled, and not after it is canceled or the view has ended", async () => {
    const life = new AbortController();
    const run = vi.fn();
    const task = frameTask(life.signal, run);
    task.schedule();
    task.schedule();
    await frame();
    expect(run).toHaveBeenCalledTimes(1);
    task.schedule();
    task.cancel();
    await frame();
    task.schedule();
    life.abort();
    task.schedule();
    await frame();
    expect(run).toHaveBeenCalledTimes(1);
  });
});
