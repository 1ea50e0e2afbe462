/** ``ReferenceEditor``: the field where a text becomes a class, or the button that makes the picture shown a reference. */
import { toggleReference } from "../actions";
import type { Context } from "../context";
import { button, make, setAttribute, setText } from "../dom/dom";
import { OWN_KEYS } from "../host/compat";
import { trait } from "../model";
import { references } from "../promptAndReferences";

/** Adds references to a model whose classes they are, and replaces texts. */
export class ReferenceEditor {
  readonly element: HTMLElement;
  private readonly hint = make("p", "camwidget-reference-hint");
  private readonly input: HTMLInputElement;
  private readonly apply: HTMLButtonElement;
  private readonly line: HTMLElement;
  private readonly shown: HTMLButtonElement;
  private readonly error = make("div", "camwidget-reference-error", { role: "alert", hidden: true });
  /** The class whose text is in the field, to be replaced; "" while a new one is written. */
  private edited = "";
  /** The text that was sent last, until the kernel has it; "" if none is on its way. */
  private sent = "";

  constructor(private readonly context: Context) {
    const { model, signal } = context;
    this.input = make("input", "camwidget-search camwidget-reference-text", {
      type: "text",
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": "Add a text as a class",
      title: "Each text is a class: what the picture may show (Enter adds it)",
      "aria-describedby": context.id("reference-hint"),
      ...OWN_KEYS,
    });
    this.hint.id = context.id("reference-hint");
    this.apply = button("camwidget-button", { title: "The text becomes a class (Enter)" }, "add");
    this.line = make("div", "camwidget-reference-line", {}, this.input, this.apply);
    this.shown = button("camwidget-button camwidget-reference-shown", { title: "The other pictures are compared with the references (r)" }, "use the picture shown as a reference");
    this.element = make("div", "camwidget-references", { hidden: true }, this.hint, this.line, this.shown, this.error);
    this.input.addEventListener("keydown", (event) => this.key(event), { signal });
    this.input.addEventListener("input", () => this.clearError(), { signal });
    this.apply.addEventListener("click", () => this.send(), { signal });
    this.shown.addEventListener("click", () => toggleReference(context, trait(model, "picture")), { signal });
    context.watch(["references", "picture", "pictures"], () => this.show());
    context.watch(["text_error"], () => this.showError());
  }

  /** Puts the text of a class into the field, to be replaced by what is written there. */
  edit(name: string): void {
    this.edited = name;
    this.input.value = name;
    this.clearError();
    this.showDeed();
    this.input.focus();
    this.input.select();
  }

  private show(): void {
    const { model } = this.context;
    const known = references(model.get("references"));
    this.element.hidden = known === null;
    if (known === null) return;
    const isText = known.kind === "texts";
    setText(this.hint, known.hint);
    this.hint.hidden = known.hint === "";
    this.line.hidden = !isText;
    this.shown.hidden = isText || trait(model, "picture") < 0;
    const isReference = known.items.some(({ picture }) => picture === trait(model, "picture"));
    setAttribute(this.shown, "aria-pressed", String(isReference));
    setText(this.shown, isReference ? "the picture shown is a reference" : "use the picture shown as a reference");
    const names = known.items.map(({ name }) => name);
    // The field is emptied once the kernel has taken what it holds, and not before.
    if (this.sent !== "" && names.includes(this.sent)) {
      if (this.input.value.trim().replace(/\s+/g, " ") === this.sent) this.input.value = "";
      this.sent = this.edited = "";
    }
    if (this.edited !== "" && !names.includes(this.edited)) this.edited = "";
    this.showDeed();
  }

  private showDeed(): void {
    const isNew = this.edited === "";
    this.input.placeholder = isNew ? "add a text, such as “a cat”" : "";
    setAttribute(this.input, "aria-label", isNew ? "Add a text as a class" : `Replace “${this.edited}”`);
    setText(this.apply, isNew ? "add" : "replace");
    this.apply.title = isNew ? "The text becomes a class (Enter)" : `The text takes the place of “${this.edited}” (Enter); Esc leaves it`;
  }

  private showError(): void {
    const error = trait(this.context.model, "text_error");
    if (error !== "") this.sent = "";
    setText(this.error, error);
    this.error.hidden = error === "";
    setAttribute(this.input, "aria-invalid", String(error !== ""));
  }

  private send(): void {
    const written = this.input.value.trim().replace(/\s+/g, " ");
    if (written === this.edited && written !== "") {
      this.leave();
      return;
    }
    this.sent = written;
    this.context.model.send({ type: "reference", add: written, ...(this.edited === "" ? {} : { remove: this.edited }) });
  }

  /** Leaves a text as it is. */
  private leave(): void {
    this.edited = this.input.value = "";
    this.clearError();
    this.showDeed();
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "Enter") this.send();
    else if (event.key === "Escape" && (this.edited !== "" || this.input.value !== "")) this.leave();
    else return;
    event.preventDefault();
  }

  private clearError(): void {
    if (trait(this.context.model, "text_error") !== "") this.context.write({ text_error: "" });
  }
}
