/**
 * Sentences of the offline page, word for word those of camwidget/widget/view/sentences.py. A test compares them:
 * change both or neither.
 */
import type { Mode } from "../core/maskingRule";
import { decimals, fixed, rounded, signed, unitSuffix } from "../core/numberFormat";
import type { Quantity } from "../core/numberFormat";
import type { Kind } from "../view/traits";

export interface MaskedResult {
  /** The class whose numbers these are. */
  readonly name: string;
  /** What the evidence is: "for tabby", "against tabby", "for tabby rather than lynx". */
  readonly evidence: string;
  /** Of a contrast, the other class with its numbers. */
  readonly rival: { readonly name: string; readonly before: number; readonly after: number | null } | null;
  readonly method: string;
  readonly layer: string;
  readonly mode: Mode;
  /** What replaces hidden pixels. */
  readonly baseline: string;
  readonly fraction: number;
  /** The class's probability, or a quantity; and of the masked picture, null where nothing is masked. */
  readonly before: number;
  readonly after: number | null;
  /** The most probable class of the masked picture; null, or absent, where masking has not changed it. */
  readonly first?: string | null;
  /** The part of the picture with any evidence; 0 for a map of all zeros. */
  readonly evident: number;
  /** Of numbers that are no probabilities. */
  readonly quantity: Quantity | null;
  /** Whether no other class, or quantity, is listed. */
  readonly alone: boolean;
  /** The parts of the picture that are painted to be hidden, and to be kept. */
  readonly painted?: { readonly hidden: number; readonly kept: number };
}

/** What the evidence in a map is, from the name of its class and of what is explained. */
export function evidenceOf(name: string, kind: Kind, label: string): string {
  return kind === "against" ? `against ${name}` : `for ${label}`;
}

export function note(evidence: string, layer: string): string {
  return `No positive evidence ${evidence} at ${layer}.`;
}

/** One sentence on what masking did. */
export function sentence(of: MaskedResult): string {
  const { evidence, rival, mode, fraction, before, after, evident } = of;
  const kept = of.painted?.kept ?? 0;
  const isUnmasked = (mode === "remove" && fraction === 0) || (mode === "keep" && fraction === 1);
  const isPainted = (of.painted?.hidden ?? 0) > 0;
  if (after === null || ((evident === 0 || isUnmasked) && !isPainted)) {
    if (evident === 0) return `${note(evidence, of.layer)} Choose another ${others(of)}layer or method.`;
    return mode === "keep"
      ? `Nothing is masked yet. Drag the slider to keep only the most evidence ${evidence}.`
      : `Nothing is removed yet. Drag the slider to take the evidence ${evidence} away.${
        kept > 0 ? ` The ${share(kept)} painted to be kept would stay.` : ""}`;
  }
  const deed = deedOf(of, evident === 0 || isUnmasked);
  const now = of.first == null ? "" : ` Now first: ${of.first}.`;
  if (evident === 0) return `${deed} ${effectOf(of, before, after, deed)}${now} ${note(evidence, of.layer)}`;
  const beyond =
    mode !== "multiply" && fraction > evident + 0.005
      ? ` Only ${fixed(100 * evident, 0)} % of the picture has any; beyond, pixels go in reading order.`
      : "";
  const say = of.quantity === null ? effect : moved(of.quantity);
  const found = effectOf(of, before, after, deed);
  if (rival === null || rival.after === null) return `${deed} ${found}${now}${beyond}`;
  return `${deed} ${found.slice(0, -1)} and ${say(rival.before, rival.after, rival.name)}${now}${beyond}`;
}

function effectOf({ quantity, rival, name }: MaskedResult, before: number, after: number, deed: string): string {
  const say = quantity === null ? effect : moved(quantity);
  return say(before, after, deed.includes(name) && rival === null ? "it" : name);
}

/** How the picture was masked, by its map and by paint. */
function deedOf(of: MaskedResult, byPaintAlone: boolean): string {
  const { evidence, mode, fraction } = of;
  const { hidden, kept } = of.painted ?? { hidden: 0, kept: 0 };
  const hiding = `iding the painted ${share(hidden)}`;
  if (byPaintAlone) return `H${hiding}`;
  const part = share(fraction);
  const control = { random: `a random ${part}`, center: `the middle ${part}` }[of.method];
  const most = control ?? `the ${part} with the most evidence ${evidence}`;
  if (mode === "keep") {
    const everything = of.baseline === "blur" ? "Blurring everything" : "Hiding everything";
    if (fraction === 0) return kept > 0 ? `Keeping only the painted ${share(kept)}` : everything;
    return `Keeping only ${most}${kept > 0 ? ` and the painted ${share(kept)}` : ""}${hidden > 0 ? `, and h${hiding} of the picture,` : ""}`;
  }
  const rest = kept > 0 ? `, but for the ${share(kept)} painted to be kept,` : "";
  if (mode === "remove") return `${hidden > 0 ? `H${hiding} and removing` : "Removing"} ${most}${rest}`;
  return `${hidden > 0 ? `H${hiding} and multiplying` : "Multiplying"} the picture by its map ${evidence}${rest}`;
}

/** A part of the picture, such as "12.5 %". */
function share(part: number): string {
  return part >= 0.0005 || part === 0 ? `${rounded(100 * part, 1)} %` : "under 0.1 %";
}

function others({ alone, quantity }: MaskedResult): string {
  if (alone) return "";
  return quantity === null ? "class, " : "quantity, ";
}

function effect(before: number, after: number, it: string): string {
  // The difference of what is shown, so that the sum on the screen comes out right.
  const change = rounded(rounded(after, 2) - rounded(before, 2), 2);
  if (Math.max(before, after) < 0.005) return `leaves ${it} below 0.01.`;
  if (change === 0) return `leaves ${it} at ${fixed(before, 2)}.`;
  const verb = change > 0 ? "raises" : "lowers";
  return `${verb} ${it} by ${fixed(Math.abs(change), 2)} (${fixed(before, 2)} → ${fixed(after, 2)}).`;
}

/** What became of a quantity. Both numbers have as many digits. */
function moved(quantity: Quantity) {
  return (before: number, after: number, it: string): string => {
    if (Number.isNaN(after)) return `leaves no box that ${it} could be.`;
    const digits = decimals(before, after);
    const [first, second] = [signed(before, digits), signed(after, digits)];
    const of = unitSuffix(quantity, " ");
    if (first === second) return `leaves ${it} at ${first}${of}.`;
    return `${after > before ? "raises" : "lowers"} ${it} from ${first} to ${second}${of}.`;
  };
}

/** What a click in the picture found. */
export function probeSentence(name: string | null): string {
  return name === null
    ? "None of the most probable classes has positive evidence there."
    : `The strongest evidence there is for ${name}.`;
}
