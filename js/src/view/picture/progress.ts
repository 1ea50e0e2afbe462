/** Indicators of running computations: progress bar, cancel button, tag of a preview, and dimmed numbers. */
import { percent } from "../../core/numberFormat";
import type { Context } from "../context";
import { button, make, setAttribute, setText } from "../dom/dom";
import { trait } from "../model";

/** A thin line along the top of the picture. */
export function progressLine(context: Context): HTMLElement {
  const done = make("div", "camwidget-progress-done");
  const line = make("div", "camwidget-progress", { role: "progressbar", "aria-label": "Computing" }, done);
  context.watch(["busy", "progress"], () => {
    const progress = trait(context.model, "progress");
    line.hidden = !trait(context.model, "busy");
    line.classList.toggle("camwidget-indeterminate", progress < 0);
    done.style.width = progress < 0 ? "" : `${100 * Math.min(1, progress)}%`;
    if (progress < 0) line.removeAttribute("aria-valuenow");
    else setAttribute(line, "aria-valuenow", String(Math.round(100 * Math.min(1, progress))));
  });
  return line;
}

/** Creates the tag over the picture that marks an unfinished map or a preview. */
export function previewTag(context: Context): HTMLElement {
  const { model, scrub } = context;
  const line = make("div", "camwidget-tag");
  const update = (): void => {
    const { preview } = scrub;
    const label = preview === null ? unfinished() : `${preview.layer} · preview`;
    setText(line, label);
    line.hidden = label === "";
  };
  const unfinished = (): string => {
    if (!trait(model, "partial")) return "";
    const progress = trait(model, "progress");
    return progress < 0 ? "partial map" : `partial map · ${percent(Math.round(100 * Math.min(1, progress)) / 100)}`;
  };
  context.watch(["partial", "progress"], update);
  scrub.listen(update);
  return line;
}

/** The button that cancels a slow map, over the corner of the picture. */
export class CancelButton {
  readonly element: HTMLButtonElement;

  /** @param leave takes the focus when the button goes */
  constructor(
    private readonly context: Context,
    leave: () => void,
  ) {
    const { model, signal } = context;
    this.element = button("camwidget-button camwidget-cancel", { title: "Stop computing this map (Esc)" });
    this.element.addEventListener("click", () => this.press(), { signal });
    context.watch(["busy", "can_cancel"], () => {
      const hide = !(trait(model, "busy") && trait(model, "can_cancel"));
      if (hide && this.element === document.activeElement) leave();
      this.element.hidden = hide;
    });
    // Another request may follow at once, without a moment of rest: it has not been canceled.
    context.watch(["busy", "can_cancel", "scene", "target", "method", "layer"], () =>
      setText(this.element, "Cancel"),
    );
  }

  /** False when there is nothing to stop. */
  press(): boolean {
    if (this.element.hidden) return false;
    setText(this.element, "Canceling…");
    this.context.model.send({ type: "cancel" });
    return true;
  }
}

/**
 * Marks the view while a result is computed: numbers, charts and sentence belong to the previous map or mask, and are
 * dimmed. The stylesheet dims the charts next to the view by this mark, too.
 */
export function markPending(context: Context, root: HTMLElement): void {
  const { model, scrub } = context;
  const update = (): void => {
    const busy = trait(model, "busy");
    const waits = busy || trait(model, "pending") || scrub.preview !== null;
    root.classList.toggle("camwidget-waiting", waits);
    // The model has not been evaluated on what the slider masks of an unfinished map.
    root.classList.toggle("camwidget-unfinished", busy && trait(model, "partial"));
  };
  context.watch(["busy", "pending", "partial"], update);
  scrub.listen(update);
}
