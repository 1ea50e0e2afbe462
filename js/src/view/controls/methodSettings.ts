/** The settings of the chosen method: a row of fields below the tools, folded at first. */
import { fields } from "../../core/parse";
import type { Context } from "../context";
import { button, fit, make, setAttribute, setText } from "../dom/dom";
import type { Tool } from "../dom/dom";
import { OWN_KEYS } from "../host/compat";
import { trait } from "../model";
import type { Model } from "../model";
import { methods } from "../traits";
import type { Method, Setting } from "../traits";

/** Milliseconds for which a slider rests before its value is used: the model may run for each. */
const REST = 150;
/** Steps of a slider whose values are not whole numbers. */
const STEPS = 100;

/** The row, and the button that folds it. It is built from what the methods declare. */
export class MethodSettings {
  readonly tool: Tool;
  private readonly opener: HTMLButtonElement;
  private readonly row: HTMLElement;
  private readonly name = make("span", "camwidget-settings-of");
  private readonly fields = make("span", "camwidget-settings-fields");
  private readonly reset = button("camwidget-button", { title: "All settings of this method as they were at first" }, "defaults");
  private readonly message = make("span", "camwidget-settings-message", { role: "alert" });
  private method: Method | undefined;
  private timer: number | undefined;

  constructor(private readonly context: Context) {
    const { signal } = context;
    const id = context.id("settings");
    this.opener = button(
      "camwidget-button camwidget-settings-open", { "aria-expanded": "false", "aria-controls": id }, "settings",
    );
    this.row = make(
      "div", "camwidget-settings", { id, role: "group", "aria-label": "Settings of the method", hidden: true },
      this.name, this.fields, this.reset, this.message,
    );
    this.tool = { buttons: [this.opener], drawer: this.row };
    this.opener.addEventListener("click", () => this.show(this.row.hidden === true), { signal });
    this.reset.addEventListener("click", () => this.restore(), { signal });
    this.row.addEventListener("change", ({ target }) => target instanceof HTMLInputElement && this.changed(target), { signal });
    this.row.addEventListener("input", ({ target }) => target instanceof HTMLInputElement && this.follow(target), { signal });
    this.row.addEventListener("click", ({ target }) => target instanceof HTMLButtonElement && this.chooseWord(target), { signal });
    this.row.addEventListener("keydown", (event) => this.key(event), { signal });
    signal.addEventListener("abort", () => this.stopWaiting());
    context.watch(["methods", "method", "settings"], () => this.update());
  }

  private show(open: boolean): void {
    this.row.hidden = !open;
    setAttribute(this.opener, "aria-expanded", String(open));
    if (open) this.focusFirst();
  }

  private focusFirst(): void {
    this.row.querySelector<HTMLInputElement>("input:not([hidden])")?.focus({ preventScroll: true });
  }

  /** Goes back to the defaults. The button is disabled then, and the focus must not be lost with it. */
  private restore(): void {
    for (const input of this.row.querySelectorAll("input")) setAttribute(input, "aria-invalid", "false");
    this.focusFirst();
    this.write({});
  }

  private key(event: KeyboardEvent): void {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.show(false);
    this.opener.focus({ preventScroll: true });
  }

  private update(): void {
    const { model } = this.context;
    const name = trait(model, "method");
    if (this.method?.name !== name) this.stopWaiting();
    const method = methods(model.get("methods")).find((one) => one.name === name);
    const all = method?.settings ?? [];
    const label = method?.label ?? "This method";
    this.opener.disabled = all.length === 0;
    this.opener.title = all.length === 0 ? `${label} has no settings` : `Settings of ${label}`;
    const own = settingsOf(model, name);
    this.opener.classList.toggle("camwidget-settings-changed", Object.keys(own).length > 0);
    if (all.length === 0) this.show(false);
    setText(this.name, label);
    setText(this.message, "");
    const isSame = this.method?.name === name;
    this.method = method;
    const made = fit(this.fields, all.length, () => field());
    // A slider that moves stays where it is; its value comes when it rests.
    if (this.timer === undefined) all.forEach((setting, at) => fillField(made[at]!, setting, own[setting.name], isSame));
    this.reset.disabled = Object.keys(own).length === 0;
  }

  /** The slider and the number beside it are one setting. While the slider moves, its latest value is used when it rests. */
  private follow(input: HTMLInputElement): void {
    const setting = this.method?.settings.find(({ name }) => name === input.dataset["name"]);
    const value = input.value === "" ? setting?.initial ?? "" : input.value;
    for (const other of input.parentElement?.querySelectorAll("input") ?? []) {
      if (other !== input || input.type === "range") setInput(other, String(value));
    }
    this.stopWaiting();
    if (input.type === "range") this.timer = window.setTimeout(() => this.changed(input), REST);
  }

  private stopWaiting(): void {
    window.clearTimeout(this.timer);
    this.timer = undefined;
  }

