/** The list of keyboard shortcuts, and the button that opens it. */
import type { Context } from "../context";
import { button, make } from "../dom/dom";

interface Shortcut {
  readonly keys: string;
  readonly does: string;
  /** Left out where there is no kernel, or nothing that runs the model. */
  readonly needs?: "kernel" | "model";
}

const KEYS: Readonly<Record<string, readonly Shortcut[]>> = {
  "Map": [
    { keys: "1 … 9", does: "choose a class of the list" },
    { keys: "m", does: "next quick method" },
    { keys: "[ ]", does: "shallower, deeper layer" },
    { keys: "y", does: "play through the layers, stop" },
    { keys: ", .", does: "previous, next picture", needs: "model" },
    { keys: "< >", does: "previous, next frame of a clip" },
    { keys: "k", does: "play the clip, pause" },
    { keys: "r", does: "use the picture as a reference, if pictures are compared", needs: "kernel" },
    { keys: "q", does: "ask about a box: its score, its class, each edge", needs: "kernel" },
    { keys: "ctrl z", does: "undo", needs: "model" },
    { keys: "ctrl shift z", does: "redo (or ctrl y)", needs: "model" },
  ],
  "Display": [
    { keys: "space", does: "map on, off (on the picture)" },
    { keys: "c", does: "the map's contour on, off" },
    { keys: "b", does: "the map's box and peak on, off" },
    { keys: "f", does: "the model's boxes or areas on, off" },
    { keys: "h", does: "superpixels, or the map's parts, on, off" },
    { keys: "o", does: "true outlines on, off, if known", needs: "kernel" },
    { keys: "+ − 0", does: "zoom in, out, to the full picture" },
    { keys: "v", does: "compare: side, split, difference, off", needs: "model" },
  ],
  "Mask": [
    { keys: "← →", does: "mask 1 % less, more" },
    { keys: "shift ← →", does: "mask 10 % less, more" },
    { keys: "p", does: "paint on the picture, stop", needs: "model" },
    { keys: "x", does: "brush: hide, keep, erase; or ask, erase", needs: "model" },
    { keys: "{ }", does: "smaller, larger brush", needs: "model" },
    { keys: "enter", does: "paint a dab at the marker", needs: "model" },
  ],
  "On the picture": [
    { keys: "w a s d", does: "move the marker" },
    { keys: "enter", does: "hide the part, or choose the box or area there, else list the strongest classes" },
  ],
  Everywhere: [
    { keys: "↑ ↓", does: "move in a group of buttons" },
    { keys: "esc", does: "close, stop, or cancel" },
    { keys: "?", does: "show this list" },
  ],
};

/** A popover with the keyboard shortcuts. */
export class HelpPanel {
  readonly element: HTMLElement;
  private readonly opener: HTMLButtonElement;
  private readonly panel: HTMLElement;
  private focusedBefore: Element | null = null;

  constructor(context: Context) {
    const { signal } = context;
    const title = context.id("help");
    this.opener = button(
      "camwidget-quiet camwidget-help-open",
      { "aria-label": "Keyboard shortcuts", "aria-expanded": "false", title: "Keyboard shortcuts (?)" },
      "?",
    );
    const close = button("camwidget-quiet", { "aria-label": "Close", title: "Close (Esc)" }, "×");
    const groups = Object.entries(KEYS).map(([heading, all]) =>
      make(
        "section",
        "camwidget-shortcut-group",
        {},
        make("div", "camwidget-shortcut-heading", {}, heading),
        make(
          "dl",
          "camwidget-keys",
          {},
          ...all
            .filter(({ needs }) => context.live || needs === undefined || (needs === "model" && context.runsModel))
            .flatMap(({ keys, does }) => [make("dt", "", {}, keys), make("dd", "", {}, does)]),
        ),
      ),
    );
    this.panel = make(
      "div",
      "camwidget-help",
      { role: "dialog", "aria-labelledby": title, hidden: true },
      make("div", "camwidget-help-head", {}, make("span", "camwidget-heading", { id: title }, "Keyboard shortcuts"), close),
      make("div", "camwidget-shortcut-groups", {}, ...groups),
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
    this.focusedBefore = document.activeElement;
    this.panel.hidden = false;
    this.opener.setAttribute("aria-expanded", "true");
    this.panel.querySelector("button")?.focus();
  }

  /** Returns true if it was open. */
  close(): boolean {
    if (this.panel.hidden) return false;
    this.panel.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
    if (this.focusedBefore instanceof HTMLElement) this.focusedBefore.focus();
    return true;
  }
}
