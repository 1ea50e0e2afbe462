const NARROW = 640;

/**
 * One column where there is little room. A container query cannot do this: the grid is the box
 * that holds this view, and an element cannot be restyled by a query on itself.
 *
 * @param probe a block as wide as the whole grid
 */
export function narrow(root: HTMLElement, probe: HTMLElement, signal: AbortSignal): void {
  const observer = new ResizeObserver(() => {
    const width = probe.clientWidth;
    if (width === 0) return;
    const grid = root.closest(".camwidget-explorer") ?? root;
    grid.classList.toggle("camwidget-narrow", width < NARROW);
  });
  observer.observe(probe);
  signal.addEventListener("abort", () => observer.disconnect());
}
