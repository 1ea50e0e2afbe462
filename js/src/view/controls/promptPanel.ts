/** ``PromptPanel``: the question or caption of a vision-language model (class texts of CLIP: ``referenceEditor``), with examples, and its words as targets. */
import { pickClass } from "../actions";
import type { Context } from "../context";
import { button, fit, make, setAttribute, setChoices, setText } from "../dom/dom";
import { makeRoving, markRadio } from "../dom/radioGroup";
import { OWN_KEYS } from "../host/compat";
import { trait } from "../model";
import { prompt } from "../promptAndReferences";
import type { Prompt, Word } from "../promptAndReferences";

const NOTHING: Pick<Prompt, "words" | "captions"> = { words: [], captions: [] };

/**
 * The text input of a vision-language model. The model declares what it is called and which of its words are targets:
 * a question and a caption are handled alike.
 */
export class PromptPanel {
  readonly element: HTMLElement;
  private readonly label: HTMLElement;
  private readonly words = make("div", "camwidget-words", { role: "radiogroup" });
  private readonly input: HTMLInputElement;
  private readonly examples: HTMLSelectElement;
  private readonly own: HTMLButtonElement;
  private readonly error = make("div", "camwidget-prompt-error", { role: "alert" });
  /** The last text received, and the last sent: while the field's text differs from both, a person is editing it. */
  private received = "";
  private sent = "";

  constructor(private readonly context: Context) {
    const { signal } = context;
    const inputId = context.id("prompt");
    this.error.id = context.id("prompt-error");
    this.label = make("label", "camwidget-heading", { for: inputId, id: context.id("prompt-label") });
    this.words.setAttribute("aria-labelledby", this.label.id);
    this.input = make("input", "camwidget-prompt-text", {
      id: inputId,
      type: "text",
      "aria-label": "Text",
      autocomplete: "off",
      spellcheck: "false",
      "aria-describedby": this.error.id,
      ...OWN_KEYS,
    });
    this.examples = make("select", "camwidget-select camwidget-prompt-examples", {
      "aria-label": "Examples",
      title: "Texts that the model can read",
      ...OWN_KEYS,
    });
    this.own = button("camwidget-button", { title: "Go back to the text that the model itself has for this picture" }, "model's own");
    const apply = button("camwidget-button", { title: "Explain the picture under this text (Enter)" }, "apply");
    this.element = make(
      "div",
      "camwidget-prompt",
      {},
      make("div", "camwidget-prompt-head", {}, this.label, this.examples),
      this.words,
      make("div", "camwidget-line", {}, this.input, apply, this.own),
      this.error,
    );
    apply.addEventListener("click", () => this.apply(), { signal });
    this.own.addEventListener("click", () => context.model.send({ type: "propose" }), { signal });
    this.input.addEventListener("keydown", (event) => this.key(event), { signal });
    this.examples.addEventListener("change", () => this.choose(), { signal });
    makeRoving(this.words, signal);
    context.watch(["prompt"], () => this.show());
    context.watch(["prompt", "target"], () => this.showWords());
    context.watch(["text_error", "prompt"], () => this.showError());
  }

  private show(): void {
    const { model } = this.context;
    const shown = prompt(model.get("prompt"));
    this.element.hidden = shown === null;
    if (shown === null) return;
    setText(this.label, shown.name.charAt(0).toUpperCase() + shown.name.slice(1));
    setAttribute(this.input, "aria-label", shown.name);
    this.input.placeholder = shown.hint;
    this.input.title = shown.hint;
    setChoices(
      this.examples,
      [{ value: "", label: "examples" }, ...shown.examples.map((value) => ({ value, label: value }))],
      "",
    );
    this.own.hidden = !shown.proposes;
    this.own.disabled = shown.own;
    const { value } = this.input;
    const writing = document.activeElement === this.input && value !== this.received && value !== this.sent;
    if (!writing) {
      this.input.value = shown.text;
      this.clearError();
    }
    this.received = shown.text;
  }

  /** Updates the words of the text, which are buttons if they are targets; hidden if none is. */
  private showWords(): void {
    const { model } = this.context;
    const target = trait(model, "target");
    const { words, captions } = prompt(model.get("prompt")) ?? NOTHING;
    const all = words.some(({ target: of }) => of >= 0) ? [...captions, ...words] : [];
    this.words.hidden = all.length === 0;
    const chosen = Math.max(0, all.findIndex((word) => word.target >= 0 && word.target === target));
    const stop = all[chosen]?.target ?? -1;
    const first = all.find((word) => word.target >= 0);
    const parts = fit(this.words, all.length, () => this.word());
    all.forEach((word, at) => {
      const part = parts[at];
      if (part === undefined) return;
      fillWord(part, word, target, stop >= 0 ? at === chosen : word === first);
      part.classList.toggle("camwidget-word-caption", at < captions.length);
    });
  }

  private word(): HTMLButtonElement {
    const made = button("camwidget-word", {});
    made.addEventListener("click", () => pickClass(this.context, Number(made.dataset["target"])), {
      signal: this.context.signal,
    });
    return made;
  }

  private showError(): void {
    const error = trait(this.context.model, "text_error");
    // The field has a text that the model could not read, and the map belongs to another text.
    const still = prompt(this.context.model.get("prompt"))?.text ?? "";
    setText(this.error, error === "" || still === "" ? error : `${error} Still shown: “${still}”.`);
    this.error.hidden = error === "";
    setAttribute(this.input, "aria-invalid", String(error !== ""));
  }

  private apply(): void {
    this.sent = this.input.value;
    this.context.model.send({ type: "text", text: this.sent });
  }

  private choose(): void {
    if (this.examples.value === "") return;
    this.input.value = this.examples.value;
    this.examples.value = "";
    this.apply();
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "Enter") this.apply();
    else if (event.key === "Escape" && this.input.value !== this.received) {
      this.input.value = this.received;
      this.clearError();
    } else return;
    event.preventDefault();
  }

  /** Clears the error once the field no longer holds the rejected text. */
  private clearError(): void {
    if (trait(this.context.model, "text_error") !== "") this.context.write({ text_error: "" });
  }
}

/** A word that cannot be chosen is the same element, so that focus survives; but it cannot be pressed. */
function fillWord(part: HTMLButtonElement, word: Word, target: number, stop: boolean): void {
  const can = word.target >= 0;
  setText(part, word.text);
  part.dataset["target"] = String(word.target);
  part.disabled = !can;
  part.title = can ? `Explain “${word.text}”` : "No class stands for this word";
  markRadio(part, word.target === target, can && stop);
  setAttribute(part, "role", can ? "radio" : "presentation");
  if (!can) part.removeAttribute("aria-checked");
}
