/** Keyboard shortcuts of the view. */
import { nextMethod, nextQuestion, nudgeFraction, pickRow, stepPicture, toggleBoxes, toggleFindings, toggleOutlines, toggleOverlay, toggleReference } from "./actions";
import type { Context } from "./context";
import { trait } from "./model";
import { toggleParts } from "./pictureParts";
import { stepOf, takeStep } from "./controls/undoRedo";

interface Parts {
  readonly root: HTMLElement;
  /** The picture: only there is the space bar free to mean something. */
  readonly frame: HTMLElement;
  readonly toggleHelp: () => void;
  /** The marker in the picture, for those without a pointer. */
  readonly marker: { move(right: number, down: number): void; probeAtMarker(): void };
  readonly contour: { flip(): void };
  readonly play: { toggle(): void };
  readonly frames: { step(by: number): void; toggle(): void };
  readonly zoom: { step(by: number): void; reset(): void };
  /** Goes on to the next arrangement of the comparison, and then ends it. */
  readonly cycleComparison: () => void;
  readonly brush: { toggle(): void; cycle(): void; resize(by: 1 | -1): void };
  /** Closes what is open, else cancels what is computed; false when there was neither. */
  readonly close: () => boolean;
}

/** Handles the shortcuts of the view, wherever the focus is in it. */
export function keyboard(context: Context, parts: Parts): void {
  parts.root.addEventListener(
    "keydown",
    (event) => {
      const { target, key } = event;
      const step = context.runsModel ? stepOf(event) : null;
      if (step !== null && target instanceof Element && !event.defaultPrevented && !isWritten(target)) {
        // Also where there is nothing to undo: the notebook would bring back a cell.
        takeStep(context, step);
        event.preventDefault();
        event.stopPropagation();
        return;
      }
      if (!(target instanceof Element) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (!event.defaultPrevented && free(target, key) && act(context, parts, event)) {
        event.preventDefault();
      }
      // The notebook around must not act on what is typed here ("dd" deletes a cell in Lab).
      const passes = key === "Tab" || (key === "Escape" && !event.defaultPrevented);
      if (!passes) event.stopPropagation();
    },
    { signal: context.signal },
  );
}

/** Whether the element is a text field, which has its own undo. */
function isWritten(target: Element): boolean {
  return target.matches('input:not([type="range"]), textarea');
}

/** Whether the focused control leaves this key to the view. */
function free(target: Element, key: string): boolean {
  if (target.matches("select")) return ["[", "]", "?", "Escape"].includes(key);
  if (isWritten(target)) return key === "Escape";
  if (target.matches("input:not(.camwidget-fraction)")) return !key.startsWith("Arrow");
  return true;
}

function act(context: Context, parts: Parts, event: KeyboardEvent): boolean {
  const { key } = event;
  const stride = event.shiftKey ? 10 : 1;
  if (key === "ArrowLeft") nudgeFraction(context, -stride);
  else if (key === "ArrowRight") nudgeFraction(context, stride);
  else if (key === "[") context.scrub.step(-1);
  else if (key === "]") context.scrub.step(1);
  else if (key === ",") stepPicture(context, -1);
  else if (key === ".") stepPicture(context, 1);
  else if (key === "m") nextMethod(context);
  else if (key === "o") toggleOutlines(context);
  else if (key === "b") toggleBoxes(context);
  else if (key === "f") toggleFindings(context);
  else if (key === "h") toggleParts(context);
  else if (key === "c") parts.contour.flip();
  else if (key === "y") parts.play.toggle();
  else if (key === "<") parts.frames.step(-1);
  else if (key === ">") parts.frames.step(1);
  else if (key === "k") parts.frames.toggle();
  else if (key === "+" || key === "=") parts.zoom.step(1);
  else if (key === "-") parts.zoom.step(-1);
  else if (key === "0") parts.zoom.reset();
  else if (context.runsModel && key === "v") parts.cycleComparison();
  else if (context.live && key === "r") toggleReference(context, trait(context.model, "picture"));
  else if (context.live && key === "q") nextQuestion(context);
  else if (context.runsModel && key === "p") parts.brush.toggle();
  else if (key === "x") parts.brush.cycle();
  else if (key === "{" || key === "}") parts.brush.resize(key === "}" ? 1 : -1);
  else if (key === "?") parts.toggleHelp();
  else if (key === "Escape") return parts.close();
  else if (key === " " && event.target === parts.frame) toggleOverlay(context);
  else if (event.target === parts.frame && key === "w") parts.marker.move(0, -1);
  else if (event.target === parts.frame && key === "a") parts.marker.move(-1, 0);
  else if (event.target === parts.frame && key === "s") parts.marker.move(0, 1);
  else if (event.target === parts.frame && key === "d") parts.marker.move(1, 0);
  else if (event.target === parts.frame && key === "Enter") parts.marker.probeAtMarker();
  else if (/^[1-9]$/.test(key)) pickRow(context, Number(key) - 1);
  else return false;
  return true;
}
