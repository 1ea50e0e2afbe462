import type { Context } from "./context";
import { flag } from "./traits";

/**
 * Marks the whole widget while what it says is about to change: numbers, charts and sentence belong
 * to the map or the mask before, and must look like it.
 */
export function waiting(context: Context, root: HTMLElement): void {
  const { model, signal } = context;
  const box = (): Element => root.closest(".camwidget-explorer") ?? root;
  context.watch(["busy", "pending"], () => {
    const busy = flag(model.get("busy"), false);
    box().classList.toggle("camwidget-waiting", busy || flag(model.get("pending"), false));
  });
  signal.addEventListener("abort", () => box().classList.remove("camwidget-waiting"));
}
