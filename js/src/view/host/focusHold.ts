/**
 * Keeps the keyboard in the widget after any click in it, also on a heading, a bar or the curve: the notebook
 * would take the next key for a command of its own, and "m" turns its cell into text.
 *
 * @param root the view
 * @param frame what takes the focus when nothing in the view has it
 */
export function holdFocus(root: HTMLElement, frame: HTMLElement, signal: AbortSignal): void {
  // The box is there once the view has been put into it.
  const box = (): Element => root.closest(".camwidget-explorer") ?? root;
  document.addEventListener(
    "pointerdown",
    ({ target }) => {
      // ipycanvas takes the focus, for which the page scrolls, and only then looks where the click was.
      if (target instanceof HTMLCanvasElement && box().contains(target)) target.removeAttribute("tabindex");
    },
    { capture: true, signal },
  );
  document.addEventListener(
    "click",
    (event) => {
      if (!(event.target instanceof Node) || !box().contains(event.target)) return;
      // After the notebook's own handling of the click.
      setTimeout(() => {
        if (!signal.aborted && !root.contains(document.activeElement) && !isPanels(document.activeElement)) {
          frame.focus({ preventScroll: true });
        }
      });
    },
    { signal },
  );
}

/** Whether it is a control in the panels below, which needs the keyboard itself; a canvas has no use for it. */
function isPanels(element: Element | null): boolean {
  return element?.closest(".camwidget-panels") != null && !(element instanceof HTMLCanvasElement);
}
