/** Layouts of the widget: one column if it is narrow, and the large mode that fills the window. */
import type { Context } from "../context";
import { button, setAttribute } from "../dom/dom";
import type { Tool } from "../dom/dom";
import { explorerBox } from "./keyboardFocus";

const NARROW = 640;

/** The width below which two pictures side by side would be too small. */
const TINY = 440;

/**
 * Switches to one column if the explorer is narrow, and stacks two pictures if it is narrower. A container query cannot do
 * this: the grid is the container itself, and an element cannot be styled by a query on itself.
 *
 * @param probe a block as wide as the grid
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
  /** Leaves the mode; returns false if it was off. */
  leave(): boolean;
}

/**
 * Creates the button that shows the explorer in the browser's top layer, where no ancestor in the page can clip it.
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
