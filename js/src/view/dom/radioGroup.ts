import type { Context } from "../context";
import { button, fit, make, setAttribute, setText } from "./dom";
import type { Method } from "../traits";

export const SLOW = "reruns the model many times";

/** One radio button a method. The chosen one can be tabbed to, else the first. */
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
    setAttribute(made, "aria-checked", String(method.name === chosen));
    made.tabIndex = method === stop ? 0 : -1;
    if (method.reason === null) made.removeAttribute("aria-disabled");
    else setAttribute(made, "aria-disabled", "true");
    fillLabel(made, method.label, method.slow);
  });
}

function describe({ tip, reason, slow }: Method): string {
  if (reason !== null) return `Not here: ${reason}`;
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

/** A name, with a small clock where it takes its time. */
export function fillLabel(of: HTMLElement, label: string, slow: boolean): void {
  const [name] = fit(of, slow ? 2 : 1, (at) => (at === 0 ? make("span", "") : slowMark()));
  if (name !== undefined) setText(name, label);
}

export function slowMark(): HTMLElement {
  return make("span", "camwidget-slow", { "aria-hidden": "true", title: SLOW });
}
