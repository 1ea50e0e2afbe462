// built from js/ — do not edit

// src/view/host/compat.ts
var OWN_KEYS = { "data-lm-suppress-shortcuts": "true" };
function keepFromFocus(target) {
  if (target instanceof HTMLCanvasElement) target.removeAttribute("tabindex");
}

// src/view/dom/dom.ts
function make(tag, className, attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}
function setText(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

// src/view/syncedTraits.ts
var DEFAULTS = {
  scene: {},
  explanation: {},
  target: -1,
  stance: { "kind": "for", "other": -1 },
  awaits_rival: false,
  contrasts: [],
  rows: [],
  masked: [],
  most_probable: {},
  curve_names: [],
  quantity: {},
  class_names: [],
  methods: [],
  method: "",
  settings: {},
  layers: [],
  layer: "",
  layer_maps: {},
  class_maps: {},
  mode: "remove",
  modes: [],
  baseline: "blur",
  baselines: [],
  fraction: 0,
  paint: {},
  baseline_fill: {},
  opacity: 0.65,
  overlay: true,
  cells: false,
  contour: 0,
  colormap: "inferno",
  colormaps: {},
  frame: 0,
  pictures: [],
  picture: -1,
  thumbnails: {},
  prompt: {},
  text_error: "",
  references: {},
  found: {},
  found_masked: {},
  findings: true,
  picture_parts: {},
  parts: "auto",
  about: "score",
  least_score: 0.5,
  region: {},
  ground_truth: {},
  has_ground_truth: false,
  outlines: false,
  box: {},
  boxes: false,
  box_threshold: 0.15,
  models: [],
  compare: {},
  arrangement: "side",
  divider: 0.5,
  difference_colors: new Uint8Array(),
  compared_explanation: {},
  compared_scene: {},
  compared_status: {},
  compared_prediction: {},
  compared_baseline_fill: {},
  can_undo: false,
  can_redo: false,
  code: "",
  sentence: "",
  status: "",
  busy: false,
  pending: false,
  progress: -1,
  partial: false,
  can_cancel: false,
  error: "",
  class_probe: {},
  fallback_note: ""
};

// src/view/model.ts
function write(model, values) {
  for (const name of Object.keys(values)) model.set(name, values[name]);
  model.save_changes();
}
function watch(model, names, signal, update) {
  let isScheduled = false;
  const schedule = () => {
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(() => {
      isScheduled = false;
      if (!signal.aborted) update();
    });
  };
  for (const name of names) {
    model.on(`change:${name}`, schedule);
    signal.addEventListener("abort", () => model.off(`change:${name}`, schedule));
  }
  update();
}
function widgetModule(mount2) {
  return {
    render({ model, el, signal }) {
      const life = new AbortController();
      signal?.addEventListener("abort", () => life.abort(), { once: true });
      mount2(model, el, life.signal);
      return () => life.abort();
    }
  };
}

// src/survey/index.ts
var KEYS = /^(Arrow(Left|Right|Up|Down)|Home|End|Enter)$/;
function mount(model, root, signal) {
  const keys = make(
    "div",
    "camwidget-survey-keys",
    { tabindex: 0, role: "application", "aria-label": "Pictures of the survey", ...OWN_KEYS },
    "A click opens a picture. Keys: arrows move, Enter opens."
  );
  const status = make("div", "camwidget-survey-status", { role: "status" });
  root.classList.add("camwidget-survey-root");
  root.append(keys, status);
  signal.addEventListener("abort", () => [keys, status].forEach((part) => part.remove()));
  keys.addEventListener("keydown", (event) => press(model, event), { signal });
  watch(model, ["status"], signal, () => setText(status, String(model.get("status") ?? "")));
  const scroller = () => root.closest(".camwidget-survey-sheet")?.querySelector(".camwidget-survey-scroll") ?? null;
  let isReporting = false;
  const report = () => {
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
  const isCanvas = (target) => target instanceof HTMLCanvasElement && target.closest(".camwidget-survey-sheet")?.contains(root) === true;
  const pass = ({ target }) => {
    if (!isCanvas(target)) return;
    keepFromFocus(target);
    keys.focus({ preventScroll: true });
  };
  document.addEventListener("pointerdown", ({ target }) => isCanvas(target) && keepFromFocus(target), { capture: true, signal });
  document.addEventListener("focusin", pass, { signal });
  document.addEventListener("click", (event) => setTimeout(() => pass(event)), { signal });
}
function press(model, event) {
  if (event.ctrlKey || event.altKey || event.metaKey || !KEYS.test(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  model.send({ type: "key", key: event.key });
}
var survey_default = widgetModule(mount);
export {
  survey_default as default
};