  private changed(input: HTMLInputElement): void {
    this.stopWaiting();
    const setting = this.method?.settings.find(({ name }) => name === input.dataset["name"]);
    if (setting === undefined) return;
    const wrong = reasonAgainst(setting, input);
    setText(this.message, wrong);
    setAttribute(input, "aria-invalid", String(wrong !== ""));
    if (wrong !== "") return;
    const { [setting.name]: _, ...others } = settingsOf(this.context.model, trait(this.context.model, "method"));
    this.write(input.value === "" ? others : { ...others, [setting.name]: Number(input.value) });
  }

  /** Uses a value that is no number, or the default again. */
  private chooseWord(of: HTMLButtonElement): void {
    const { name, word } = of.dataset;
    if (name === undefined || word === undefined) return;
    this.stopWaiting();
    const { [name]: now, ...others } = settingsOf(this.context.model, trait(this.context.model, "method"));
    this.write(now === word ? others : { ...others, [name]: word });
  }

  private write(own: Readonly<Record<string, unknown>>): void {
    const { model } = this.context;
    const { [trait(model, "method")]: _, ...others } = fields(model.get("settings"));
    const isDefault = Object.keys(own).length === 0;
    this.context.write({ settings: isDefault ? others : { ...others, [trait(model, "method")]: own } });
  }
}

/** The settings of a method that differ from its defaults. */
function settingsOf(model: Model, method: string): Readonly<Record<string, unknown>> {
  return fields(fields(model.get("settings"))[method]);
}

/** Why a number cannot be a setting, as the kernel says it; "" if it can. An empty field stands for the default. */
function reasonAgainst({ name, isWhole, low, high }: Setting, input: HTMLInputElement): string {
  const value = Number(input.value);
  const isNumber = input.value !== "" ? Number.isFinite(value) : !input.validity.badInput;
  const isInside = input.value === "" || (value >= low && (high === null || value <= high));
  if (isNumber && isInside && (!isWhole || Number.isInteger(value))) return "";
  const what = isWhole ? "an integer" : "a number";
  return `${name} is ${what} ${high === null ? `of at least ${low}` : `from ${low} to ${high}`}.`;
}

function field(): HTMLElement {
  const range = make("input", "camwidget-range camwidget-setting-range", { type: "range", ...OWN_KEYS });
  const number = make("input", "camwidget-setting-number", { type: "number", ...OWN_KEYS });
  return make("label", "camwidget-setting", {}, make("span", "camwidget-setting-name"), range, number, make("span", "camwidget-setting-words"));
}

function fillField(of: HTMLElement, setting: Setting, own: unknown, isSame: boolean): void {
  const { name, initial, isWhole, low, high, sliderEnd, help, words } = setting;
  const [label, range, number, choices] = of.children;
  if (label === undefined || choices === undefined || !(range instanceof HTMLInputElement) || !(number instanceof HTMLInputElement)) return;
  of.title = `${help}${initial === null ? "" : ` (${initial} at first)`}`;
  setText(label, name);
  const isWord = typeof own === "string";
  const value = typeof own === "number" ? String(own) : initial === null || isWord ? "" : String(initial);
  fit(choices, words.length, () => button("camwidget-button", {})).forEach((choice, at) => {
    const word = words[at]!;
    choice.dataset["name"] = name;
    choice.dataset["word"] = word;
    setText(choice, word);
    setAttribute(choice, "aria-pressed", String(own === word));
    setAttribute(choice, "title", `${name}: ${word}`);
  });
  range.hidden = sliderEnd === null;
  for (const input of [range, number]) {
    input.dataset["name"] = name;
    setAttribute(input, "min", String(low));
    const end = input === range ? sliderEnd : high;
    setAttribute(input, "max", end === null ? "" : String(end));
    const step = input === range && end !== null ? String((end - low) / STEPS) : "any";
    setAttribute(input, "step", isWhole ? "1" : step);
    setAttribute(input, "aria-label", input === range ? `${name}, as a slider` : name);
    setAttribute(input, "placeholder", isWord ? "" : initial === null ? "auto" : String(initial));
    // What a person is typing stays.
    if (document.activeElement !== input || !isSame || input.getAttribute("aria-invalid") !== "true") setInput(input, value);
    setAttribute(input, "aria-invalid", "false");
  }
}

/** Shows a value; of a slider "" is no place on it, so that it is at its start, faded, and called "auto". */
function setInput(input: HTMLInputElement, value: string): void {
  const isNowhere = input.type === "range" && value === "";
  input.value = isNowhere ? input.min : value;
  if (input.type === "range") {
    const low = Number(input.min);
    input.style.setProperty("--camwidget-slider-fill", String((Number(input.value) - low) / (Number(input.max) - low)));
  }
  input.classList.toggle("camwidget-setting-nowhere", isNowhere);
  if (isNowhere) input.setAttribute("aria-valuetext", "auto");
  else input.removeAttribute("aria-valuetext");
}
