/** The confidence curve on the offline page. */
import { decimals, fixed, signed, unitSuffix } from "../core/numberFormat";
import type { Quantity } from "../core/numberFormat";
import { numbers } from "../core/parse";
import { setAttribute, svg } from "../view/dom/dom";
import { portion, trait, watch } from "../view/model";
import type { Model } from "../view/model";
import { quantity, rows } from "../view/traits";
import { ACCENT, NEUTRAL, RIVALS } from "./barChart";
import { between, fractionAt } from "./curve";

const MARGIN = { top: 10, right: 22, bottom: 26, left: 34 } as const;

/** Percents with a tick; camwidget/plotting.py has the same. */
const TICKS = [0, 1, 5, 10, 25, 50, 100];

/** The margin at the left, where quantities stand. */
const WIDER = 52;

/** The numbers of the listed classes at the fractions of `fractionAt`, [step][class]; null where there is no curve. */
export type Curve = readonly (readonly number[])[] | null;

/**
 * Confidence of the chosen class and its rivals against the fraction, and where the slider is.
 *
 * @param points the curve of the map shown
 */
export function curveChart(model: Model, points: () => Curve, signal: AbortSignal): HTMLElement {
  const element = document.createElement("div");
  element.className = "camwidget-curve";
  const drawing = svg("svg", { role: "img" });
  element.append(drawing);
  const draw = (): void => {
    const width = element.clientWidth || 400;
    const height = element.clientHeight || 176;
    setAttribute(drawing, "width", String(width));
    setAttribute(drawing, "height", String(height));
    const measured = quantity(model.get("quantity"));
    const all = rows(model.get("rows"));
    const chosen = all.findIndex(({ index }) => index === trait(model, "target"));
    const curve = points();
    const frame = new Frame(width, height, measured === null ? null : span(curve, chosen));
    drawing.replaceChildren(...frame.axes());
    setAttribute(drawing, "aria-label", describe(all[chosen]?.name ?? "", curve, chosen, measured));
    if (curve === null || chosen < 0) return;
    const fraction = portion(model, "fraction");
    const now = numbers(model.get("masked"))[chosen] ?? all[chosen]?.unmasked ?? 0;
    drawing.append(
      frame.upright(fraction),
      ...rivals(frame, curve, chosen),
      frame.line(curve.map((values, at) => [fractionAt(at, curve.length), values[chosen]!]), {
        stroke: ACCENT, "stroke-width": 2.5,
      }),
      ...(Number.isNaN(now) ? [] : [svg("circle", { cx: frame.x(fraction), cy: frame.y(now), r: 4.5, fill: ACCENT, stroke: "#fff" })]),
    );
  };
  const resized = new ResizeObserver(draw);
  resized.observe(element);
  signal.addEventListener("abort", () => resized.disconnect());
  watch(model, ["rows", "masked", "target", "fraction", "mode", "baseline", "explanation"], signal, draw);
  return element;
}

function rivals(frame: Frame, curve: NonNullable<Curve>, chosen: number): SVGElement[] {
  const others = curve[0]!.map((_, at) => at).filter((at) => at !== chosen);
  return others.slice(0, RIVALS.length).map((row, rank) =>
    frame.line(curve.map((values, at) => [fractionAt(at, curve.length), values[row]!]), {
      stroke: RIVALS[rank]!, "stroke-width": 1.5, "stroke-dasharray": "6 4", opacity: 0.8,
    }),
  );
}

/** Just around the curves drawn, as in the notebook. */
function span(curve: Curve, chosen: number): readonly [number, number] {
  const drawn = (curve ?? []).flatMap((values) => [
    values[chosen] ?? 0, ...values.filter((_, at) => at !== chosen).slice(0, RIVALS.length),
  ]).filter(Number.isFinite);
  if (drawn.length === 0) return [0, 1];
  const low = drawn.reduce((a, b) => Math.min(a, b));
  const high = drawn.reduce((a, b) => Math.max(a, b));
  const half = 0.55 * (Math.max(high - low, 0.05 * Math.max(Math.abs(low), Math.abs(high))) || 1);
  const middle = (low + high) / 2;
  return [middle - half, middle + half];
}

function describe(name: string, curve: Curve, chosen: number, measured: Quantity | null): string {
  if (curve === null || chosen < 0) return "No curve";
  const quarters = [0, 25, 50, 75, 100].map((percents) => {
    const value = between(curve, percents / 100)[chosen]!;
    if (Number.isNaN(value)) return `lost at ${percents} %`;
    return `${measured === null ? fixed(value, 2) : signed(value, decimals(value))} at ${percents} %`;
  });
  if (measured !== null) return `${name}${unitSuffix(measured, " in ")}: ${quarters.join(", ")}`;
  return `Probability of ${name}: ${quarters.join(", ")}`;
}

/** Where fractions lie, and probabilities, or quantities in a span. */
class Frame {
  private readonly left: number;

  constructor(
    private readonly width: number,
    private readonly height: number,
    private readonly span: readonly [number, number] | null,
  ) {
    this.left = span === null ? MARGIN.left : WIDER;
  }

  /** On an axis that is a square root: the answer of many nets falls within the first tenth. */
  x(fraction: number): number {
    return this.left + Math.sqrt(fraction) * Math.max(1, this.width - this.left - MARGIN.right);
  }

  y(value: number): number {
    const [low, high] = this.span ?? [0, 1];
    return MARGIN.top + ((high - value) / (high - low)) * Math.max(1, this.height - MARGIN.top - MARGIN.bottom);
  }

  upright(fraction: number): SVGElement {
    const [low, high] = this.span ?? [0, 1];
    return this.line([[fraction, low], [fraction, high]], { stroke: NEUTRAL, "stroke-width": 1.2 });
  }

  line(points: readonly (readonly [number, number])[], style: Readonly<Record<string, string | number>>): SVGElement {
    const joined = points.filter(([, y]) => Number.isFinite(y)).map(([x, y]) => `${this.x(x).toFixed(1)},${this.y(y).toFixed(1)}`).join(" ");
    return svg("polyline", { points: joined, fill: "none", "stroke-linejoin": "round", ...style });
  }

  axes(): SVGElement[] {
    const across = TICKS.map((percents) =>
      svg(
        "text",
        { x: this.x(percents / 100), y: this.height - 8, "text-anchor": "middle" },
        percents === 100 ? `${percents}%` : String(percents),
      ),
    );
    const [low, high] = this.span ?? [0, 1];
    const parts = this.span === null ? [0, 0.5, 1] : [0.1, 0.5, 0.9];
    const digits = this.span === null ? 1 : decimals(low, high);
    const up = parts.map((part) => low + part * (high - low)).flatMap((value) => [
      this.line([[0, value], [1, value]], { stroke: NEUTRAL, opacity: 0.25 }),
      svg("text", { x: this.left - 8, y: this.y(value) + 4, "text-anchor": "end" }, signed(value, digits)),
    ]);
    return [...up, ...across];
  }
}
