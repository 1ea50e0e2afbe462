/** Keyboard access to the widgets around the view: focus stays in the explorer, and panel headers act on keys. */
import { setAttribute } from "../dom/dom";
import { accordionHeaders, isOpen, keepFromFocus, OWN_KEYS, unnamedImages } from "./compat";
import { actsOnArrows, describeCanvases, focusInPlace, passKeys } from "./panelCanvasKeys";

/** Returns the element of the explorer around a view; null before the view is inserted, and in other hosts. */
export function explorerBox(root: HTMLElement): HTMLElement | null {
  return root.closest<HTMLElement>(".camwidget-explorer");
}

/**
 * Keeps the focus in the widget after any click in it, also on a heading, a bar or the curve. Otherwise the notebook
 * would interpret the next key as a command: "m" turns a cell into text.
 *
 * @param root the view
 * @param frame what takes the focus when nothing in the view has it
 */
export function keepFocus(root: HTMLElement, frame: HTMLElement, signal: AbortSignal): void {
  const box = (): Element => explorerBox(root) ?? root;
  document.addEventListener(
    "pointerdown",
    ({ target }) => {
      if (!(target instanceof Node) || !box().contains(target)) return;
      if (actsOnArrows(target)) focusInPlace(target);
      else keepFromFocus(target);
    },
    { capture: true, signal },
  );
  document.addEventListener(
    "click",
    (event) => {
      if (!(event.target instanceof Node) || !box().contains(event.target)) return;
      // After the notebook's own handling of the click.
      setTimeout(() => {
        if (!signal.aborted && !root.contains(document.activeElement) && !isInPanels(document.activeElement)) {
          frame.focus({ preventScroll: true });
        }
      });
    },
    { signal },
  );
}

/** Whether an element is a control of a panel or of the strip, which needs the keyboard; most canvases do not. */
function isInPanels(element: Element | null): boolean {
  if (element?.closest(".camwidget-reference-marks") != null) return true;
  return element?.closest(".camwidget-panels") != null && (!(element instanceof HTMLCanvasElement) || actsOnArrows(element));
}

/** Makes the headers of the panels buttons for keyboard and screen reader, and describes their image and canvases. */
export function makePanelsAccessible(root: HTMLElement, signal: AbortSignal): void {
  const seen = new WeakSet<Element>();
  const mark = (): void => {
    const panels = explorerBox(root)?.querySelector(".camwidget-panels") ?? null;
    if (panels === null) return;
    for (const header of accordionHeaders(panels)) {
      if (!seen.has(header)) {
        seen.add(header);
        for (const [name, value] of Object.entries({ role: "button", tabindex: "0", ...OWN_KEYS })) {
          setAttribute(header, name, value);
        }
        header.addEventListener("keydown", (event) => pressHeader(header, event), { signal });
      }
      setAttribute(header, "aria-expanded", String(isOpen(header)));
    }
    for (const image of unnamedImages(panels)) setAttribute(image, "alt", "The picture that is drawn");
    describeCanvases(panels);
  };
  passKeys(() => explorerBox(root), signal);
  // The accordion comes after the view, and opens by changing its classes.
  const observer = new MutationObserver(mark);
  signal.addEventListener("abort", () => observer.disconnect());
  setTimeout(() => {
    const box = explorerBox(root);
    if (signal.aborted || box === null) return;
    observer.observe(box, { childList: true, subtree: true, attributeFilter: ["class"] });
    mark();
  });
}

function pressHeader(header: HTMLElement, event: KeyboardEvent): void {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  event.stopPropagation();
  header.click();
}
