/** Functions that build DOM elements. They take no HTML: untrusted text becomes text nodes or attribute values. */
import type { Position } from "../../core/geometry";
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

/** Writes a text only where it has changed: an unchanged live region must not be read out again. */
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

/** A row of controls with a word before them. */
export function labeledLine(label: string, ...controls: readonly Node[]): HTMLElement {
  return make("div", "camwidget-line", {}, make("span", "camwidget-label", {}, label), ...controls);
}

/** A place in the window, as pointer and mouse events have it. */
export type PointerPosition = Pick<MouseEvent, "clientX" | "clientY">;

/** Where a pointer is in an element, from 0 to 1 each way, and beyond outside of it; null while the element has no size. */
export function relativePosition(element: Element, { clientX, clientY }: PointerPosition): Position | null {
  const { left, top, width, height } = element.getBoundingClientRect();
  return width === 0 || height === 0 ? null : { x: (clientX - left) / width, y: (clientY - top) / height };
}

/** Puts an element at a position in its parent, from 0 to 1 each way. */
export function placeAt(element: HTMLElement | SVGElement, { x, y }: Position): void {
  element.style.left = `${100 * x}%`;
  element.style.top = `${100 * y}%`;
}

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element; text and names only ever become attribute values and text nodes. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number>> = {},
  ...children: readonly (Node | string)[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** An SVG drawing that covers the picture, whatever the units of its view box. */
export function overlay(className: string, viewBox = ""): SVGSVGElement {
  const made = svg("svg", { class: className, "aria-hidden": "true", preserveAspectRatio: "none" });
  if (viewBox !== "") made.setAttribute("viewBox", viewBox);
  return made;
}

/** A line on a darker one, so that it is visible on any picture. */
export function line(d: string, over = "over", under = "under"): readonly SVGPathElement[] {
  return [svg("path", { class: under, d }), svg("path", { class: over, d })];
}

/** A tool for the picture: its buttons, and the drawer that they open. */
export interface Tool {
  readonly buttons: readonly HTMLElement[];
  readonly drawer?: HTMLElement;
}

/** The last line: the tools, the status, and below them the drawers that the tools open. */
export function toolbar(tools: readonly Tool[], status: HTMLElement): HTMLElement {
  const line = make("div", "camwidget-tools camwidget-line", { role: "toolbar", "aria-label": "Tools" });
  const drawers = make("div", "camwidget-drawers");
  for (const { buttons, drawer } of tools) {
    line.append(...buttons);
    if (drawer !== undefined) drawers.append(drawer);
  }
  line.hidden = line.children.length === 0;
  return make("div", "camwidget-toolbox", {}, line, status, drawers);
}
