/** What is asked about a detection, why it is found, why it is of its class or why an edge of its box is there; and which boxes are listed. */
import type { Context } from "../context";
import { make, setAttribute, setChoices } from "../dom/dom";
import { findings } from "../findings";
import { OWN_KEYS } from "../host/compat";
import { trait } from "../model";

/** What the questions are called; an edge by its own name. */
const LABELS: Readonly<Record<string, string>> = { score: "why this score", class: "why this class" };

/** Creates the choice of the question and the field for the least score, shown where the model finds boxes. */
export function detectionQuestion(context: Context): HTMLElement {
  const element = make("div", "camwidget-detection-question", { role: "group", "aria-label": "Question about the detection" }, question(context), leastScore(context));
  context.watch(["found"], () => {
    element.hidden = findings(context.model.get("found")).questions.length === 0;
  });
  return element;
}

function question(context: Context): HTMLElement {
  const { model, signal } = context;
  if (!context.live) return savedQuestion(context);
  const select = make("select", "camwidget-select camwidget-question", { "aria-label": "What is asked about the detection", ...OWN_KEYS });
  select.addEventListener("change", () => context.write({ about: select.value }), { signal });
  context.watch(["found", "about"], () => {
    const { questions } = findings(model.get("found"));
    const asked = trait(model, "about");
    setChoices(select, questions.map((value) => ({ value, label: labelOf(value) })), asked);
    select.title = `${describe(asked)} (q)`;
  });
  return select;
}

/** A saved page has the maps of one question: it says which. */
function savedQuestion({ model }: Context): HTMLElement {
  const asked = trait(model, "about");
  return make("span", "camwidget-question", { title: describe(asked) }, `Asked: ${labelOf(asked)}`);
}

function labelOf(about: string): string {
  return LABELS[about] ?? `why its ${about} edge`;
}

function describe(about: string): string {
  if (about === "score") return "What the score of the chosen box rests on, times how well it still fits";
  if (about === "class") return "What speaks for the class of the chosen box rather than for any other class there: its share among the two";
  return `What moves the ${about} edge of the chosen box ${about === "left" || about === "right" ? "to the right" : "down"}; against it: the other way`;
}

function leastScore(context: Context): HTMLElement {
  const { model, signal } = context;
  const input = make("input", "camwidget-setting-number camwidget-least-score", {
    type: "number", min: 0, max: 1, step: 0.05, "aria-label": "Least score of the boxes", ...OWN_KEYS,
  });
  const title = "Boxes with at least this score are drawn and listed";
  const element = make("label", "camwidget-setting", { title }, "boxes ≥", input);
  const follow = (): void => {
    input.value = String(Number(trait(model, "least_score").toPrecision(6)));
    setAttribute(input, "aria-invalid", "false");
  };
  input.addEventListener(
    "change",
    () => {
      const score = Number(input.value);
      if (input.value === "" || input.validity.badInput || !(score >= 0 && score <= 1)) follow();
      else context.write({ least_score: score });
    },
    { signal },
  );
  context.watch(["least_score"], follow);
  context.watch(["found"], () => {
    element.hidden = !context.live || !findings(model.get("found")).findsForItself;
  });
  return element;
}
