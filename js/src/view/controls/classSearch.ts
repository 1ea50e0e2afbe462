/** ``ClassSearch``: a search field for all classes of the model. */
import { texts } from "../../core/parse";
import { pickClass } from "../actions";
import type { Context } from "../context";
import { fit, make, setAttribute, setText } from "../dom/dom";
import { OWN_KEYS } from "../host/compat";
import { rows } from "../traits";
import { references } from "../promptAndReferences";

const MOST = 12;

/** Search for any class of the model: a combobox with a list of matches. */
export class ClassSearch {
  readonly element: HTMLElement;
  private readonly input: HTMLInputElement;
  private readonly list: HTMLElement;
  private names = new ClassNames([]);
  private found: readonly number[] = [];
  private active = 0;

  constructor(private readonly context: Context) {
    const { model, signal } = context;
    const listId = context.id("matches");
    this.input = make("input", "camwidget-search", {
      type: "text",
      role: "combobox",
      placeholder: "find a class…",
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": "Find a class",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": listId,
      title: "Explain any class of the model, also one that is not in the list",
      ...OWN_KEYS,
    });
    this.list = make("div", "camwidget-matches", {
      id: listId,
      role: "listbox",
      "aria-label": "Matching classes",
      hidden: true,
    });
    this.element = make("div", "camwidget-class-search", { }, this.input, this.list);
    this.input.addEventListener("input", () => this.search(), { signal });
    this.input.addEventListener("focus", () => this.search(), { signal });
    this.input.addEventListener("blur", () => this.show([]), { signal });
    this.input.addEventListener("keydown", (event) => this.key(event), { signal });
    // Not click: the field must keep the focus, or the list would close before it is chosen from.
    this.list.addEventListener("pointerdown", (event) => this.point(event), { signal });
    // Of references all are listed, unless there are many; new ones are written in a field of their own.
    context.watch(["references", "class_names", "rows"], () => {
      const all = texts(model.get("class_names")).length;
      this.element.hidden = references(model.get("references")) !== null && all <= rows(model.get("rows")).length;
    });
    context.watch(["class_names"], () => {
      this.names = new ClassNames(texts(model.get("class_names")));
      this.input.disabled = this.names.names.length === 0;
      if (!this.list.hidden) this.search();
    });
  }

  private search(): void {
    this.active = 0;
    this.show(this.names.find(this.input.value, MOST));
  }

  private show(found: readonly number[]): void {
    this.found = found;
    const nothing = found.length === 0 && this.input.value.trim() !== "" && document.activeElement === this.input;
    this.list.hidden = found.length === 0 && !nothing;
    setAttribute(this.input, "aria-expanded", String(found.length > 0));
    this.list.classList.toggle("camwidget-no-match", nothing);
    const options = fit(this.list, found.length, (at) => this.option(at));
    found.forEach((index, at) => {
      const option = options[at];
      if (option === undefined) return;
      setText(option, this.names.names[index] ?? "");
      setAttribute(option, "aria-selected", String(at === this.active));
    });
    if (found.length > 0) setAttribute(this.input, "aria-activedescendant", this.optionId(this.active));
    else this.input.removeAttribute("aria-activedescendant");
  }

  private option(at: number): HTMLElement {
    return make("div", "camwidget-match", { id: this.optionId(at), role: "option" });
  }

  private optionId(at: number): string {
    return this.context.id(`match-${at}`);
  }

  private move(by: number): void {
    const count = this.found.length;
    if (count === 0) return;
    this.active = (this.active + by + count) % count;
    this.show(this.found);
    this.list.children[this.active]?.scrollIntoView({ block: "nearest" });
  }

  private choose(at: number): void {
    const index = this.found[at];
    if (index === undefined) return;
    this.input.value = "";
    this.show([]);
    pickClass(this.context, index);
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "ArrowDown") this.move(1);
    else if (event.key === "ArrowUp") this.move(-1);
    else if (event.key === "Enter") this.choose(this.active);
    else if (event.key === "Escape" && (this.input.value !== "" || !this.list.hidden)) {
      this.input.value = "";
      this.show([]);
    } else return;
    event.preventDefault();
  }

  private point(event: PointerEvent): void {
    event.preventDefault();
    const at = Array.from(this.list.children).findIndex((option) => option.contains(event.target as Node));
    this.choose(at);
  }
}

/** Class names for searching, in lower case once and not at every keystroke. */
export class ClassNames {
  private readonly lowered: readonly string[];

  constructor(readonly names: readonly string[]) {
    this.lowered = names.map((name) => name.toLowerCase());
  }

  /** Indices of names that contain the query: those that start with it first, then in order. */
  find(query: string, most: number): number[] {
    const wanted = query.trim().toLowerCase();
    if (wanted === "") return [];
    const starting: number[] = [];
    const containing: number[] = [];
    for (let at = 0; at < this.lowered.length && starting.length < most; at++) {
      const found = this.lowered[at]!.indexOf(wanted);
      if (found === 0) starting.push(at);
      else if (found > 0 && containing.length < most) containing.push(at);
    }
    return starting.concat(containing).slice(0, most);
  }
}
