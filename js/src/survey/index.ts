/** Entry point of the keyboard's part of a survey, an anywidget module: it receives the keys for the sheet above, and follows its scrolling. */
import { make, setText } from "../view/dom/dom";
import { keepFromFocus, OWN_KEYS } from "../view/host/compat";
import { watch, widgetModule, write } from "../view/model";
import type { Model } from "../view/model";
import type { SurveyTraits } from "./syncedTraits";

/** Keys that the kernel handles; every other key keeps its meaning in the page, Tab first of all. */
const KEYS = /^(Arrow(Left|Right|Up|Down)|Home|End|Enter)$/;

/** Builds one view of the model inside `root`; everything it holds on to ends with the signal. */
function mount(model: Model<SurveyTraits>, root: HTMLElement, signal: AbortSignal): void {
  const keys = make(
    "div",
    "camwidget-survey-keys",
    { tabindex: 0, role: "application", "aria-label": "Pictures of the survey", ...OWN_KEYS },
    "A click opens a picture. Keys: arrows move, Enter opens.",
  );
  const status = make("div", "camwidget-survey-status", { role: "status" });
  root.classList.add("camwidget-survey-root");
  root.append(keys, status);
  signal.addEventListener("abort", () => [keys, status].forEach((part) => part.remove()));
  keys.addEventListener("keydown", (event) => press(model, event), { signal });
  watch(model, ["status"], signal, () => setText(status, String(model.get("status") ?? "")));

  // The box that scrolls is ipywidgets', next to this element.
  const scroller = (): HTMLElement | null =>
    root.closest(".camwidget-survey-sheet")?.querySelector<HTMLElement>(".camwidget-survey-scroll") ?? null;
  let isReporting = false;
  const report = (): void => {
    isReporting = false;
    const top = Math.round(scroller()?.scrollTop ?? 0);
    if (top !== model.get("top")) write(model, { top });
  };
  document.addEventListener("scroll", ({ target }) => {
    if (target !== scroller() || isReporting) return;
    isReporting = true;
    requestAnimationFrame(report);
  }, { capture: true, passive: true, signal });
  watch(model, ["reveal"], signal, () => {
    const top = Number(model.get("reveal"));
    const box = scroller();
    if (box && top >= 0) box.scrollTop = top;
  });

  // A canvas of ipycanvas that has the focus keeps every key, also Tab: nobody would get out of it by keyboard.
  const isCanvas = (target: EventTarget | null): target is HTMLCanvasElement =>
    target instanceof HTMLCanvasElement && target.closest(".camwidget-survey-sheet")?.contains(root) === true;
  const pass = ({ target }: Event): void => {
    if (!isCanvas(target)) return;
    keepFromFocus(target);
    keys.focus({ preventScroll: true });
  };
  document.addEventListener("pointerdown", ({ target }) => isCanvas(target) && keepFromFocus(target), { capture: true, signal });
  document.addEventListener("focusin", pass, { signal });
  // After the notebook's own handling of the click.
  document.addEventListener("click", (event) => setTimeout(() => pass(event)), { signal });
}

function press(model: Model<SurveyTraits>, event: KeyboardEvent): void {
  if (event.ctrlKey || event.altKey || event.metaKey || !KEYS.test(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  model.send({ type: "key", key: event.key });
}

export default widgetModule(mount);
