import type { Context } from "./context";
import { button, make, setAttribute } from "./dom";
import { rove } from "./rove";
import { methods, text } from "./traits";
import type { Method } from "./traits";

/** The methods, side by side in their families. One that cannot be used says why when asked. */
export function methodRow(context: Context): HTMLElement {
  const { model, signal } = context;
  const label = make("span", "camwidget-label", { id: context.id("method") }, "Method");
  const choices = make("div", "camwidget-methodgroups", {
    role: "radiogroup",
    "aria-labelledby": context.id("method"),
  });
  rove(choices, signal);
  const mark = (): void => {
    const name = text(model.get("method"));
    const buttons = Array.from(choices.querySelectorAll<HTMLElement>('[role="radio"]'));
    const chosen = buttons.find((one) => one.dataset["name"] === name) ?? buttons[0];
    for (const one of buttons) {
      setAttribute(one, "aria-checked", String(one.dataset["name"] === name));
      one.tabIndex = one === chosen ? 0 : -1;
    }
  };
  context.watch(["methods"], () => {
    const focused = choices.contains(document.activeElement);
    choices.replaceChildren(...families(context, methods(model.get("methods"))));
    mark();
    if (focused) choices.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
  });
  context.watch(["method"], mark);
  return make("div", "camwidget-methods camwidget-line", {}, label, choices);
}

/** A family flows like text, and breaks like it; its name only stays with its first button. */
function families(context: Context, all: readonly Method[]): HTMLElement[] {
  const out = new Map<string, HTMLElement>();
  for (const method of all) {
    const made = methodButton(context, method);
    const family = out.get(method.group);
    if (family !== undefined) {
      family.append(made);
      continue;
    }
    const name = make("span", "camwidget-family-name", { "aria-hidden": "true" }, method.group);
    const first = make("span", "camwidget-family-first", {}, name, made);
    out.set(method.group, make("span", "camwidget-family", { role: "presentation" }, first));
  }
  return [...out.values()];
}

function methodButton(context: Context, method: Method): HTMLButtonElement {
  const usable = method.reason === null;
  const made = button(
    "camwidget-button camwidget-radio",
    {
      role: "radio",
      "aria-checked": "false",
      "aria-disabled": !usable && "true",
      "data-name": method.name,
      title: usable ? method.tip : `Not here: ${method.reason}`,
    },
    method.label,
  );
  made.addEventListener(
    "click",
    () => {
      if (usable) context.write({ method: method.name });
    },
    { signal: context.signal },
  );
  return made;
}
