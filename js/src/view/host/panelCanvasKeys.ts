/** Keyboard and screen-reader access to ipycanvas canvases in the panels: which act on arrow keys, which keys pass by. */
import { setAttribute } from "../dom/dom";

/** Set by camwidget/widget/panels/attention.py. */
const CANVASES = "canvas.camwidget-attention-canvas";
const TEXT = ".camwidget-attention-text";
const LABELS = ".camwidget-attention-label";

/** Whether a canvas acts on arrow keys, and so needs the focus. */
export function actsOnArrows(target: EventTarget | null): target is HTMLCanvasElement {
  return target instanceof HTMLCanvasElement && target.matches(CANVASES);
}

/** Focuses a canvas where it is: ipycanvas would let the page scroll before it looks where the click was. */
export function focusInPlace(canvas: HTMLCanvasElement): void {
  canvas.focus({ preventScroll: true });
}

/** Names canvases by the labels that came with them, has screen readers pass them arrow keys, and read out the text beside. */
export function describeCanvases(panels: Element): void {
  const labels = panels.querySelectorAll(LABELS);
  panels.querySelectorAll(CANVASES).forEach((canvas, at) => {
    setAttribute(canvas, "role", "application");
    setAttribute(canvas, "aria-label", labels[at]?.textContent ?? "Attention");
  });
  for (const text of panels.querySelectorAll(TEXT)) setAttribute(text, "aria-live", "polite");
}

/**
 * Lets all keys but arrows pass by canvases. ipycanvas would take each of them, also Tab, which leads out of a canvas.
 *
 * @param box returns the explorer; null before it is inserted
 */
export function passKeys(box: () => Element | null, signal: AbortSignal): void {
  document.addEventListener(
    "keydown",
    (event) => {
      const { target, key } = event;
      if (!(target instanceof HTMLCanvasElement) || box()?.contains(target) !== true) return;
      if (!key.startsWith("Arrow") || !actsOnArrows(target)) event.stopPropagation();
    },
    { capture: true, signal },
  );
}
