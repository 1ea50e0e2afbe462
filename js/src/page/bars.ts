import type { Model } from "../view/model";
import { svg } from "../view/svg";
import { number, numbers, rows } from "../view/traits";
import { watch } from "../view/watch";
import { classColors, NEUTRAL } from "./colors";

/** Pixels a class row takes; the stylesheet has the same. */
const ROW = 28;

/**
 * A bar for every listed class, the whole picture's behind the masked one's; a click anywhere in a row picks its class.
 * The names and numbers beside them say the same to those who do not see them.
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
    const masked = numbers(model.get("masked"));
    const chosen = all.findIndex(({ index }) => index === number(model.get("target"), -1));
    const colors = classColors(all.length, chosen);
    drawing.setAttribute("height", String(ROW * all.length));
    drawing.replaceChildren(
      ...all.flatMap(({ whole }, at) => {
        const color = colors[at]!;
        return [bar(at, 1, NEUTRAL, 0.13), bar(at, whole, color, 0.38), bar(at, masked[at] ?? whole, color, 1)];
      }),
    );
  });
  return element;
}

function bar(at: number, value: number, fill: string, opacity: number): SVGElement {
  return svg("rect", { x: 0, y: ROW * (at + 0.25), width: `${100 * value}%`, height: ROW / 2, fill, opacity });
}
