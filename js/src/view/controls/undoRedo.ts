/** Undo and redo. */
import { flag } from "../../core/parse";
import type { Context } from "../context";
import { button, setAttribute } from "../dom/dom";
import type { Tool } from "../dom/dom";

export type HistoryAction = "undo" | "redo";

const POSSIBLE: Readonly<Record<HistoryAction, "can_undo" | "can_redo">> = { undo: "can_undo", redo: "can_redo" };

/** Requests the state before or after the present one from the kernel, which has the history. */
export function takeStep(context: Context, step: HistoryAction): void {
  if (flag(context.model.get(POSSIBLE[step]), false)) context.model.send({ type: step });
}

/** The step of a keyboard shortcut, with ctrl or the command key; null for other keys. */
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
      stepButton(context, "undo", "↶", "Undo", "Back to what was shown before (ctrl z)"),
      stepButton(context, "redo", "↷", "Redo", "Forth again (ctrl shift z)"),
    ],
  };
}

function stepButton(context: Context, step: HistoryAction, glyph: string, label: string, title: string): HTMLElement {
  const made = button("camwidget-button camwidget-history", { "aria-label": label, title }, glyph);
  made.addEventListener("click", () => takeStep(context, step), { signal: context.signal });
  // Not `disabled`: that takes the focus away from who has just used it.
  context.watch([POSSIBLE[step]], () => {
    setAttribute(made, "aria-disabled", String(!flag(context.model.get(POSSIBLE[step]), false)));
  });
  return made;
}
