import type { Context } from "../context";
import { trait } from "../model";

/**
 * Marks the view while what it says is about to change: numbers, charts and sentence belong to the map
 * or the mask before, and must look like it. The stylesheet finds the charts beside the view by this mark.
 */
export function waiting(context: Context, root: HTMLElement): void {
  const { model, scrub } = context;
  const update = (): void => {
    const busy = trait(model, "busy");
    const waits = busy || trait(model, "pending") || scrub.preview !== null;
    root.classList.toggle("camwidget-waiting", waits);
    // What the slider masks of an unfinished map, nobody has asked the model about.
    root.classList.toggle("camwidget-unfinished", busy && trait(model, "partial"));
  };
  context.watch(["busy", "pending", "partial"], update);
  scrub.listen(update);
}
