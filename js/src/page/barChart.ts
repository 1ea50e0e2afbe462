/** The bar chart of class scores on the offline page, and the colors of its charts. */
import { numbers } from "../core/parse";
import { svg } from "../view/dom/dom";
import { trait, watch } from "../view/model";
import type { Model } from "../view/model";
import { quantity, rows } from "../view/traits";

/** Pixels a class row takes; the stylesheet has the same. */
const ROW = 28;

/**
 * A bar for every listed class, the unmasked picture's behind the masked one's; a click anywhere in a row picks its class.
 * Hidden from screen readers, which have the same numbers in the class list.
 *
 * @param pick called with the number of the row
 */
export function bars(model: Model, pick: (at: number) => void, signal: AbortSignal): HTMLElement {
  const element = document.createElement("div");
  element.className = "camwidget-bars";
  element.setAttribute("aria-hidden", "true");
  const drawing = svg("svg", { width: "100%" });
  element.append(drawing);
  element.addEventListener(
    "click",
    (event) => {
      const at = Math.floor((event.clientY - drawing.getBoundingClientRect().top) / ROW);
      if (at >= 0 && at < rows(model.get("rows")).length) pick(at);
    },
    { signal },
  );
  watch(model, ["rows", "masked", "target"], signal, () => {
    const all = rows(model.get("rows"));
    // Of a box that is lost there is no number, and no bar.
    const masked = numbers(model.get("masked")).map((value) => (Number.isNaN(value) ? 0 : value));
    const chosen = all.findIndex(({ index }) => index === trait(model, "target"));
    const colors = classColors(all.length, chosen);
    const shown = [0, ...all.map(({ unmasked }) => unmasked), ...masked];
    const isQuantity = quantity(model.get("quantity")) !== null;
    const low = isQuantity ? shown.reduce((a, b) => Math.min(a, b)) : 0;
    const high = isQuantity ? shown.reduce((a, b) => Math.max(a, b)) : 1;
    drawing.setAttribute("height", String(ROW * all.length));
    drawing.replaceChildren(
      ...all.flatMap(({ unmasked }, at) => {
        const color = colors[at]!;
        return [
          bar(at, low, high, NEUTRAL, 0.13, [low, high]),
          bar(at, 0, unmasked, color, 0.38, [low, high]),
          bar(at, 0, masked[at] ?? unmasked, color, 1, [low, high]),
        ];
      }),
    );
  });
  return element;
}

/** A bar from one number to another, in a row from low to high. */
function bar(
  at: number, from: number, to: number, fill: string, opacity: number, [low, high]: readonly [number, number],
): SVGElement {
  const percent = (value: number): string => `${(100 * value) / (high - low || 1)}%`;
  const x = percent(Math.min(from, to) - low);
  return svg("rect", { x, y: ROW * (at + 0.25), width: percent(Math.abs(to - from)), height: ROW / 2, fill, opacity });
}

/** camwidget/plotting.py has the same. */
export const ACCENT = "#e8710a";
export const RIVALS = ["#4f86c6", "#3a9d8f", "#9a7fc0"] as const;
export const NEUTRAL = "#8a929c";

/** The colors of so many listed classes, most probable first. */
export function classColors(count: number, chosen: number): string[] {
  let rival = 0;
  return Array.from({ length: count }, (_, at) => (at === chosen ? ACCENT : (RIVALS[rival++] ?? NEUTRAL)));
}
