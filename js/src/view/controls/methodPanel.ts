/** Radio buttons for methods, and the panel with those that have no chip, by family. */
import type { Context } from "../context";
import { button, fit, make, setAttribute, setText } from "../dom/dom";
import { makeRoving, markRadio } from "../dom/radioGroup";
import type { Method } from "../traits";

/** Panel with the methods that have no chip, by family; it lies over the lower part of the picture. */
export class MethodPanel {
  /** The chip that opens the panel. It shows the chosen method's name if that method is in the panel. */
  readonly opener: HTMLButtonElement;
  readonly panel: HTMLElement;
  private readonly families: HTMLElement;
  private readonly legend: HTMLElement;

  constructor(private readonly context: Context) {
    const { signal } = context;
    const id = context.id("more");
    this.opener = button("camwidget-button camwidget-more", {
      "aria-expanded": "false",
      "aria-controls": id,
    });
    this.families = make("div", "camwidget-families", { role: "radiogroup", "aria-label": "More methods" });
    this.legend = make("div", "camwidget-more-legend", {}, slowMark(), SLOW);
    this.panel = make("div", "camwidget-more-panel", { id, hidden: true }, this.families, this.legend);
    makeRoving(this.families, signal);
    this.opener.addEventListener("click", () => (this.panel.hidden ? this.open() : this.close()), { signal });
    this.panel.addEventListener("click", (event) => this.clicked(event), { signal });
    document.addEventListener("pointerdown", (event) => this.closeIfLeft(event.target), { signal });
    this.panel.addEventListener("focusout", (event) => this.closeIfLeft(event.relatedTarget), { signal });
  }

  show(rest: readonly Method[], chosen: string): void {
    const now = rest.find(({ name }) => name === chosen);
    this.opener.hidden = rest.length === 0;
    if (rest.length === 0) this.close();
    fillLabel(this.opener, now?.label ?? "more", now?.slow ?? false);
    this.opener.title = now === undefined ? "More methods, by family" : `${now.tip} – open for other methods`;
    setAttribute(this.opener, "aria-label", now === undefined ? "More methods" : `${now.label}, more methods`);
    this.opener.dataset["chosen"] = String(now !== undefined);
    this.legend.hidden = !rest.some(({ slow }) => slow);
    this.fill(rest, chosen, now ?? rest[0]);
  }

  /** Returns false if it was not open. */
  close(): boolean {
    if (this.panel.hidden) return false;
    const inside = this.panel.contains(document.activeElement);
    this.panel.hidden = true;
    setAttribute(this.opener, "aria-expanded", "false");
    if (inside) this.opener.focus();
    return true;
  }

  private open(): void {
    this.panel.hidden = false;
    setAttribute(this.opener, "aria-expanded", "true");
    this.panel.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
  }

  private fill(rest: readonly Method[], chosen: string, stop: Method | undefined): void {
    const groups = [...new Set(rest.map(({ group }) => group))];
    const lines = fit(this.families, groups.length, () =>
      make(
        "div",
        "camwidget-family",
        { role: "group" },
        make("span", "camwidget-family-name", { "aria-hidden": "true" }),
        make("div", "camwidget-family-methods"),
      ),
    );
    groups.forEach((group, at) => {
      const [name, radios] = lines[at]?.children ?? [];
      if (name === undefined || !(radios instanceof HTMLElement)) return;
      setAttribute(lines[at]!, "aria-label", group);
      setText(name, group);
      const members = rest.filter((method) => method.group === group);
      fillRadios(this.context, radios, members, chosen, stop);
    });
  }

  /** Closes the panel after a choice; a click on an unavailable method leaves it open. */
  private clicked({ target }: Event): void {
    const radio = target instanceof Element ? target.closest('[role="radio"]') : null;
    if (radio !== null && radio.getAttribute("aria-disabled") !== "true") this.close();
  }

  /** Closes the panel when the pointer or the focus has gone elsewhere. */
  private closeIfLeft(to: EventTarget | null): void {
    if (!(to instanceof Node) || this.panel.contains(to) || this.opener.contains(to)) return;
    this.close();
  }
}

export const SLOW = "reruns the model many times";

/** Makes a radio button for each method. The tab stop is the chosen one, or else the first. */
export function fillRadios(
  context: Context,
  group: HTMLElement,
  all: readonly Method[],
  chosen: string,
  stop = all.find(({ name }) => name === chosen) ?? all[0],
): void {
  const radios = fit(group, all.length, () => radio(context));
  all.forEach((method, at) => {
    const made = radios[at];
    if (made === undefined) return;
    made.dataset["name"] = method.name;
    made.title = describe(method);
    markRadio(made, method.name === chosen, method === stop);
    if (method.reason === null) made.removeAttribute("aria-disabled");
    else setAttribute(made, "aria-disabled", "true");
    fillLabel(made, method.label, method.slow);
  });
}

function describe({ tip, reason, slow }: Method): string {
  if (reason !== null) return `Not available: ${reason}`;
  return slow ? `${tip} – ${SLOW}` : tip;
}

function radio(context: Context): HTMLButtonElement {
  const made = button("camwidget-button camwidget-radio", { role: "radio" });
  made.addEventListener(
    "click",
    () => {
      if (made.getAttribute("aria-disabled") !== "true") context.write({ method: made.dataset["name"] ?? "" });
    },
    { signal: context.signal },
  );
  return made;
}

/** Fills an element with a method's name, and a small clock where the method is slow. */
export function fillLabel(of: HTMLElement, label: string, slow: boolean): void {
  const [name] = fit(of, slow ? 2 : 1, (at) => (at === 0 ? make("span", "") : slowMark()));
  if (name !== undefined) setText(name, label);
}

export function slowMark(): HTMLElement {
  return make("span", "camwidget-slow", { "aria-hidden": "true", title: SLOW });
}
