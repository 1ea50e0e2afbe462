/** Whether the map is for the chosen class, against it, or for it rather than another one. */
import { pickStance } from "../actions";
import type { Context } from "../context";
import { make, setAttribute } from "../dom/dom";
import { RadioGroup } from "../dom/radioGroup";
import { trait } from "../model";
import type { Model } from "../model";
import { contrasts, KINDS, methods, rows, stance, targetLabel } from "../traits";
import type { Kind } from "../traits";

const LABELS: Readonly<Record<Kind, string>> = { for: "for", against: "against", rather: "rather than…" };

/** The buttons for, against and rather than. Their width never depends on a class. */
export class StanceControl {
  readonly element: HTMLElement;
  private readonly group: RadioGroup<Kind>;

  constructor(private readonly context: Context) {
    const { signal } = context;
    const choices = KINDS.map((value) => ({ value, label: LABELS[value], title: "" }));
    this.group = new RadioGroup(
      "camwidget-segments camwidget-stances", { "aria-label": "Evidence for the class or against it" }, choices, ({ value }) => value,
      (value) => this.choose(value), signal,
    );
    this.element = make("span", "camwidget-stance", {}, this.group.element);
    context.watch(
      ["stance", "awaits_rival", "target", "rows", "class_names", "methods", "method", "contrasts"], () => this.update(),
    );
  }

  /** Waits for no other class any more; false when it did not wait. */
  cancel(): boolean {
    if (!trait(this.context.model, "awaits_rival")) return false;
    this.context.write({ awaits_rival: false });
    return true;
  }

  private choose(kind: Kind): void {
    if (this.reason(kind) !== null) return;
    pickStance(this.context, kind);
  }

  private update(): void {
    const { model } = this.context;
    const awaits = trait(model, "awaits_rival");
    this.group.update(awaits ? "rather" : stance(model).kind, (kind) => this.isOffered(kind));
    for (const radio of this.group.element.children) {
      const kind = KINDS.find((one) => one === radio.getAttribute("data-name"));
      if (kind === undefined) continue;
      const reason = this.reason(kind);
      setAttribute(radio, "title", reason === null ? this.describe(kind) : `Not available: ${reason}`);
      if (reason === null) radio.removeAttribute("aria-disabled");
      else setAttribute(radio, "aria-disabled", "true");
    }
    this.element.classList.toggle("camwidget-stance-waiting", awaits);
  }

  /** A page without the model has only what was computed. */
  private isOffered(kind: Kind): boolean {
    const { model, runsModel } = this.context;
    const target = trait(model, "target");
    if (runsModel || kind === "for") return true;
    return contrasts(model).some((one) => one.target === target && one.kind === kind);
  }

  private reason(kind: Kind): string | null {
    const { model } = this.context;
    if (kind === "for") return null;
    if (kind === "rather" && rows(model.get("rows")).length < 2) return "there is no other class.";
    const method = methods(model.get("methods")).find(({ name }) => name === trait(model, "method"));
    return method?.[kind] ?? null;
  }

  private describe(kind: Kind): string {
    const { model } = this.context;
    const name = targetLabel(model, { kind: "for", other: -1 });
    if (kind === "for") return `What speaks for ${name}`;
    if (kind === "against") return `What speaks against ${name}: without it, its score would rise`;
    const now = stance(model);
    return now.kind === "rather"
      ? `What speaks for ${targetLabel(model)}: press to choose another class`
      : `What speaks for ${name} rather than the class that you choose next`;
  }
}

/** What is asked for while the other class is waited for. */
export function rivalQuestion(model: Model): string {
  const name = targetLabel(model, { kind: "for", other: -1 });
  return `What speaks for ${name} rather than which class? Choose it in the list, or find it by its name.`;
}
