/** Keyboard and screen-reader access to ipycanvas canvases in the panels: which act on keys, and which keys pass by. */
import { setAttribute } from "../dom/dom";

/** Set by camwidget/widget/panels/attention.py and factorization.py. */
const ATTENTION = "canvas.camwidget-attention-canvas";
const PARTS = "canvas.camwidget-parts-canvas";
const TEXTS = ".camwidget-attention-text, .camwidget-parts-text";
const LABELS = ".camwidget-attention-label";

/** Whether a canvas acts on arrow keys, and so needs the focus. */
export function actsOnArrows(target: EventTarget | null): target is HTMLCanvasElement {
  return target instanceof HTMLCanvasElement && target.matches(`${ATTENTION}, ${PARTS}`);
}

/** Focuses a canvas where it is: ipycanvas would let the page scroll before it looks where the click was. */
export function focusInPlace(canvas: HTMLCanvasElement): void {
  canvas.focus({ preventScroll: true });
}

/** Names canvases by the labels that came with them, has screen readers pass them arrow keys, and read out the text beside. */
export function describeCanvases(panels: Element): void {
  const labels = panels.querySelectorAll(LABELS);
  panels.querySelectorAll(ATTENTION).forEach((canvas, at) => describe(canvas, labels[at]?.textContent ?? "Attention"));
  for (const canvas of panels.querySelectorAll(PARTS)) describe(canvas, "Parts of the picture: arrow keys choose one, Enter masks it");
  for (const text of panels.querySelectorAll(TEXTS)) setAttribute(text, "aria-live", "polite");
}

/**
 * Lets all keys but those that a canvas acts on pass by it. ipycanvas would take each of them, also Tab, which leads out
 * of a canvas.
 *
 * @param box returns the explorer; null before it is inserted
 */
export function passKeys(box: () => Element | null, signal: AbortSignal): void {
  document.addEventListener(
    "keydown",
    (event) => {
      const { target, key } = event;
      if (!(target instanceof HTMLCanvasElement) || box()?.contains(target) !== true) return;
      const toggles = (key === "Enter" || key === " ") && target.matches(PARTS);
      if (!toggles && (!key.startsWith("Arrow") || !actsOnArrows(target))) event.stopPropagation();
    },
    { capture: true, signal },
  );
}

function describe(canvas: Element, label: string): void {
  setAttribute(canvas, "role", "application");
  setAttribute(canvas, "aria-label", label);
}
