import type { Context } from "../context";
import { button, fit, make, setAttribute, setText } from "../dom/dom";
import { makeRoving, markRadio } from "../dom/radioGroup";
import { trait } from "../model";
import { methods } from "../traits";
import type { Method } from "../traits";
import { More } from "./methodPanel";

/** So many are shown side by side; of more than that a few, and the rest on demand. */
const MOST = 8;
const FEW = 4;

/** The methods: the common ones as chips, all others in their families behind "more". */
export class MethodRow {
  readonly element: HTMLElement;
  private readonly more: More;

  constructor(context: Context) {
    const { model, signal } = context;
    const label = make("span", "camwidget-label", { id: context.id("method") }, "Method");
    const chips = make("div", "camwidget-chips", {
      role: "radiogroup",
      "aria-labelledby": context.id("method"),
    });
    makeRoving(chips, signal);
    this.more = new More(context);
    this.element = make(
      "div",
      "camwidget-methods camwidget-line",
      {},
      label,
      make("div", "camwidget-methodgroups", {}, chips, this.more.opener),
      this.more.panel,
    );
    context.watch(["methods", "method"], () => {
      const { few, rest } = split(methods(model.get("methods")));
      const name = trait(model, "method");
      fillRadios(context, chips, few, name);
      this.more.show(rest, name);
    });
  }

  /** Closes the list of the rest; false when it was not open. */
  close(): boolean {
    return this.more.close();
  }
}

/** The same few whatever the layer, so that no chip ever changes its place: usable or not. */
function split(all: readonly Method[]): { few: readonly Method[]; rest: readonly Method[] } {
  if (all.length <= MOST) return { few: all, rest: [] };
  const few = all.filter(({ slow }) => !slow).slice(0, FEW);
  return { few, rest: all.filter((method) => !few.includes(method)) };
}

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
    markRadio(made, method.name === chosen, method === stop);
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
