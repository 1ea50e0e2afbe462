/** The drawer with the comparison's controls: how B differs from A, and how the two are arranged. */
import { rounded } from "../../core/numberFormat";
import { fields, texts } from "../../core/parse";
import type { Context } from "../context";
import { button, labeledLine, make, setChoices, setText } from "../dom/dom";
import type { Choice } from "../dom/dom";
import { RadioGroup } from "../dom/radioGroup";
import { OWN_KEYS } from "../host/compat";
import { trait } from "../model";
import { KINDS, layers, methods, methodsHere, mode, rows } from "../traits";
import { references } from "../promptAndReferences";
import type { Kind } from "../traits";
import { arrangement, ARRANGEMENTS, compared, DIMENSIONS, isComparing } from "./comparedTraits";
import type { Arrangement, Compare, Dimension } from "./comparedTraits";

const NAMES: Readonly<Record<Dimension, string>> = {
  model: "model", picture: "picture", target: "class", method: "method", layer: "layer", fraction: "fraction",
};

const SHOWN: Readonly<Record<Arrangement, { readonly label: string; readonly title: string }>> = {
  side: { label: "side", title: "A and B side by side" },
  split: { label: "split", title: "One picture: A on the left of a line that you drag, B on its right" },
  difference: { label: "difference", title: "A's map minus B's, each scaled to its own maximum" },
};

/** The fractions to choose from, and by how much B's differs from A's at first. */
const FRACTIONS = Array.from({ length: 21 }, (_, at) => at / 20);
const APART = 0.2;

/** The options "its own prediction" and "A's class", which no class is called. */
const OWN = "";
const MAIN = "\u0001";
/** As B's picture: the reference that A's picture is compared with, which is compared with A's picture in turn. */
const REFERENCE = "reference";

/** Creates the drawer with the comparison's controls. */
export function comparisonDrawer(context: Context, off: () => void): HTMLElement {
  const drawer = make(
    "div",
    "camwidget-compare",
    { id: context.id("compare"), role: "group", "aria-label": "Compare", hidden: true },
    differLine(context),
    shownLine(context, off),
  );
  context.watch(["compare"], () => (drawer.hidden = !isComparing(context.model)));
  return drawer;
}

function differLine(context: Context): HTMLElement {
  const { model, signal } = context;
  const dimension = select("B differs in", "How B differs from A; in everything else it follows A");
  const value = select("B is", "What B is");
  const kind = select("B's evidence", "Whether B is for its class, against it, or for it rather than A's");
  const more = make("span", "camwidget-compare-more");
  dimension.addEventListener(
    "change",
    () => {
      const key = DIMENSIONS.find((one) => one === dimension.value);
      const first = key === undefined ? undefined : proposed(context, key);
      if (first !== undefined) context.write({ compare: first });
    },
    { signal },
  );
  value.addEventListener(
    "change",
    () => {
      const key = mainOf(compared(model));
      if (key === undefined) return;
      const chosen = key === "target" ? targetWith(context, kindOf(compared(model).target), value.value) : parsed(key, value.value);
      context.write({ compare: { ...compared(model), [key]: chosen } });
    },
    { signal },
  );
  kind.addEventListener(
    "change",
    () => {
      const chosen = KINDS.find((one) => one === kind.value) ?? "for";
      const now = compared(model);
      context.write({ compare: { ...now, target: targetWith(context, chosen, nameOf(now.target)) } });
    },
    { signal },
  );
  context.watch(["compare", "models", "pictures", "class_names", "methods", "layers", "rows", "references", "mode"], () => {
    const now = compared(model);
    const key = mainOf(now);
    // Of a thousand classes the options are made only where they are to be seen.
    if (key === undefined) return;
    setChoices(dimension, possible(context, key), key);
    const all = options(context, key);
    const present = key === "target" ? nameOf(now.target) : written(now[key]);
    kind.hidden = key !== "target" || present === OWN;
    setChoices(kind, kinds(now.target), kindOf(now.target));
    // Another model's class or layer need not be among this one's.
    const known = all.some((choice) => choice.value === present);
    setChoices(value, known ? all : [...all, { value: present, label: key === "fraction" ? percent(Number(present)) : present }], present);
    const others = DIMENSIONS.filter((one) => one in now && one !== key).map((one) => NAMES[one]);
    setText(more, others.length === 0 ? "" : `and ${others.join(", ")}`);
  });
  return labeledLine("B has", dimension, value, kind, more);
}

function select(label: string, title: string): HTMLSelectElement {
  return make("select", "camwidget-select", { "aria-label": label, title, ...OWN_KEYS });
}

function shownLine(context: Context, off: () => void): HTMLElement {
  const { model, signal } = context;
  const choices = ARRANGEMENTS.map((value) => ({ value, label: SHOWN[value].label, title: `${SHOWN[value].title} (v)` }));
  const group = new RadioGroup(
    "camwidget-segments", { "aria-label": "How A and B are shown" }, choices, ({ value }) => value,
    (value) => context.write({ arrangement: value }), signal,
  );
  context.watch(["arrangement"], () => group.update(arrangement(model)));
  const end = button("camwidget-button", { title: "Compare no more" }, "off");
  end.addEventListener("click", off, { signal });
  return labeledLine("Shown", group.element, end);
}

