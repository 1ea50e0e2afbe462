import type { Context } from "./context";
import { button, make } from "./dom";

const KEYS: readonly (readonly [string, string])[] = [
  ["← →", "mask 1 % less, more"],
  ["shift ← →", "… by 10 %"],
  ["1 … 9", "choose a class of the list"],
  [", .", "previous, next picture"],
  ["m", "next quick method"],
  ["o", "true outlines on, off (where they are known)"],
  ["b", "the map's box and peak on, off"],
  ["c", "the map's contour on, off"],
  ["+ − 0", "closer, less close, the whole picture"],
  ["v", "compare: side by side, split, difference, off"],
  ["[ ]", "shallower, deeper layer"],
  ["y", "play through the layers, stop"],
  ["ctrl z", "back to what was shown before"],
  ["ctrl shift z", "forth again (or ctrl y)"],
  ["space", "map on, off (on the picture)"],
  ["w a s d", "move the marker (on the picture)"],
  ["enter", "ask which classes are strong there"],
  ["p", "paint on the picture, or stop (enter: a dab at the marker)"],
  ["x", "brush: hide, keep, erase"],
  ["{ }", "smaller, larger brush"],
  ["↑ ↓", "move in a group of buttons"],
  ["esc", "close, or cancel the computation"],
  ["?", "show these"],
];

/** A small panel with the keys. */
export class Help {
  readonly element: HTMLElement;
  private readonly opener: HTMLButtonElement;
  private readonly panel: HTMLElement;
  private before: Element | null = null;

  constructor(context: Context) {
    const { signal } = context;
    const title = context.id("help");
    this.opener = button(
      "camwidget-quiet camwidget-help-open",
      { "aria-label": "Keyboard shortcuts", "aria-expanded": "false", title: "Keyboard shortcuts (?)" },
      "?",
    );
    const close = button("camwidget-quiet", { "aria-label": "Close", title: "Close (Esc)" }, "×");
    this.panel = make(
      "div",
      "camwidget-help",
      { role: "dialog", "aria-labelledby": title, hidden: true },
      make("div", "camwidget-help-head", {}, make("span", "camwidget-heading", { id: title }, "Keys"), close),
      make(
        "dl",
        "camwidget-keys",
        {},
        ...KEYS.flatMap(([key, meaning]) => [make("dt", "", {}, key), make("dd", "", {}, meaning)]),
      ),
    );
    this.element = make("div", "camwidget-helpbox", {}, this.opener, this.panel);
    this.opener.addEventListener("click", () => this.toggle(), { signal });
    close.addEventListener("click", () => this.close(), { signal });
  }

  toggle(): void {
    if (!this.panel.hidden) {
      this.close();
      return;
    }
    this.before = document.activeElement;
    this.panel.hidden = false;
    this.opener.setAttribute("aria-expanded", "true");
    this.panel.querySelector("button")?.focus();
  }

  /** True when it was open. */
  close(): boolean {
    if (this.panel.hidden) return false;
    this.panel.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
    if (this.before instanceof HTMLElement) this.before.focus();
    return true;
  }
}
