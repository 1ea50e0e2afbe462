/** Layouts of the widget: one column where it is narrow, and the mode that fills the window. */
import type { Context } from "../context";
import { button, setAttribute } from "../dom/dom";
import type { Tool } from "../dom/dom";
import { explorerBox } from "./keyboardFocus";

const NARROW = 640;

/** The width below which two pictures side by side would be too small. */
const TINY = 440;

/**
 * One column where there is little room; two pictures below each other where there is less. A container query cannot do this: the grid is the box
 * that holds this view, and an element cannot be restyled by a query on itself.
 *
 * @param probe a block as wide as the whole grid
 */
export function observeWidth(root: HTMLElement, probe: HTMLElement, signal: AbortSignal): void {
  const observer = new ResizeObserver(() => {
    const width = probe.clientWidth;
    if (width === 0) return;
    const grid = explorerBox(root) ?? root;
    grid.classList.toggle("camwidget-narrow", width < NARROW);
    grid.classList.toggle("camwidget-tiny", width < TINY);
  });
  observer.observe(probe);
  signal.addEventListener("abort", () => observer.disconnect());
}

/** The mode in which the widget fills the window. */
export interface LargeMode {
  readonly tool: Tool;
  /** Leave the mode; false when it was not on. */
  leave(): boolean;
}

/**
 * Shows the whole widget in the browser's top layer, where no ancestor in the host's page can cut it off.
 *
 * @param root the view; the box around it is shown, where there is one
 */
export function largeTool(context: Context, root: HTMLElement): LargeMode {
  const { signal } = context;
  const opener = button(
    "camwidget-button camwidget-large-open",
    { "aria-pressed": "false", title: "Fill the window; Esc returns" },
    "large",
  );
  let shown: HTMLElement | null = null;
  const enter = (): void => {
    shown = explorerBox(root) ?? root;
    shown.classList.add("camwidget-large");
    if (typeof shown.showPopover === "function") {
      shown.popover = "manual";
      shown.showPopover();
    }
    setAttribute(opener, "aria-pressed", "true");
    opener.focus({ preventScroll: true });
  };
  const leave = (): boolean => {
    if (shown === null) return false;
    // Not hidePopover(), which would give the focus back to what had it before.
    shown.removeAttribute("popover");
    shown.classList.remove("camwidget-large");
    shown = null;
    setAttribute(opener, "aria-pressed", "false");
    return true;
  };
  opener.addEventListener("click", () => leave() || enter(), { signal });
  signal.addEventListener("abort", leave);
  return { tool: { buttons: [opener] }, leave };
}
