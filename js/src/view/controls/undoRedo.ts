/** Buttons and shortcuts for undo and redo. The kernel has the history. */
import { flag } from "../../core/parse";
import type { Context } from "../context";
import { button, setAttribute } from "../dom/dom";
import type { Tool } from "../dom/dom";

export type HistoryAction = "undo" | "redo";

const POSSIBLE: Readonly<Record<HistoryAction, "can_undo" | "can_redo">> = { undo: "can_undo", redo: "can_redo" };

/** Requests undo or redo from the kernel, if there is a state to go to. */
export function takeStep(context: Context, step: HistoryAction): void {
  if (flag(context.model.get(POSSIBLE[step]), false)) context.model.send({ type: step });
}

/** Returns the action of a keyboard shortcut, with ctrl or the command key; null for other keys. */
export function stepOf({ key, ctrlKey, metaKey, altKey, shiftKey }: KeyboardEvent): HistoryAction | null {
  if (!(ctrlKey || metaKey) || altKey) return null;
  const letter = key.toLowerCase();
  if (letter === "z") return shiftKey ? "redo" : "undo";
  return letter === "y" && !shiftKey ? "redo" : null;
}

/** Creates the buttons for undo and redo. */
export function historyTool(context: Context): Tool {
  return {
    buttons: [
      stepButton(context, "undo", "↶", "Undo", "Undo (ctrl z)"),
      stepButton(context, "redo", "↷", "Redo", "Redo (ctrl shift z)"),
    ],
  };
}

function stepButton(context: Context, step: HistoryAction, glyph: string, label: string, title: string): HTMLElement {
  const made = button("camwidget-button camwidget-history", { "aria-label": label, title }, glyph);
  made.addEventListener("click", () => takeStep(context, step), { signal: context.signal });
  // aria-disabled and not `disabled`, which would take the focus away from the button just pressed.
  context.watch([POSSIBLE[step]], () => {
    setAttribute(made, "aria-disabled", String(!flag(context.model.get(POSSIBLE[step]), false)));
  });
  return made;
}
