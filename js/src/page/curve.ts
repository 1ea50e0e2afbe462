import { setAttribute } from "../view/dom";
import type { Model } from "../view/model";
import { svg } from "../view/svg";
import { number, numbers, rows, unit } from "../view/traits";
import { watch } from "../view/watch";
import { ACCENT, NEUTRAL, RIVALS } from "./colors";
import { fixed } from "./words";

const MARGIN = { top: 10, right: 22, bottom: 26, left: 34 } as const;

/** Probabilities in the order of the list at evenly spaced fractions; null where there is no curve. */
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
    const frame = new Frame(width, height);
    const all = rows(model.get("rows"));
    const chosen = all.findIndex(({ index }) => index === number(model.get("target"), -1));
    const curve = points();
    drawing.replaceChildren(...frame.axes());
    setAttribute(drawing, "aria-label", describe(all[chosen]?.name ?? "", curve, chosen));
    if (curve === null || chosen < 0) return;
    const fraction = unit(model.get("fraction"), 0);
    const now = numbers(model.get("masked"))[chosen] ?? all[chosen]?.whole ?? 0;
    drawing.append(
      frame.line([[fraction, 0], [fraction, 1]], { stroke: NEUTRAL, "stroke-width": 1.2 }),
      ...rivals(frame, curve, chosen),
      frame.line(curve.map((values, at) => [at / (curve.length - 1), values[chosen]!]), {
        stroke: ACCENT, "stroke-width": 2.5,
      }),
      svg("circle", { cx: frame.x(fraction), cy: frame.y(now), r: 4.5, fill: ACCENT, stroke: "#fff" }),
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
    frame.line(curve.map((values, at) => [at / (curve.length - 1), values[row]!]), {
      stroke: RIVALS[rank]!, "stroke-width": 1.5, "stroke-dasharray": "6 4", opacity: 0.8,
    }),
  );
}

function describe(name: string, curve: Curve, chosen: number): string {
  if (curve === null || chosen < 0) return "No curve";
  const quarters = [0, 25, 50, 75, 100].map((percents) => {
    const value = curve[Math.round(((curve.length - 1) * percents) / 100)]![chosen]!;
    return `${fixed(value, 2)} at ${percents} %`;
  });
  return `Probability of ${name}: ${quarters.join(", ")}`;
}

/** Where fractions and probabilities lie. */
class Frame {
  constructor(
    private readonly width: number,
    private readonly height: number,
  ) {}

  x(fraction: number): number {
    return MARGIN.left + fraction * Math.max(1, this.width - MARGIN.left - MARGIN.right);
  }

  y(probability: number): number {
    return MARGIN.top + (1 - probability) * Math.max(1, this.height - MARGIN.top - MARGIN.bottom);
  }

  line(points: readonly (readonly [number, number])[], look: Readonly<Record<string, string | number>>): SVGElement {
    const joined = points.map(([x, y]) => `${this.x(x).toFixed(1)},${this.y(y).toFixed(1)}`).join(" ");
    return svg("polyline", { points: joined, fill: "none", "stroke-linejoin": "round", ...look });
  }

  axes(): SVGElement[] {
    const across = [0, 25, 50, 75, 100].map((percents) =>
      svg(
        "text",
        { x: this.x(percents / 100), y: this.height - 8, "text-anchor": "middle" },
        `${percents}%`,
      ),
    );
    const up = [0, 0.5, 1].flatMap((value) => [
      this.line([[0, value], [1, value]], { stroke: NEUTRAL, opacity: 0.25 }),
      svg("text", { x: MARGIN.left - 8, y: this.y(value) + 4, "text-anchor": "end" }, value.toFixed(1)),
    ]);
    return [...up, ...across];
  }
}
