/** ``ReferenceMarks``: a small toggle on each thumbnail in sight, which makes the picture a reference. */
import { texts } from "../../core/parse";
import { toggleReference } from "../actions";
import type { Context } from "../context";
import { button, fit, make, setAttribute } from "../dom/dom";
import { trait } from "../model";
import { references } from "../promptAndReferences";

/** Where the thumbnails are: their canvas is another widget's. */
export interface Strip {
  /** The element that scrolls. */
  readonly element: HTMLElement;
  /** The number of the first picture on the canvas. */
  readonly first: number;
  /** The numbers of the first picture in sight, and of the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Pixels from one thumbnail to the next. */
  readonly pitch: number;
}

/** Toggles over the thumbnails; one tab stop, in which the up and down keys move. */
export class ReferenceMarks {
  private readonly group = make("div", "camwidget-reference-marks", { role: "group", "aria-label": "References" });
  private strip: Strip | null = null;

  constructor(private readonly context: Context) {
    const { signal } = context;
    this.group.addEventListener("keydown", (event) => this.key(event), { signal });
    context.watch(["references", "pictures", "picture"], () => this.update());
    signal.addEventListener("abort", () => this.group.remove());
  }

  /** Follows the strip, which scrolls, and is drawn only after the first map. */
  place(strip: Strip): void {
    this.strip = strip;
    if (this.group.parentElement !== strip.element) strip.element.append(this.group);
    this.update();
  }

  private update(): void {
    const { strip, context } = this;
    const { model } = context;
    const known = references(model.get("references"));
    this.group.hidden = known?.kind !== "pictures" || strip === null;
    if (known?.kind !== "pictures" || strip === null) {
      fit(this.group, 0, () => this.mark());
      return;
    }
    const names = texts(model.get("pictures"));
    const chosen = new Set(known.items.map(({ picture }) => picture));
    const count = Math.max(0, Math.min(strip.to, names.length) - strip.from);
    const marks = fit(this.group, count, () => this.mark());
    const stop = Math.max(0, marks.findIndex((mark) => mark === document.activeElement));
    marks.forEach((mark, at) => {
      const number = strip.from + at;
      const isReference = chosen.has(number);
      mark.dataset["picture"] = String(number);
      mark.style.left = `${(number - strip.first) * strip.pitch}px`;
      mark.style.width = `${strip.pitch}px`;
      setAttribute(mark, "aria-pressed", String(isReference));
      setAttribute(mark, "aria-label", `Reference: ${names[number] ?? ""}`);
      setAttribute(mark, "data-shown", String(number === trait(model, "picture")));
      mark.title = isReference ? `Compare with ${names[number] ?? ""} no more` : `Compare with ${names[number] ?? ""}`;
      mark.tabIndex = at === stop ? 0 : -1;
    });
  }

  private mark(): HTMLButtonElement {
    const made = button("camwidget-reference-mark", {}, make("span", "camwidget-reference-ring", { "aria-hidden": "true" }));
    made.addEventListener("click", () => toggleReference(this.context, Number(made.dataset["picture"])), {
      signal: this.context.signal,
    });
    return made;
  }

  private key(event: KeyboardEvent): void {
    const by = event.key === "ArrowDown" || event.key === "ArrowRight" ? 1 : event.key === "ArrowUp" || event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    const marks = Array.from(this.group.children).filter((one) => one instanceof HTMLElement);
    const now = marks.findIndex((mark) => mark === document.activeElement);
    const next = marks[Math.min(marks.length - 1, Math.max(0, now + by))];
    for (const mark of marks) mark.tabIndex = mark === next ? 0 : -1;
    next?.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}
