/**
 * DOM building without HTML strings: names, file names and errors are other people's text, and
 * only ever become text nodes or attribute values.
 */

import { OWN_KEYS } from "../host/compat";

type Attributes = Readonly<Record<string, string | number | boolean>>;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

export function button(
  className: string,
  attributes: Attributes,
  ...children: readonly (Node | string)[]
): HTMLButtonElement {
  return make("button", className, { type: "button", ...OWN_KEYS, ...attributes }, ...children);
}

/** Writes only what differs: an unchanged live region must not be read out again. */
export function setText(element: Element, value: string): void {
  if (element.textContent !== value) element.textContent = value;
}

export function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Keeps as many children as there are items, reusing those there: focus survives an update. */
export function fit<E extends Element>(parent: Element, count: number, create: (at: number) => E): E[] {
  while (parent.children.length > count) parent.lastElementChild?.remove();
  while (parent.children.length < count) parent.append(create(parent.children.length));
  return Array.from(parent.children) as E[];
}

export interface Choice {
  readonly value: string;
  readonly label: string;
}

/** Fills a select; a value that is not among the choices leaves it unselected. */
export function setChoices(select: HTMLSelectElement, choices: readonly Choice[], value: string): void {
  const same =
    select.options.length === choices.length &&
    choices.every((choice, at) => {
      const option = select.options[at];
      return option?.value === choice.value && option.textContent === choice.label;
    });
  if (!same) {
    select.replaceChildren(
      ...choices.map(({ value: of, label }) => make("option", "", { value: of }, label)),
    );
  }
  select.selectedIndex = choices.findIndex((choice) => choice.value === value);
}
