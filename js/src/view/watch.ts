import type { Model } from "./model";

/**
 * Calls `update` now and after changes of any of these traits, until `signal` aborts: once for all changes
 * that arrive together, before the next frame.
 */
export function watch(model: Model, keys: readonly string[], signal: AbortSignal, update: () => void): void {
  let waiting = false;
  const later = (): void => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => {
      waiting = false;
      if (!signal.aborted) update();
    });
  };
  for (const key of keys) {
    model.on(`change:${key}`, later);
    signal.addEventListener("abort", () => model.off(`change:${key}`, later));
  }
  update();
}
