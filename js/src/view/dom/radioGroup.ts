/** Radio groups with a roving tabindex: each group is one tab stop, and arrow keys move in it. */

import { button, make, setAttribute } from "./dom";

/**
 * Makes a group of radio buttons one tab stop (roving tabindex): up and down move the focus inside it; left and right
 * belong to the slider, from anywhere. Moving does not choose: a choice may cost the kernel seconds.
 */
export function makeRoving(group: HTMLElement, signal: AbortSignal): void {
  group.addEventListener(
    "keydown",
    (event) => {
      const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
      if (by === 0) return;
      const radios = Array.from(group.querySelectorAll<HTMLElement>('[role="radio"]'));
      const now = radios.findIndex((one) => one === document.activeElement);
      const next = radios[(now + by + radios.length) % radios.length];
      if (next === undefined) return;
      for (const one of radios) one.tabIndex = one === next ? 0 : -1;
      next.focus();
      event.preventDefault();
    },
    { signal },
  );
}

/** Marks a radio button as the chosen one or not, and as the group's tab stop or not. */
export function markRadio(radio: HTMLElement, isChosen: boolean, isTabStop = isChosen): void {
  setAttribute(radio, "aria-checked", String(isChosen));
  radio.tabIndex = isTabStop ? 0 : -1;
}

export interface RadioChoice<Value> {
  readonly value: Value;
  readonly label: string;
  readonly title: string;
}

/** A fixed set of choices as buttons in a row. */
export class RadioGroup<Value> {
  readonly element: HTMLElement;
  private readonly radios: readonly HTMLButtonElement[];

  /**
   * @param attributes of the group, its accessible name among them
   * @param name what a choice is called in the document, as the stylesheet and the tests find it
   */
  constructor(
    className: string,
    attributes: Readonly<Record<string, string>>,
    private readonly choices: readonly RadioChoice<Value>[],
    name: (choice: RadioChoice<Value>) => string,
    choose: (value: Value) => void,
    signal: AbortSignal,
  ) {
    this.radios = choices.map((choice) => {
      const { value, label, title } = choice;
      const radio = button("camwidget-button camwidget-radio", { role: "radio", title, "data-name": name(choice) }, label);
      radio.addEventListener("click", () => choose(value), { signal });
      return radio;
    });
    this.element = make("div", className, { role: "radiogroup", ...attributes }, ...this.radios);
    makeRoving(this.element, signal);
  }

  /** Shows which value is chosen, and hides those that cannot be. */
  update(chosen: Value, isAvailable: (value: Value) => boolean = () => true): void {
    this.radios.forEach((radio, at) => {
      const { value } = this.choices[at]!;
      radio.hidden = !isAvailable(value);
      markRadio(radio, value === chosen);
    });
  }
}
