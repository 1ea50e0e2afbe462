import { explorerBox } from "./keyboardFocus";

const NARROW = 640;

/** Two pictures beside each other would be too small. */
const TINY = 440;

/**
 * One column where there is little room; two pictures below each other where there is less. A container query cannot do this: the grid is the box
 * that holds this view, and an element cannot be restyled by a query on itself.
 *
 * @param probe a block as wide as the whole grid
 */
export function narrow(root: HTMLElement, probe: HTMLElement, signal: AbortSignal): void {
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
