/** Tools that export what is shown: Python code to copy, and a PNG to save. */
import type { Context } from "../context";
import { button, make, setText } from "../dom/dom";
import type { Tool } from "../dom/dom";
import { OWN_KEYS } from "../host/compat";
import { trait } from "../model";
import { pictureName, save } from "../picture/pngExport";
import type { Stage } from "../picture/stage";

/** Milliseconds for which feedback is shown. */
const FEEDBACK_TIME = 2000;

/** Creates the export buttons: Python code and PNG. */
export function exportTool(context: Context, stage: Stage): Tool {
  const { model, signal } = context;
  const code = button(
    "camwidget-button camwidget-code",
    { title: "Copy the Python that shows this view again, and computes it without the widget", "aria-expanded": "false" },
    "code",
  );
  const png = button("camwidget-button camwidget-png", { title: "Save the picture as it is shown, as a PNG file" }, "PNG");
  const feedback = make("span", "camwidget-export-feedback", { role: "status", "aria-live": "polite" });
  const field = make("textarea", "camwidget-code-text", {
    "aria-label": "Python for this view", readonly: true, rows: 8, spellcheck: "false", wrap: "off", ...OWN_KEYS,
  });
  const close = button("camwidget-quiet", { "aria-label": "Close", title: "Close" }, "×");
  const drawer = make(
    "div",
    "camwidget-code-drawer",
    { hidden: true },
    make("div", "camwidget-line camwidget-code-head", {}, "No clipboard here. Copy this:", close),
    field,
  );
  let timer = 0;
  const showFeedback = (word: string): void => {
    setText(feedback, word);
    window.clearTimeout(timer);
    timer = window.setTimeout(() => setText(feedback, ""), FEEDBACK_TIME);
  };
  const show = (open: boolean): void => {
    drawer.hidden = !open;
    code.setAttribute("aria-expanded", String(open));
    if (!open) return;
    field.value = trait(model, "code");
    field.focus({ preventScroll: true });
    field.select();
  };
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(trait(model, "code"));
      if (signal.aborted) return;
      show(false);
      showFeedback("copied");
    } catch {
      // A page that is not served securely has no clipboard; others may refuse it.
      if (!signal.aborted) show(true);
    }
  };
  code.addEventListener("click", () => void copy(), { signal });
  const hide = (): void => {
    show(false);
    code.focus({ preventScroll: true });
  };
  close.addEventListener("click", hide, { signal });
  drawer.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      hide();
    },
    { signal },
  );
  png.addEventListener(
    "click",
    () => void save(stage.canvas, pictureName(model)).then((done) => showFeedback(done ? "saved" : "nothing to save")),
    { signal },
  );
  signal.addEventListener("abort", () => window.clearTimeout(timer));
  context.watch(["code"], () => {
    if (!drawer.hidden) field.value = trait(model, "code");
  });
  return context.live ? { buttons: [code, png, feedback], drawer } : { buttons: [png, feedback] };
}