/** The one of several that the drawer has a choice for. */
function mainOf(compare: Compare): Dimension | undefined {
  return DIMENSIONS.find((key) => key in compare);
}

/** A comparison to begin with; undefined where there is nothing to compare. */
export function firstCompare(context: Context): Compare | undefined {
  if (nearest(context, "picture") === REFERENCE) return { picture: REFERENCE };
  return proposed(context, "model") ?? proposed(context, "method") ?? proposed(context, "layer") ?? proposed(context, "picture");
}

/** A comparison with a B that differs from A in one dimension, by a likely choice. */
function proposed(context: Context, key: Dimension): Compare | undefined {
  const value = nearest(context, key);
  return value === undefined ? undefined : { [key]: value };
}

function nearest(context: Context, key: Dimension): unknown {
  const { model } = context;
  if (key === "model") return texts(model.get("models")).length > 1 ? 1 : undefined;
  if (key === "picture") {
    if (hasReferencePictures(context)) return REFERENCE;
    const count = texts(model.get("pictures")).length;
    return count > 1 ? (trait(model, "picture") + 1) % count : undefined;
  }
  if (key === "target") {
    const target = trait(model, "target");
    return rows(model.get("rows")).find(({ index }) => index !== target)?.name;
  }
  if (key === "fraction") {
    const now = FRACTIONS[Math.round(20 * context.fraction())]!;
    if (mode(model.get("mode")) === "multiply") return undefined;
    return FRACTIONS[Math.round(20 * (now + (now + APART > 1 ? -APART : APART)))];
  }
  if (key === "layer") return neighbor(layers(model.get("layers")), trait(model, "layer"))?.name;
  const usable = methodsHere(model).filter(({ reason, slow }) => reason === null && !slow);
  const now = usable.findIndex(({ name }) => name === trait(model, "method"));
  return usable.length > (now < 0 ? 0 : 1) ? usable[(now + 1) % usable.length]?.name : undefined;
}

function hasReferencePictures({ model }: Context): boolean {
  const known = references(model.get("references"));
  return known?.kind === "pictures" && known.items.length > 0;
}

/** The layer before, or for the first one the layer after. */
function neighbor<L extends { readonly name: string }>(all: readonly L[], name: string): L | undefined {
  const now = all.findIndex((layer) => layer.name === name);
  return now < 0 ? all.at(-1) : (all[now - 1] ?? all[now + 1]);
}

/** The dimensions in which B can differ; the present one is among them. */
function possible(context: Context, present: Dimension): Choice[] {
  return DIMENSIONS.filter((key) => key === present || nearest(context, key) !== undefined).map((key) => ({
    value: key,
    label: NAMES[key],
  }));
}

function options(context: Context, key: Dimension): Choice[] {
  const { model } = context;
  const named = (names: readonly string[]): Choice[] => names.map((label, at) => ({ value: String(at), label }));
  if (key === "model") return named(texts(model.get("models")));
  if (key === "picture") {
    const own = hasReferencePictures(context) ? [{ value: REFERENCE, label: "the reference, compared with A" }] : [];
    return [...own, ...named(texts(model.get("pictures")))];
  }
  if (key === "fraction") return FRACTIONS.map((value) => ({ value: String(value), label: percent(value) }));
  if (key === "method") return methods(model.get("methods")).map(({ name, label }) => ({ value: name, label }));
  const names = key === "layer" ? layers(model.get("layers")).map(({ name }) => name) : texts(model.get("class_names"));
  const listed = names.map((name) => ({ value: name, label: name }));
  if (key === "layer") return listed;
  const main = kindOf(compared(model).target) === "against" ? [{ value: MAIN, label: "A's class" }] : [];
  return [{ value: OWN, label: "its own prediction" }, ...main, ...listed];
}

/** The kind of B's own target, as the kernel has it: a name, `{against}`, or `{for, rather_than}`. */
function kindOf(target: unknown): Kind {
  const from = fields(target);
  return "against" in from ? "against" : "rather_than" in from ? "rather" : "for";
}

/** The option for the class of B's own target. */
function nameOf(target: unknown): string {
  const { against, for: of } = fields(target);
  if (kindOf(target) === "against") return typeof against === "string" ? against : MAIN;
  return written(kindOf(target) === "rather" ? of : target);
}

function kinds(target: unknown): Choice[] {
  const { rather_than: rival } = fields(target);
  const labels: Readonly<Record<Kind, string>> = {
    for: "for it", against: "against it", rather: typeof rival === "string" ? `rather than ${rival}` : "rather than A's class",
  };
  return KINDS.map((value) => ({ value, label: labels[value] }));
}

/** B's target of a kind and the option for its class. */
function targetWith(context: Context, kind: Kind, option: string): unknown {
  if (option === OWN) return null;
  if (kind === "against") return { against: option === MAIN ? null : option };
  const name = option === MAIN ? nearest(context, "target") : option;
  return kind === "rather" ? { for: name, rather_than: null } : name;
}

function written(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : OWN;
}

function percent(fraction: number): string {
  return `${rounded(100 * fraction, 1)} %`;
}

function parsed(key: Dimension, value: string): unknown {
  if (key === "picture" && value === REFERENCE) return REFERENCE;
  if (key === "model" || key === "picture" || key === "fraction") return Number(value);
  return value === OWN ? null : value;
}
