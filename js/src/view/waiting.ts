import type { Context } from "./context";
import { flag } from "./traits";

/**
 * Marks the view while what it says is about to change: numbers, charts and sentence belong to the map
 * or the mask before, and must look like it. The stylesheet finds the charts beside the view by this mark.
 */
export function waiting(context: Context, root: HTMLElement): void {
  const { model } = context;
  context.watch(["busy", "pending"], () => {
    const waits = flag(model.get("busy"), false) || flag(model.get("pending"), false);
    root.classList.toggle("camwidget-waiting", waits);
  });
}
