/** Entry point of the keyboard's part of the footprint example, an anywidget module: it receives the keys for the canvas below. */
import { make, setText } from "../view/dom/dom";
import { keepFromFocus, OWN_KEYS } from "../view/host/compat";
import { watch, widgetModule } from "../view/model";
import type { Model } from "../view/model";
import type { FootprintTraits } from "./syncedTraits";

/** Keys that the kernel handles; every other key keeps its meaning in the page, Tab first of all. */
const KEYS = /^(Arrow(Left|Right|Up|Down)|Enter| |[1-9])$/;

/** Builds one view of the model inside `root`; everything it holds on to ends with the signal. */
function mount(model: Model<FootprintTraits>, root: HTMLElement, signal: AbortSignal): void {
  const keys = make(
    "div",
    "camwidget-footprints-keys",
    { tabindex: 0, role: "application", "aria-label": "Footprints: cells of the feature maps", ...OWN_KEYS },
    "Click or drag cells. Keys: arrows move, space fills or empties, 1, 2, 3 choose a feature map.",
  );
  const status = make("div", "camwidget-footprints-status", { role: "status" });
  root.classList.add("camwidget-footprints");
  root.append(keys, status);
  signal.addEventListener("abort", () => [keys, status].forEach((part) => part.remove()));
  keys.addEventListener("keydown", (event) => press(model, event), { signal });
  for (const type of ["focus", "blur"]) keys.addEventListener(type, () => model.send({ type }), { signal });
  watch(model, ["status"], signal, () => setText(status, String(model.get("status") ?? "")));

  // A canvas of ipycanvas that has the focus keeps every key, also Tab: nobody would get out of it by keyboard.
  const isCanvas = (target: EventTarget | null): target is HTMLCanvasElement =>
    target instanceof HTMLCanvasElement && target.closest(".camwidget-footprints-box")?.contains(root) === true;
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

function press(model: Model<FootprintTraits>, event: KeyboardEvent): void {
  if (event.ctrlKey || event.altKey || event.metaKey || !KEYS.test(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  model.send({ type: "key", key: event.key });
}

export default widgetModule(mount);
