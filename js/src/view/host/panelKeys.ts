import { OWN_KEYS, setAttribute } from "../dom/dom";

const HEADER = ".jupyter-widget-Collapse-header";
const OPEN = "jupyter-widget-Collapse-open";

/**
 * The panels beside the view, for those without a mouse: the headers of ipywidgets' accordion take no key and tell
 * nobody what is open, and its picture has no name.
 */
export function panelKeys(root: HTMLElement, signal: AbortSignal): void {
  const seen = new WeakSet<Element>();
  const mark = (): void => {
    const box = root.closest(".camwidget-explorer");
    for (const header of box?.querySelectorAll<HTMLElement>(`.camwidget-panels ${HEADER}`) ?? []) {
      if (!seen.has(header)) {
        seen.add(header);
        for (const [name, value] of Object.entries({ role: "button", tabindex: "0", ...OWN_KEYS })) {
          setAttribute(header, name, value);
        }
        header.addEventListener("keydown", (event) => press(header, event), { signal });
      }
      setAttribute(header, "aria-expanded", String(header.closest(`.${OPEN}`) !== null));
    }
    // ipywidgets' Image has no such trait, and a tooltip breaks it.
    for (const image of box?.querySelectorAll(".camwidget-panels img:not([alt])") ?? []) {
      setAttribute(image, "alt", "The picture that is drawn");
    }
  };
  // The accordion comes after the view, and opens by changing its classes.
  const changed = new MutationObserver(mark);
  signal.addEventListener("abort", () => changed.disconnect());
  // The box is there once the view has been put into it.
  setTimeout(() => {
    const box = root.closest(".camwidget-explorer");
    if (signal.aborted || box === null) return;
    changed.observe(box, { childList: true, subtree: true, attributeFilter: ["class"] });
    mark();
  });
}

function press(header: HTMLElement, event: KeyboardEvent): void {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  event.stopPropagation();
  header.click();
}
