// built from js/ — do not edit

// src/core/parse.ts
function fields(value) {
  return typeof value === "object" && value !== null ? value : {};
}
function list(value) {
  return Array.isArray(value) ? value : [];
}
function text(value, otherwise = "") {
  return typeof value === "string" ? value : otherwise;
}
function number(value, otherwise) {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}
function flag(value, otherwise) {
  return typeof value === "boolean" ? value : otherwise;
}
function unit(value, otherwise) {
  return clamp(number(value, otherwise), 0, 1);
}
function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}
function texts(value) {
  return list(value).filter((item) => typeof item === "string");
}
function numbers(value) {
  return list(value).map((item) => number(item, Number.NaN));
}
function plain(value, defaults, name) {
  const isValid = typeof value === typeof defaults[name] && !(typeof value === "number" && !Number.isFinite(value));
  return isValid ? value : defaults[name];
}
function bytes(value) {
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  return value instanceof ArrayBuffer ? new Uint8Array(value) : null;
}
function uint16(raw) {
  const out = new Uint16Array(raw.length >> 1);
  for (let i = 0; i < out.length; i++) {
    out[i] = raw[2 * i] | raw[2 * i + 1] << 8;
  }
  return out;
}
function float32(raw) {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Float32Array.from({ length: raw.length >> 2 }, (_, i) => view.getFloat32(4 * i, true));
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
var OFFLINE = /* @__PURE__ */ new Set([
  "mode",
  "baseline",
  "fraction",
  "paint",
  "opacity",
  "overlay",
  "cells",
  "contour",
  "colormap",
  "frame",
  "findings",
  "parts",
  "outlines",
  "boxes",
  "arrangement",
  "divider",
  "error"
]);

// src/view/model.ts
function trait(model, name) {
  return plain(model.get(name), DEFAULTS, name);
}
function portion(model, name) {
  return clamp(trait(model, name), 0, 1);
}
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

// src/core/geometry.ts
function pixelCenter({ x, y }) {
  return { x: x + 0.5, y: y + 0.5 };
}
function relativeCenter({ x, y }, { width, height }) {
  return { x: (x + 0.5) / width, y: (y + 0.5) / height };
}
function pixelAt({ x, y }, { width, height }) {
  return { x: clamp(Math.floor(x), 0, width - 1), y: clamp(Math.floor(y), 0, height - 1) };
}
function peakOf(values) {
  let peak = 0;
  for (const value of values) if (value > peak) peak = value;
  return peak;
}

// src/core/userMask.ts
var HIDDEN = 1;
var KEPT = -1;
function encode(paint2) {
  const runs = [];
  for (let i = 0; i < paint2.length; ) {
    const value = paint2[i];
    const start = i;
    while (i < paint2.length && paint2[i] === value) i++;
    if (value !== 0 || i < paint2.length) runs.push(value, i - start);
  }
  return runs;
}
function decode(runs, size2) {
  if (runs.length % 2 !== 0) return null;
  const paint2 = new Int8Array(size2);
  let at = 0;
  for (let k = 0; k < runs.length; k += 2) {
    const value = runs[k];
    const length = runs[k + 1];
    if (value !== HIDDEN && value !== KEPT && value !== 0) return null;
    if (typeof length !== "number" || !Number.isInteger(length) || length < 1 || length > size2 - at) return null;
    paint2.fill(value, at, at + length);
    at += length;
  }
  return paint2;
}
function draw(paint2, width, from, to, diameter, shade) {
  const height = paint2.length / width;
  const radius = diameter / 2;
  const left = Math.max(0, Math.floor(Math.min(from.x, to.x) - radius));
  const right = Math.min(width - 1, Math.floor(Math.max(from.x, to.x) + radius));
  const top = Math.max(0, Math.floor(Math.min(from.y, to.y) - radius));
  const bottom = Math.min(height - 1, Math.floor(Math.max(from.y, to.y) + radius));
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const long = dx * dx + dy * dy;
  let changed = false;
  const set = (x, y) => {
    const at = y * width + x;
    if (paint2[at] === shade) return;
    paint2[at] = shade;
    changed = true;
  };
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const px = x + 0.5 - from.x;
      const py = y + 0.5 - from.y;
      const along = long === 0 ? 0 : clamp((px * dx + py * dy) / long, 0, 1);
      const ax = px - along * dx;
      const ay = py - along * dy;
      if (ax * ax + ay * ay <= radius * radius) set(x, y);
    }
  }
  for (const { x, y } of [from, to]) {
    if (x >= 0 && x < width && y >= 0 && y < height) set(Math.floor(x), Math.floor(y));
  }
  return changed;
}
function covered(paint2) {
  let hidden = 0;
  let kept = 0;
  for (const value of paint2) {
    if (value === HIDDEN) hidden++;
    else if (value === KEPT) kept++;
  }
  return { hidden: hidden / paint2.length, kept: kept / paint2.length };
}
function border(paint2, width, shade) {
  const height = paint2.length / width;
  const { left, right, top, bottom } = bounds(paint2, width, shade);
  const is = (x, y) => x >= 0 && x < width && y >= 0 && y < height && paint2[y * width + x] === shade;
  let path2 = "";
  for (let y = top; y <= bottom + 1; y++) {
    for (let x = left; x <= right; ) {
      const start = x;
      while (x <= right && is(x, y) !== is(x, y - 1)) x++;
      if (x > start) path2 += `M${start} ${y}H${x}`;
      else x++;
    }
  }
  for (let x = left; x <= right + 1; x++) {
    for (let y = top; y <= bottom; ) {
      const start = y;
      while (y <= bottom && is(x, y) !== is(x - 1, y)) y++;
      if (y > start) path2 += `M${x} ${start}V${y}`;
      else y++;
    }
  }
  return path2;
}
function edges(labels, width) {
  const height = labels.length / width;
  let path2 = "";
  for (let y = 1; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const start = x;
      while (x < width && labels[y * width + x] !== labels[(y - 1) * width + x]) x++;
      if (x > start) path2 += `M${start} ${y}H${x}`;
    }
  }
  for (let x = 1; x < width; x++) {
    for (let y = 0; y < height; y++) {
      const start = y;
      while (y < height && labels[y * width + x] !== labels[y * width + x - 1]) y++;
      if (y > start) path2 += `M${x} ${start}V${y}`;
    }
  }
  return path2;
}
function bounds(paint2, width, shade) {
  let [left, right, top, bottom] = [width, -1, Infinity, -1];
  for (let i = 0, x = 0, y = 0; i < paint2.length; i++) {
    if (paint2[i] === shade) {
      if (x < left) left = x;
      if (x > right) right = x;
      if (top === Infinity) top = y;
      bottom = y;
    }
    if (++x === width) {
      x = 0;
      y += 1;
    }
  }
  return { left, right, top, bottom };
}
function area(paint2, width, shade) {
  let path2 = "";
  for (let i = 0; i < paint2.length; ) {
    if (paint2[i] !== shade) {
      i++;
      continue;
    }
    const start = i;
    const row = Math.floor(i / width);
    while (i < (row + 1) * width && paint2[i] === shade) i++;
    path2 += `M${start % width} ${row}h${i - start}v1h${start - i}z`;
  }
  return path2;
}
function unpackBits(packed, size2) {
  if (packed.length !== Math.ceil(size2 / 8)) return null;
  return Uint8Array.from({ length: size2 }, (_, i) => packed[i >> 3] >> 7 - (i & 7) & 1);
}

// src/view/host/compat.ts
var reported = /* @__PURE__ */ new Set();
function reportChange(detail, effect) {
  if (reported.has(detail)) return;
  reported.add(detail);
  console.error(`camwidget: ${detail} has changed. ${effect} Please report this with the versions of JupyterLab and ipywidgets.`);
}
var OWN_KEYS = { "data-lm-suppress-shortcuts": "true" };
function hasLabColors(element) {
  return getComputedStyle(element).getPropertyValue("--jp-layout-color1").trim() !== "";
}
var COMM_EVENT = "comm_live_update";
var DEAD_COMM = ".jupyter-widgets-disconnected";
var GONE = /* @__PURE__ */ new Set(["starting", "restarting", "autorestarting", "terminating", "dead"]);
var NO_KERNEL_CHECK = "A lost kernel may go unnoticed, and its controls stay enabled.";
var HostKernel = class {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.manager = model.widget_manager;
    this.firstId = this.manager?.kernel?.id;
  }
  model;
  root;
  manager;
  firstId;
  /** The present state of the connection; "live" in hosts that do not tell. */
  get link() {
    if (this.root.closest(DEAD_COMM) !== null) return "lost";
    if (this.manager === void 0 || this.firstId === void 0) return "live";
    const { kernel } = this.manager;
    if (kernel == null || kernel.id !== this.firstId) return "lost";
    const { connectionStatus } = kernel;
    if (typeof connectionStatus !== "string") reportChange("JupyterLab's kernel.connectionStatus", NO_KERNEL_CHECK);
    return connectionStatus === "connecting" || connectionStatus === "disconnected" ? "waiting" : "live";
  }
  /**
   * Call `update` after whatever may change the link, until `signal` aborts.
   *
   * @param update gets true where the host says that the kernel's process is gone
   */
  observe(update, signal) {
    const later = () => queueMicrotask(() => update(false));
    this.model.on(COMM_EVENT, later);
    signal.addEventListener("abort", () => this.model.off(COMM_EVENT, later));
    this.connect("kernelChanged", () => update(false), signal);
    this.connect("connectionStatusChanged", () => update(false), signal);
    this.connect("statusChanged", (_, status2) => update(GONE.has(status2)), signal);
  }
  /** Connect to a signal of the notebook's session, which outlives its kernels, or of the kernel where there is no session. */
  connect(name, slot, signal) {
    const session = this.manager?.context?.sessionContext;
    const emitter = (session ?? this.manager?.kernel)?.[name];
    if (typeof emitter?.connect !== "function") {
      if (session !== void 0) reportChange(`JupyterLab's sessionContext.${name}`, NO_KERNEL_CHECK);
      return;
    }
    emitter.connect(slot);
    signal.addEventListener("abort", () => emitter.disconnect(slot));
  }
};
var ACCORDION = ".jupyter-widget-Accordion, .widget-accordion";
var HEADER = ".jupyter-widget-Collapse-header";
var OPEN = ".jupyter-widget-Collapse-open";
function accordionHeaders(element) {
  const headers = Array.from(element.querySelectorAll(HEADER));
  const accordion = element.matches(ACCORDION) ? element : element.querySelector(ACCORDION);
  const hasTitles = accordion?.firstElementChild != null;
  if (headers.length > 0 || !hasTitles) return headers;
  reportChange(`ipywidgets' ${HEADER}`, "The panels can only be opened with the mouse.");
  return Array.from(element.querySelectorAll('[class*="Collapse-header"]'));
}
function isOpen(header) {
  return header.closest(OPEN) !== null;
}
function unnamedImages(element) {
  return Array.from(element.querySelectorAll("img:not([alt])"));
}
function keepFromFocus(target) {
  if (target instanceof HTMLCanvasElement) target.removeAttribute("tabindex");
}

// src/view/dom/dom.ts
function make(tag, className2, attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (className2 !== "") element.className = className2;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}
function button(className2, attributes, ...children) {
  return make("button", className2, { type: "button", ...OWN_KEYS, ...attributes }, ...children);
}
function setText(element, value) {
  if (element.textContent !== value) element.textContent = value;
}
function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
function fit(parent, count, create) {
  while (parent.children.length > count) parent.lastElementChild?.remove();
  while (parent.children.length < count) parent.append(create(parent.children.length));
  return Array.from(parent.children);
}
function setChoices(select2, choices2, value) {
  const same = select2.options.length === choices2.length && choices2.every((choice, at) => {
    const option = select2.options[at];
    return option?.value === choice.value && option.textContent === choice.label;
  });
  if (!same) {
    select2.replaceChildren(
      ...choices2.map(({ value: of, label: label2 }) => make("option", "", { value: of }, label2))
    );
  }
  select2.selectedIndex = choices2.findIndex((choice) => choice.value === value);
}
function labeledLine(label2, ...controls) {
  return make("div", "camwidget-line", {}, make("span", "camwidget-label", {}, label2), ...controls);
}
function relativePosition(element, { clientX, clientY }) {
  const { left, top, width, height } = element.getBoundingClientRect();
  return width === 0 || height === 0 ? null : { x: (clientX - left) / width, y: (clientY - top) / height };
}
function placeAt(element, { x, y }) {
  element.style.left = `${100 * x}%`;
  element.style.top = `${100 * y}%`;
}
var SVG = "http://www.w3.org/2000/svg";
function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}
function overlay(className2, viewBox = "") {
  const made = svg("svg", { class: className2, "aria-hidden": "true", preserveAspectRatio: "none" });
  if (viewBox !== "") made.setAttribute("viewBox", viewBox);
  return made;
}
function line(d, over = "over", under = "under") {
  return [svg("path", { class: under, d }), svg("path", { class: over, d })];
}
function toolbar(tools, status2) {
  const line2 = make("div", "camwidget-tools camwidget-line", { role: "toolbar", "aria-label": "Tools" });
  const drawers = make("div", "camwidget-drawers");
  for (const { buttons, drawer } of tools) {
    line2.append(...buttons);
    if (drawer !== void 0) drawers.append(drawer);
  }
  line2.hidden = line2.children.length === 0;
  return make("div", "camwidget-toolbox", {}, line2, status2, drawers);
}

// src/view/dom/radioGroup.ts
function makeRoving(group, signal) {
  group.addEventListener(
    "keydown",
    (event) => {
      const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
      if (by === 0) return;
      const radios = Array.from(group.querySelectorAll('[role="radio"]'));
      const now = radios.findIndex((one) => one === document.activeElement);
      const next = radios[(now + by + radios.length) % radios.length];
      if (next === void 0) return;
      for (const one of radios) one.tabIndex = one === next ? 0 : -1;
      next.focus();
      event.preventDefault();
    },
    { signal }
  );
}
function markRadio(radio2, isChosen, isTabStop = isChosen) {
  setAttribute(radio2, "aria-checked", String(isChosen));
  radio2.tabIndex = isTabStop ? 0 : -1;
}
var RadioGroup = class {
  /**
   * @param attributes of the group, its accessible name among them
   * @param name what a choice is called in the document, as the stylesheet and the tests find it
   */
  constructor(className2, attributes, choices2, name, choose, signal) {
    this.choices = choices2;
    this.radios = choices2.map((choice) => {
      const { value, label: label2, title } = choice;
      const radio2 = button("camwidget-button camwidget-radio", { role: "radio", title, "data-name": name(choice) }, label2);
      radio2.addEventListener("click", () => choose(value), { signal });
      return radio2;
    });
    this.element = make("div", className2, { role: "radiogroup", ...attributes }, ...this.radios);
    makeRoving(this.element, signal);
  }
  choices;
  element;
  radios;
  /** Shows which value is chosen, and hides those that cannot be. */
  update(chosen, isAvailable = () => true) {
    this.radios.forEach((radio2, at) => {
      const { value } = this.choices[at];
      radio2.hidden = !isAvailable(value);
      markRadio(radio2, value === chosen);
    });
  }
};

// src/view/findings.ts
function findings(value) {
  const from = fields(value);
  return {
    scene: text(from["scene"]),
    boxes: list(from["boxes"]).flatMap(box),
    areas: areas(from["areas"]),
    takesRegion: flag(from["takes_region"], false),
    questions: texts(from["questions"]),
    findsForItself: flag(from["finds_for_itself"], false),
    note: text(from["note"])
  };
}
function classAt({ boxes: boxes2, areas: areas2 }, { x, y }) {
  const around = boxes2.filter((one) => !one.lost && one.left <= x + 0.5 && x + 0.5 <= one.right && one.top <= y + 0.5 && y + 0.5 <= one.bottom);
  if (around.length > 0) return around.reduce((best, one) => size(one) < size(best) ? one : best).index;
  return areas2?.classes[y * areas2.width + x] ?? -1;
}
function size({ left, top, right, bottom }) {
  return (right - left) * (bottom - top);
}
function box(value) {
  const from = fields(value);
  const [left, top, right, bottom] = numbers(from["box"]);
  if (left === void 0 || top === void 0 || right === void 0 || bottom === void 0) return [];
  return [
    {
      index: number(from["index"], -1),
      name: text(from["name"]),
      score: number(from["score"], 0),
      left,
      top,
      right,
      bottom,
      where: text(from["where"]),
      lost: flag(from["lost"], false)
    }
  ];
}
function areas(value) {
  const from = fields(value);
  const raw = bytes(from["classes"]);
  const width = number(from["width"], 0);
  const height = number(from["height"], 0);
  if (raw === null || raw.length !== 2 * width * height) return null;
  const labels = list(from["labels"]).map((one) => {
    const { index, name, x, y } = fields(one);
    return { index: number(index, -1), name: text(name), x: number(x, 0), y: number(y, 0) };
  });
  return { width, height, classes: uint16(raw), labels };
}

// src/view/brush/brush.ts
var PURPOSES = [
  { value: "mask", label: "mask", title: "Paint what is hidden, or kept" },
  { value: "region", label: "question", title: "Mark the region that is asked about: its mean score is explained" }
];
var REGION_SHADES = [
  { value: HIDDEN, label: "ask", title: "Mark pixels that are asked about (x for the next)" },
  { value: 0, label: "erase", title: "Take pixels out of the question; without any, it is about the whole picture (x for the next)" }
];
var SHADES = [
  { value: HIDDEN, label: "hide", title: "Paint what the fill is to replace, whatever the slider says (x for the next)" },
  { value: KEPT, label: "keep", title: "Paint what stays as it is, whatever the slider says (x for the next)" },
  { value: 0, label: "erase", title: "Take paint away: the slider decides again (x for the next)" }
];
var Brush = class {
  constructor(context, stage) {
    this.context = context;
    this.stage = stage;
    const { signal } = context;
    this.title = stage.frame.title;
    this.opener = button(
      "camwidget-button camwidget-paint-toggle",
      { "aria-pressed": "false", "aria-expanded": "false", title: "Paint on the picture what to hide, or to keep (p)" },
      "paint"
    );
    this.opener.addEventListener("click", () => this.toggle(), { signal });
    this.buttons = [this.opener];
    this.shades = new RadioGroup(
      "camwidget-shades",
      { "aria-label": "What the brush does" },
      SHADES,
      ({ label: label2 }) => label2,
      (shade) => this.choose(shade),
      signal
    );
    this.regionShades = new RadioGroup(
      "camwidget-shades camwidget-region-shades",
      { "aria-label": "What the brush does to the question" },
      REGION_SHADES,
      ({ label: label2 }) => label2,
      (shade) => this.choose(shade),
      signal
    );
    this.purposes = new RadioGroup(
      "camwidget-segments camwidget-purposes",
      { "aria-label": "What is painted" },
      PURPOSES,
      ({ value }) => value,
      (purpose) => this.turnTo(purpose),
      signal
    );
    this.purposeLine = labeledLine("Paint", this.purposes.element);
    this.purposeLine.hidden = true;
    this.size = make("input", "camwidget-range camwidget-brush-size", {
      type: "range",
      min: 1,
      max: 100,
      step: 1,
      "aria-label": "Size of the brush, in pixels of the picture",
      title: "Size of the brush, in pixels of the picture ({ and })",
      ...OWN_KEYS
    });
    this.size.addEventListener("input", () => this.show(), { signal });
    this.wiper = button("camwidget-button", { title: "Take all paint away from this picture" }, "clear");
    this.wiper.addEventListener("click", () => this.layer.clear(), { signal });
    this.drawer = this.build();
    stage.plane.append(stage.paintOutlines.element, stage.regionOutlines.element, this.ring);
    stage.painted.listen(() => this.show());
    stage.region.listen(() => this.show());
    context.watch(["scene"], () => this.fitSize());
    context.watch(["found"], () => this.followModel());
    this.listen(stage.canvas);
    this.show();
  }
  context;
  stage;
  buttons;
  drawer;
  opener;
  shades;
  regionShades;
  purposes;
  purposeLine;
  purpose = "mask";
  size;
  ring = make("div", "camwidget-brush", { "aria-hidden": "true", hidden: true });
  reading = make("output", "camwidget-brush-value", { "aria-hidden": "true" });
  wiper;
  shade = HIDDEN;
  /** The brush's last position, from which shift draws a straight line. */
  last = null;
  pointer = null;
  sized = false;
  /** The tooltip of the picture, removed while the brush is active. */
  title;
  get isOn() {
    return this.context.tool.value === "paint";
  }
  toggle() {
    if (this.isOn) this.stop();
    else this.start();
  }
  /** Deactivates the brush; returns false if it was not active. */
  stop() {
    if (!this.isOn) return false;
    this.lift();
    this.context.tool.set("");
    this.showActive();
    return true;
  }
  /** Switches to the next of hide, keep and erase, or of ask and erase. */
  cycle() {
    if (!this.isOn) return;
    const all = this.choices;
    const now = all.findIndex(({ value }) => value === this.shade);
    this.choose(all[(now + 1) % all.length].value);
  }
  /** What the brush draws on. */
  get layer() {
    return this.purpose === "mask" ? this.stage.painted : this.stage.region;
  }
  get choices() {
    return this.purpose === "mask" ? SHADES : REGION_SHADES;
  }
  turnTo(purpose) {
    if (purpose === this.purpose) return;
    this.lift();
    this.purpose = purpose;
    this.choose(HIDDEN);
  }
  /** Lets the region be painted of a model that is asked about one: that is what the brush begins with there. */
  followModel() {
    const { takesRegion } = findings(this.context.model.get("found"));
    if (this.purposeLine.hidden !== takesRegion) return;
    this.purposeLine.hidden = !takesRegion;
    this.turnTo(takesRegion ? "region" : "mask");
  }
  /** Makes the brush a quarter larger or smaller, by at least one pixel. */
  resize(by) {
    if (!this.isOn) return;
    const now = Number(this.size.value);
    this.size.value = String(now + by * Math.max(1, Math.round(now / 4)));
    this.show();
  }
  /** The marker of the keyboard; while the brush is active, it follows the marker and paints there. */
  marker(of) {
    return {
      move: (right, down) => {
        of.move(right, down);
        if (this.isOn && of.point !== null) this.moveRing(pixelCenter(of.point));
      },
      probeAtMarker: () => {
        if (!this.isOn) {
          of.probeAtMarker();
          return;
        }
        if (of.point === null) of.move(0, 0);
        if (of.point !== null) this.dab(pixelCenter(of.point));
      }
    };
  }
  dab(spot) {
    this.layer.begin();
    this.stroke(spot, spot);
    this.layer.end();
    this.last = spot;
    this.moveRing(spot);
  }
  start() {
    this.context.tool.set("paint");
    this.showActive();
    this.stage.focus();
  }
  showActive() {
    const on = this.isOn;
    setAttribute(this.opener, "aria-pressed", String(on));
    setAttribute(this.opener, "aria-expanded", String(on));
    this.drawer.hidden = !on;
    this.ring.hidden = true;
    this.stage.frame.title = on ? "" : this.title;
    this.stage.frame.classList.toggle("camwidget-painting", on);
    this.stage.paintOutlines.update();
    this.stage.regionOutlines.update();
  }
  choose(shade) {
    this.shade = shade;
    this.show();
  }
  build() {
    return make(
      "div",
      "camwidget-paint",
      { role: "group", "aria-label": "Paint", hidden: true },
      this.purposeLine,
      labeledLine("Brush", this.shades.element, this.regionShades.element, this.wiper),
      labeledLine("Size", this.size, this.reading)
    );
  }
  /** At first an eighth of the picture; at most half of it. */
  fitSize() {
    const { width, height } = this.stage.canvas;
    const side = Math.min(width, height);
    this.size.max = String(Math.max(2, Math.round(side / 2)));
    if (!this.sized && this.stage.sceneId !== null) {
      this.sized = true;
      this.size.value = String(Math.max(1, Math.round(side / 8)));
    }
    this.show();
  }
  show() {
    const { layer: painted, size: size2, shade, ring, purpose } = this;
    this.shades.update(shade);
    this.regionShades.update(shade);
    this.purposes.update(purpose);
    this.shades.element.hidden = purpose !== "mask";
    this.regionShades.element.hidden = purpose === "mask";
    this.wiper.title = purpose === "mask" ? "Take all paint away from this picture" : "Ask about the whole picture again";
    const low = Number(size2.min);
    size2.style.setProperty("--camwidget-slider-fill", String((Number(size2.value) - low) / (Number(size2.max) - low)));
    setAttribute(size2, "aria-valuetext", `${size2.value} pixels`);
    setText(this.reading, `${size2.value} px`);
    ring.style.width = `${100 * Number(size2.value) / Math.max(1, painted.width)}%`;
    ring.dataset["shade"] = this.choices.find(({ value }) => value === shade).label;
    if (!painted.isDrawing) this.wiper.disabled = painted.isEmpty;
  }
  listen(canvas) {
    const { signal } = this.context;
    canvas.addEventListener("pointerdown", (event) => this.press(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.move(event), { signal });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(end, (event) => this.release(event), { signal });
    }
    canvas.addEventListener("pointerleave", () => {
      if (this.pointer === null) this.ring.hidden = true;
    }, { signal });
  }
  press(event) {
    const spot = this.isOn && event.button === 0 && this.pointer === null ? this.stage.over(event) : null;
    if (spot === null) return;
    event.preventDefault();
    this.stage.focus();
    this.pointer = event.pointerId;
    this.stage.canvas.setPointerCapture(event.pointerId);
    this.layer.begin();
    this.stroke(event.shiftKey && this.last !== null ? this.last : spot, spot);
    this.last = spot;
    this.moveRing(spot);
  }
  move(event) {
    if (!this.isOn) return;
    const spot = this.stage.over(event);
    if (spot === null) return;
    this.moveRing(spot);
    if (event.pointerId !== this.pointer) return;
    const between3 = event.getCoalescedEvents?.() ?? [];
    for (const one of between3.length > 0 ? between3 : [event]) {
      const to = this.stage.over(one);
      if (to === null || this.last === null) continue;
      this.stroke(this.last, to);
      this.last = to;
    }
  }
  release(event) {
    if (event.pointerId === this.pointer) this.lift();
  }
  lift() {
    this.pointer = null;
    this.layer.end();
  }
  stroke(from, to) {
    this.layer.draw(from, to, Number(this.size.value), this.shade);
  }
  moveRing({ x, y }) {
    const { width, height } = this.stage.canvas;
    this.ring.hidden = false;
    placeAt(this.ring, { x: x / width, y: y / height });
  }
};

// src/core/colormap.ts
var COLORMAP_BYTES = 768;
var GRAY = Uint8Array.from(
  { length: COLORMAP_BYTES },
  (_, i) => Math.floor(i / 3)
);
function emphasis(value) {
  const v = value / 255;
  return v * (0.35 + 0.65 * Math.sqrt(v));
}
function blendTable(size2 = 256) {
  return {
    stay: new Uint32Array(size2),
    redBlue: new Uint32Array(size2),
    green: new Uint32Array(size2)
  };
}
function setBlend(table, at, colors, color, weight) {
  const [red, green, blue] = [colors[3 * color], colors[3 * color + 1], colors[3 * color + 2]];
  table.stay[at] = 256 - weight;
  table.redBlue[at] = (blue << 16 | red) * weight + 8388736;
  table.green[at] = green * weight + 128;
}
function fillBlendTable(table, colors, opacity2) {
  for (let v = 0; v < 256; v++) setBlend(table, v, colors, v, Math.round(256 * opacity2 * emphasis(v)));
}
function gradient(colors, stops = 17) {
  const parts = [];
  for (let k = 0; k < stops; k++) {
    const at = 3 * Math.round(255 * k / (stops - 1));
    parts.push(`rgb(${colors[at]}, ${colors[at + 1]}, ${colors[at + 2]})`);
  }
  return `linear-gradient(to right, ${parts.join(", ")})`;
}
var OPAQUE = 4278190080;
function pack(red, green, blue) {
  return (OPAQUE | blue << 16 | green << 8 | red) >>> 0;
}
function fromRgb(rgb, out) {
  for (let i = 0, j = 0; i < out.length; i++, j += 3) {
    out[i] = OPAQUE | rgb[j + 2] << 16 | rgb[j + 1] << 8 | rgb[j];
  }
}

// src/view/traits.ts
var KINDS = ["for", "against", "rather"];
function mode(value) {
  return value === "keep" || value === "multiply" ? value : "remove";
}
function byteMap(value) {
  const out = /* @__PURE__ */ new Map();
  for (const [key, raw] of Object.entries(fields(value))) {
    const data = bytes(raw);
    if (data !== null) out.set(key, data);
  }
  return out;
}
function scene(value) {
  const from = fields(value);
  const width = number(from["width"], 0);
  const height = number(from["height"], 0);
  const rgb = bytes(from["picture"]);
  if (rgb === null || width < 1 || height < 1 || rgb.length !== width * height * 3) return null;
  return { id: text(from["id"]), frames: frameCount(value), width, height, rgb, fills: byteMap(from["fills"]) };
}
function frameCount(value) {
  const { frames, height } = fields(value);
  const count = number(frames, 1);
  return Number.isInteger(count) && count > 1 && number(height, 0) % count === 0 ? count : 1;
}
function explanation(value, of) {
  const from = fields(value);
  const saliency = bytes(from["saliency"]);
  const drawn = bytes(from["drawn"]);
  const knee = number(from["knee"], -1);
  const levels = bytes(from["levels"]);
  if (of === null || saliency === null || levels === null || from["scene"] !== of.id) return null;
  const size2 = of.width * of.height;
  if (saliency.length !== size2 || levels.length !== 2 * size2) return null;
  return {
    scene: of.id,
    saliency,
    drawn: drawn?.length === size2 ? drawn : null,
    knee: knee >= 0 && knee < 1 ? knee : null,
    levels: uint16(levels),
    cells: cells(from),
    title: text(from["title"]),
    empty: flag(from["empty"], false),
    note: text(from["note"])
  };
}
function cells(from) {
  const values = bytes(from["cells"]);
  const [rows2 = 0, columns = 0] = numbers(from["cells_shape"]);
  if (values === null || !(rows2 > 0 && columns > 0) || values.length !== rows2 * columns) return null;
  return { values, rows: rows2, columns };
}
function rows(value) {
  return list(value).map((item) => {
    const from = fields(item);
    return {
      index: number(from["index"], -1),
      name: text(from["name"]),
      unmasked: number(from["unmasked"], Number.NaN)
    };
  });
}
function mostProbable(value) {
  const from = fields(value);
  const [row] = rows([from]);
  const masked = number(from["masked"], Number.NaN);
  return row === void 0 || row.index < 0 || Number.isNaN(masked) ? null : { ...row, masked, wasFirst: flag(from["was_first"], false) };
}
function lineNames(value) {
  return list(value).map((item) => {
    const from = fields(item);
    return { name: text(from["name"]), color: text(from["color"]), place: unit(from["place"], 0) };
  });
}
function quantity(value) {
  const { unit: unit2 } = fields(value);
  return typeof unit2 === "string" ? { unit: unit2 } : null;
}
function methods(value) {
  return list(value).map((item) => {
    const from = fields(item);
    const name = text(from["name"]);
    const { reason, against, rather } = from;
    return {
      name,
      label: text(from["label"], name),
      group: text(from["group"]),
      tip: text(from["tip"]),
      reason: typeof reason === "string" ? reason : null,
      against: typeof against === "string" ? against : null,
      rather: typeof rather === "string" ? rather : null,
      settings: list(from["settings"]).map(setting),
      slow: flag(from["slow"], false)
    };
  });
}
function setting(value) {
  const from = fields(value);
  const { default: initial, high, usual } = from;
  return {
    name: text(from["name"]),
    initial: typeof initial === "number" ? initial : null,
    isWhole: flag(from["integer"], false),
    low: number(from["low"], 0),
    high: typeof high === "number" ? high : null,
    sliderEnd: typeof high === "number" ? high : typeof usual === "number" ? usual : null,
    help: text(from["help"]),
    words: texts(from["words"])
  };
}
function methodsHere(model) {
  const { kind } = stance(model);
  const all = methods(model.get("methods"));
  return kind === "for" ? all : all.map((method) => ({ ...method, reason: method.reason ?? method[kind] }));
}
function stance(model) {
  return parsedStance(model.get("stance"));
}
function parsedStance(value) {
  const from = fields(value);
  const kind = KINDS.find((one) => one === from["kind"]) ?? "for";
  return { kind, other: kind === "rather" ? number(from["other"], -1) : -1 };
}
function contrasts(model) {
  return list(model.get("contrasts")).map((value) => ({
    target: number(fields(value)["target"], -1),
    ...parsedStance(value)
  }));
}
function targetLabel(model, of = stance(model)) {
  const name = className(model, trait(model, "target"));
  if (of.kind === "against") return `against ${name}`;
  return of.kind === "rather" ? `${name} rather than ${className(model, of.other)}` : name;
}
function className(model, index) {
  return rows(model.get("rows")).find((row) => row.index === index)?.name ?? texts(model.get("class_names"))[index] ?? "";
}
function layers(value) {
  return list(value).map((item) => {
    const from = fields(item);
    return { name: text(from["name"]), shape: numbers(from["shape"]), frames: number(from["frames"], 1) };
  });
}
function mapLayer(explanation2) {
  const from = fields(explanation2);
  return { layer: text(from["layer"]), atInput: flag(from["at_input"], false) };
}
function sceneId(value) {
  return text(fields(value)["id"]);
}
function layerMaps(value) {
  const from = fields(value);
  const found = /* @__PURE__ */ new Map();
  for (const item of list(from["layers"])) {
    const name = text(fields(item)["name"]);
    const read = grid(fields(item));
    if (name !== "" && read !== null) found.set(name, read);
  }
  return {
    scene: text(from["scene"]),
    target: number(from["target"], -1),
    method: text(from["method"]),
    layers: found
  };
}
function classMaps(value) {
  const from = fields(value);
  const classes = list(from["classes"]).flatMap((item) => {
    const of = fields(item);
    const read = grid(of);
    return read === null ? [] : [{ index: number(of["index"], -1), name: text(of["name"]), grid: read }];
  });
  return {
    scene: text(from["scene"]),
    method: text(from["method"]),
    layer: text(from["layer"]),
    text: text(from["text"]),
    classes
  };
}
function grid(from) {
  const rows2 = number(from["rows"], 0);
  const columns = number(from["columns"], 0);
  const raw = bytes(from["cells"]);
  if (raw === null || !(rows2 > 0 && columns > 0) || raw.length !== 4 * rows2 * columns) return null;
  const cells2 = float32(raw);
  return cells2.every((value) => value >= 0 && value < Infinity) ? { rows: rows2, columns, cells: cells2 } : null;
}
function classProbe(value) {
  const from = fields(value);
  const x = number(from["x"], -1);
  const y = number(from["y"], -1);
  if (x < 0 || y < 0) return null;
  const classes = list(from["classes"]).map((item) => {
    const of = fields(item);
    return {
      index: number(of["index"], -1),
      name: text(of["name"]),
      value: unit(of["value"], 0)
    };
  });
  return { x, y, scene: text(from["scene"]), classes, of: number(from["of"], classes.length) };
}
function groundTruth(value) {
  const from = fields(value);
  const scene2 = text(from["scene"]);
  if (scene2 === "") return null;
  return {
    scene: scene2,
    objects: texts(from["objects"]),
    evidence: text(from["evidence"]),
    summary: text(from["summary"])
  };
}
function box2(value) {
  const from = fields(value);
  const sides = [...numbers(from["box"]), ...numbers(from["peak"])];
  const [left, top, right, bottom, x, y] = sides;
  const hit = from["hit"];
  if (left === void 0 || top === void 0 || right === void 0 || bottom === void 0) return null;
  if (x === void 0 || y === void 0 || !sides.every(Number.isFinite)) return null;
  return {
    scene: text(from["scene"]),
    left,
    top,
    right,
    bottom,
    x,
    y,
    hit: hit === "hit" || hit === "miss" ? hit : "",
    summary: text(from["summary"])
  };
}
function paint(value) {
  const from = fields(value);
  return { scene: text(from["scene"]), runs: list(from["runs"]), stroke: number(from["stroke"], 0) };
}
function inpaintedFill(value, of) {
  const from = fields(value);
  const packed = bytes(from["hole"]);
  const rgb = bytes(from["rgb"]);
  if (packed === null || rgb === null || from["scene"] !== of.id) return null;
  const hole = unpackBits(packed, of.width * of.height);
  if (hole === null || rgb.length !== 3 * hole.reduce((sum, one) => sum + one, 0)) return null;
  return { scene: of.id, baseline: text(from["baseline"]), hole, rgb };
}
function mapStyle(model) {
  return {
    overlay: trait(model, "overlay"),
    opacity: portion(model, "opacity"),
    cells: trait(model, "cells"),
    colors: byteMap(model.get("colormaps")).get(trait(model, "colormap")) ?? GRAY
  };
}

// src/core/numberFormat.ts
function fixed(value, digits) {
  const halves = value * 2 ** (digits + 1);
  const up = value.toFixed(digits);
  if (!Number.isInteger(halves) || halves % 2 === 0) return up;
  const last = Number(up.at(-1));
  return last % 2 === 0 ? up : (Number(up) - 10 ** -digits).toFixed(digits);
}
function rounded(value, digits) {
  return Math.sign(value) * Number(fixed(Math.abs(value), digits));
}
function decimals(...values) {
  const largest = peakOf(values.map(Math.abs));
  let digits = 2;
  for (let bound = 10; digits > 0 && largest >= bound; bound *= 10) digits--;
  for (let small = 1; largest > 0 && largest < small && digits < 9; small /= 10) digits++;
  return digits;
}
function signed(value, digits) {
  const size2 = fixed(Math.abs(value), digits);
  return value < 0 && Number(size2) !== 0 ? `-${size2}` : size2;
}
function readings(values, quantity2) {
  const known = values.filter(Number.isFinite);
  const digits = decimals(...known);
  return values.map(
    (value) => !Number.isFinite(value) ? "–" : quantity2 === null ? value.toFixed(2) : signed(value, digits)
  );
}
function percent(value) {
  return `${Math.round(1e3 * value) / 10} %`;
}
function unitSuffix(quantity2, before) {
  return quantity2 === null || quantity2.unit === "" ? "" : `${before}${quantity2.unit}`;
}

// src/view/promptAndReferences.ts
function prompt(value) {
  const from = fields(value);
  const name = text(from["name"]);
  if (name === "") return null;
  return {
    name,
    hint: text(from["hint"]),
    text: text(from["text"]),
    examples: texts(from["examples"]),
    words: words(from["words"]),
    captions: words(from["captions"]),
    proposes: flag(from["proposes"], false),
    own: flag(from["own"], false)
  };
}
function references(value) {
  const from = fields(value);
  const kind = from["kind"];
  if (kind !== "texts" && kind !== "pictures") return null;
  const items = list(from["items"]).map((item) => {
    const { name, picture, tile } = fields(item);
    const rgb = bytes(tile);
    return { name: text(name), picture: number(picture, -1), tile: rgb === null || rgb.length === 0 ? null : rgb };
  });
  return { kind, hint: text(from["hint"]), items };
}
function words(value) {
  return list(value).map((item) => {
    const from = fields(item);
    return { text: text(from["text"]), target: number(from["target"], -1) };
  });
}

// src/view/actions.ts
function nudgeFraction(context, percents) {
  if (mode(context.model.get("mode")) === "multiply") return;
  const next = Math.round(100 * context.fraction()) + percents;
  context.write({ fraction: clamp(next, 0, 100) / 100 });
}
function stepPicture(context, by) {
  const next = trait(context.model, "picture") + by;
  if (next >= 0 && next < texts(context.model.get("pictures")).length) context.write({ picture: next });
}
function nextMethod(context) {
  const all = methodsHere(context.model);
  const now = all.findIndex(({ name }) => name === trait(context.model, "method"));
  const onwards = [...all.slice(now + 1), ...all.slice(0, Math.max(0, now))];
  const next = onwards.find(({ reason, slow }) => reason === null && !slow);
  if (next !== void 0) context.write({ method: next.name });
}
function pickClass(context, index) {
  if (trait(context.model, "awaits_rival")) context.write({ stance: { kind: "rather", other: index } });
  else context.write({ target: index });
}
function pickStance(context, kind) {
  const { model, runsModel } = context;
  if (runsModel) {
    if (kind === "rather") context.write({ awaits_rival: !trait(model, "awaits_rival") });
    else context.write({ stance: { kind, other: -1 }, awaits_rival: false });
    return;
  }
  const now = stance(model);
  const known = contrasts(model).filter((one) => one.target === trait(model, "target") && one.kind === kind);
  const next = known[(known.findIndex(({ other }) => other === now.other) + 1) % known.length];
  if (kind === "for" || next !== void 0) context.write({ stance: { kind, other: next?.other ?? -1 } });
}
function pickRow(context, at) {
  const row = rows(context.model.get("rows"))[at];
  if (row !== void 0) pickClass(context, row.index);
}
function toggleOutlines(context) {
  if (trait(context.model, "has_ground_truth")) context.write({ outlines: !trait(context.model, "outlines") });
}
function toggleBoxes(context) {
  context.write({ boxes: !trait(context.model, "boxes") });
}
function toggleFindings(context) {
  context.write({ findings: !trait(context.model, "findings") });
}
function nextQuestion(context) {
  const { questions } = findings(context.model.get("found"));
  const next = questions[(questions.indexOf(trait(context.model, "about")) + 1) % questions.length];
  if (next !== void 0) context.write({ about: next });
}
function toggleReference(context, picture) {
  const known = references(context.model.get("references"));
  if (known?.kind !== "pictures" || picture < 0) return;
  const there = known.items.find((one) => one.picture === picture);
  if (there === void 0) context.model.send({ type: "reference", add: picture });
  else removeReference(context, there.name);
}
function removeReference(context, name) {
  context.model.send({ type: "reference", remove: name });
}
function toggleOverlay(context) {
  if (mode(context.model.get("mode")) === "multiply") return;
  context.write({ overlay: !trait(context.model, "overlay") });
}

// src/view/controls/classList.ts
var VISIBLE = 5e-3;
function classList(context, control) {
  const { model } = context;
  const caption = make("span", "camwidget-caption");
  const head = make(
    "div",
    "camwidget-class-heading",
    {},
    make("span", "camwidget-heading", {}, "Prediction"),
    control,
    caption
  );
  const names = make("div", "camwidget-class-names", { role: "group", "aria-label": "Classes" });
  const values = make("div", "camwidget-numbers");
  context.watch(["rows", "masked", "target", "stance", "quantity", "found"], () => {
    const found = findings(model.get("found")).boxes;
    const all = rows(model.get("rows"));
    const masked = numbers(model.get("masked"));
    const target = trait(model, "target");
    const { other } = stance(model);
    const measured = quantity(model.get("quantity"));
    setText(caption, `${masked.length > 0 ? "unmasked → masked" : "unmasked"}${unitSuffix(measured, ", ")}`);
    const buttons = fit(names, all.length, (at) => nameButton(context, at));
    const cells2 = fit(values, all.length, (at) => numberCell(context, at));
    all.forEach((row, at) => {
      const item = buttons[at];
      const cell = cells2[at];
      if (item === void 0 || cell === void 0) return;
      const chosen = String(row.index === target);
      item.dataset["index"] = String(row.index);
      const isRival = row.index === other;
      const deed = isRival ? `The class explained is contrasted with ${row.name}` : `Explain ${row.name}`;
      const where = found.find((one) => one.index === row.index)?.where ?? "";
      const placed = where === "" ? deed : `${deed}, ${where} in the picture`;
      item.title = at < 9 ? `${placed} (${at + 1})` : placed;
      if (where === "") item.removeAttribute("aria-label");
      else setAttribute(item, "aria-label", `${row.name}, ${where}`);
      setAttribute(item, "data-rival", String(isRival));
      setText(item, row.name);
      setAttribute(item, "aria-pressed", chosen);
      setAttribute(cell, "data-chosen", chosen);
      showNumbers(cell, row.unmasked, masked[at], measured);
    });
  });
  return { head, names, numbers: values };
}
function nothingFound(context) {
  const note = make("p", "camwidget-found-note", { hidden: true });
  context.watch(["found"], () => {
    const why = findings(context.model.get("found")).note;
    setText(note, why);
    note.hidden = why === "";
  });
  return note;
}
function nameButton(context, at) {
  const made = button("camwidget-name", { "aria-describedby": context.id(`number-${at}`) });
  made.addEventListener("click", () => pickClass(context, Number(made.dataset["index"])), {
    signal: context.signal
  });
  return made;
}
function numberCell(context, at, of = "number") {
  return make(
    "div",
    "camwidget-number",
    { id: context.id(`${of}-${at}`) },
    make("span", "camwidget-unmasked"),
    make("span", "camwidget-arrow"),
    make("span", "camwidget-masked")
  );
}
function showNumbers(cell, unmasked, masked, measured) {
  const [first, arrow, second] = cell.children;
  if (first === void 0 || arrow === void 0 || second === void 0) return;
  const [before, after] = readings(masked === void 0 ? [unmasked] : [unmasked, masked], measured);
  setText(first, before ?? "");
  setText(arrow, masked === void 0 ? "" : " → ");
  setText(second, after ?? "");
  const change2 = masked === void 0 ? 0 : masked - unmasked;
  const visible = measured === null ? VISIBLE : 0.5 * 10 ** -decimals(unmasked, masked ?? 0);
  const direction = change2 >= visible ? "up" : change2 <= -visible ? "down" : "same";
  setAttribute(cell, "data-change", direction);
}
function mostProbableRow(context) {
  const { model, signal } = context;
  const name = button("camwidget-most-probable-name", { title: "Explain this class" }, "…");
  const label2 = make("span", "camwidget-most-probable-label", {}, "now first");
  const bar = make("span", "camwidget-most-probable-bar", { "aria-hidden": "true" });
  const cell = numberCell(context, 0, "most-probable-number");
  const row = make(
    "div",
    "camwidget-most-probable",
    { role: "group", "aria-label": "Most probable class of the masked picture" },
    label2,
    name,
    bar,
    cell
  );
  let index = -1;
  name.addEventListener("click", () => index >= 0 && pickClass(context, index), { signal });
  context.watch(["most_probable", "quantity", "rows", "found"], () => {
    const now = mostProbable(model.get("most_probable"));
    index = now?.index ?? -1;
    const finds = findings(model.get("found")).questions.length > 0;
    row.hidden = finds || quantity(model.get("quantity")) !== null || rows(model.get("rows")).length < 2;
    row.classList.toggle("camwidget-most-probable-none", now === null);
    if (now === null) return;
    setText(label2, now.wasFirst ? "still first" : "now first");
    setText(name, now.name);
    bar.style.setProperty("--camwidget-value", `${100 * now.masked}%`);
    showNumbers(cell, now.unmasked, now.masked, null);
  });
  return row;
}

// src/view/comparison/comparedTraits.ts
var DIMENSIONS = ["model", "picture", "target", "method", "layer", "fraction"];
var ARRANGEMENTS = ["side", "split", "difference"];
function compared(model) {
  const from = fields(model.get("compare"));
  return Object.fromEntries(DIMENSIONS.filter((key) => key in from).map((key) => [key, from[key]]));
}
function isComparing(model) {
  return Object.keys(compared(model)).length > 0;
}
function comparedFraction(model) {
  const { fraction } = compared(model);
  return typeof fraction === "number" && fraction >= 0 && fraction <= 1 ? fraction : null;
}
function arrangement(model) {
  const value = model.get("arrangement");
  return ARRANGEMENTS.find((one) => one === value) ?? "side";
}
function comparedMap(model) {
  const from = fields(model.get("compared_explanation"));
  const own = model.get("compared_scene");
  const id = text(from["scene"]);
  const of = scene(id !== "" && sceneId(own) === id ? own : model.get("scene"));
  const map = explanation(from, of);
  if (of === null || map === null) return null;
  const names = fields(from["label"]);
  const label2 = Object.fromEntries(DIMENSIONS.map((key) => [key, text(names[key])]));
  return { scene: of, map, label: label2, note: text(from["substitutions"]), noDifference: text(from["no_difference"]) };
}
function comparedStatus(model) {
  const from = fields(model.get("compared_status"));
  return { busy: flag(from["busy"], false), note: text(from["note"]), error: text(from["error"]) };
}
function comparedPrediction(model) {
  const from = fields(model.get("compared_prediction"));
  const rows2 = /* @__PURE__ */ new Map();
  for (const row of list(from["rows"])) {
    rows2.set(number(fields(row)["index"], -1), change(row));
  }
  return { quantity: quantity(from["quantity"]), target: change(from["target"]), rows: rows2 };
}
function change(value) {
  const { unmasked, masked } = fields(value);
  return { unmasked: number(unmasked, Number.NaN), masked: typeof masked === "number" ? masked : void 0 };
}

// src/view/comparison/captions.ts
function captions(context) {
  const { model } = context;
  const percent3 = (fraction) => `${rounded(100 * fraction, 1)} %`;
  const a = new Caption("A");
  const b = new Caption("B");
  context.watch(
    [
      "compare",
      "compared_explanation",
      "compared_scene",
      "compared_prediction",
      "scene",
      "models",
      "pictures",
      "picture",
      "methods",
      "method",
      "explanation",
      "rows",
      "masked",
      "target",
      "stance",
      "fraction"
    ],
    () => {
      if (!isComparing(model)) return;
      const now = compared(model);
      const own = comparedFraction(model);
      const ownLabel = { ...labelOf(context), fraction: own === null ? "" : percent3(portion(model, "fraction")) };
      const map = comparedMap(model);
      const otherLabel = map === null ? null : { ...map.label, fraction: own === null ? "" : percent3(own) };
      const shownKeys = DIMENSIONS.filter(
        (key) => key === "method" || key !== "target" && (key in now || otherLabel !== null && otherLabel[key] !== ownLabel[key])
      );
      const answer = comparedPrediction(model);
      a.show(ownLabel, shownKeys, numbersOf(context), quantity(model.get("quantity")));
      b.show(otherLabel, shownKeys, answer.target, answer.quantity);
    }
  );
  return [a.element, b.element];
}
var Caption = class {
  constructor(name) {
    this.name = name;
    const badge = make("span", "camwidget-badge", { "data-of": name }, name);
    this.element = make("div", "camwidget-caption-line", { "data-of": name, hidden: true }, badge, this.what, this.numbers);
  }
  name;
  element;
  what = make("span", "camwidget-caption-title");
  numbers = make("span", "camwidget-caption-numbers");
  show(label2, shownKeys, { unmasked, masked }, measured) {
    const parts = label2 === null ? [] : [...shownKeys.map((key) => label2[key]), label2.target];
    const title = parts.filter((part) => part !== "").join(" · ");
    setText(this.what, title);
    this.element.title = `${this.name}: ${title}`;
    const shown2 = readings(masked === void 0 ? [unmasked] : [unmasked, masked], measured).join(" → ");
    setText(this.numbers, label2 === null || !Number.isFinite(unmasked) ? "" : `${shown2}${unitSuffix(measured, " ")}`);
  }
};
function labelOf({ model }) {
  const method = trait(model, "method");
  return {
    model: texts(model.get("models"))[0] ?? "",
    picture: texts(model.get("pictures"))[trait(model, "picture")] ?? "",
    target: targetLabel(model),
    method: methods(model.get("methods")).find(({ name }) => name === method)?.label ?? method,
    layer: mapLayer(model.get("explanation")).layer,
    fraction: ""
  };
}
function numbersOf({ model }) {
  const target = trait(model, "target");
  const all = rows(model.get("rows"));
  const at = all.findIndex(({ index }) => index === target);
  return { unmasked: all[at]?.unmasked ?? Number.NaN, masked: numbers(model.get("masked"))[at] };
}
function comparedNumbersColumn(context) {
  const { model } = context;
  const badge = make("span", "camwidget-badge", { "data-of": "B" }, "B");
  const head = make("div", "camwidget-compared-heading", { title: "B's prediction; – where its model has no class of that name" }, badge);
  const column = make("div", "camwidget-compared-numbers", { role: "group", "aria-label": "B's numbers" });
  context.watch(["compare", "rows", "target", "compared_prediction"], () => {
    head.hidden = column.hidden = !isComparing(model);
    if (column.hidden) {
      column.replaceChildren();
      return;
    }
    const all = rows(model.get("rows"));
    const target = trait(model, "target");
    const { rows: answers, quantity: measured } = comparedPrediction(model);
    const cells2 = fit(column, all.length, (at) => numberCell(context, at, "compared-number"));
    all.forEach(({ index }, at) => {
      const cell = cells2[at];
      if (cell === void 0) return;
      const answer = answers.get(index);
      setAttribute(cell, "data-chosen", String(index === target));
      showNumbers(cell, answer?.unmasked ?? Number.NaN, answer?.masked, measured);
    });
  });
  return [head, column];
}

// src/core/interpolation.ts
var { fround } = Math;
function between(at, cells2, pixels) {
  const exact = Math.max(0, fround(fround(fround(cells2 / pixels) * (at + 0.5)) - 0.5));
  const first = Math.min(Math.floor(exact), cells2 - 1);
  const part = Math.min(1, fround(exact - first));
  return [first, Math.min(first + 1, cells2 - 1), fround(1 - part), part];
}
function axis(cells2, pixels) {
  const made = {
    first: new Uint32Array(pixels),
    second: new Uint32Array(pixels),
    ofFirst: new Float32Array(pixels),
    ofSecond: new Float32Array(pixels)
  };
  for (let at = 0; at < pixels; at++) {
    [made.first[at], made.second[at], made.ofFirst[at], made.ofSecond[at]] = between(at, cells2, pixels);
  }
  return made;
}
function enlarge({ rows: rows2, columns, cells: cells2 }, width, height) {
  const out = new Float32Array(width * height);
  const across = axis(columns, width);
  const down = axis(rows2, height);
  const stretched = new Float32Array(rows2 * width);
  for (let row = 0, i = 0; row < rows2; row++) {
    const start = row * columns;
    for (let x = 0; x < width; x++, i++) {
      const left = cells2[start + across.first[x]] * across.ofFirst[x];
      const right = cells2[start + across.second[x]] * across.ofSecond[x];
      stretched[i] = left + fround(right);
    }
  }
  for (let y = 0, i = 0; y < height; y++) {
    const above = down.first[y] * width;
    const below = down.second[y] * width;
    const ofAbove = down.ofFirst[y];
    const ofBelow = down.ofSecond[y];
    for (let x = 0; x < width; x++, i++) {
      out[i] = stretched[above + x] * ofAbove + fround(stretched[below + x] * ofBelow);
    }
  }
  return out;
}
function enlargeAt({ rows: rows2, columns, cells: cells2 }, width, height, x, y) {
  const [left, right, ofLeft, ofRight] = between(x, columns, width);
  const [above, below, ofAbove, ofBelow] = between(y, rows2, height);
  const stretched = (row) => fround(cells2[row * columns + left] * ofLeft + fround(cells2[row * columns + right] * ofRight));
  return fround(stretched(above) * ofAbove + fround(stretched(below) * ofBelow));
}
function enlargedPeak(grids, width, height) {
  const all = grids.map((grid2) => ({ grid: grid2, bound: peakOf(grid2.cells) })).sort((a, b) => b.bound - a.bound);
  let peak = 0;
  for (const { grid: grid2, bound } of all) {
    if (bound <= peak) break;
    peak = Math.max(peak, peakOf(enlarge(grid2, width, height)));
  }
  return peak;
}
function toBytes(map) {
  const peak = peakOf(map);
  const out = new Uint8Array(map.length);
  if (peak === 0) return out;
  for (let i = 0; i < map.length; i++) out[i] = halfToEven(fround(fround(map[i] / peak) * 255));
  return out;
}
function halfToEven(value) {
  const low = Math.floor(value);
  const over = value - low;
  return over > 0.5 || over === 0.5 && low % 2 === 1 ? low + 1 : low;
}
function nearestCell(at, size2, cells2) {
  return Math.floor((2 * at + 1) * cells2 / (2 * size2));
}
function expandCells(cells2, rows2, columns, width, height) {
  const out = new Uint8Array(width * height);
  const column = new Uint32Array(width);
  for (let x = 0; x < width; x++) column[x] = nearestCell(x, width, columns);
  for (let y = 0, i = 0; y < height; y++) {
    const start = nearestCell(y, height, rows2) * columns;
    for (let x = 0; x < width; x++, i++) out[i] = cells2[start + column[x]];
  }
  return out;
}

// src/core/maskingRule.ts
function threshold(fraction) {
  return Math.floor(fraction * 65536 + 0.5);
}
function multiply(picture, saliency) {
  return Math.floor((2 * picture * saliency + 255) / 510);
}

// src/core/compositor.ts
var Compositor = class {
  width = 0;
  height = 0;
  /** The result, opaque RGBA. Replaced only when the size changes. */
  pixels = new Uint8ClampedArray(0);
  out = new Uint32Array(0);
  picture = new Uint32Array(0);
  heated = new Uint32Array(0);
  filling = new Uint32Array(0);
  heat = null;
  expanded = null;
  style = { overlay: false, opacity: 0, cells: false, colors: GRAY };
  fill = void 0;
  blended = false;
  table = blendTable();
  /** Where nothing is painted, and nothing ranked. */
  unpainted = new Int8Array(0);
  unranked = new Uint16Array(0);
  /** Which pixels were hidden last: all ones. */
  hidden = new Int32Array(0);
  /** Whether the fill painted last was made for other pixels than those hidden: they are hatched then. */
  provisional = false;
  setPicture({ width, height, rgb }) {
    const size2 = width * height;
    if (width !== this.width || height !== this.height) {
      this.width = width;
      this.height = height;
      this.pixels = new Uint8ClampedArray(4 * size2);
      this.out = new Uint32Array(this.pixels.buffer);
      this.picture = new Uint32Array(size2);
      this.heated = new Uint32Array(size2);
      this.filling = new Uint32Array(size2);
      this.unpainted = new Int8Array(size2);
      this.unranked = new Uint16Array(size2);
      this.hidden = new Int32Array(size2);
    }
    fromRgb(rgb, this.picture);
    this.fill = void 0;
    this.setHeat(null);
  }
  /** Null: no map belongs to this picture (yet). It is then drawn unmasked. */
  setHeat(heat) {
    this.heat = heat;
    this.expanded = null;
    this.blended = false;
  }
  setStyle(style) {
    this.style = style;
    this.blended = false;
  }
  paint(mask) {
    this.prepareFill(mask.fill);
    const paint2 = mask.paint?.length === this.out.length ? mask.paint : this.unpainted;
    if (this.heat === null) this.paintMasked(this.unranked, "remove", 0, paint2);
    else if (mask.mode === "multiply") this.paintProduct(this.heat.saliency, paint2);
    else this.paintMasked(this.heat.levels, mask.mode, mask.fraction, paint2);
    this.provisional = mask.hole != null && !this.isHidden(mask.hole);
    if (this.provisional) this.hatch();
    return this.pixels;
  }
  /** Every pixel is changed, so every pixel is shown as the model gets it, without the map. */
  paintProduct(saliency, paint2) {
    const { out, picture, filling, hidden } = this;
    for (let i = 0; i < out.length; i++) {
      const p = picture[i];
      const s = saliency[i];
      const by = paint2[i];
      hidden[i] = -by >> 31;
      if (by !== 0) {
        out[i] = by > 0 ? filling[i] : p;
        continue;
      }
      out[i] = OPAQUE | multiply(p >>> 16 & 255, s) << 16 | multiply(p >>> 8 & 255, s) << 8 | multiply(p & 255, s);
    }
  }
  paintMasked(levels, mode2, fraction, paint2) {
    const shown2 = this.prepareBlend();
    const { out, filling, hidden } = this;
    const t = threshold(fraction);
    const turned = mode2 === "keep" ? -1 : 0;
    for (let i = 0; i < out.length; i++) {
      const below = levels[i] - t >> 31;
      const by = paint2[i];
      const hide = (below ^ turned | -by >> 31) & ~(by >> 31);
      hidden[i] = hide;
      out[i] = filling[i] & hide | shown2[i] & ~hide;
    }
  }
  isHidden(hole) {
    const { hidden } = this;
    let other = hole.length ^ hidden.length;
    for (let i = 0; i < hidden.length; i++) other |= hole[i] + hidden[i];
    return other === 0;
  }
  /** Diagonal lines over what is hidden: these are not yet the pixels that the model gets. */
  hatch() {
    const { out, hidden, width } = this;
    for (let i = 0, x = 0, y = 0; i < out.length; i++) {
      if (hidden[i] !== 0 && (x + y) % 6 < 2) out[i] = OPAQUE | out[i] >>> 1 & 8355711;
      if (++x === width) {
        x = 0;
        y += 1;
      }
    }
  }
  prepareFill(fill2) {
    if (this.fill === fill2) return;
    this.fill = fill2;
    if (fill2?.length === 3 * this.filling.length) fromRgb(fill2, this.filling);
    else if (fill2?.length === 3) this.filling.fill(pack(fill2[0], fill2[1], fill2[2]));
    else this.filling.fill(OPAQUE);
  }
  prepareBlend() {
    const { style, heat } = this;
    if (heat === null || !style.overlay || style.opacity <= 0) return this.picture;
    if (!this.blended) {
      const colors = style.colors.length === COLORMAP_BYTES ? style.colors : GRAY;
      fillBlendTable(this.table, colors, Math.min(1, style.opacity));
      this.blend(style.cells ? this.cellMap(heat) : heat.drawn ?? heat.saliency);
      this.blended = true;
    }
    return this.heated;
  }
  blend(map) {
    const { picture, heated } = this;
    const { stay, redBlue, green } = this.table;
    for (let i = 0; i < heated.length; i++) {
      const p = picture[i];
      const v = map[i];
      const keep = stay[v];
      const rb = (p & 16711935) * keep + redBlue[v] >>> 8;
      const g = (p >>> 8 & 255) * keep + green[v];
      heated[i] = OPAQUE | rb & 16711935 | g & 65280;
    }
  }
  cellMap(heat) {
    if (heat.cells === null) return heat.drawn ?? heat.saliency;
    const { values, rows: rows2, columns } = heat.cells;
    this.expanded ??= expandCells(values, rows2, columns, this.width, this.height);
    return this.expanded;
  }
};

// src/core/difference.ts
function paintDifference(out, { rgb, a, b }, colors, opacity2) {
  const table = differenceTable(colors, opacity2);
  for (let i = 0; i < out.length; i++) {
    const at = 255 + a[i] - b[i];
    const gray = luma(rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2]);
    const rb = (gray << 16 | gray) * table.stay[at] + table.redBlue[at] >>> 8;
    const g = gray * table.stay[at] + table.green[at];
    out[i] = OPAQUE | rb & 16711935 | g & 65280;
  }
}
function differenceTable(given, opacity2) {
  const colors = given.length === COLORMAP_BYTES ? given : GRAY;
  const table = blendTable(511);
  for (let at = 0; at < 511; at++) {
    setBlend(table, at, colors, at >> 1, Math.round(256 * opacity2 * strength(Math.abs(at - 255) / 255)));
  }
  return table;
}
function strength(apart) {
  return 1 - (1 - apart) ** 3;
}
function luma(red, green, blue) {
  return 77 * red + 150 * green + 29 * blue + 128 >> 8;
}

// src/view/listeners.ts
var Listeners = class {
  callbacks = /* @__PURE__ */ new Set();
  add(callback) {
    this.callbacks.add(callback);
  }
  delete(callback) {
    this.callbacks.delete(callback);
  }
  notify() {
    for (const callback of [...this.callbacks]) callback();
  }
  get size() {
    return this.callbacks.size;
  }
};
var Observable = class {
  /** @param isEqual whether a new value is no change */
  constructor(current, isEqual = Object.is) {
    this.current = current;
    this.isEqual = isEqual;
  }
  current;
  isEqual;
  listeners = new Listeners();
  get value() {
    return this.current;
  }
  set(value) {
    if (this.isEqual(value, this.current)) return;
    this.current = value;
    this.listeners.notify();
  }
  listen(callback) {
    this.listeners.add(callback);
  }
};
function frameTask(signal, run) {
  let request = 0;
  const cancel = () => {
    cancelAnimationFrame(request);
    request = 0;
  };
  signal.addEventListener("abort", cancel);
  return {
    schedule: () => {
      if (request !== 0 || signal.aborted) return;
      request = requestAnimationFrame(() => {
        request = 0;
        run();
      });
    },
    cancel
  };
}

// src/view/picture/baselineFill.ts
var BaselineFills = class {
  /** @param trait the name of the trait with the kernel's fill */
  constructor(context, trait2 = "baseline_fill") {
    this.context = context;
    this.trait = trait2;
  }
  context;
  trait;
  scene = null;
  baseline = "";
  raw = void 0;
  fill = new Uint8Array(0);
  hole = new Uint8Array(0);
  of(scene2, baseline) {
    const known = scene2.fills.get(baseline);
    if (known !== void 0 || baseline === "") return { fill: known ?? null, hole: null };
    const raw = this.context.model.get(this.trait);
    const isOther = scene2 !== this.scene || baseline !== this.baseline;
    if (isOther) this.restart(scene2, baseline);
    if (isOther || raw !== this.raw) this.take(raw, scene2, baseline);
    return { fill: this.fill, hole: this.hole };
  }
  restart(scene2, baseline) {
    this.scene = scene2;
    this.baseline = baseline;
    this.hole = new Uint8Array(scene2.width * scene2.height);
    const mean = scene2.fills.get("mean") ?? new Uint8Array(3);
    this.fill = Uint8Array.from({ length: 3 * this.hole.length }, (_, i) => mean[i % mean.length]);
  }
  take(raw, scene2, baseline) {
    this.raw = raw;
    const given = inpaintedFill(raw, scene2);
    if (given === null || given.baseline !== baseline) return;
    const { hole, rgb } = given;
    const fill2 = this.fill.slice();
    for (let i = 0, from = 0; i < hole.length; i++) {
      if (hole[i] === 0) continue;
      for (let channel = 0; channel < 3; channel++) fill2[3 * i + channel] = rgb[from++];
    }
    this.fill = fill2;
    this.hole = hole;
  }
};

// src/view/brush/paintLayer.ts
var PaintLayer = class {
  /** @param name of the trait: paint, or the region that is asked about, whose pixels are those of the value 1 */
  constructor(context, name = "paint") {
    this.context = context;
    this.name = name;
    context.watch(["scene", name], () => this.follow());
    this.writing = frameTask(context.signal, () => this.write());
  }
  context;
  name;
  /** One number a pixel (see core/userMask.ts), row by row. */
  pixels = new Int8Array(0);
  width = 0;
  scene = "";
  raw = void 0;
  /** The number of the stroke; it only rises, so that each stroke can be told from the one before. */
  stroke = 0;
  drawing = false;
  changed = false;
  listeners = new Listeners();
  writing;
  /** Calls `update` after each change. */
  listen(update) {
    this.listeners.add(update);
  }
  /** The id of the picture that is painted on; "" before there is one. */
  get sceneId() {
    return this.scene;
  }
  get isDrawing() {
    return this.drawing;
  }
  get isEmpty() {
    return !this.pixels.some((value) => value !== 0);
  }
  /** A summary of the paint, such as "3 % hidden"; "" where nothing is painted. */
  get summary() {
    const { hidden, kept } = covered(this.pixels);
    const parts = [hidden > 0 ? `${percent(hidden)} hidden` : "", kept > 0 ? `${percent(kept)} kept` : ""];
    return parts.filter((part) => part !== "").join(", ");
  }
  begin() {
    this.drawing = true;
    this.changed = false;
  }
  /** Within a stroke. */
  draw(from, to, diameter, shade) {
    if (!this.drawing || this.width === 0) return;
    const { model } = this.context;
    const count = frameCount(model.get("scene"));
    const height = this.pixels.length / this.width / count;
    const top = height * clamp(trait(model, "frame"), 0, count - 1);
    const shown2 = this.pixels.subarray(top * this.width, (top + height) * this.width);
    const down = ({ x, y }) => ({ x, y: y - top });
    if (draw(shown2, this.width, down(from), down(to), diameter, shade)) this.touch();
  }
  end() {
    if (!this.drawing) return;
    this.drawing = false;
    if (this.changed) this.write();
    else this.follow();
  }
  /** A stroke of its own, which takes everything away. */
  clear() {
    if (this.isEmpty) return;
    this.begin();
    this.pixels.fill(0);
    this.touch();
    this.end();
  }
  /** A stroke of its own, which hides some pixels, or shows them again if all of them are hidden. */
  toggle(isMeant) {
    const all = Array.from(this.pixels.keys()).filter(isMeant);
    if (all.length === 0) return;
    const next = all.every((pixel) => this.pixels[pixel] === HIDDEN) ? 0 : HIDDEN;
    this.begin();
    for (const pixel of all) this.pixels[pixel] = next;
    this.touch();
    this.end();
  }
  touch() {
    if (!this.changed) this.stroke = Math.max(this.stroke, paint(this.context.model.get(this.name)).stroke) + 1;
    this.changed = true;
    this.writing.schedule();
    this.listeners.notify();
  }
  write() {
    this.writing.cancel();
    if (this.context.signal.aborted) return;
    const written2 = { scene: this.scene, runs: encode(this.pixels), stroke: this.stroke, painting: this.drawing };
    this.raw = written2;
    this.context.write({ [this.name]: written2 });
    if (!this.drawing) this.listeners.notify();
  }
  follow() {
    const { model } = this.context;
    const shown2 = scene(model.get("scene"));
    const raw = model.get(this.name);
    const given = paint(raw);
    if (shown2 === null) return;
    const isOther = shown2.id !== this.scene || shown2.rgb.length !== 3 * this.pixels.length;
    if (isOther) {
      this.drawing = false;
      this.scene = shown2.id;
      this.width = shown2.width;
      this.pixels = new Int8Array(shown2.width * shown2.height);
      this.raw = void 0;
    }
    const isNews = raw !== this.raw && given.scene === shown2.id && !this.drawing;
    if (isNews) {
      this.raw = raw;
      this.pixels = decode(given.runs, this.pixels.length) ?? this.pixels;
    }
    if (isNews || isOther) this.listeners.notify();
  }
};

// src/view/brush/paintOutlines.ts
var PaintOutlines = class {
  element;
  context;
  painted;
  hatch;
  constructor(context, painted, className2 = "") {
    this.element = overlay(`camwidget-paint-outlines ${className2}`.trim());
    this.context = context;
    this.painted = painted;
    this.hatch = context.id(`kept${className2}`);
    painted.listen(frameTask(context.signal, () => this.draw()).schedule);
    context.watch(["overlay", "opacity"], () => this.update());
  }
  /** To be called after the brush was activated or deactivated. */
  update() {
    const { model, tool } = this.context;
    const isOn = trait(model, "overlay") && portion(model, "opacity") > 0;
    this.element.style.display = isOn || tool.value === "paint" ? "" : "none";
    if (this.element.childElementCount === 0) this.draw();
  }
  draw() {
    const { pixels, width } = this.painted;
    if (width === 0) return;
    this.element.setAttribute("viewBox", `0 0 ${width} ${pixels.length / width}`);
    this.element.replaceChildren(
      this.pattern(width),
      svg("path", { class: "area", d: area(pixels, width, KEPT), fill: `url(#${this.hatch})` }),
      ...this.lines("hidden", HIDDEN),
      ...this.lines("kept", KEPT)
    );
  }
  lines(name, shade) {
    const d = border(this.painted.pixels, this.painted.width, shade);
    return d === "" ? [] : line(d, name, `under ${name}`);
  }
  /** The hatching of kept areas: about forty thin lines across the picture. */
  pattern(width) {
    const step2 = width / 40;
    const made = svg("pattern", {
      id: this.hatch,
      width: step2,
      height: step2,
      patternUnits: "userSpaceOnUse",
      patternTransform: "rotate(45)"
    });
    made.append(svg("rect", { width: step2 / 4, height: step2 }));
    return made;
  }
};

// src/view/picture/frames.ts
var PACE = 200;
var TRIANGLE = "M2 0V10L10 5Z";
var PAUSE = "M1 0H4V10H1ZM6 0H9V10H6Z";
var Frames = class {
  constructor(context) {
    this.context = context;
    context.watch(["frame", "scene"], () => this.listeners.notify());
    context.signal.addEventListener("abort", () => window.clearInterval(this.timer));
  }
  context;
  listeners = new Listeners();
  timer = 0;
  /** The frame shown while the clip plays; the kernel is told where it stops. */
  playing = 0;
  stopsAtEnd = false;
  get count() {
    return frameCount(this.context.model.get("scene"));
  }
  get shown() {
    return clamp(this.isPlaying ? this.playing : trait(this.context.model, "frame"), 0, this.count - 1);
  }
  get isPlaying() {
    return this.timer !== 0;
  }
  /** Calls `update` whenever another frame, or another clip, is shown. */
  listen(update) {
    this.listeners.add(update);
  }
  show(frame2) {
    this.end();
    this.context.write({ frame: clamp(frame2, 0, this.count - 1) });
    this.listeners.notify();
  }
  step(by) {
    if (this.count > 1) this.show(this.shown + by);
  }
  /** Plays the clip until stopped; with reduced motion preferred, once. */
  toggle() {
    if (this.stop() || this.count < 2) return;
    this.stopsAtEnd = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.playing = this.stopsAtEnd ? 0 : this.shown;
    this.timer = window.setInterval(() => this.next(), PACE);
    this.listeners.notify();
  }
  /** False when it was not playing. */
  stop() {
    if (!this.isPlaying) return false;
    this.show(this.shown);
    return true;
  }
  /** A place in the whole strip, from 0 to 1 each way, as one in the frame shown. */
  inFrame({ x, y }) {
    return { x, y: y * this.count - this.shown };
  }
  next() {
    if (this.count < 2 || this.stopsAtEnd && this.playing >= this.count - 1) {
      this.stop();
      return;
    }
    this.playing = (this.playing + 1) % this.count;
    this.listeners.notify();
  }
  end() {
    window.clearInterval(this.timer);
    this.timer = 0;
  }
};
function frameControl({ signal }, frames) {
  const sign = svg("path");
  const drawing = svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, sign);
  const play = button("camwidget-button camwidget-play-frames", {}, drawing);
  play.addEventListener("click", () => frames.toggle(), { signal });
  const range = make("input", "camwidget-range camwidget-frames", {
    type: "range",
    min: 0,
    step: 1,
    "aria-label": "Frame of the clip",
    title: "Frame of the clip (< and >)",
    ...OWN_KEYS
  });
  range.addEventListener("input", () => frames.show(Number(range.value)), { signal });
  const number2 = make("span", "camwidget-frame-number", { "aria-hidden": "true" });
  const line2 = make("div", "camwidget-frame-control", {}, make("span", "camwidget-frame-label", {}, "Frame"), play, range, number2);
  const update = () => {
    const { count, shown: shown2, isPlaying } = frames;
    line2.hidden = count < 2;
    range.max = String(Math.max(1, count - 1));
    const value = String(shown2);
    if (range.value !== value) range.value = value;
    setAttribute(range, "aria-valuetext", `${shown2 + 1} of ${count}`);
    setText(number2, `${shown2 + 1} / ${count}`);
    sign.setAttribute("d", isPlaying ? PAUSE : TRIANGLE);
    setAttribute(play, "aria-label", isPlaying ? "Pause the clip" : "Play the clip");
    setAttribute(play, "title", isPlaying ? "Pause here (k, Esc)" : "Play the clip (k)");
  };
  frames.listen(update);
  update();
  return line2;
}

// src/view/picture/foundOverlay.ts
var MOVED = 1;
function foundOverlay(context) {
  const { model } = context;
  const drawing = make("div", "camwidget-found", { "aria-hidden": "true" });
  context.watch(["found", "found_masked", "findings", "scene", "target", "overlay", "class_names", "about"], () => {
    const of = trait(model, "findings") ? scene(model.get("scene")) : null;
    const { before, now } = shown(context, of);
    if (of === null || before === null) {
      drawing.replaceChildren();
      return;
    }
    const target = trait(model, "target");
    const about = trait(model, "about");
    const parts = before.areas === null ? before.boxes.flatMap((one) => boxParts(one, now === null ? one : now.boxes.find(({ index }) => index === one.index), target, about, of)) : areaParts((now ?? before).areas ?? before.areas, target);
    drawing.classList.toggle("camwidget-found-alone", !trait(model, "overlay"));
    drawing.replaceChildren(...parts);
  });
  return drawing;
}
function pickFound(context, point) {
  const { model } = context;
  const { before, now } = shown(context, trait(model, "findings") ? scene(model.get("scene")) : null);
  const index = before === null ? -1 : classAt(now ?? before, point);
  if (index < 0) return false;
  pickClass(context, index);
  return true;
}
function shown({ model }, of) {
  const before = findings(model.get("found"));
  if (of === null || before.scene !== of.id || before.boxes.length === 0 && before.areas === null) return { before: null, now: null };
  const now = findings(model.get("found_masked"));
  return { before, now: now.scene === of.id ? now : null };
}
function boxParts(before, now, target, about, of) {
  const chosen = before.index === target;
  const isLost = now === void 0 || now.lost;
  const drawn = isLost ? before : now;
  const frame2 = overlay("camwidget-found-box", `0 0 ${of.width} ${of.height}`);
  frame2.append(...line(outline(drawn)));
  const side = chosen && !isLost ? edge(drawn, about) : "";
  if (side !== "") frame2.append(...line(side, "over camwidget-asked-edge", "under camwidget-asked-edge"));
  frame2.classList.toggle("camwidget-found-lost", isLost);
  const label2 = make("span", "camwidget-found-label", {}, `${before.name} `, make("b", "", {}, isLost ? "lost" : drawn.score.toFixed(2)));
  const parts = [frame2, label2];
  if (chosen && !isLost && isMoved(before, drawn)) {
    const was = overlay("camwidget-found-box camwidget-found-before", `0 0 ${of.width} ${of.height}`);
    was.append(...line(outline(before)));
    parts.unshift(was);
  }
  for (const part of parts) part.classList.toggle("camwidget-chosen", chosen);
  const isInside = drawn.top < of.height / 12;
  label2.classList.toggle("camwidget-found-inside", isInside);
  const left = Math.max(0, drawn.left) / of.width;
  const right = Math.min(of.width, drawn.right) / of.width;
  placeAt(label2, { x: left, y: Math.max(0, drawn.top) / of.height });
  if (left + right > 1) {
    label2.style.left = "auto";
    label2.style.right = `${100 * (1 - right)}%`;
  }
  label2.style.maxWidth = `${100 * Math.max(right, 1 - left)}%`;
  return parts;
}
function outline({ left, top, right, bottom }) {
  return `M${left} ${top}H${right}V${bottom}H${left}Z`;
}
function edge({ left, top, right, bottom }, about) {
  if (about === "left" || about === "right") return `M${about === "left" ? left : right} ${top}V${bottom}`;
  if (about === "top" || about === "bottom") return `M${left} ${about === "top" ? top : bottom}H${right}`;
  return "";
}
function isMoved(one, other) {
  return ["left", "top", "right", "bottom"].some((side) => Math.abs(one[side] - other[side]) > MOVED);
}
function areaParts({ width, height, classes, labels }, target) {
  const drawn = overlay("camwidget-found-areas", `0 0 ${width} ${height}`);
  drawn.append(...line(edges(classes, width)));
  const chosen = Int8Array.from(classes, (one) => one === target ? HIDDEN : 0);
  const path2 = border(chosen, width, HIDDEN);
  if (path2 !== "") {
    drawn.append(svg("path", { class: "fill", d: area(chosen, width, HIDDEN) }), ...line(path2, "over camwidget-chosen", "under"));
  }
  const names = labels.map(({ index, name, x, y }) => {
    const label2 = make("span", "camwidget-found-label camwidget-found-area-label", {}, name);
    label2.classList.toggle("camwidget-chosen", index === target);
    placeAt(label2, relativeCenter({ x, y }, { width, height }));
    return label2;
  });
  return [drawn, ...names];
}

// src/view/picture/outlines.ts
function outlines(context) {
  const { model } = context;
  const drawing = overlay("camwidget-outlines");
  context.watch(["ground_truth", "scene", "outlines"], () => {
    const on = trait(model, "outlines");
    const of = on ? scene(model.get("scene")) : null;
    const known = of === null ? null : groundTruth(model.get("ground_truth"));
    if (of === null || known === null || known.scene !== of.id) {
      drawing.replaceChildren();
      return;
    }
    drawing.setAttribute("viewBox", `0 0 ${of.width} ${of.height}`);
    drawing.replaceChildren(
      ...known.objects.flatMap((path2) => line(path2, "object")),
      ...known.evidence === "" ? [] : line(known.evidence, "evidence", "under evidence")
    );
  });
  return drawing;
}
function groundTruthSummary({ model }) {
  return [outlinesSummary(model), boxSummary(model)].filter((one) => one !== "").join(" ");
}
function outlinesSummary(model) {
  if (!trait(model, "outlines")) return "";
  return groundTruth(model.get("ground_truth"))?.summary ?? "Not known for this picture.";
}
function boxSummary(model) {
  return trait(model, "boxes") ? box2(model.get("box"))?.summary ?? "" : "";
}
function groundTruthLine(context) {
  const { model, signal } = context;
  const toggle2 = button(
    "camwidget-button camwidget-ground-truth-toggle",
    { "aria-pressed": "false", title: "Outline what is truly there; thick: where the evidence for the chosen class is (o)" },
    "outlines"
  );
  toggle2.addEventListener("click", () => toggleOutlines(context), { signal });
  const note = make("span", "");
  const agreement = make("span", "");
  const element = make(
    "div",
    "camwidget-line camwidget-ground-truth",
    {},
    make("span", "camwidget-label", {}, "Truth"),
    toggle2,
    make("span", "camwidget-ground-truth-summary", { "aria-live": "polite" }, note, agreement)
  );
  context.watch(["ground_truth", "has_ground_truth", "outlines"], () => {
    const on = trait(model, "outlines");
    element.hidden = !trait(model, "has_ground_truth");
    setAttribute(toggle2, "aria-pressed", String(on));
    setText(note, outlinesSummary(model));
  });
  context.watch(["outlines", "boxes"], () => {
    element.classList.toggle("camwidget-ground-truth-shown", trait(model, "outlines") || trait(model, "boxes"));
  });
  context.watch(["box", "boxes"], () => setText(agreement, boxSummary(model)));
  return element;
}
function boxes(context) {
  const { model } = context;
  const drawing = make("div", "camwidget-boxes", { "aria-hidden": "true" });
  context.watch(["box", "scene", "boxes"], () => {
    const of = trait(model, "boxes") ? scene(model.get("scene")) : null;
    const found = of === null ? null : box2(model.get("box"));
    if (of === null || found === null || found.scene !== of.id) drawing.replaceChildren();
    else drawing.replaceChildren(frame(found, of), mark(found, of));
  });
  return drawing;
}
function frame({ left, top, right, bottom }, { width, height }) {
  const path2 = `M${left} ${top}H${right}V${bottom}H${left}Z`;
  const made = overlay("camwidget-box", `0 0 ${width} ${height}`);
  made.append(...line(path2));
  return made;
}
function mark({ x, y, hit }, scene2) {
  const shape = hit === "miss" ? "M5 5L15 15M15 5L5 15" : hit === "hit" ? "M10 10h0" : "M10 5V15M5 10H15";
  const made = overlay("camwidget-peak", "0 0 20 20");
  made.append(...line(`M18 10A8 8 0 1 1 2 10A8 8 0 1 1 18 10Z${shape}`));
  made.dataset["hit"] = hit;
  placeAt(made, relativeCenter({ x, y }, scene2));
  return made;
}

// src/view/pictureParts.ts
function pictureParts(value) {
  const from = fields(value);
  const raw = bytes(from["labels"]);
  const [width, height, count] = [number(from["width"], 0), number(from["height"], 0), number(from["count"], 0)];
  if (raw === null || raw.length === 0 || raw.length !== 2 * width * height) return null;
  return { scene: text(from["scene"]), width, height, count, labels: uint16(raw), isOfMap: flag(from["of_map"], false) };
}
function partValues(explanation2) {
  const from = fields(fields(explanation2)["parts"]);
  const errors = list(from["errors"]);
  return list(from["values"]).map((value, at) => {
    const error = number(errors[at], Number.NaN);
    return { value: number(value, 0), error: Number.isNaN(error) ? null : error };
  });
}
function partsAreOn({ model }) {
  const choice = trait(model, "parts");
  return choice === "on" || choice !== "off" && flag(fields(model.get("picture_parts"))["of_map"], false);
}
function toggleParts(context) {
  const isOfMap = flag(fields(context.model.get("picture_parts"))["of_map"], false);
  const next = !partsAreOn(context);
  context.write({ parts: next === isOfMap ? "auto" : next ? "on" : "off" });
}
function partAt({ labels, width }, { x, y }) {
  return labels[y * width + x] ?? -1;
}

// src/view/picture/partsOverlay.ts
var PartsOverlay = class {
  constructor(context, painted) {
    this.context = context;
    this.painted = painted;
    context.watch(["picture_parts", "parts", "scene"], () => this.update());
    context.hover.listen(() => this.point());
    context.tool.listen(() => this.point());
    painted.listen(() => this.point());
  }
  context;
  painted;
  element = overlay("camwidget-parts");
  parts = null;
  raw = void 0;
  pointed = -1;
  /** The parts that are drawn; null where there are none, or those of another picture. */
  get drawn() {
    const { parts, painted } = this;
    const fits = parts?.scene === painted.sceneId && parts.labels.length === painted.pixels.length;
    return fits && partsAreOn(this.context) ? parts : null;
  }
  /** Describes the part at a pixel, with its value where the map has one for each; "" where none is drawn. */
  describe(point) {
    const { drawn } = this;
    if (drawn === null) return "";
    const at = partAt(drawn, point);
    const name = `part ${at + 1} of ${drawn.count}`;
    const known = drawn.isOfMap ? partValues(this.context.model.get("explanation"))[at] : void 0;
    if (known === void 0) return name;
    const error = known.error === null || known.error === 0 ? "" : ` ± ${known.error.toFixed(2)}`;
    return `${name}: ${known.value < 0 ? "−" : "+"}${Math.abs(known.value).toFixed(2)}${error}`;
  }
  /** Hides the part at a pixel, or shows it again if it is hidden; false where no parts are drawn, or nothing can be painted. */
  toggle(point) {
    const { drawn } = this;
    if (drawn === null || !this.context.runsModel) return false;
    const part = partAt(drawn, point);
    this.painted.toggle((pixel) => drawn.labels[pixel] === part);
    return true;
  }
  update() {
    const { model } = this.context;
    const raw = model.get("picture_parts");
    if (raw !== this.raw) {
      this.raw = raw;
      this.parts = pictureParts(raw);
    }
    const { drawn } = this;
    this.pointed = -1;
    if (drawn === null) {
      this.element.replaceChildren();
      return;
    }
    this.element.setAttribute("viewBox", `0 0 ${drawn.width} ${drawn.height}`);
    this.element.replaceChildren(...line(edges(drawn.labels, drawn.width)), svg("path", { class: "pointed" }));
    this.point();
  }
  /** Marks the part under the pointer, unless a tool uses the pointer. */
  point() {
    const { drawn, context } = this;
    const point = context.tool.value === "" ? context.hover.value : null;
    const pointed = drawn === null || point === null ? -1 : partAt(drawn, point);
    if (pointed === this.pointed) return;
    this.pointed = pointed;
    const mask = drawn === null || pointed < 0 ? null : Int8Array.from(drawn.labels, (one) => one === pointed ? HIDDEN : 0);
    this.element.querySelector(".pointed")?.setAttribute("d", mask === null ? "" : border(mask, drawn.width, HIDDEN));
  }
};

// src/view/picture/progress.ts
function progressLine(context) {
  const done = make("div", "camwidget-progress-done");
  const line2 = make("div", "camwidget-progress", { role: "progressbar", "aria-label": "Computing" }, done);
  context.watch(["busy", "progress"], () => {
    const progress = trait(context.model, "progress");
    line2.hidden = !trait(context.model, "busy");
    line2.classList.toggle("camwidget-indeterminate", progress < 0);
    done.style.width = progress < 0 ? "" : `${100 * Math.min(1, progress)}%`;
    if (progress < 0) line2.removeAttribute("aria-valuenow");
    else setAttribute(line2, "aria-valuenow", String(Math.round(100 * Math.min(1, progress))));
  });
  return line2;
}
function previewTag(context) {
  const { model, scrub } = context;
  const line2 = make("div", "camwidget-tag");
  const update = () => {
    const { preview } = scrub;
    const label2 = preview === null ? unfinished() : `${preview.layer} · preview`;
    setText(line2, label2);
    line2.hidden = label2 === "";
  };
  const unfinished = () => {
    if (!trait(model, "partial")) return "";
    const progress = trait(model, "progress");
    return progress < 0 ? "partial map" : `partial map · ${percent(Math.round(100 * Math.min(1, progress)) / 100)}`;
  };
  context.watch(["partial", "progress"], update);
  scrub.listen(update);
  return line2;
}
var CancelButton = class {
  /** @param leave takes the focus when the button goes */
  constructor(context, leave) {
    this.context = context;
    const { model, signal } = context;
    this.element = button("camwidget-button camwidget-cancel", { title: "Stop computing this map (Esc)" });
    this.element.addEventListener("click", () => this.press(), { signal });
    context.watch(["busy", "can_cancel"], () => {
      const hide = !(trait(model, "busy") && trait(model, "can_cancel"));
      if (hide && this.element === document.activeElement) leave();
      this.element.hidden = hide;
    });
    context.watch(
      ["busy", "can_cancel", "scene", "target", "method", "layer"],
      () => setText(this.element, "Cancel")
    );
  }
  context;
  element;
  /** False when there is nothing to stop. */
  press() {
    if (this.element.hidden) return false;
    setText(this.element, "Canceling…");
    this.context.model.send({ type: "cancel" });
    return true;
  }
};
function markPending(context, root) {
  const { model, scrub } = context;
  const update = () => {
    const busy = trait(model, "busy");
    const waits = busy || trait(model, "pending") || scrub.preview !== null;
    root.classList.toggle("camwidget-waiting", waits);
    root.classList.toggle("camwidget-unfinished", busy && trait(model, "partial"));
  };
  context.watch(["busy", "pending", "partial"], update);
  scrub.listen(update);
}

// src/view/picture/stage.ts
var SMALL = 96;
var UNMASKED = { mode: "remove", fraction: 0 };
var Stage = class {
  constructor(context) {
    this.context = context;
    const { model, scrub } = context;
    this.repaint = frameTask(context.signal, () => this.paint()).schedule;
    this.frames = new Frames(context);
    this.cancel = new CancelButton(context, () => this.focus());
    this.painted = new PaintLayer(context);
    this.paintOutlines = new PaintOutlines(context, this.painted);
    this.parts = new PartsOverlay(context, this.painted);
    this.region = new PaintLayer(context, "region");
    this.regionOutlines = new PaintOutlines(context, this.region, "camwidget-region-outlines");
    this.fillings = new BaselineFills(context);
    this.canvas = make("canvas", "camwidget-canvas", { role: "img" });
    this.drawing = this.canvas.getContext("2d");
    this.canvas.addEventListener("pointerdown", () => this.frames.stop(), { signal: context.signal });
    this.plane = make("div", "camwidget-plane", {}, this.canvas, outlines(context), boxes(context), this.parts.element, foundOverlay(context));
    this.clip = make("div", "camwidget-clip", {}, this.plane);
    this.frame = make(
      "div",
      "camwidget-frame",
      {
        tabindex: 0,
        role: "group",
        "aria-label": "Picture",
        // No tooltip: it would cover the picture. The line below the picture has the same hint.
        "aria-description": "Click a point (or w a s d, enter) to list the classes with the strongest maps there; + and - zoom",
        ...OWN_KEYS
      },
      this.clip,
      this.empty,
      this.note,
      previewTag(context),
      progressLine(context),
      this.cancel.element
    );
    context.watch(["scene", "explanation"], () => {
      this.read(model.get("scene"), model.get("explanation"));
      this.repaint();
    });
    context.watch(["overlay", "opacity", "cells", "colormap", "colormaps"], () => {
      this.compositor.setStyle(mapStyle(model));
      this.repaint();
    });
    context.watch(["fraction", "mode", "baseline", "baseline_fill"], () => this.repaint());
    this.painted.listen(() => {
      this.label();
      this.repaint();
    });
    context.watch(["busy", "partial"], () => {
      setAttribute(this.frame, "aria-busy", String(trait(model, "busy")));
      this.frame.classList.toggle("camwidget-partial", trait(model, "partial"));
      if (this.scene === null) this.announceEmpty();
    });
    scrub.listen(() => {
      if (this.preview === scrub.preview) return;
      this.drawMap();
      this.repaint();
    });
  }
  context;
  /** The frame around the picture; zooming does not change it. */
  frame;
  /** Clips the plane where the picture is enlarged. */
  clip;
  /** The canvas and all that is placed in the picture's coordinates; it is larger than the frame where the picture is zoomed. */
  plane;
  canvas;
  cancel;
  /** Of a clip, the frame that is shown. */
  frames;
  /** The map on the canvas; null if there is none, or it is all zeros. */
  drawn = null;
  painted;
  paintOutlines;
  /** The parts of the picture, which a click hides. */
  parts;
  /** The region that is asked about, of a model that takes one. */
  region;
  regionOutlines;
  fillings;
  compositor = new Compositor();
  drawing;
  empty = make("div", "camwidget-empty");
  note = make("div", "camwidget-note");
  image = null;
  scene = null;
  map = null;
  preview = null;
  rawScene = void 0;
  listeners = new Listeners();
  title = "";
  /** Repaints at the next frame, once for all changes. */
  repaint;
  /** The id of the picture shown; null when there is none. */
  get sceneId() {
    return this.scene?.id ?? null;
  }
  /** Calls `update` whenever another map is drawn. */
  listen(update) {
    this.listeners.add(update);
  }
  /** Returns the pixel under or nearest to a pointer; null before there is a picture. */
  at({ clientX, clientY }) {
    const spot = this.over({ clientX, clientY });
    return spot === null ? null : pixelAt(spot, this.canvas);
  }
  /** Returns the position of a pointer in pixels of the picture, also outside it; null before there is a picture. */
  over({ clientX, clientY }) {
    const position = relativePosition(this.canvas, { clientX, clientY });
    const { width, height } = this.canvas;
    return position === null ? null : { x: position.x * width, y: position.y * height };
  }
  focus() {
    this.frame.focus({ preventScroll: true });
  }
  paint() {
    if (this.image === null || this.drawing === null || this.scene === null) return;
    const { model } = this.context;
    const chosen = mode(model.get("mode"));
    const byMap = this.preview === null || chosen === "multiply" ? { mode: chosen, fraction: this.context.fraction() } : UNMASKED;
    const filling = this.fillings.of(this.scene, trait(model, "baseline"));
    this.compositor.paint({ ...byMap, ...filling, paint: this.painted.pixels });
    this.frame.classList.toggle("camwidget-provisional", this.compositor.provisional);
    this.drawing.putImageData(this.image, 0, 0);
  }
  read(rawScene, rawExplanation) {
    if (rawScene !== this.rawScene) {
      this.rawScene = rawScene;
      this.scene = scene(rawScene);
      this.resize();
    }
    this.map = explanation(rawExplanation, this.scene);
    this.drawMap();
  }
  drawMap() {
    this.chooseMap();
    this.listeners.notify();
  }
  /** Chooses what is drawn: the kernel's map, or a preview of another layer's. */
  chooseMap() {
    const { scene: shown2, map, compositor } = this;
    this.preview = shown2 === null ? null : this.context.scrub.preview;
    this.frame.classList.toggle("camwidget-previewing", this.preview !== null);
    if (shown2 !== null && this.preview !== null) {
      const heat = previewHeat(this.preview, shown2);
      compositor.setHeat(heat);
      const empty = !heat.saliency.includes(255);
      this.drawn = empty ? null : { saliency: heat.saliency, knee: null, levels: null };
      this.describe(`Preview of the map at ${this.preview.layer}`, empty, "");
      return;
    }
    this.drawn = map?.empty === true ? null : map;
    compositor.setHeat(map?.empty === true ? null : map);
    this.describe(map?.title ?? "", map?.empty === true, map?.note ?? "");
  }
  resize() {
    const { scene: shown2, canvas, compositor } = this;
    canvas.hidden = shown2 === null;
    this.announceEmpty();
    if (shown2 === null) return;
    const { width, height, frames } = shown2;
    const frameHeight = height / frames;
    this.frame.style.setProperty("--camwidget-aspect", String(width / frameHeight));
    canvas.classList.toggle("camwidget-pixelated", Math.max(width, frameHeight) <= SMALL);
    const changed = width !== compositor.width || height !== compositor.height;
    compositor.setPicture(shown2);
    if (!changed) return;
    canvas.width = width;
    canvas.height = height;
    this.image = new ImageData(compositor.pixels, width, height);
  }
  announceEmpty() {
    const isBusy = trait(this.context.model, "busy");
    this.empty.hidden = this.scene !== null;
    setText(this.empty, isBusy ? "Waiting for the model…" : "No picture yet");
  }
  describe(title, empty, note) {
    this.title = title === "" ? "The picture the model gets" : title;
    this.label();
    const substitute = empty ? "No positive evidence for this class at this layer" : "";
    const message = note === "" ? substitute : note;
    setText(this.note, message);
    this.note.hidden = message === "";
  }
  label() {
    if (this.painted.isDrawing) return;
    const { summary } = this.painted;
    setAttribute(this.canvas, "aria-label", summary === "" ? this.title : `${this.title}; painted: ${summary}`);
  }
};
function previewHeat({ grid: grid2 }, { width, height }) {
  return {
    saliency: toBytes(enlarge(grid2, width, height)),
    levels: new Uint16Array(width * height),
    cells: { values: toBytes(grid2.cells), rows: grid2.rows, columns: grid2.columns }
  };
}

// src/view/comparison/comparedPicture.ts
var ComparedPicture = class {
  constructor(context, painted) {
    this.context = context;
    this.painted = painted;
    const { model } = context;
    this.repaint = frameTask(context.signal, () => this.paint()).schedule;
    this.fillings = new BaselineFills(context, "compared_baseline_fill");
    this.canvas = make("canvas", "camwidget-compared-canvas", { role: "img" });
    this.drawing = this.canvas.getContext("2d");
    this.inner = make("div", "camwidget-compared-inner", {}, this.canvas, this.cross);
    this.sheet = make("div", "camwidget-compared-sheet", {}, this.inner);
    context.watch(["overlay", "opacity", "cells", "colormap", "colormaps", "difference_colors"], () => {
      this.compositor.setStyle(mapStyle(model));
      this.repaint();
    });
    context.watch(["fraction", "compare", "mode", "baseline", "compared_baseline_fill"], () => this.repaint());
    painted.listen(() => this.repaint());
  }
  context;
  painted;
  /** The element that fills the plane; the picture is as large as fits in it. */
  sheet;
  canvas;
  inner;
  cross = crosshair();
  compositor = new Compositor();
  fillings;
  drawing;
  image = null;
  shown = null;
  minuend = null;
  /** Repaints at the next frame, once for all changes. */
  repaint;
  /**
   * Shows B.
   *
   * @param minuend what A shows, if the difference to it is to be shown instead
   * @param aspect width by height of the plane that the picture lies in
   */
  show(other, minuend, aspect) {
    const { width, height } = other.scene;
    if (other.scene.rgb !== this.shown?.scene.rgb) this.compositor.setPicture(other.scene);
    this.compositor.setHeat(other.map.empty ? null : other.map);
    this.shown = other;
    this.minuend = minuend;
    if (this.image?.width !== width || this.image.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.canvas.classList.toggle("camwidget-pixelated", Math.max(width, height) <= SMALL);
      this.image = new ImageData(new Uint8ClampedArray(4 * width * height), width, height);
    }
    this.fit(width / height, aspect);
    setAttribute(this.canvas, "aria-label", minuend === null ? `B: ${other.map.title}` : "A's map minus B's");
    this.repaint();
  }
  /** The place under a pointer; null before there is a picture. */
  at(pointer) {
    return relativePosition(this.canvas, pointer);
  }
  /** B's saliency at a place, from 0 to 1; NaN where there is none. */
  saliency({ x, y }) {
    if (this.shown === null) return Number.NaN;
    const { scene: scene2, map } = this.shown;
    return valueAt(map.saliency, scene2.width, Math.floor(x * scene2.width), Math.floor(y * scene2.height));
  }
  /** Marks a place, or none. */
  mark(place3) {
    markAt(this.cross, place3);
  }
  paint() {
    const { image, drawing, shown: shown2, minuend } = this;
    if (image === null || drawing === null || shown2 === null) return;
    const { model } = this.context;
    if (minuend === null) {
      const filling = this.fillings.of(shown2.scene, trait(model, "baseline"));
      const byMap = { mode: mode(model.get("mode")), fraction: comparedFraction(model) ?? this.context.fraction() };
      const own = shown2.scene.id === sceneId(model.get("scene")) ? { paint: this.painted.pixels } : {};
      const pixels = this.compositor.paint({ ...byMap, ...filling, ...own });
      image.data.set(pixels);
    } else {
      const style = mapStyle(model);
      paintDifference(
        new Uint32Array(image.data.buffer),
        { rgb: minuend.scene.rgb, a: minuend.map.saliency, b: shown2.map.saliency },
        bytes(model.get("difference_colors")) ?? GRAY,
        style.overlay ? style.opacity : 0
      );
    }
    drawing.putImageData(image, 0, 0);
  }
  /** Fits the picture into the middle of a plane of another aspect. */
  fit(own, aspect) {
    const width = Math.min(1, own / aspect);
    const height = Math.min(1, aspect / own);
    const { style } = this.inner;
    style.width = `${100 * width}%`;
    style.height = `${100 * height}%`;
    style.left = `${50 * (1 - width)}%`;
    style.top = `${50 * (1 - height)}%`;
  }
};
function valueAt(saliency, width, x, y) {
  return (saliency[y * width + x] ?? Number.NaN) / 255;
}
function crosshair() {
  return make("div", "camwidget-cross", { "aria-hidden": "true", hidden: true });
}
function markAt(cross, place3) {
  cross.hidden = place3 === null;
  if (place3 === null) return;
  placeAt(cross, place3);
}

// src/view/comparison/differenceDrawer.ts
var NAMES = {
  model: "model",
  picture: "picture",
  target: "class",
  method: "method",
  layer: "layer",
  fraction: "fraction"
};
var SHOWN = {
  side: { label: "side", title: "A and B side by side" },
  split: { label: "split", title: "One picture: A on the left of a line that you drag, B on its right" },
  difference: { label: "difference", title: "A's map minus B's, each scaled to its own maximum" }
};
var FRACTIONS = Array.from({ length: 21 }, (_, at) => at / 20);
var APART = 0.2;
var OWN = "";
var MAIN = "";
var REFERENCE = "reference";
function comparisonDrawer(context, off) {
  const drawer = make(
    "div",
    "camwidget-compare",
    { id: context.id("compare"), role: "group", "aria-label": "Compare", hidden: true },
    differLine(context),
    shownLine(context, off)
  );
  context.watch(["compare"], () => drawer.hidden = !isComparing(context.model));
  return drawer;
}
function differLine(context) {
  const { model, signal } = context;
  const dimension = select("B differs in", "How B differs from A; in everything else it follows A");
  const value = select("B is", "What B is");
  const kind = select("B's evidence", "Whether B is for its class, against it, or for it rather than A's");
  const more = make("span", "camwidget-compare-more");
  dimension.addEventListener(
    "change",
    () => {
      const key = DIMENSIONS.find((one) => one === dimension.value);
      const first = key === void 0 ? void 0 : proposed(context, key);
      if (first !== void 0) context.write({ compare: first });
    },
    { signal }
  );
  value.addEventListener(
    "change",
    () => {
      const key = mainOf(compared(model));
      if (key === void 0) return;
      const chosen = key === "target" ? targetWith(context, kindOf(compared(model).target), value.value) : parsed(key, value.value);
      context.write({ compare: { ...compared(model), [key]: chosen } });
    },
    { signal }
  );
  kind.addEventListener(
    "change",
    () => {
      const chosen = KINDS.find((one) => one === kind.value) ?? "for";
      const now = compared(model);
      context.write({ compare: { ...now, target: targetWith(context, chosen, nameOf(now.target)) } });
    },
    { signal }
  );
  context.watch(["compare", "models", "pictures", "class_names", "methods", "layers", "rows", "references", "mode"], () => {
    const now = compared(model);
    const key = mainOf(now);
    if (key === void 0) return;
    setChoices(dimension, possible(context, key), key);
    const all = options(context, key);
    const present = key === "target" ? nameOf(now.target) : written(now[key]);
    kind.hidden = key !== "target" || present === OWN;
    setChoices(kind, kinds(now.target), kindOf(now.target));
    const known = all.some((choice) => choice.value === present);
    setChoices(value, known ? all : [...all, { value: present, label: key === "fraction" ? percent2(Number(present)) : present }], present);
    const others = DIMENSIONS.filter((one) => one in now && one !== key).map((one) => NAMES[one]);
    setText(more, others.length === 0 ? "" : `and ${others.join(", ")}`);
  });
  return labeledLine("B has", dimension, value, kind, more);
}
function select(label2, title) {
  return make("select", "camwidget-select", { "aria-label": label2, title, ...OWN_KEYS });
}
function shownLine(context, off) {
  const { model, signal } = context;
  const choices2 = ARRANGEMENTS.map((value) => ({ value, label: SHOWN[value].label, title: `${SHOWN[value].title} (v)` }));
  const group = new RadioGroup(
    "camwidget-segments",
    { "aria-label": "How A and B are shown" },
    choices2,
    ({ value }) => value,
    (value) => context.write({ arrangement: value }),
    signal
  );
  context.watch(["arrangement"], () => group.update(arrangement(model)));
  const end = button("camwidget-button", { title: "Compare no more" }, "off");
  end.addEventListener("click", off, { signal });
  return labeledLine("Shown", group.element, end);
}
function mainOf(compare) {
  return DIMENSIONS.find((key) => key in compare);
}
function firstCompare(context) {
  if (nearest(context, "picture") === REFERENCE) return { picture: REFERENCE };
  return proposed(context, "model") ?? proposed(context, "method") ?? proposed(context, "layer") ?? proposed(context, "picture");
}
function proposed(context, key) {
  const value = nearest(context, key);
  return value === void 0 ? void 0 : { [key]: value };
}
function nearest(context, key) {
  const { model } = context;
  if (key === "model") return texts(model.get("models")).length > 1 ? 1 : void 0;
  if (key === "picture") {
    if (hasReferencePictures(context)) return REFERENCE;
    const count = texts(model.get("pictures")).length;
    return count > 1 ? (trait(model, "picture") + 1) % count : void 0;
  }
  if (key === "target") {
    const target = trait(model, "target");
    return rows(model.get("rows")).find(({ index }) => index !== target)?.name;
  }
  if (key === "fraction") {
    const now2 = FRACTIONS[Math.round(20 * context.fraction())];
    if (mode(model.get("mode")) === "multiply") return void 0;
    return FRACTIONS[Math.round(20 * (now2 + (now2 + APART > 1 ? -APART : APART)))];
  }
  if (key === "layer") return neighbor(layers(model.get("layers")), trait(model, "layer"))?.name;
  const usable = methodsHere(model).filter(({ reason, slow }) => reason === null && !slow);
  const now = usable.findIndex(({ name }) => name === trait(model, "method"));
  return usable.length > (now < 0 ? 0 : 1) ? usable[(now + 1) % usable.length]?.name : void 0;
}
function hasReferencePictures({ model }) {
  const known = references(model.get("references"));
  return known?.kind === "pictures" && known.items.length > 0;
}
function neighbor(all, name) {
  const now = all.findIndex((layer) => layer.name === name);
  return now < 0 ? all.at(-1) : all[now - 1] ?? all[now + 1];
}
function possible(context, present) {
  return DIMENSIONS.filter((key) => key === present || nearest(context, key) !== void 0).map((key) => ({
    value: key,
    label: NAMES[key]
  }));
}
function options(context, key) {
  const { model } = context;
  const named = (names2) => names2.map((label2, at) => ({ value: String(at), label: label2 }));
  if (key === "model") return named(texts(model.get("models")));
  if (key === "picture") {
    const own = hasReferencePictures(context) ? [{ value: REFERENCE, label: "the reference, compared with A" }] : [];
    return [...own, ...named(texts(model.get("pictures")))];
  }
  if (key === "fraction") return FRACTIONS.map((value) => ({ value: String(value), label: percent2(value) }));
  if (key === "method") return methods(model.get("methods")).map(({ name, label: label2 }) => ({ value: name, label: label2 }));
  const names = key === "layer" ? layers(model.get("layers")).map(({ name }) => name) : texts(model.get("class_names"));
  const listed = names.map((name) => ({ value: name, label: name }));
  if (key === "layer") return listed;
  const main = kindOf(compared(model).target) === "against" ? [{ value: MAIN, label: "A's class" }] : [];
  return [{ value: OWN, label: "its own prediction" }, ...main, ...listed];
}
function kindOf(target) {
  const from = fields(target);
  return "against" in from ? "against" : "rather_than" in from ? "rather" : "for";
}
function nameOf(target) {
  const { against, for: of } = fields(target);
  if (kindOf(target) === "against") return typeof against === "string" ? against : MAIN;
  return written(kindOf(target) === "rather" ? of : target);
}
function kinds(target) {
  const { rather_than: rival } = fields(target);
  const labels = {
    for: "for it",
    against: "against it",
    rather: typeof rival === "string" ? `rather than ${rival}` : "rather than A's class"
  };
  return KINDS.map((value) => ({ value, label: labels[value] }));
}
function targetWith(context, kind, option) {
  if (option === OWN) return null;
  if (kind === "against") return { against: option === MAIN ? null : option };
  const name = option === MAIN ? nearest(context, "target") : option;
  return kind === "rather" ? { for: name, rather_than: null } : name;
}
function written(value) {
  return typeof value === "string" || typeof value === "number" ? String(value) : OWN;
}
function percent2(fraction) {
  return `${rounded(100 * fraction, 1)} %`;
}
function parsed(key, value) {
  if (key === "picture" && value === REFERENCE) return REFERENCE;
  if (key === "model" || key === "picture" || key === "fraction") return Number(value);
  return value === OWN ? null : value;
}

// src/view/comparison/divider.ts
var STEP = 2;
var STRIDE = 10;
var Divider = class {
  /**
   * @param frame the frame that it divides
   * @param moved called with its position, from 0 to 1, after each change
   */
  constructor(context, frame2, moved2) {
    this.context = context;
    this.frame = frame2;
    this.moved = moved2;
    const { model, signal } = context;
    this.element = make(
      "div",
      "camwidget-divider",
      {
        role: "slider",
        tabindex: 0,
        "aria-label": "Divider: A on its left, B on its right",
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        title: "Drag: A is on the left, B on the right (← →)",
        hidden: true,
        ...OWN_KEYS
      },
      make("span", "camwidget-divider-grip", { "aria-hidden": "true" }),
      make("span", "camwidget-divider-name", { "aria-hidden": "true" }, "A"),
      make("span", "camwidget-divider-name", { "aria-hidden": "true" }, "B")
    );
    const listen = (type, act2) => this.element.addEventListener(type, (event) => act2(event), { signal });
    listen("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.stopPropagation();
      event.preventDefault();
      this.element.focus({ preventScroll: true });
      this.element.setPointerCapture?.(event.pointerId);
      this.dragging = true;
    });
    listen("pointermove", (event) => {
      if (this.dragging) this.follow(event.clientX);
    });
    const release = () => {
      if (!this.dragging) return;
      this.dragging = false;
      context.write({ divider: this.place });
    };
    listen("pointerup", release);
    listen("pointercancel", release);
    this.element.addEventListener("click", (event) => event.stopPropagation(), { signal });
    this.element.addEventListener("keydown", (event) => this.pressed(event), { signal });
    context.watch(["divider"], () => {
      if (!this.dragging) this.set(portion(model, "divider"));
    });
  }
  context;
  frame;
  moved;
  element;
  /** From 0 to 1: the model's, or the pointer's while it is dragged. */
  place = 0.5;
  dragging = false;
  follow(x) {
    const { left, width } = this.frame.getBoundingClientRect();
    if (width > 0) this.set(clamp((x - left) / width, 0, 1));
  }
  pressed(event) {
    const to = reached(event, 100 * this.place);
    if (to === null) return;
    event.preventDefault();
    this.set(clamp(to, 0, 100) / 100);
    this.context.write({ divider: this.place });
  }
  set(place3) {
    this.place = place3;
    this.element.style.left = `${100 * place3}%`;
    setAttribute(this.element, "aria-valuenow", String(Math.round(100 * place3)));
    setAttribute(this.element, "aria-valuetext", `A in the left ${percent(Math.round(100 * place3) / 100)}`);
    this.moved(place3);
  }
};
function reached({ key, shiftKey, ctrlKey, metaKey, altKey }, now) {
  if (ctrlKey || metaKey || altKey) return null;
  const step2 = shiftKey ? STRIDE : STEP;
  if (key === "ArrowLeft" || key === "ArrowDown") return now - step2;
  if (key === "ArrowRight" || key === "ArrowUp") return now + step2;
  if (key === "Home") return 0;
  return key === "End" ? 100 : null;
}

// src/view/comparison/comparison.ts
var Comparison = class {
  constructor(context, stage, zoom, root) {
    this.context = context;
    this.stage = stage;
    this.zoom = zoom;
    this.root = root;
    const { model, scrub, signal } = context;
    this.picture = new ComparedPicture(context, stage.painted);
    this.opener = button(
      "camwidget-button camwidget-compare-open",
      {
        "aria-pressed": "false",
        "aria-controls": context.id("compare"),
        title: "Compare with another model, picture, class, method or layer (v)"
      },
      "compare"
    );
    this.opener.addEventListener("click", () => isComparing(model) ? this.end() : this.begin(), { signal });
    this.tool = { buttons: [this.opener], drawer: comparisonDrawer(context, () => this.end()) };
    const clip = make("div", "camwidget-compared-clip", {}, this.plane);
    this.frame = make(
      "div",
      "camwidget-compared-frame",
      { role: "group", "aria-label": "Picture B", hidden: true },
      clip,
      this.frameMessage
    );
    zoom.add({ clip, plane: this.plane, canvas: this.picture.canvas });
    zoom.listen(() => this.clip());
    this.divider = new Divider(context, stage.frame, (place3) => this.clip(place3));
    const bar = make("span", "camwidget-legend-bar", { "aria-hidden": "true" });
    this.legend = make(
      "span",
      "camwidget-legend camwidget-compare-legend",
      { title: "A's map minus B's, each scaled to its own maximum: from -1, through none, to 1" },
      "more in B",
      bar,
      "more in A"
    );
    context.watch(["difference_colors"], () => {
      bar.style.backgroundImage = gradient(bytes(model.get("difference_colors")) ?? GRAY);
    });
    this.line = make("div", "camwidget-compare-line", { hidden: true }, this.message, this.legend, this.readout);
    stage.plane.append(this.cross);
    stage.frame.append(this.divider.element);
    this.around = [...captions(context), stage.frame, this.frame, this.line];
    this.numbers = comparedNumbersColumn(context);
    this.followPointer();
    context.watch(
      ["compare", "arrangement", "scene", "explanation", "compared_explanation", "compared_scene", "compared_status", "busy"],
      () => this.update()
    );
    stage.painted.listen(() => isComparing(model) && this.updateMessages());
    scrub.listen(() => this.place());
  }
  context;
  stage;
  zoom;
  root;
  tool;
  /** The two frames with what is over and below them. */
  around;
  /** B's numbers and their heading, next to A's. */
  numbers;
  opener;
  picture;
  divider;
  /** B's frame next to A's, and its plane, which is zoomed like A's. */
  frame;
  plane = make("div", "camwidget-compared-plane");
  frameMessage = make("div", "camwidget-compared-message");
  cross = crosshair();
  message = make("span", "camwidget-compare-message", { "aria-live": "polite" });
  legend;
  readout = make("output", "camwidget-compare-readout", { "aria-hidden": "true" });
  line;
  mine = null;
  other = null;
  last;
  /** Whether the pointer is on B's own frame: the mark is then in A's. */
  isOnOther = false;
  /** In the same frame as A. */
  repaint() {
    if (isComparing(this.context.model)) this.picture.repaint();
  }
  /** Goes on to the next arrangement: side by side, split, difference, off. */
  cycle() {
    const { model } = this.context;
    const now = arrangement(model);
    if (!isComparing(model)) this.begin("side");
    else if (now === "difference") this.end();
    else this.context.write({ arrangement: now === "side" ? "split" : "difference" });
  }
  begin(shown2 = arrangement(this.context.model)) {
    const first = this.last ?? firstCompare(this.context);
    if (first !== void 0) this.context.write({ compare: first, arrangement: shown2 });
  }
  end() {
    const inside = this.tool.drawer?.contains(document.activeElement) === true;
    if (inside) this.opener.focus();
    else if (document.activeElement === this.divider.element) this.stage.focus();
    this.context.write({ compare: {} });
  }
  update() {
    const { model } = this.context;
    const on = isComparing(model);
    if (on) this.last = compared(model);
    setAttribute(this.opener, "aria-pressed", String(on));
    this.root.classList.toggle("camwidget-comparing", on);
    this.root.classList.toggle("camwidget-side", on && arrangement(model) === "side");
    for (const part of [...this.around.slice(0, 2), this.line]) part.hidden = !on;
    this.read();
    this.place();
    this.updateMessages();
    this.point();
  }
  /** Reads A's map and B's. The last B stays while another is computed. */
  read() {
    const { model } = this.context;
    if (!isComparing(model)) {
      this.mine = this.other = null;
      return;
    }
    const of = scene(model.get("scene"));
    const map = explanation(model.get("explanation"), of);
    this.mine = of === null || map === null ? null : { scene: of, map };
    const found = comparedMap(model);
    if (found !== null || !this.isBusy) this.other = found;
    setAttribute(this.picture.sheet, "aria-busy", String(this.isBusy));
  }
  get isBusy() {
    const { model } = this.context;
    return isComparing(model) && (trait(model, "busy") || comparedStatus(model).busy);
  }
  place() {
    const { model, scrub } = this.context;
    const shown2 = arrangement(model);
    const on = isComparing(model);
    const { sheet } = this.picture;
    const isSideBySide = on && shown2 === "side";
    this.frame.hidden = !isSideBySide;
    const hasNoDifference = this.isIncomparable || scrub.preview !== null;
    const found = shown2 === "difference" && hasNoDifference ? null : this.other;
    this.divider.element.hidden = !on || shown2 !== "split" || found === null;
    if (!on || found === null) {
      sheet.remove();
      return;
    }
    if (isSideBySide) this.plane.append(sheet);
    else this.stage.canvas.after(sheet);
    sheet.classList.toggle("camwidget-compared-over", !isSideBySide);
    const aspect = this.mine === null ? 1 : this.mine.scene.width / this.mine.scene.height;
    this.frame.style.setProperty("--camwidget-aspect", String(aspect));
    this.picture.show(found, shown2 === "difference" ? this.mine : null, aspect);
    this.zoom.lay();
    this.clip();
  }
  /** Whether the two maps cannot be subtracted: one is missing, or they have different pixels. */
  get isIncomparable() {
    const { mine, other: found } = this;
    return mine === null || found === null || found.noDifference !== "" || found.map.saliency.length !== mine.map.saliency.length;
  }
  updateMessages() {
    const { model } = this.context;
    const { error, note } = comparedStatus(model);
    const shown2 = arrangement(model);
    const waits = this.isBusy && this.other === null ? "Waiting for B…" : "";
    const text2 = error || note || waits || shown2 === "difference" && this.other?.noDifference || this.other?.note || this.unpainted;
    const isInFrame = shown2 === "side" && this.other === null;
    setText(this.frameMessage, error === "" ? waits : `B: ${error}`);
    this.frameMessage.hidden = this.other !== null;
    setText(this.message, isInFrame ? note : error === "" ? text2 : `B: ${error}`);
    this.message.hidden = this.message.textContent === "";
    this.legend.hidden = shown2 !== "difference" || this.isIncomparable || text2 !== "";
  }
  /** A note if A is painted and B is not, because it has other pixels. */
  get unpainted() {
    const own = sceneId(this.context.model.get("scene"));
    const lacks = this.other !== null && this.other.scene.id !== own && !this.stage.painted.isEmpty;
    return lacks ? "What is painted on A is not on B, which has other pixels." : "";
  }
  /** Clips B to the right of the divider, whose place is in the frame and not in the zoomed plane. */
  clip(place3 = this.divider.place) {
    const { sheet } = this.picture;
    if (arrangement(this.context.model) !== "split") {
      sheet.style.clipPath = "";
      return;
    }
    const frame2 = this.stage.frame.getBoundingClientRect();
    const plane = this.stage.plane.getBoundingClientRect();
    const cut = plane.width === 0 ? place3 : (frame2.left + place3 * frame2.width - plane.left) / plane.width;
    sheet.style.clipPath = `inset(0 0 0 ${100 * clamp(cut, 0, 1)}%)`;
  }
  /** Marks the same position in both pictures while the pointer is over one of them. */
  followPointer() {
    const { hover, signal } = this.context;
    let last = null;
    const read = () => {
      const place3 = last === null ? null : this.picture.at(last);
      if (place3 === null || this.mine === null) return;
      this.isOnOther = true;
      const { width, height } = this.mine.scene;
      hover.set(pixelAt({ x: place3.x * width, y: place3.y * height }, this.mine.scene));
    };
    this.stage.canvas.addEventListener("pointermove", () => this.isOnOther = false, { signal });
    this.picture.canvas.addEventListener(
      "pointermove",
      (event) => {
        last = event;
        read();
      },
      { signal }
    );
    this.picture.canvas.addEventListener(
      "pointerleave",
      () => {
        last = null;
        hover.set(null);
      },
      { signal }
    );
    this.zoom.listen(read);
    hover.listen(() => this.point());
  }
  point() {
    const { mine } = this;
    const { model, hover } = this.context;
    const on = isComparing(model) && mine !== null && this.other !== null;
    const place3 = on && hover.value !== null ? relativeCenter(hover.value, mine.scene) : null;
    const isSideBySide = arrangement(model) === "side";
    this.picture.mark(isSideBySide && !this.isOnOther ? place3 : null);
    markAt(this.cross, isSideBySide && this.isOnOther ? place3 : null);
    if (place3 === null || mine === null || hover.value === null) {
      setText(this.readout, "");
      return;
    }
    const a = valueAt(mine.map.saliency, mine.scene.width, hover.value.x, hover.value.y);
    setText(this.readout, `A ${a.toFixed(2)} · B ${this.picture.saliency(place3).toFixed(2)}`);
  }
};

// src/view/picture/layerScrubber.ts
var LayerScrubber = class {
  constructor(context) {
    this.context = context;
    context.watch(["layer_maps"], () => {
      const raw = layerMaps(context.model.get("layer_maps"));
      this.known = raw.layers.size > 0 ? raw : null;
      this.find();
      this.listeners.notify();
    });
    context.watch(["explanation", "layer", "busy", "scene", "target", "method"], () => {
      this.follow();
      this.listeners.notify();
    });
  }
  context;
  /** The layer that the slider is dragged to, not requested yet. */
  draggedTo = null;
  /** Requested, and its map has not come. */
  requested = null;
  /** Whether the kernel has started on it. */
  started = false;
  known = null;
  /** Kept apart from `known`: the kernel may clear that while its answer is awaited. */
  found = null;
  explanation = void 0;
  mapLayer = "";
  busy = false;
  listeners = new Listeners();
  /** Calls `update` whenever the current layer or its preview may have changed. */
  listen(update) {
    this.listeners.add(update);
  }
  /** The layer the controls name. */
  get current() {
    return this.draggedTo ?? trait(this.context.model, "layer");
  }
  /** Null: the kernel's map is the one to show. */
  get preview() {
    const { found } = this;
    const name = this.draggedTo ?? this.requested;
    return found !== null && found.layer === name && this.isPresent(found.of) ? found : null;
  }
  /** The layers that can be previewed, shallow to deep. */
  get available() {
    const { known } = this;
    if (known === null || this.isDisabled || !this.isPresent(known)) return [];
    const all = layers(this.context.model.get("layers"));
    return all.map(({ name }) => name).filter((name) => known.layers.has(name));
  }
  /** Whether the map is the picture's own, so that there is no layer to choose. */
  get isDisabled() {
    return mapLayer(this.context.model.get("explanation")).atInput;
  }
  /** The slider is at this layer. Nothing is sent. */
  moveTo(name) {
    this.draggedTo = name;
    this.find();
    this.listeners.notify();
  }
  /** The slider is let go, and nothing is requested. */
  cancel() {
    this.draggedTo = null;
    this.listeners.notify();
  }
  /** The slider rests: its layer is requested, once. */
  commit() {
    const name = this.draggedTo;
    if (name === null) return;
    this.draggedTo = null;
    if (name === trait(this.context.model, "layer")) this.listeners.notify();
    else this.request(name);
  }
  request(name) {
    this.draggedTo = null;
    this.requested = name === this.mapLayer ? null : name;
    this.started = false;
    this.find();
    this.context.write({ layer: name });
    this.listeners.notify();
  }
  step(by) {
    const all = layers(this.context.model.get("layers"));
    const now = all.findIndex(({ name }) => name === this.current);
    const next = all[now + by];
    if (now >= 0 && next !== void 0 && !this.isDisabled) this.request(next.name);
  }
  get subject() {
    const { model } = this.context;
    return {
      scene: sceneId(model.get("scene")),
      target: trait(model, "target"),
      method: trait(model, "method")
    };
  }
  isPresent({ scene: scene2, target, method }) {
    const now = this.subject;
    return scene2 !== "" && scene2 === now.scene && target === now.target && method === now.method;
  }
  find() {
    const name = this.draggedTo ?? this.requested;
    const { known } = this;
    if (name === null || known === null || !this.isPresent(known)) return;
    const grid2 = known.layers.get(name);
    const { scene: scene2, target, method } = known;
    if (grid2 !== void 0) this.found = { layer: name, grid: grid2, of: { scene: scene2, target, method } };
  }
  /** Notices when a requested layer's map has come, was refused, or was canceled. */
  follow() {
    const { model } = this.context;
    const raw = model.get("explanation");
    const layer = trait(model, "layer");
    const busy = trait(model, "busy");
    const arrived = raw !== this.explanation;
    if (arrived) {
      const from = mapLayer(raw);
      this.explanation = raw;
      this.mapLayer = from.layer === "" || from.atInput ? layer : from.layer;
    }
    if (this.requested !== null) {
      const gaveUp = this.started && !busy;
      if (layer !== this.requested || arrived && this.mapLayer === this.requested || gaveUp) this.requested = null;
      else if (busy && !this.busy) this.started = true;
    }
    this.busy = busy;
  }
};

// src/view/context.ts
var views = 0;
var Context = class {
  /**
   * @param model the synced traits
   * @param signal aborts when the view is removed
   * @param host what answers the view
   */
  constructor(model, signal, host = "kernel") {
    this.model = model;
    this.signal = signal;
    this.host = host;
    this.scrub = new LayerScrubber(this);
  }
  model;
  signal;
  host;
  prefix = `camwidget-${++views}`;
  /** The pixel of the picture that the pointer or the marker is on; null: none. */
  hover = new Observable(null, (a, b) => a?.x === b?.x && a?.y === b?.y);
  /** The name of the tool that uses the pointer on the picture; "" where it probes classes and pans. */
  tool = new Observable("");
  /** Returns the fraction to draw: the model's, or the slider's own while it is dragged. */
  fraction = () => portion(this.model, "fraction");
  /** The layer to name and to draw: the model's, or the layer slider's own while it is dragged. */
  scrub;
  /** Whether there is a kernel. */
  get live() {
    return this.host === "kernel";
  }
  /** Whether the model can be run, in a kernel or in the page: on any mask, and for any class. */
  get runsModel() {
    return this.host !== "page";
  }
  id(name) {
    return `${this.prefix}-${name}`;
  }
  /** Sets traits in the page and in the kernel. */
  write(values) {
    write(this.model, values);
  }
  /**
   * Calls `update` now and after changes of any of these traits: once for all changes that arrive
   * together, before the next frame.
   */
  watch(names, update) {
    watch(this.model, names, this.signal, update);
  }
};

// src/view/controls/classSearch.ts
var MOST = 12;
var ClassSearch = class {
  constructor(context) {
    this.context = context;
    const { model, signal } = context;
    const listId = context.id("matches");
    this.input = make("input", "camwidget-search", {
      type: "text",
      role: "combobox",
      placeholder: "find a class…",
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": "Find a class",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": listId,
      title: "Explain any class of the model, also one that is not in the list",
      ...OWN_KEYS
    });
    this.list = make("div", "camwidget-matches", {
      id: listId,
      role: "listbox",
      "aria-label": "Matching classes",
      hidden: true
    });
    this.element = make("div", "camwidget-class-search", {}, this.input, this.list);
    this.input.addEventListener("input", () => this.search(), { signal });
    this.input.addEventListener("focus", () => this.search(), { signal });
    this.input.addEventListener("blur", () => this.show([]), { signal });
    this.input.addEventListener("keydown", (event) => this.key(event), { signal });
    this.list.addEventListener("pointerdown", (event) => this.point(event), { signal });
    context.watch(["references", "class_names", "rows"], () => {
      const all = texts(model.get("class_names")).length;
      this.element.hidden = references(model.get("references")) !== null && all <= rows(model.get("rows")).length;
    });
    context.watch(["class_names"], () => {
      this.names = new ClassNames(texts(model.get("class_names")));
      this.input.disabled = this.names.names.length === 0;
      if (!this.list.hidden) this.search();
    });
  }
  context;
  element;
  input;
  list;
  names = new ClassNames([]);
  found = [];
  active = 0;
  search() {
    this.active = 0;
    this.show(this.names.find(this.input.value, MOST));
  }
  show(found) {
    this.found = found;
    const nothing = found.length === 0 && this.input.value.trim() !== "" && document.activeElement === this.input;
    this.list.hidden = found.length === 0 && !nothing;
    setAttribute(this.input, "aria-expanded", String(found.length > 0));
    this.list.classList.toggle("camwidget-no-match", nothing);
    const options2 = fit(this.list, found.length, (at) => this.option(at));
    found.forEach((index, at) => {
      const option = options2[at];
      if (option === void 0) return;
      setText(option, this.names.names[index] ?? "");
      setAttribute(option, "aria-selected", String(at === this.active));
    });
    if (found.length > 0) setAttribute(this.input, "aria-activedescendant", this.optionId(this.active));
    else this.input.removeAttribute("aria-activedescendant");
  }
  option(at) {
    return make("div", "camwidget-match", { id: this.optionId(at), role: "option" });
  }
  optionId(at) {
    return this.context.id(`match-${at}`);
  }
  move(by) {
    const count = this.found.length;
    if (count === 0) return;
    this.active = (this.active + by + count) % count;
    this.show(this.found);
    this.list.children[this.active]?.scrollIntoView({ block: "nearest" });
  }
  choose(at) {
    const index = this.found[at];
    if (index === void 0) return;
    this.input.value = "";
    this.show([]);
    pickClass(this.context, index);
  }
  key(event) {
    if (event.key === "ArrowDown") this.move(1);
    else if (event.key === "ArrowUp") this.move(-1);
    else if (event.key === "Enter") this.choose(this.active);
    else if (event.key === "Escape" && (this.input.value !== "" || !this.list.hidden)) {
      this.input.value = "";
      this.show([]);
    } else return;
    event.preventDefault();
  }
  point(event) {
    event.preventDefault();
    const at = Array.from(this.list.children).findIndex((option) => option.contains(event.target));
    this.choose(at);
  }
};
var ClassNames = class {
  constructor(names) {
    this.names = names;
    this.lowered = names.map((name) => name.toLowerCase());
  }
  names;
  lowered;
  /** Indices of names that contain the query: those that start with it first, then in order. */
  find(query, most) {
    const wanted = query.trim().toLowerCase();
    if (wanted === "") return [];
    const starting = [];
    const containing = [];
    for (let at = 0; at < this.lowered.length && starting.length < most; at++) {
      const found = this.lowered[at].indexOf(wanted);
      if (found === 0) starting.push(at);
      else if (found > 0 && containing.length < most) containing.push(at);
    }
    return starting.concat(containing).slice(0, most);
  }
};

// src/view/controls/detectionQuestion.ts
var LABELS = { score: "why this score", class: "why this class" };
function detectionQuestion(context) {
  const element = make("div", "camwidget-detection-question", { role: "group", "aria-label": "Question about the detection" }, question(context), leastScore(context));
  context.watch(["found"], () => {
    element.hidden = findings(context.model.get("found")).questions.length === 0;
  });
  return element;
}
function question(context) {
  const { model, signal } = context;
  if (!context.live) return savedQuestion(context);
  const select2 = make("select", "camwidget-select camwidget-question", { "aria-label": "What is asked about the detection", ...OWN_KEYS });
  select2.addEventListener("change", () => context.write({ about: select2.value }), { signal });
  context.watch(["found", "about"], () => {
    const { questions } = findings(model.get("found"));
    const asked = trait(model, "about");
    setChoices(select2, questions.map((value) => ({ value, label: labelOf2(value) })), asked);
    select2.title = `${describe(asked)} (q)`;
  });
  return select2;
}
function savedQuestion({ model }) {
  const asked = trait(model, "about");
  return make("span", "camwidget-question", { title: describe(asked) }, `Asked: ${labelOf2(asked)}`);
}
function labelOf2(about) {
  return LABELS[about] ?? `why its ${about} edge`;
}
function describe(about) {
  if (about === "score") return "What the score of the chosen box rests on, times how well it still fits";
  if (about === "class") return "What speaks for the class of the chosen box rather than for any other class there: its share among the two";
  return `What moves the ${about} edge of the chosen box ${about === "left" || about === "right" ? "to the right" : "down"}; against it: the other way`;
}
function leastScore(context) {
  const { model, signal } = context;
  const input = make("input", "camwidget-setting-number camwidget-least-score", {
    type: "number",
    min: 0,
    max: 1,
    step: 0.05,
    "aria-label": "Least score of the boxes",
    ...OWN_KEYS
  });
  const title = "Boxes with at least this score are drawn and listed";
  const element = make("label", "camwidget-setting", { title }, "boxes ≥", input);
  const follow2 = () => {
    input.value = String(Number(trait(model, "least_score").toPrecision(6)));
    setAttribute(input, "aria-invalid", "false");
  };
  input.addEventListener(
    "change",
    () => {
      const score = Number(input.value);
      if (input.value === "" || input.validity.badInput || !(score >= 0 && score <= 1)) follow2();
      else context.write({ least_score: score });
    },
    { signal }
  );
  context.watch(["least_score"], follow2);
  context.watch(["found"], () => {
    element.hidden = !context.live || !findings(model.get("found")).findsForItself;
  });
  return element;
}

// src/view/controls/stanceControl.ts
var LABELS2 = { for: "for", against: "against", rather: "rather than…" };
var StanceControl = class {
  constructor(context) {
    this.context = context;
    const { signal } = context;
    const choices2 = KINDS.map((value) => ({ value, label: LABELS2[value], title: "" }));
    this.group = new RadioGroup(
      "camwidget-segments camwidget-stances",
      { "aria-label": "Evidence for the class or against it" },
      choices2,
      ({ value }) => value,
      (value) => this.choose(value),
      signal
    );
    this.element = make("span", "camwidget-stance", {}, this.group.element);
    context.watch(
      ["stance", "awaits_rival", "target", "rows", "class_names", "methods", "method", "contrasts"],
      () => this.update()
    );
  }
  context;
  element;
  group;
  /** Waits for no other class any more; false when it did not wait. */
  cancel() {
    if (!trait(this.context.model, "awaits_rival")) return false;
    this.context.write({ awaits_rival: false });
    return true;
  }
  choose(kind) {
    if (this.reason(kind) !== null) return;
    pickStance(this.context, kind);
  }
  update() {
    const { model } = this.context;
    const awaits = trait(model, "awaits_rival");
    this.group.update(awaits ? "rather" : stance(model).kind, (kind) => this.isOffered(kind));
    for (const radio2 of this.group.element.children) {
      const kind = KINDS.find((one) => one === radio2.getAttribute("data-name"));
      if (kind === void 0) continue;
      const reason = this.reason(kind);
      setAttribute(radio2, "title", reason === null ? this.describe(kind) : `Not available: ${reason}`);
      if (reason === null) radio2.removeAttribute("aria-disabled");
      else setAttribute(radio2, "aria-disabled", "true");
    }
    this.element.classList.toggle("camwidget-stance-waiting", awaits);
  }
  /** A page without the model has only what was computed. */
  isOffered(kind) {
    const { model, runsModel } = this.context;
    const target = trait(model, "target");
    if (runsModel || kind === "for") return true;
    return contrasts(model).some((one) => one.target === target && one.kind === kind);
  }
  reason(kind) {
    const { model } = this.context;
    if (kind === "for") return null;
    if (kind === "rather" && rows(model.get("rows")).length < 2) return "there is no other class.";
    const method = methods(model.get("methods")).find(({ name }) => name === trait(model, "method"));
    return method?.[kind] ?? null;
  }
  describe(kind) {
    const { model } = this.context;
    const name = targetLabel(model, { kind: "for", other: -1 });
    if (kind === "for") return `What speaks for ${name}`;
    if (kind === "against") return `What speaks against ${name}: without it, its score would rise`;
    const now = stance(model);
    return now.kind === "rather" ? `What speaks for ${targetLabel(model)}: press to choose another class` : `What speaks for ${name} rather than the class that you choose next`;
  }
};
function rivalQuestion(model) {
  const name = targetLabel(model, { kind: "for", other: -1 });
  return `What speaks for ${name} rather than which class? Choose it in the list, or find it by its name.`;
}

// src/view/controls/curveHeading.ts
var CURVE = {
  remove: " as evidence is removed",
  keep: " as evidence is kept",
  multiply: "Picture × map"
};
function curveHeading(context) {
  const head = make("div", "camwidget-curve-heading camwidget-heading");
  context.watch(["mode", "quantity"], () => {
    const now = mode(context.model.get("mode"));
    const measured = quantity(context.model.get("quantity"));
    const unit2 = measured === null || measured.unit === "" ? "" : ` (${measured.unit})`;
    const what = measured === null ? "Confidence" : `Value${unit2}`;
    setText(head, now === "multiply" ? CURVE[now] : `${what}${CURVE[now]}`);
  });
  return head;
}
function curveNames(context) {
  const names = make("div", "camwidget-curve-names");
  context.watch(["curve_names"], () => {
    const all = lineNames(context.model.get("curve_names"));
    const lines = fit(names, all.length, () => make("span", ""));
    all.forEach(({ name, color, place: place3 }, at) => {
      const line2 = lines[at];
      if (line2 === void 0) return;
      setText(line2, name);
      line2.title = name;
      line2.style.setProperty("--camwidget-line-color", color);
      line2.style.setProperty("--camwidget-place", String(place3));
    });
  });
  return names;
}
function sentence(context) {
  const line2 = make("div", "camwidget-mask-sentence", { "aria-live": "polite" });
  context.watch(["sentence", "awaits_rival", "target", "rows"], () => {
    const { model } = context;
    const asked = trait(model, "awaits_rival");
    setText(line2, asked ? rivalQuestion(model) : trait(model, "sentence"));
  });
  return line2;
}
function status(context, help) {
  const line2 = make("span", "camwidget-status-text");
  context.watch(["status"], () => {
    const status2 = trait(context.model, "status");
    setText(line2, status2);
    line2.title = status2;
  });
  return make("div", "camwidget-status", {}, line2, help);
}
function errorLine(context) {
  const message = make("span", "camwidget-error-text");
  const dismiss = button("camwidget-quiet", { "aria-label": "Dismiss", title: "Dismiss this message" }, "×");
  dismiss.addEventListener("click", () => context.write({ error: "" }), { signal: context.signal });
  const line2 = make("div", "camwidget-error", { role: "alert" }, message, dismiss);
  context.watch(["error"], () => {
    const error = trait(context.model, "error");
    setText(message, error);
    line2.hidden = error === "";
  });
  return line2;
}

// src/view/picture/pngExport.ts
var LEAST = 1e3;
var LONGEST = 120;
function pictureName(model) {
  const shown2 = scene(model.get("scene"));
  const picture = texts(model.get("pictures"))[trait(model, "picture")] ?? "picture";
  const title = explanation(model.get("explanation"), shown2)?.title ?? "";
  return `${safeName([picture.replace(/\.(bmp|gif|jpe?g|png|tiff?|webp)$/i, ""), ...title.split(" · ")])}.png`;
}
function safeName(parts) {
  const joined = parts.map((part) => part.normalize("NFC").replace(/[^\p{L}\p{M}\p{N}+._-]+/gu, "_").replace(/^[._-]+|[._-]+$/g, "")).filter((part) => part !== "").join("-");
  return Array.from(joined).slice(0, LONGEST).join("") || "picture";
}
function scaleOf(width, height) {
  return Math.max(1, Math.ceil(LEAST / Math.max(width, height)));
}
async function save(canvas, name) {
  const blob = await enlarged(canvas);
  if (blob === null) return false;
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1e4);
  return true;
}
function enlarged(from) {
  const { width, height, hidden } = from;
  const paper = document.createElement("canvas");
  const context = paper.getContext("2d");
  if (hidden || context === null) return Promise.resolve(null);
  const scale = scaleOf(width, height);
  paper.width = scale * width;
  paper.height = scale * height;
  context.imageSmoothingEnabled = !from.classList.contains("camwidget-pixelated");
  context.drawImage(from, 0, 0, paper.width, paper.height);
  return new Promise((resolve) => paper.toBlob(resolve, "image/png"));
}

// src/view/controls/exportTool.ts
var FEEDBACK_TIME = 2e3;
function exportTool(context, stage) {
  const { model, signal } = context;
  const code = button(
    "camwidget-button camwidget-code",
    { title: "Copy the Python that shows this view again, and computes it without the widget", "aria-expanded": "false" },
    "code"
  );
  const png = button("camwidget-button camwidget-png", { title: "Save the picture as it is shown, as a PNG file" }, "PNG");
  const feedback = make("span", "camwidget-export-feedback", { role: "status", "aria-live": "polite" });
  const field2 = make("textarea", "camwidget-code-text", {
    "aria-label": "Python for this view",
    readonly: true,
    rows: 8,
    spellcheck: "false",
    wrap: "off",
    ...OWN_KEYS
  });
  const close = button("camwidget-quiet", { "aria-label": "Close", title: "Close" }, "×");
  const drawer = make(
    "div",
    "camwidget-code-drawer",
    { hidden: true },
    make("div", "camwidget-line camwidget-code-head", {}, "No clipboard here. Copy this:", close),
    field2
  );
  let timer = 0;
  const showFeedback = (word) => {
    setText(feedback, word);
    window.clearTimeout(timer);
    timer = window.setTimeout(() => setText(feedback, ""), FEEDBACK_TIME);
  };
  const show = (open) => {
    drawer.hidden = !open;
    code.setAttribute("aria-expanded", String(open));
    if (!open) return;
    field2.value = trait(model, "code");
    field2.focus({ preventScroll: true });
    field2.select();
  };
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(trait(model, "code"));
      if (signal.aborted) return;
      show(false);
      showFeedback("copied");
    } catch {
      if (!signal.aborted) show(true);
    }
  };
  code.addEventListener("click", () => void copy(), { signal });
  const hide = () => {
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
    { signal }
  );
  png.addEventListener(
    "click",
    () => void save(stage.canvas, pictureName(model)).then((done) => showFeedback(done ? "saved" : "nothing to save")),
    { signal }
  );
  signal.addEventListener("abort", () => window.clearTimeout(timer));
  context.watch(["code"], () => {
    if (!drawer.hidden) field2.value = trait(model, "code");
  });
  return context.live ? { buttons: [code, png, feedback], drawer } : { buttons: [png, feedback] };
}

// src/view/controls/helpPanel.ts
var KEYS = {
  "Map": [
    { keys: "1 … 9", does: "choose a class of the list" },
    { keys: "m", does: "next quick method" },
    { keys: "[ ]", does: "shallower, deeper layer" },
    { keys: "y", does: "play through the layers, stop" },
    { keys: ", .", does: "previous, next picture", needs: "model" },
    { keys: "< >", does: "previous, next frame of a clip" },
    { keys: "k", does: "play the clip, pause" },
    { keys: "r", does: "use the picture as a reference, if pictures are compared", needs: "kernel" },
    { keys: "q", does: "ask about a box: its score, its class, each edge", needs: "kernel" },
    { keys: "ctrl z", does: "undo", needs: "model" },
    { keys: "ctrl shift z", does: "redo (or ctrl y)", needs: "model" }
  ],
  "Display": [
    { keys: "space", does: "map on, off (on the picture)" },
    { keys: "c", does: "the map's contour on, off" },
    { keys: "b", does: "the map's box and peak on, off" },
    { keys: "f", does: "the model's boxes or areas on, off" },
    { keys: "h", does: "superpixels, or the map's parts, on, off" },
    { keys: "o", does: "true outlines on, off, if known", needs: "kernel" },
    { keys: "+ − 0", does: "zoom in, out, to the full picture" },
    { keys: "v", does: "compare: side, split, difference, off", needs: "model" }
  ],
  "Mask": [
    { keys: "← →", does: "mask 1 % less, more" },
    { keys: "shift ← →", does: "mask 10 % less, more" },
    { keys: "p", does: "paint on the picture, stop", needs: "model" },
    { keys: "x", does: "brush: hide, keep, erase; or ask, erase", needs: "model" },
    { keys: "{ }", does: "smaller, larger brush", needs: "model" },
    { keys: "enter", does: "paint a dab at the marker", needs: "model" }
  ],
  "On the picture": [
    { keys: "w a s d", does: "move the marker" },
    { keys: "enter", does: "hide the part, or choose the box or area there, else list the strongest classes" }
  ],
  Everywhere: [
    { keys: "↑ ↓", does: "move in a group of buttons" },
    { keys: "esc", does: "close, stop, or cancel" },
    { keys: "?", does: "show this list" }
  ]
};
var HelpPanel = class {
  element;
  opener;
  panel;
  focusedBefore = null;
  constructor(context) {
    const { signal } = context;
    const title = context.id("help");
    this.opener = button(
      "camwidget-quiet camwidget-help-open",
      { "aria-label": "Keyboard shortcuts", "aria-expanded": "false", title: "Keyboard shortcuts (?)" },
      "?"
    );
    const close = button("camwidget-quiet", { "aria-label": "Close", title: "Close (Esc)" }, "×");
    const groups = Object.entries(KEYS).map(
      ([heading, all]) => make(
        "section",
        "camwidget-shortcut-group",
        {},
        make("div", "camwidget-shortcut-heading", {}, heading),
        make(
          "dl",
          "camwidget-keys",
          {},
          ...all.filter(({ needs }) => context.live || needs === void 0 || needs === "model" && context.runsModel).flatMap(({ keys, does }) => [make("dt", "", {}, keys), make("dd", "", {}, does)])
        )
      )
    );
    this.panel = make(
      "div",
      "camwidget-help",
      { role: "dialog", "aria-labelledby": title, hidden: true },
      make("div", "camwidget-help-head", {}, make("span", "camwidget-heading", { id: title }, "Keyboard shortcuts"), close),
      make("div", "camwidget-shortcut-groups", {}, ...groups)
    );
    this.element = make("div", "camwidget-helpbox", {}, this.opener, this.panel);
    this.opener.addEventListener("click", () => this.toggle(), { signal });
    close.addEventListener("click", () => this.close(), { signal });
  }
  toggle() {
    if (!this.panel.hidden) {
      this.close();
      return;
    }
    this.focusedBefore = document.activeElement;
    this.panel.hidden = false;
    this.opener.setAttribute("aria-expanded", "true");
    this.panel.querySelector("button")?.focus();
  }
  /** Returns true if it was open. */
  close() {
    if (this.panel.hidden) return false;
    this.panel.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
    if (this.focusedBefore instanceof HTMLElement) this.focusedBefore.focus();
    return true;
  }
};

// src/view/controls/layerPlayback.ts
var PACE2 = 500;
var TRIANGLE2 = "M2 0V10L10 5Z";
var PAUSE2 = "M1 0H4V10H1ZM6 0H9V10H6Z";
var READY = "Play through the layers, shallow to deep, until stopped (y)";
var NOT_READY = "There are no maps of several layers to play: slow methods have none, others get theirs after the map";
var LayerPlayback = class {
  constructor(context) {
    this.context = context;
    const { scrub, signal } = context;
    const drawing = svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, this.sign);
    this.element = button("camwidget-button camwidget-step camwidget-play", {}, drawing);
    this.element.addEventListener("click", () => this.toggle(), { signal });
    scrub.listen(() => {
      if (this.isPlaying && scrub.current !== this.shownLayer) this.end();
      this.update();
    });
    context.watch(["layers"], () => this.update());
    signal.addEventListener("abort", () => window.clearInterval(this.timer));
  }
  context;
  element;
  sign = svg("path");
  timer = 0;
  /** The layer that is being shown. */
  shownLayer = "";
  stopsAtEnd = false;
  get isPlaying() {
    return this.timer !== 0;
  }
  toggle() {
    if (this.stop() || !this.canPlay) return;
    this.stopsAtEnd = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.timer = window.setInterval(() => this.next(), PACE2);
    if (this.stopsAtEnd) this.show(0);
    else this.next();
  }
  /** False when it was not playing. */
  stop() {
    if (!this.isPlaying) return false;
    this.end();
    this.context.scrub.commit();
    return true;
  }
  /** Stops when another control of the row is used. */
  stopOn(row) {
    const { signal } = this.context;
    const other = ({ target }) => !(target instanceof Node && this.element.contains(target));
    row.addEventListener("pointerdown", (event) => other(event) && this.stop(), { capture: true, signal });
    row.addEventListener(
      "keydown",
      (event) => {
        if (["Tab", "Shift", "y", "?", "Escape"].includes(event.key)) return;
        if (other(event) || ![" ", "Enter"].includes(event.key)) this.stop();
      },
      { capture: true, signal }
    );
  }
  get canPlay() {
    return this.context.scrub.available.length > 1;
  }
  next() {
    const { scrub } = this.context;
    const { available } = scrub;
    if (available.length < 2) {
      this.end();
      scrub.cancel();
      return;
    }
    const now = available.indexOf(scrub.current);
    if (this.stopsAtEnd && now === available.length - 1) this.stop();
    else this.show((now + 1) % available.length);
  }
  show(at) {
    const { scrub } = this.context;
    this.shownLayer = scrub.available[at] ?? "";
    scrub.moveTo(this.shownLayer);
  }
  end() {
    window.clearInterval(this.timer);
    this.timer = 0;
    this.update();
  }
  update() {
    const { element, isPlaying } = this;
    const can = isPlaying || this.canPlay;
    this.sign.setAttribute("d", isPlaying ? PAUSE2 : TRIANGLE2);
    setAttribute(element, "aria-label", isPlaying ? "Stop playing through the layers" : "Play through the layers");
    setAttribute(element, "aria-disabled", String(!can));
    setAttribute(element, "title", isPlaying ? "Stop here (y, Esc)" : can ? READY : NOT_READY);
  }
};

// src/view/controls/layerSlider.ts
var MOST_TICKS = 24;
var PAUSE3 = 400;
var NO_LAYER = "This method explains the picture itself, at no layer";
var ONE_LAYER = "This page has maps of this class at this layer only; at other layers they need Python";
function layerPicker(context, play, leave) {
  const { model, scrub, signal } = context;
  const select2 = make("select", "camwidget-select", {
    "aria-label": "Layer",
    title: "The layer the map is taken from, shallow to deep",
    ...OWN_KEYS
  });
  select2.addEventListener("change", () => scrub.request(select2.value), { signal });
  const shallower = step(context, -1, "‹", "Shallower layer", "[");
  const deeper = step(context, 1, "›", "Deeper layer", "]");
  const titles = [shallower, deeper, select2].map((control) => [control, control.title]);
  const onlyOne = make("span", "camwidget-only-layer", { hidden: true }, "only layer");
  const stops = scrubber(context);
  stops.append(onlyOne);
  const row = make(
    "div",
    "camwidget-layer camwidget-line",
    { role: "group", "aria-label": "Layer" },
    make("span", "camwidget-label", { "aria-hidden": "true" }, "Layer"),
    shallower,
    deeper,
    play,
    stops,
    select2
  );
  const update = () => {
    const all = layers(model.get("layers"));
    const now = all.findIndex(({ name }) => name === scrub.current);
    const { isDisabled } = scrub;
    const focused = document.activeElement;
    if (isDisabled && (focused === select2 || focused === play || stops.contains(focused))) leave();
    setAttribute(row, "aria-disabled", String(isDisabled));
    const isAlone = context.host === "model" && all.length === 1;
    row.title = isDisabled ? NO_LAYER : isAlone ? ONE_LAYER : "";
    for (const [control, title] of titles) setAttribute(control, "title", row.title || title);
    onlyOne.hidden = isDisabled || !isAlone;
    setChoices(select2, choices(all, trait(model, "layer")), scrub.current);
    select2.disabled = isDisabled || all.length < 2;
    setAttribute(shallower, "aria-disabled", String(isDisabled || now <= 0));
    setAttribute(deeper, "aria-disabled", String(isDisabled || now < 0 || now === all.length - 1));
  };
  context.watch(["layers"], update);
  scrub.listen(update);
  return row;
}
function step(context, by, sign, label2, key) {
  const made = button(
    "camwidget-button camwidget-step",
    { "aria-label": label2, title: `${label2} (${key})` },
    sign
  );
  made.addEventListener("click", () => context.scrub.step(by), { signal: context.signal });
  return made;
}
function scrubber(context) {
  const { model, scrub } = context;
  const range = make("input", "camwidget-range camwidget-scrubber", {
    type: "range",
    min: 0,
    step: 1,
    "aria-label": "Layer, shallow to deep",
    title: "Scrub through the layers, shallow to deep",
    ...OWN_KEYS
  });
  const ticks = make("div", "camwidget-ticks", { "aria-hidden": "true" });
  let all = [];
  let stop = -1;
  const update = () => {
    all = layers(model.get("layers"));
    const last = all.length - 1;
    const now = all.findIndex(({ name }) => name === scrub.current);
    stop = now >= 0 ? now : stop < 0 ? last : Math.min(stop, last);
    range.hidden = ticks.hidden = last < 1;
    range.disabled = scrub.isDisabled;
    range.max = String(Math.max(1, last));
    const value = String(Math.max(0, stop));
    if (range.value !== value) range.value = value;
    const layer = all[now];
    setAttribute(range, "aria-valuetext", layer === void 0 ? scrub.current : describe2(layer));
    fit(ticks, last < MOST_TICKS ? last + 1 : 0, () => make("i", ""));
  };
  whenMoved(
    range,
    context.signal,
    () => {
      const layer = all[Number(range.value)];
      if (layer !== void 0) scrub.moveTo(layer.name);
    },
    () => scrub.commit()
  );
  context.watch(["layers"], update);
  scrub.listen(update);
  return make("div", "camwidget-stops", {}, ticks, range);
}
function whenMoved(range, signal, move, rest) {
  let byKeys = false;
  let pressed = false;
  let timer = 0;
  const listen = (type, act2) => range.addEventListener(type, act2, { signal });
  const restNow = () => {
    window.clearTimeout(timer);
    rest();
  };
  const release = () => {
    if (pressed) restNow();
    pressed = false;
  };
  listen("pointerdown", () => {
    byKeys = false;
    pressed = true;
  });
  listen("keydown", () => byKeys = true);
  listen("input", () => {
    window.clearTimeout(timer);
    move();
  });
  listen("change", () => {
    window.clearTimeout(timer);
    if (byKeys) timer = window.setTimeout(restNow, PAUSE3);
    else restNow();
  });
  listen("blur", restNow);
  window.addEventListener("pointerup", release, { signal });
  window.addEventListener("pointercancel", release, { signal });
  signal.addEventListener("abort", () => window.clearTimeout(timer));
}
function choices(all, present) {
  const listed = all.map((layer) => ({ value: layer.name, label: describe2(layer) }));
  const missing = present !== "" && all.length > 0 && !all.some(({ name }) => name === present);
  return missing ? [...listed, { value: present, label: present }] : listed;
}
function describe2({ name, shape, frames }) {
  const [, height, width] = shape;
  if (height === void 0 || width === void 0) return name;
  return `${name} · ${height / frames}×${width}${frames > 1 ? ` in ${frames} frames` : ""}`;
}

// src/view/dom/slider.ts
var Slider = class {
  element;
  dragging = false;
  moved = false;
  constructor(options2) {
    const { signal } = options2;
    this.element = make("input", `camwidget-range ${options2.className}`, {
      type: "range",
      min: 0,
      max: 100,
      step: options2.step,
      "aria-label": options2.label,
      title: options2.title,
      ...OWN_KEYS
    });
    this.element.addEventListener(
      "input",
      () => {
        this.moved = true;
        this.decorate();
        options2.input(this.value);
      },
      { signal }
    );
    this.element.addEventListener(
      "pointerdown",
      (event) => {
        if (event.button !== 0 || this.element.disabled) return;
        this.dragging = true;
        this.moved = false;
      },
      { signal }
    );
    const release = () => {
      if (!this.dragging) return;
      this.dragging = false;
      options2.release(this.moved);
    };
    window.addEventListener("pointerup", release, { signal });
    window.addEventListener("pointercancel", release, { signal });
    this.element.addEventListener("blur", release, { signal });
  }
  get value() {
    return Number(this.element.value) / 100;
  }
  follow(value) {
    if (this.dragging) return;
    this.element.value = String(100 * value);
    this.decorate();
  }
  /** Updates the filled part of the track, and what screen readers say: "25 %" instead of "25". */
  decorate() {
    this.element.style.setProperty("--camwidget-slider-fill", String(this.value));
    this.element.setAttribute("aria-valuetext", percent(this.value));
  }
};

// src/view/controls/mapStyleControls.ts
var SCALE = "Each map is scaled to its own maximum: the colors of two maps do not compare";
function mapStyleTool(context, contour2, truth) {
  const { signal } = context;
  const id = context.id("style");
  const opener = button(
    "camwidget-button camwidget-map-style-open",
    { "aria-expanded": "false", "aria-controls": id, title: "Colors, opacity, box, contour and outlines of the map" },
    "style"
  );
  const drawer = make("div", "camwidget-map-style", { id, hidden: true }, colormap(context, contour2), opacity(context), region(context, contour2), truth);
  const show = (open) => {
    drawer.hidden = !open;
    setAttribute(opener, "aria-expanded", String(open));
    if (open) drawer.scrollIntoView({ block: "nearest" });
  };
  opener.addEventListener("click", () => show(drawer.hidden === true), { signal });
  drawer.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      show(false);
      opener.focus({ preventScroll: true });
    },
    { signal }
  );
  return { buttons: [opener], drawer };
}
function legend(context) {
  return make("span", "camwidget-legend", { title: SCALE }, "low", colorBar(context), "high", scaleNote(context));
}
function colorBar(context) {
  const { model } = context;
  const bar = make("span", "camwidget-legend-bar", { "aria-hidden": "true" });
  context.watch(["colormap", "colormaps"], () => {
    bar.style.backgroundImage = gradient(byteMap(model.get("colormaps")).get(trait(model, "colormap")) ?? GRAY);
  });
  return bar;
}
function colormap(context, contour2) {
  const { model, signal } = context;
  const select2 = make("select", "camwidget-select", {
    "aria-label": "Color map",
    title: "Colors of the map, from low to high",
    ...OWN_KEYS
  });
  select2.addEventListener("change", () => context.write({ colormap: select2.value }), { signal });
  context.watch(["colormap", "colormaps"], () => {
    const maps = byteMap(model.get("colormaps"));
    const name = trait(model, "colormap");
    setChoices(select2, [...maps.keys()].map((of) => ({ value: of, label: of })), name);
  });
  return labeledLine(
    "Map",
    select2,
    make(
      "span",
      "camwidget-legend",
      { title: SCALE },
      "low",
      make("span", "camwidget-legend-scale", {}, colorBar(context), contour2.level),
      "high"
    ),
    contour2.reading
  );
}
function scaleNote(context) {
  const note = make("span", "camwidget-legend-note", {}, "not linear");
  context.watch(["explanation", "compared_explanation"], () => {
    const notes = ["explanation", "compared_explanation"].map((name) => text(fields(context.model.get(name))["scale_note"]));
    const summary = [...new Set(notes)].filter((text2) => text2 !== "").join("; ");
    note.hidden = summary === "";
    setAttribute(note, "title", summary === "" ? "" : `Drawn brighter than in proportion: ${summary}. Masks, boxes and numbers use the map itself.`);
  });
  return note;
}
function opacity(context) {
  const { model, signal } = context;
  const range = new Slider({
    className: "camwidget-opacity",
    label: "Opacity of the map",
    title: "How strongly the map covers the picture; 0 shows exactly what the model gets",
    step: 1,
    signal,
    input: (value) => context.write({ opacity: value }),
    release: () => follow2()
  });
  const follow2 = () => range.follow(portion(model, "opacity"));
  const overlay2 = toggle("overlay", "Show the map over the picture (space)");
  const cells2 = toggle("cells", "Show the layer's own cells");
  overlay2.addEventListener("click", () => toggleOverlay(context), { signal });
  cells2.addEventListener("click", () => context.write({ cells: !trait(model, "cells") }), {
    signal
  });
  context.watch(["opacity"], follow2);
  context.watch(["overlay", "cells", "mode"], () => {
    const product = mode(model.get("mode")) === "multiply";
    setAttribute(overlay2, "aria-pressed", String(trait(model, "overlay") && !product));
    setAttribute(cells2, "aria-pressed", String(trait(model, "cells") && !product));
    range.element.disabled = product;
    cells2.disabled = product;
    overlay2.disabled = product;
  });
  return labeledLine(
    "Opacity",
    range.element,
    overlay2,
    cells2
  );
}
function region(context, contour2) {
  const { model, signal } = context;
  const box3 = toggle("box", "");
  box3.addEventListener("click", () => toggleBoxes(context), { signal });
  context.watch(["boxes"], () => setAttribute(box3, "aria-pressed", String(trait(model, "boxes"))));
  context.watch(["box_threshold"], () => {
    box3.title = `Show the map's box, around all above ${shareOf(model)} % of its maximum, and its peak (b)`;
  });
  return labeledLine("Region", box3, boxThreshold(context), contour2.toggle, findingsToggle(context), partsToggle(context));
}
function findingsToggle(context) {
  const { model, signal } = context;
  const made = toggle("", "");
  made.classList.add("camwidget-findings-toggle");
  made.addEventListener("click", () => toggleFindings(context), { signal });
  context.watch(["found", "findings"], () => {
    const { areas: areas2, boxes: boxes2 } = findings(model.get("found"));
    const what = areas2 === null ? "boxes" : "areas";
    made.hidden = areas2 === null && boxes2.length === 0;
    setText(made, `found ${what}`);
    made.title = `Draw the ${what} that the model finds; a click on one chooses it (f)`;
    setAttribute(made, "aria-pressed", String(trait(model, "findings")));
  });
  return made;
}
function partsToggle(context) {
  const { model, signal } = context;
  const made = toggle("parts", "");
  made.classList.add("camwidget-parts-toggle");
  made.addEventListener("click", () => toggleParts(context), { signal });
  context.watch(["picture_parts", "parts"], () => {
    const parts = pictureParts(model.get("picture_parts"));
    made.hidden = parts === null && !context.live;
    const what = parts?.isOfMap === true ? "the map's parts" : "superpixels";
    made.title = context.runsModel ? `Draw ${what}; a click on one hides it (h)` : `Draw ${what} (h)`;
    setAttribute(made, "aria-pressed", String(partsAreOn(context)));
  });
  return made;
}
function shareOf(model) {
  return Number((100 * trait(model, "box_threshold")).toPrecision(6));
}
function boxThreshold(context) {
  const { model, signal } = context;
  const input = make("input", "camwidget-setting-number camwidget-box-threshold", {
    type: "number",
    min: 1,
    max: 100,
    step: 1,
    "aria-label": "Threshold of the box, % of the map's maximum",
    ...OWN_KEYS
  });
  const title = "The box is around the largest region in which the map is at least this part of its maximum";
  const element = make("label", "camwidget-setting", { title }, "≥", input, "%");
  const follow2 = () => {
    input.value = String(shareOf(model));
  };
  input.addEventListener(
    "change",
    () => {
      const share = Number(input.value) / 100;
      if (share > 0 && share <= 1) context.write({ box_threshold: share });
      follow2();
    },
    { signal }
  );
  context.watch(["box_threshold"], follow2);
  context.watch(["boxes"], () => {
    element.hidden = !context.live || !trait(model, "boxes");
  });
  return element;
}
function toggle(label2, title) {
  return button("camwidget-button", { "aria-pressed": "false", title }, label2);
}

// src/view/controls/maskSlider.ts
var MODES = [
  { value: "remove", label: "remove", title: "Replace the pixels with the most evidence by the fill" },
  { value: "keep", label: "keep", title: "Keep the pixels with the most evidence, replace all others" },
  { value: "multiply", label: "× map", title: "Multiply the picture by the map" }
];
function maskRow(context, repaint) {
  const { model, signal } = context;
  const range = new Slider({
    className: "camwidget-fraction",
    label: "Fraction of the picture masked",
    title: "How much of the picture is masked, strongest evidence first (← →)",
    step: 0.5,
    signal,
    input: (value) => {
      context.write({ fraction: value });
      show();
      repaint();
    },
    release: (moved2) => {
      const now = portion(model, "fraction");
      if (!moved2) range.follow(now);
      else if (now !== range.value) context.write({ fraction: range.value });
      show();
      repaint();
    }
  });
  const reading = make("output", "camwidget-slider-value", { "aria-hidden": "true" });
  const show = () => setText(reading, percent(context.fraction()));
  context.fraction = () => range.dragging ? range.value : portion(model, "fraction");
  context.watch(["fraction", "mode"], () => {
    range.follow(portion(model, "fraction"));
    range.element.disabled = mode(model.get("mode")) === "multiply";
    show();
  });
  return make(
    "div",
    "camwidget-mask camwidget-line",
    {},
    make("span", "camwidget-label", { id: context.id("mask") }, "Mask"),
    modes(context),
    range.element,
    reading,
    fill(context)
  );
}
function modes(context) {
  const { model, signal } = context;
  const group = new RadioGroup(
    "camwidget-segments",
    { "aria-labelledby": context.id("mask") },
    MODES,
    ({ value }) => value,
    (value) => context.write({ mode: value }),
    signal
  );
  context.watch(["mode", "modes"], () => {
    const known = texts(model.get("modes"));
    group.update(mode(model.get("mode")), (value) => known.length === 0 || known.includes(value));
  });
  return group.element;
}
function fill(context) {
  const { model, signal } = context;
  const select2 = make("select", "camwidget-select", {
    title: `What replaces the masked pixels${context.live ? "" : "; inpainting needs the notebook"}`,
    ...OWN_KEYS
  });
  select2.addEventListener("change", () => context.write({ baseline: select2.value }), { signal });
  context.watch(["baseline", "baselines", "mode"], () => {
    const names = texts(model.get("baselines"));
    setChoices(select2, names.map((name) => ({ value: name, label: name })), trait(model, "baseline"));
    select2.disabled = names.length < 2 || mode(model.get("mode")) === "multiply";
  });
  return make("label", "camwidget-fill", {}, "fill", select2);
}

// src/view/controls/methodPanel.ts
var MethodPanel = class {
  constructor(context) {
    this.context = context;
    const { signal } = context;
    const id = context.id("more");
    this.opener = button("camwidget-button camwidget-more", {
      "aria-expanded": "false",
      "aria-controls": id
    });
    this.families = make("div", "camwidget-families", { role: "radiogroup", "aria-label": "More methods" });
    this.legend = make("div", "camwidget-more-legend", {}, slowMark(), SLOW);
    this.panel = make("div", "camwidget-more-panel", { id, hidden: true }, this.families, this.legend);
    makeRoving(this.families, signal);
    this.opener.addEventListener("click", () => this.panel.hidden ? this.open() : this.close(), { signal });
    this.panel.addEventListener("click", (event) => this.clicked(event), { signal });
    document.addEventListener("pointerdown", (event) => this.closeIfLeft(event.target), { signal });
    this.panel.addEventListener("focusout", (event) => this.closeIfLeft(event.relatedTarget), { signal });
  }
  context;
  /** The chip that opens the panel. It shows the chosen method's name if that method is in the panel. */
  opener;
  panel;
  families;
  legend;
  show(rest, chosen) {
    const now = rest.find(({ name }) => name === chosen);
    this.opener.hidden = rest.length === 0;
    if (rest.length === 0) this.close();
    fillLabel(this.opener, now?.label ?? "more", now?.slow ?? false);
    this.opener.title = now === void 0 ? "More methods, by family" : `${now.tip} – open for other methods`;
    setAttribute(this.opener, "aria-label", now === void 0 ? "More methods" : `${now.label}, more methods`);
    this.opener.dataset["chosen"] = String(now !== void 0);
    this.legend.hidden = !rest.some(({ slow }) => slow);
    this.fill(rest, chosen, now ?? rest[0]);
  }
  /** Returns false if it was not open. */
  close() {
    if (this.panel.hidden) return false;
    const inside = this.panel.contains(document.activeElement);
    this.panel.hidden = true;
    setAttribute(this.opener, "aria-expanded", "false");
    if (inside) this.opener.focus();
    return true;
  }
  open() {
    this.panel.hidden = false;
    setAttribute(this.opener, "aria-expanded", "true");
    this.panel.querySelector('[tabindex="0"]')?.focus();
  }
  fill(rest, chosen, stop) {
    const groups = [...new Set(rest.map(({ group }) => group))];
    const lines = fit(
      this.families,
      groups.length,
      () => make(
        "div",
        "camwidget-family",
        { role: "group" },
        make("span", "camwidget-family-name", { "aria-hidden": "true" }),
        make("div", "camwidget-family-methods")
      )
    );
    groups.forEach((group, at) => {
      const [name, radios] = lines[at]?.children ?? [];
      if (name === void 0 || !(radios instanceof HTMLElement)) return;
      setAttribute(lines[at], "aria-label", group);
      setText(name, group);
      const members = rest.filter((method) => method.group === group);
      fillRadios(this.context, radios, members, chosen, stop);
    });
  }
  /** Closes the panel after a choice; a click on an unavailable method leaves it open. */
  clicked({ target }) {
    const radio2 = target instanceof Element ? target.closest('[role="radio"]') : null;
    if (radio2 !== null && radio2.getAttribute("aria-disabled") !== "true") this.close();
  }
  /** Closes the panel when the pointer or the focus has gone elsewhere. */
  closeIfLeft(to) {
    if (!(to instanceof Node) || this.panel.contains(to) || this.opener.contains(to)) return;
    this.close();
  }
};
var SLOW = "reruns the model many times";
function fillRadios(context, group, all, chosen, stop = all.find(({ name }) => name === chosen) ?? all[0]) {
  const radios = fit(group, all.length, () => radio(context));
  all.forEach((method, at) => {
    const made = radios[at];
    if (made === void 0) return;
    made.dataset["name"] = method.name;
    made.title = describe3(method);
    markRadio(made, method.name === chosen, method === stop);
    if (method.reason === null) made.removeAttribute("aria-disabled");
    else setAttribute(made, "aria-disabled", "true");
    fillLabel(made, method.label, method.slow);
  });
}
function describe3({ tip, reason, slow }) {
  if (reason !== null) return `Not available: ${reason}`;
  return slow ? `${tip} – ${SLOW}` : tip;
}
function radio(context) {
  const made = button("camwidget-button camwidget-radio", { role: "radio" });
  made.addEventListener(
    "click",
    () => {
      if (made.getAttribute("aria-disabled") !== "true") context.write({ method: made.dataset["name"] ?? "" });
    },
    { signal: context.signal }
  );
  return made;
}
function fillLabel(of, label2, slow) {
  const [name] = fit(of, slow ? 2 : 1, (at) => at === 0 ? make("span", "") : slowMark());
  if (name !== void 0) setText(name, label2);
}
function slowMark() {
  return make("span", "camwidget-slow", { "aria-hidden": "true", title: SLOW });
}

// src/view/controls/methodChips.ts
var MOST2 = 8;
var FEW = 4;
var MethodRow = class {
  element;
  panel;
  constructor(context) {
    const { model, signal } = context;
    const label2 = make("span", "camwidget-label", { id: context.id("method") }, "Method");
    const chips = make("div", "camwidget-chips", {
      role: "radiogroup",
      "aria-labelledby": context.id("method")
    });
    makeRoving(chips, signal);
    this.panel = new MethodPanel(context);
    this.element = make(
      "div",
      "camwidget-methods camwidget-line",
      {},
      label2,
      make("div", "camwidget-methodgroups", {}, chips, this.panel.opener),
      this.panel.panel
    );
    context.watch(["methods", "method", "stance"], () => {
      const { few, rest } = split(methodsHere(model));
      const name = trait(model, "method");
      fillRadios(context, chips, few, name);
      this.panel.show(rest, name);
    });
  }
  /** Closes the panel; false when it was not open. */
  close() {
    return this.panel.close();
  }
};
function split(all) {
  if (all.length <= MOST2) return { few: all, rest: [] };
  const few = all.filter(({ slow }) => !slow).slice(0, FEW);
  return { few, rest: all.filter((method) => !few.includes(method)) };
}

// src/view/controls/methodSettings.ts
var REST = 150;
var STEPS = 100;
var MethodSettings = class {
  constructor(context) {
    this.context = context;
    const { signal } = context;
    const id = context.id("settings");
    this.opener = button(
      "camwidget-button camwidget-settings-open",
      { "aria-expanded": "false", "aria-controls": id },
      "settings"
    );
    this.row = make(
      "div",
      "camwidget-settings",
      { id, role: "group", "aria-label": "Settings of the method", hidden: true },
      this.name,
      this.fields,
      this.reset,
      this.message
    );
    this.tool = { buttons: [this.opener], drawer: this.row };
    this.opener.addEventListener("click", () => this.show(this.row.hidden === true), { signal });
    this.reset.addEventListener("click", () => this.restore(), { signal });
    this.row.addEventListener("change", ({ target }) => target instanceof HTMLInputElement && this.changed(target), { signal });
    this.row.addEventListener("input", ({ target }) => target instanceof HTMLInputElement && this.follow(target), { signal });
    this.row.addEventListener("click", ({ target }) => target instanceof HTMLButtonElement && this.chooseWord(target), { signal });
    this.row.addEventListener("keydown", (event) => this.key(event), { signal });
    signal.addEventListener("abort", () => this.stopWaiting());
    context.watch(["methods", "method", "settings"], () => this.update());
  }
  context;
  tool;
  opener;
  row;
  name = make("span", "camwidget-settings-of");
  fields = make("span", "camwidget-settings-fields");
  reset = button("camwidget-button", { title: "All settings of this method as they were at first" }, "defaults");
  message = make("span", "camwidget-settings-message", { role: "alert" });
  method;
  timer;
  show(open) {
    this.row.hidden = !open;
    setAttribute(this.opener, "aria-expanded", String(open));
    if (open) this.focusFirst();
  }
  focusFirst() {
    this.row.querySelector("input:not([hidden])")?.focus({ preventScroll: true });
  }
  /** Goes back to the defaults. The button is disabled then, and the focus must not be lost with it. */
  restore() {
    for (const input of this.row.querySelectorAll("input")) setAttribute(input, "aria-invalid", "false");
    this.focusFirst();
    this.write({});
  }
  key(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.show(false);
    this.opener.focus({ preventScroll: true });
  }
  update() {
    const { model } = this.context;
    const name = trait(model, "method");
    if (this.method?.name !== name) this.stopWaiting();
    const method = methods(model.get("methods")).find((one) => one.name === name);
    const all = method?.settings ?? [];
    const label2 = method?.label ?? "This method";
    this.opener.disabled = all.length === 0;
    this.opener.title = all.length === 0 ? `${label2} has no settings` : `Settings of ${label2}`;
    const own = settingsOf(model, name);
    this.opener.classList.toggle("camwidget-settings-changed", Object.keys(own).length > 0);
    if (all.length === 0) this.show(false);
    setText(this.name, label2);
    setText(this.message, "");
    const isSame = this.method?.name === name;
    this.method = method;
    const made = fit(this.fields, all.length, () => field());
    if (this.timer === void 0) all.forEach((setting2, at) => fillField(made[at], setting2, own[setting2.name], isSame));
    this.reset.disabled = Object.keys(own).length === 0;
  }
  /** The slider and the number beside it are one setting. While the slider moves, its latest value is used when it rests. */
  follow(input) {
    const setting2 = this.method?.settings.find(({ name }) => name === input.dataset["name"]);
    const value = input.value === "" ? setting2?.initial ?? "" : input.value;
    for (const other of input.parentElement?.querySelectorAll("input") ?? []) {
      if (other !== input || input.type === "range") setInput(other, String(value));
    }
    this.stopWaiting();
    if (input.type === "range") this.timer = window.setTimeout(() => this.changed(input), REST);
  }
  stopWaiting() {
    window.clearTimeout(this.timer);
    this.timer = void 0;
  }
  changed(input) {
    this.stopWaiting();
    const setting2 = this.method?.settings.find(({ name }) => name === input.dataset["name"]);
    if (setting2 === void 0) return;
    const wrong = reasonAgainst(setting2, input);
    setText(this.message, wrong);
    setAttribute(input, "aria-invalid", String(wrong !== ""));
    if (wrong !== "") return;
    const { [setting2.name]: _, ...others } = settingsOf(this.context.model, trait(this.context.model, "method"));
    this.write(input.value === "" ? others : { ...others, [setting2.name]: Number(input.value) });
  }
  /** Uses a value that is no number, or the default again. */
  chooseWord(of) {
    const { name, word } = of.dataset;
    if (name === void 0 || word === void 0) return;
    this.stopWaiting();
    const { [name]: now, ...others } = settingsOf(this.context.model, trait(this.context.model, "method"));
    this.write(now === word ? others : { ...others, [name]: word });
  }
  write(own) {
    const { model } = this.context;
    const { [trait(model, "method")]: _, ...others } = fields(model.get("settings"));
    const isDefault = Object.keys(own).length === 0;
    this.context.write({ settings: isDefault ? others : { ...others, [trait(model, "method")]: own } });
  }
};
function settingsOf(model, method) {
  return fields(fields(model.get("settings"))[method]);
}
function reasonAgainst({ name, isWhole, low, high }, input) {
  const value = Number(input.value);
  const isNumber = input.value !== "" ? Number.isFinite(value) : !input.validity.badInput;
  const isInside = input.value === "" || value >= low && (high === null || value <= high);
  if (isNumber && isInside && (!isWhole || Number.isInteger(value))) return "";
  const what = isWhole ? "an integer" : "a number";
  return `${name} is ${what} ${high === null ? `of at least ${low}` : `from ${low} to ${high}`}.`;
}
function field() {
  const range = make("input", "camwidget-range camwidget-setting-range", { type: "range", ...OWN_KEYS });
  const number2 = make("input", "camwidget-setting-number", { type: "number", ...OWN_KEYS });
  return make("label", "camwidget-setting", {}, make("span", "camwidget-setting-name"), range, number2, make("span", "camwidget-setting-words"));
}
function fillField(of, setting2, own, isSame) {
  const { name, initial, isWhole, low, high, sliderEnd, help, words: words2 } = setting2;
  const [label2, range, number2, choices2] = of.children;
  if (label2 === void 0 || choices2 === void 0 || !(range instanceof HTMLInputElement) || !(number2 instanceof HTMLInputElement)) return;
  of.title = `${help}${initial === null ? "" : ` (${initial} at first)`}`;
  setText(label2, name);
  const isWord = typeof own === "string";
  const value = typeof own === "number" ? String(own) : initial === null || isWord ? "" : String(initial);
  fit(choices2, words2.length, () => button("camwidget-button", {})).forEach((choice, at) => {
    const word = words2[at];
    choice.dataset["name"] = name;
    choice.dataset["word"] = word;
    setText(choice, word);
    setAttribute(choice, "aria-pressed", String(own === word));
    setAttribute(choice, "title", `${name}: ${word}`);
  });
  range.hidden = sliderEnd === null;
  for (const input of [range, number2]) {
    input.dataset["name"] = name;
    setAttribute(input, "min", String(low));
    const end = input === range ? sliderEnd : high;
    setAttribute(input, "max", end === null ? "" : String(end));
    const step2 = input === range && end !== null ? String((end - low) / STEPS) : "any";
    setAttribute(input, "step", isWhole ? "1" : step2);
    setAttribute(input, "aria-label", input === range ? `${name}, as a slider` : name);
    setAttribute(input, "placeholder", isWord ? "" : initial === null ? "auto" : String(initial));
    if (document.activeElement !== input || !isSame || input.getAttribute("aria-invalid") !== "true") setInput(input, value);
    setAttribute(input, "aria-invalid", "false");
  }
}
function setInput(input, value) {
  const isNowhere = input.type === "range" && value === "";
  input.value = isNowhere ? input.min : value;
  if (input.type === "range") {
    const low = Number(input.min);
    input.style.setProperty("--camwidget-slider-fill", String((Number(input.value) - low) / (Number(input.max) - low)));
  }
  input.classList.toggle("camwidget-setting-nowhere", isNowhere);
  if (isNowhere) input.setAttribute("aria-valuetext", "auto");
  else input.removeAttribute("aria-valuetext");
}

// src/view/controls/promptPanel.ts
var NOTHING = { words: [], captions: [] };
var PromptPanel = class {
  constructor(context) {
    this.context = context;
    const { signal } = context;
    const inputId = context.id("prompt");
    this.error.id = context.id("prompt-error");
    this.label = make("label", "camwidget-heading", { for: inputId, id: context.id("prompt-label") });
    this.words.setAttribute("aria-labelledby", this.label.id);
    this.input = make("input", "camwidget-prompt-text", {
      id: inputId,
      type: "text",
      "aria-label": "Text",
      autocomplete: "off",
      spellcheck: "false",
      "aria-describedby": this.error.id,
      ...OWN_KEYS
    });
    this.examples = make("select", "camwidget-select camwidget-prompt-examples", {
      "aria-label": "Examples",
      title: "Texts that the model can read",
      ...OWN_KEYS
    });
    this.own = button("camwidget-button", { title: "Go back to the text that the model itself has for this picture" }, "model's own");
    const apply = button("camwidget-button", { title: "Explain the picture under this text (Enter)" }, "apply");
    this.element = make(
      "div",
      "camwidget-prompt",
      {},
      make("div", "camwidget-prompt-head", {}, this.label, this.examples),
      this.words,
      make("div", "camwidget-line", {}, this.input, apply, this.own),
      this.error
    );
    apply.addEventListener("click", () => this.apply(), { signal });
    this.own.addEventListener("click", () => context.model.send({ type: "propose" }), { signal });
    this.input.addEventListener("keydown", (event) => this.key(event), { signal });
    this.examples.addEventListener("change", () => this.choose(), { signal });
    makeRoving(this.words, signal);
    context.watch(["prompt"], () => this.show());
    context.watch(["prompt", "target"], () => this.showWords());
    context.watch(["text_error", "prompt"], () => this.showError());
  }
  context;
  element;
  label;
  words = make("div", "camwidget-words", { role: "radiogroup" });
  input;
  examples;
  own;
  error = make("div", "camwidget-prompt-error", { role: "alert" });
  /** The last text received, and the last sent: while the field's text differs from both, a person is editing it. */
  received = "";
  sent = "";
  show() {
    const { model } = this.context;
    const shown2 = prompt(model.get("prompt"));
    this.element.hidden = shown2 === null;
    if (shown2 === null) return;
    setText(this.label, shown2.name.charAt(0).toUpperCase() + shown2.name.slice(1));
    setAttribute(this.input, "aria-label", shown2.name);
    this.input.placeholder = shown2.hint;
    this.input.title = shown2.hint;
    setChoices(
      this.examples,
      [{ value: "", label: "examples" }, ...shown2.examples.map((value2) => ({ value: value2, label: value2 }))],
      ""
    );
    this.own.hidden = !shown2.proposes;
    this.own.disabled = shown2.own;
    const { value } = this.input;
    const writing = document.activeElement === this.input && value !== this.received && value !== this.sent;
    if (!writing) {
      this.input.value = shown2.text;
      this.clearError();
    }
    this.received = shown2.text;
  }
  /** Updates the words of the text, which are buttons if they are targets; hidden if none is. */
  showWords() {
    const { model } = this.context;
    const target = trait(model, "target");
    const { words: words2, captions: captions2 } = prompt(model.get("prompt")) ?? NOTHING;
    const all = words2.some(({ target: of }) => of >= 0) ? [...captions2, ...words2] : [];
    this.words.hidden = all.length === 0;
    const chosen = Math.max(0, all.findIndex((word) => word.target >= 0 && word.target === target));
    const stop = all[chosen]?.target ?? -1;
    const first = all.find((word) => word.target >= 0);
    const parts = fit(this.words, all.length, () => this.word());
    all.forEach((word, at) => {
      const part = parts[at];
      if (part === void 0) return;
      fillWord(part, word, target, stop >= 0 ? at === chosen : word === first);
      part.classList.toggle("camwidget-word-caption", at < captions2.length);
    });
  }
  word() {
    const made = button("camwidget-word", {});
    made.addEventListener("click", () => pickClass(this.context, Number(made.dataset["target"])), {
      signal: this.context.signal
    });
    return made;
  }
  showError() {
    const error = trait(this.context.model, "text_error");
    const still = prompt(this.context.model.get("prompt"))?.text ?? "";
    setText(this.error, error === "" || still === "" ? error : `${error} Still shown: “${still}”.`);
    this.error.hidden = error === "";
    setAttribute(this.input, "aria-invalid", String(error !== ""));
  }
  apply() {
    this.sent = this.input.value;
    this.context.model.send({ type: "text", text: this.sent });
  }
  choose() {
    if (this.examples.value === "") return;
    this.input.value = this.examples.value;
    this.examples.value = "";
    this.apply();
  }
  key(event) {
    if (event.key === "Enter") this.apply();
    else if (event.key === "Escape" && this.input.value !== this.received) {
      this.input.value = this.received;
      this.clearError();
    } else return;
    event.preventDefault();
  }
  /** Clears the error once the field no longer holds the rejected text. */
  clearError() {
    if (trait(this.context.model, "text_error") !== "") this.context.write({ text_error: "" });
  }
};
function fillWord(part, word, target, stop) {
  const can = word.target >= 0;
  setText(part, word.text);
  part.dataset["target"] = String(word.target);
  part.disabled = !can;
  part.title = can ? `Explain “${word.text}”` : "No class stands for this word";
  markRadio(part, word.target === target, can && stop);
  setAttribute(part, "role", can ? "radio" : "presentation");
  if (!can) part.removeAttribute("aria-checked");
}

// src/view/controls/referenceEditor.ts
var ReferenceEditor = class {
  constructor(context) {
    this.context = context;
    const { model, signal } = context;
    this.input = make("input", "camwidget-search camwidget-reference-text", {
      type: "text",
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": "Add a text as a class",
      title: "Each text is a class: what the picture may show (Enter adds it)",
      "aria-describedby": context.id("reference-hint"),
      ...OWN_KEYS
    });
    this.hint.id = context.id("reference-hint");
    this.apply = button("camwidget-button", { title: "The text becomes a class (Enter)" }, "add");
    this.line = make("div", "camwidget-reference-line", {}, this.input, this.apply);
    this.shown = button("camwidget-button camwidget-reference-shown", { title: "The other pictures are compared with the references (r)" }, "use the picture shown as a reference");
    this.element = make("div", "camwidget-references", { hidden: true }, this.hint, this.line, this.shown, this.error);
    this.input.addEventListener("keydown", (event) => this.key(event), { signal });
    this.input.addEventListener("input", () => this.clearError(), { signal });
    this.apply.addEventListener("click", () => this.send(), { signal });
    this.shown.addEventListener("click", () => toggleReference(context, trait(model, "picture")), { signal });
    context.watch(["references", "picture", "pictures"], () => this.show());
    context.watch(["text_error"], () => this.showError());
  }
  context;
  element;
  hint = make("p", "camwidget-reference-hint");
  input;
  apply;
  line;
  shown;
  error = make("div", "camwidget-reference-error", { role: "alert", hidden: true });
  /** The class whose text is in the field, to be replaced; "" while a new one is written. */
  edited = "";
  /** The text that was sent last, until the kernel has it; "" if none is on its way. */
  sent = "";
  /** Puts the text of a class into the field, to be replaced by what is written there. */
  edit(name) {
    this.edited = name;
    this.input.value = name;
    this.clearError();
    this.showDeed();
    this.input.focus();
    this.input.select();
  }
  show() {
    const { model } = this.context;
    const known = references(model.get("references"));
    this.element.hidden = known === null;
    if (known === null) return;
    const isText = known.kind === "texts";
    setText(this.hint, known.hint);
    this.hint.hidden = known.hint === "";
    this.line.hidden = !isText;
    this.shown.hidden = isText || trait(model, "picture") < 0;
    const isReference = known.items.some(({ picture }) => picture === trait(model, "picture"));
    setAttribute(this.shown, "aria-pressed", String(isReference));
    setText(this.shown, isReference ? "the picture shown is a reference" : "use the picture shown as a reference");
    const names = known.items.map(({ name }) => name);
    if (this.sent !== "" && names.includes(this.sent)) {
      if (this.input.value.trim().replace(/\s+/g, " ") === this.sent) this.input.value = "";
      this.sent = this.edited = "";
    }
    if (this.edited !== "" && !names.includes(this.edited)) this.edited = "";
    this.showDeed();
  }
  showDeed() {
    const isNew = this.edited === "";
    this.input.placeholder = isNew ? "add a text, such as “a cat”" : "";
    setAttribute(this.input, "aria-label", isNew ? "Add a text as a class" : `Replace “${this.edited}”`);
    setText(this.apply, isNew ? "add" : "replace");
    this.apply.title = isNew ? "The text becomes a class (Enter)" : `The text takes the place of “${this.edited}” (Enter); Esc leaves it`;
  }
  showError() {
    const error = trait(this.context.model, "text_error");
    if (error !== "") this.sent = "";
    setText(this.error, error);
    this.error.hidden = error === "";
    setAttribute(this.input, "aria-invalid", String(error !== ""));
  }
  send() {
    const written2 = this.input.value.trim().replace(/\s+/g, " ");
    if (written2 === this.edited && written2 !== "") {
      this.leave();
      return;
    }
    this.sent = written2;
    this.context.model.send({ type: "reference", add: written2, ...this.edited === "" ? {} : { remove: this.edited } });
  }
  /** Leaves a text as it is. */
  leave() {
    this.edited = this.input.value = "";
    this.clearError();
    this.showDeed();
  }
  key(event) {
    if (event.key === "Enter") this.send();
    else if (event.key === "Escape" && (this.edited !== "" || this.input.value !== "")) this.leave();
    else return;
    event.preventDefault();
  }
  clearError() {
    if (trait(this.context.model, "text_error") !== "") this.context.write({ text_error: "" });
  }
};

// src/view/controls/referenceRows.ts
function referenceRows(context, names, edit) {
  const { model, signal, live } = context;
  const column = make("div", "camwidget-reference-rows", { hidden: true });
  const row = () => {
    const tile = make("canvas", "camwidget-reference-tile", { "aria-hidden": "true", hidden: true });
    const pen = button("camwidget-quiet camwidget-reference-edit", {}, "✎");
    const cross = button("camwidget-quiet camwidget-reference-remove", {}, "×");
    const made = make("div", "camwidget-reference-row", {}, tile, make("span", "camwidget-reference-gap"), pen, cross);
    pen.addEventListener("click", () => edit(made.dataset["name"] ?? ""), { signal });
    cross.addEventListener("click", () => removeReference(context, made.dataset["name"] ?? ""), { signal });
    return made;
  };
  context.watch(["references", "rows"], () => {
    const known = references(model.get("references"));
    const listed = known === null ? [] : rows(model.get("rows"));
    column.hidden = listed.length === 0;
    names.classList.toggle("camwidget-names-texts", live && known?.kind === "texts");
    names.classList.toggle("camwidget-names-pictures", known?.kind === "pictures");
    const parts = fit(column, listed.length, row);
    listed.forEach(({ name }, at) => {
      const part = parts[at];
      const [tile, , pen, cross] = part?.children ?? [];
      if (!(part instanceof HTMLElement) || !(tile instanceof HTMLCanvasElement)) return;
      part.dataset["name"] = name;
      const reference = known?.items.find((one) => one.name === name);
      drawTile(tile, reference);
      label(pen, `Edit “${name}”`, !live || known?.kind !== "texts" || reference === void 0);
      label(cross, `Remove “${name}”`, !live || reference === void 0);
    });
  });
  return column;
}
function label(control, text2, hidden) {
  if (!(control instanceof HTMLElement)) return;
  setAttribute(control, "aria-label", text2);
  control.title = text2;
  control.hidden = hidden;
}
function drawTile(canvas, reference) {
  const rgb = reference?.tile;
  canvas.hidden = rgb == null;
  if (rgb == null) return;
  const side = Math.round(Math.sqrt(rgb.length / 3));
  const rgba = new Uint8ClampedArray(4 * side * side);
  for (let at = 0; at < side * side; at++) {
    rgba.set(rgb.subarray(3 * at, 3 * at + 3), 4 * at);
    rgba[4 * at + 3] = 255;
  }
  canvas.width = canvas.height = side;
  canvas.getContext("2d")?.putImageData(new ImageData(rgba, side, side), 0, 0);
}

// src/view/controls/undoRedo.ts
var POSSIBLE = { undo: "can_undo", redo: "can_redo" };
function takeStep(context, step2) {
  if (flag(context.model.get(POSSIBLE[step2]), false)) context.model.send({ type: step2 });
}
function stepOf({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  if (!(ctrlKey || metaKey) || altKey) return null;
  const letter = key.toLowerCase();
  if (letter === "z") return shiftKey ? "redo" : "undo";
  return letter === "y" && !shiftKey ? "redo" : null;
}
function historyTool(context) {
  return {
    buttons: [
      stepButton(context, "undo", "↶", "Undo", "Undo (ctrl z)"),
      stepButton(context, "redo", "↷", "Redo", "Redo (ctrl shift z)")
    ]
  };
}
function stepButton(context, step2, glyph, label2, title) {
  const made = button("camwidget-button camwidget-history", { "aria-label": label2, title }, glyph);
  made.addEventListener("click", () => takeStep(context, step2), { signal: context.signal });
  context.watch([POSSIBLE[step2]], () => {
    setAttribute(made, "aria-disabled", String(!flag(context.model.get(POSSIBLE[step2]), false)));
  });
  return made;
}

// src/view/host/kernelConnection.ts
var MESSAGE = {
  live: "",
  waiting: "Waiting for the connection to the kernel…",
  lost: "Disconnected from the kernel: run the cell again. You can still mask and view the picture."
};
var NEED_KERNEL = [
  ".camwidget-history",
  ".camwidget-compare-open",
  ".camwidget-class-header",
  ".camwidget-class-names",
  ".camwidget-most-probable",
  ".camwidget-class-search",
  ".camwidget-methods",
  ".camwidget-settings",
  ".camwidget-settings-open",
  ".camwidget-layer",
  ".camwidget-fallback"
];
var KernelConnection = class {
  constructor(model, root, signal) {
    this.model = model;
    this.root = root;
    this.signal = signal;
    this.kernel = new HostKernel(model, root);
  }
  model;
  root;
  signal;
  /** The line with the message. */
  element = make("div", "camwidget-connection", { role: "status" });
  link = "live";
  kernel;
  /** Starts observing the kernel. To be called once the view is built, since its controls may be disabled at once. */
  start() {
    this.kernel.observe((isGone) => this.update(isGone), this.signal);
    this.update(false);
  }
  /** The widget's model, which ignores what needs a kernel once it is lost: no control shows a value for which no map will come. */
  guarded() {
    const { model } = this;
    return {
      get: (name) => model.get(name),
      set: (name, value) => {
        if (this.link !== "lost" || OFFLINE.has(name)) model.set(name, value);
      },
      save_changes: () => {
        if (this.link !== "lost") model.save_changes();
      },
      on: (event, callback) => model.on(event, callback),
      off: (event, callback) => model.off(event, callback),
      send: (content) => {
        if (this.link !== "lost") model.send(content);
      }
    };
  }
  update(isGone) {
    if (this.signal.aborted) return;
    this.link = isGone || this.link === "lost" ? "lost" : this.kernel.link;
    const isLost = this.link === "lost";
    setText(this.element, MESSAGE[this.link]);
    this.element.hidden = this.link === "live";
    this.root.classList.toggle("camwidget-disconnected", isLost);
    if (!isLost) return;
    for (const part of this.root.querySelectorAll(NEED_KERNEL.join())) part.toggleAttribute("inert", true);
    for (const name of ["busy", "pending", "can_cancel"]) this.model.set(name, false);
  }
};

// src/view/host/panelCanvasKeys.ts
var ATTENTION = "canvas.camwidget-attention-canvas";
var PARTS = "canvas.camwidget-parts-canvas";
var TEXTS = ".camwidget-attention-text, .camwidget-parts-text";
var LABELS3 = ".camwidget-attention-label";
function actsOnArrows(target) {
  return target instanceof HTMLCanvasElement && target.matches(`${ATTENTION}, ${PARTS}`);
}
function focusInPlace(canvas) {
  canvas.focus({ preventScroll: true });
}
function describeCanvases(panels) {
  const labels = panels.querySelectorAll(LABELS3);
  panels.querySelectorAll(ATTENTION).forEach((canvas, at) => describe4(canvas, labels[at]?.textContent ?? "Attention"));
  for (const canvas of panels.querySelectorAll(PARTS)) describe4(canvas, "Parts of the picture: arrow keys choose one, Enter masks it");
  for (const text2 of panels.querySelectorAll(TEXTS)) setAttribute(text2, "aria-live", "polite");
}
function passKeys(box3, signal) {
  document.addEventListener(
    "keydown",
    (event) => {
      const { target, key } = event;
      if (!(target instanceof HTMLCanvasElement) || box3()?.contains(target) !== true) return;
      const toggles = (key === "Enter" || key === " ") && target.matches(PARTS);
      if (!toggles && (!key.startsWith("Arrow") || !actsOnArrows(target))) event.stopPropagation();
    },
    { capture: true, signal }
  );
}
function describe4(canvas, label2) {
  setAttribute(canvas, "role", "application");
  setAttribute(canvas, "aria-label", label2);
}

// src/view/host/keyboardFocus.ts
function explorerBox(root) {
  return root.closest(".camwidget-explorer");
}
function keepFocus(root, frame2, signal) {
  const box3 = () => explorerBox(root) ?? root;
  document.addEventListener(
    "pointerdown",
    ({ target }) => {
      if (!(target instanceof Node) || !box3().contains(target)) return;
      if (actsOnArrows(target)) focusInPlace(target);
      else keepFromFocus(target);
    },
    { capture: true, signal }
  );
  document.addEventListener(
    "click",
    (event) => {
      if (!(event.target instanceof Node) || !box3().contains(event.target)) return;
      setTimeout(() => {
        if (!signal.aborted && !root.contains(document.activeElement) && !isInPanels(document.activeElement)) {
          frame2.focus({ preventScroll: true });
        }
      });
    },
    { signal }
  );
}
function isInPanels(element) {
  if (element?.closest(".camwidget-reference-marks") != null) return true;
  return element?.closest(".camwidget-panels") != null && (!(element instanceof HTMLCanvasElement) || actsOnArrows(element));
}
function makePanelsAccessible(root, signal) {
  const seen2 = /* @__PURE__ */ new WeakSet();
  const mark2 = () => {
    const panels = explorerBox(root)?.querySelector(".camwidget-panels") ?? null;
    if (panels === null) return;
    for (const header of accordionHeaders(panels)) {
      if (!seen2.has(header)) {
        seen2.add(header);
        for (const [name, value] of Object.entries({ role: "button", tabindex: "0", ...OWN_KEYS })) {
          setAttribute(header, name, value);
        }
        header.addEventListener("keydown", (event) => pressHeader(header, event), { signal });
      }
      setAttribute(header, "aria-expanded", String(isOpen(header)));
    }
    for (const image of unnamedImages(panels)) setAttribute(image, "alt", "The picture that is drawn");
    describeCanvases(panels);
  };
  passKeys(() => explorerBox(root), signal);
  const observer = new MutationObserver(mark2);
  signal.addEventListener("abort", () => observer.disconnect());
  setTimeout(() => {
    const box3 = explorerBox(root);
    if (signal.aborted || box3 === null) return;
    observer.observe(box3, { childList: true, subtree: true, attributeFilter: ["class"] });
    mark2();
  });
}
function pressHeader(header, event) {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  event.stopPropagation();
  header.click();
}

// src/view/host/layout.ts
var NARROW = 640;
var TINY = 440;
function observeWidth(root, probe, signal) {
  const observer = new ResizeObserver(() => {
    const width = probe.clientWidth;
    if (width === 0) return;
    const grid2 = explorerBox(root) ?? root;
    grid2.classList.toggle("camwidget-unthemed", !hasLabColors(grid2));
    grid2.classList.toggle("camwidget-narrow", width < NARROW);
    grid2.classList.toggle("camwidget-tiny", width < TINY);
  });
  observer.observe(probe);
  signal.addEventListener("abort", () => observer.disconnect());
}
function largeTool(context, root) {
  const { signal } = context;
  const opener = button(
    "camwidget-button camwidget-large-open",
    { "aria-pressed": "false", title: "Fill the window; Esc returns" },
    "large"
  );
  let shown2 = null;
  const enter = () => {
    shown2 = explorerBox(root) ?? root;
    shown2.classList.add("camwidget-large");
    if (typeof shown2.showPopover === "function") {
      shown2.popover = "manual";
      shown2.showPopover();
    }
    setAttribute(opener, "aria-pressed", "true");
    opener.focus({ preventScroll: true });
  };
  const leave = () => {
    if (shown2 === null) return false;
    shown2.removeAttribute("popover");
    shown2.classList.remove("camwidget-large");
    shown2 = null;
    setAttribute(opener, "aria-pressed", "false");
    return true;
  };
  opener.addEventListener("click", () => leave() || enter(), { signal });
  signal.addEventListener("abort", leave);
  return { tool: { buttons: [opener] }, leave };
}

// src/view/host/pictureNavigation.ts
var MARGIN = 0.5;
function followThumbnails(context, root, place3 = () => {
}) {
  const { model, signal } = context;
  let strip;
  let reported2 = "";
  const places = () => {
    const said = fields(model.get("thumbnails"));
    const count = number(said.places, 0);
    return { first: number(said.first, 0), count, pitch: number(said.pitch, (strip?.scrollWidth ?? 0) / Math.max(1, count)) };
  };
  const scrollToChosen = () => {
    const { first, count, pitch } = places();
    const at = trait(model, "picture") - first;
    if (strip === void 0 || count === 0 || at < 0 || at >= count) return;
    const hidden = at * pitch < strip.scrollLeft || (at + 1) * pitch > strip.scrollLeft + strip.clientWidth;
    if (hidden) strip.scrollLeft = (at + 0.5) * pitch - strip.clientWidth / 2;
  };
  const reportVisible = () => {
    const { first, count, pitch } = places();
    if (strip === void 0 || count === 0 || strip.clientWidth === 0 || strip.scrollWidth === 0) return;
    if (strip.scrollWidth < 0.9 * pitch * count) return;
    const margin = MARGIN * strip.clientWidth;
    const from = Math.max(0, Math.floor((strip.scrollLeft - margin) / pitch));
    const to = Math.min(count - 1, Math.floor((strip.scrollLeft + strip.clientWidth + margin) / pitch));
    place3({ element: strip, first, from: first + from, to: first + to + 1, pitch });
    const seen2 = { type: "thumbnails", first: first + from, last: first + to };
    if (reported2 === JSON.stringify(seen2)) return;
    reported2 = JSON.stringify(seen2);
    model.send(seen2);
  };
  const { schedule: reportSoon } = frameTask(signal, reportVisible);
  const grownObserver = new MutationObserver((records) => {
    const isMark = ({ target }) => target instanceof Element && target.closest(".camwidget-reference-marks") !== null;
    if (records.every(isMark)) return;
    scrollToChosen();
    reportSoon();
  });
  const arrivalObserver = new MutationObserver(() => follow2());
  const resizeObserver = typeof ResizeObserver === "undefined" ? void 0 : new ResizeObserver(reportSoon);
  signal.addEventListener("abort", () => {
    arrivalObserver.disconnect();
    grownObserver.disconnect();
    resizeObserver?.disconnect();
  });
  const follow2 = () => {
    const found = explorerBox(root)?.querySelector(".camwidget-thumbnails-scroll");
    if (found instanceof HTMLElement && found !== strip) {
      strip = found;
      arrivalObserver.disconnect();
      grownObserver.disconnect();
      grownObserver.observe(strip, { attributes: true, childList: true, subtree: true });
      resizeObserver?.disconnect();
      resizeObserver?.observe(strip);
      strip.addEventListener("scroll", reportSoon, { signal });
    }
    scrollToChosen();
    reportSoon();
  };
  context.watch(["picture", "pictures", "scene", "thumbnails"], follow2);
  setTimeout(() => {
    const box3 = explorerBox(root);
    if (strip !== void 0 || box3 === null || signal.aborted) return;
    arrivalObserver.observe(box3, { childList: true, subtree: true });
    follow2();
  });
}
function fallbackControls(context) {
  const { model, signal } = context;
  const step2 = (by, label2, glyph) => {
    const one = button("camwidget-button", { "aria-label": label2, title: `${label2} (${by < 0 ? "," : "."})` }, glyph);
    one.addEventListener("click", () => stepPicture(context, by), { signal });
    return one;
  };
  const back = step2(-1, "Previous picture", "‹");
  const on = step2(1, "Next picture", "›");
  const name = make("span", "camwidget-fallback-name");
  const line2 = labeledLine("Picture", back, on, name);
  const note = make("p", "camwidget-fallback-note");
  const block = make("div", "camwidget-fallback", {}, line2, note);
  context.watch(["fallback_note", "pictures", "picture"], () => {
    const missing = trait(model, "fallback_note");
    const names = texts(model.get("pictures"));
    const at = trait(model, "picture");
    block.hidden = missing === "";
    line2.hidden = names.length < 2;
    back.disabled = at <= 0;
    on.disabled = at >= names.length - 1;
    setText(name, `${names[at] ?? ""} · ${at + 1} of ${names.length}`);
    setText(note, missing);
  });
  return block;
}

// src/view/host/referenceMarks.ts
var ReferenceMarks = class {
  constructor(context) {
    this.context = context;
    const { signal } = context;
    this.group.addEventListener("keydown", (event) => this.key(event), { signal });
    context.watch(["references", "pictures", "picture"], () => this.update());
    signal.addEventListener("abort", () => this.group.remove());
  }
  context;
  group = make("div", "camwidget-reference-marks", { role: "group", "aria-label": "References" });
  strip = null;
  /** Follows the strip, which scrolls, and is drawn only after the first map. */
  place(strip) {
    this.strip = strip;
    if (this.group.parentElement !== strip.element) strip.element.append(this.group);
    this.update();
  }
  update() {
    const { strip, context } = this;
    const { model } = context;
    const known = references(model.get("references"));
    this.group.hidden = known?.kind !== "pictures" || strip === null;
    if (known?.kind !== "pictures" || strip === null) {
      fit(this.group, 0, () => this.mark());
      return;
    }
    const names = texts(model.get("pictures"));
    const chosen = new Set(known.items.map(({ picture }) => picture));
    const count = Math.max(0, Math.min(strip.to, names.length) - strip.from);
    const marks = fit(this.group, count, () => this.mark());
    const stop = Math.max(0, marks.findIndex((mark2) => mark2 === document.activeElement));
    marks.forEach((mark2, at) => {
      const number2 = strip.from + at;
      const isReference = chosen.has(number2);
      mark2.dataset["picture"] = String(number2);
      mark2.style.left = `${(number2 - strip.first) * strip.pitch}px`;
      mark2.style.width = `${strip.pitch}px`;
      setAttribute(mark2, "aria-pressed", String(isReference));
      setAttribute(mark2, "aria-label", `Reference: ${names[number2] ?? ""}`);
      setAttribute(mark2, "data-shown", String(number2 === trait(model, "picture")));
      mark2.title = isReference ? `Compare with ${names[number2] ?? ""} no more` : `Compare with ${names[number2] ?? ""}`;
      mark2.tabIndex = at === stop ? 0 : -1;
    });
  }
  mark() {
    const made = button("camwidget-reference-mark", {}, make("span", "camwidget-reference-ring", { "aria-hidden": "true" }));
    made.addEventListener("click", () => toggleReference(this.context, Number(made.dataset["picture"])), {
      signal: this.context.signal
    });
    return made;
  }
  key(event) {
    const by = event.key === "ArrowDown" || event.key === "ArrowRight" ? 1 : event.key === "ArrowUp" || event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    const marks = Array.from(this.group.children).filter((one) => one instanceof HTMLElement);
    const now = marks.findIndex((mark2) => mark2 === document.activeElement);
    const next = marks[Math.min(marks.length - 1, Math.max(0, now + by))];
    for (const mark2 of marks) mark2.tabIndex = mark2 === next ? 0 : -1;
    next?.focus();
    event.preventDefault();
    event.stopPropagation();
  }
};

// src/view/keyboard.ts
function keyboard(context, parts) {
  parts.root.addEventListener(
    "keydown",
    (event) => {
      const { target, key } = event;
      const step2 = context.runsModel ? stepOf(event) : null;
      if (step2 !== null && target instanceof Element && !event.defaultPrevented && !isWritten(target)) {
        takeStep(context, step2);
        event.preventDefault();
        event.stopPropagation();
        return;
      }
      if (!(target instanceof Element) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (!event.defaultPrevented && free(target, key) && act(context, parts, event)) {
        event.preventDefault();
      }
      const passes = key === "Tab" || key === "Escape" && !event.defaultPrevented;
      if (!passes) event.stopPropagation();
    },
    { signal: context.signal }
  );
}
function isWritten(target) {
  return target.matches('input:not([type="range"]), textarea');
}
function free(target, key) {
  if (target.matches("select")) return ["[", "]", "?", "Escape"].includes(key);
  if (isWritten(target)) return key === "Escape";
  if (target.matches("input:not(.camwidget-fraction)")) return !key.startsWith("Arrow");
  return true;
}
function act(context, parts, event) {
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

// src/view/picture/classProbePopover.ts
var ClassProbePopover = class {
  marker = make("div", "camwidget-class-probe-marker", { "aria-hidden": "true" });
  entries = make("div", "camwidget-class-probe-entries");
  heading = make("div", "camwidget-class-probe-heading");
  popover;
  context;
  stage;
  zoom;
  requested = null;
  result = null;
  closed = false;
  constructor(context, stage, zoom) {
    this.context = context;
    this.stage = stage;
    this.zoom = zoom;
    const { signal } = context;
    const close = button("camwidget-quiet camwidget-class-probe-close", { "aria-label": "Close", title: "Close (Esc)" }, "×");
    close.addEventListener(
      "click",
      () => {
        this.close();
        stage.frame.focus();
      },
      { signal }
    );
    this.popover = make(
      "div",
      "camwidget-class-probe",
      {
        role: "group",
        "aria-label": "Classes with the strongest maps at this point",
        title: "The most probable classes' maps at this point; 1 is the highest value of all of them anywhere in the picture"
      },
      this.heading,
      close,
      this.entries
    );
    stage.plane.append(this.marker);
    stage.frame.append(this.popover);
    stage.canvas.addEventListener("click", (event) => this.probe(event), { signal });
    zoom.listen(() => this.update());
    context.watch(["class_probe"], () => {
      this.requested = null;
      this.closed = false;
      this.update();
    });
    context.watch(["scene"], () => {
      this.requested = null;
      this.update();
    });
  }
  /** Returns true if there was something to close. */
  close() {
    const open = !this.marker.hidden;
    if (open) this.context.hover.set(null);
    this.closed = true;
    this.requested = null;
    this.update();
    return open;
  }
  /** The pixel of the marker; null while there is none. */
  get point() {
    return this.requested ?? this.result;
  }
  probe(event) {
    if (this.context.tool.value !== "" || this.zoom.dragged) return;
    const point = this.stage.at(event);
    if (point !== null) this.ask(point);
  }
  /** Moves the marker by a part of the picture; from its middle when there is none. */
  move(right, down) {
    const { canvas, frames } = this.stage;
    const { width } = canvas;
    const height = canvas.height / frames.count;
    const top = height * frames.shown;
    const marked = this.requested ?? this.result;
    const from = marked === null ? { x: width / 2, y: height / 2 } : { x: marked.x, y: clamp(marked.y - top, 0, height - 1) };
    const step2 = Math.max(1, Math.round(Math.min(width, height) / 16));
    const { x, y } = pixelAt({ x: from.x + right * step2, y: from.y + down * step2 }, { width, height });
    this.requested = { x, y: y + top };
    this.update();
    this.zoom.reveal(this.requested);
    this.context.hover.set(this.requested);
  }
  /** Probes the pixel of the marker, as a click there does. */
  probeAtMarker() {
    if (this.requested === null) this.move(0, 0);
    if (this.requested !== null) this.ask(this.requested);
  }
  /** Hides the part at a pixel, where parts are drawn; else chooses what the model finds there; lists the classes with evidence there where it finds nothing. */
  ask(point) {
    if (this.stage.parts.toggle(point) || pickFound(this.context, point)) this.close();
    else this.send(point);
  }
  send(point) {
    this.requested = point;
    this.closed = false;
    this.update();
    this.context.model.send({ type: "pick", x: point.x, y: point.y });
  }
  update() {
    const given = classProbe(this.context.model.get("class_probe"));
    const fits = given !== null && given.scene === this.stage.sceneId && !this.closed;
    this.result = fits ? given : null;
    const point = this.requested ?? this.result;
    this.marker.hidden = point === null;
    const isCurrent = this.result !== null && point?.x === this.result.x && point.y === this.result.y;
    const y = point === null ? 0 : this.zoom.seen(point).y;
    this.popover.hidden = !isCurrent || this.stage.frames.count > 1 && (y < 0 || y > 1);
    if (isCurrent && this.result !== null) this.list(this.result);
    if (point !== null) this.place(point);
  }
  /** Places marker and popover; the popover opens towards the middle of the picture, and stays inside it. */
  place(point) {
    placeAt(this.marker, relativeCenter(point, this.stage.canvas));
    const { x, y } = this.zoom.seen(point);
    const { style } = this.popover;
    style.left = x <= 0.5 ? within(`${100 * x}% + 14px`, "100% - 188px") : "";
    style.right = x <= 0.5 ? "" : within(`${100 * (1 - x)}% + 14px`, "100% - 188px");
    const most = `100% - ${this.popover.offsetHeight}px`;
    style.top = y <= 0.5 ? within(`${100 * y}%`, most) : "";
    style.bottom = y <= 0.5 ? "" : within(`${100 * (1 - y)}%`, most);
  }
  list({ classes, of }) {
    setText(this.heading, classes.length === 0 ? `No evidence of the top ${of}` : `Strongest of the top ${of}`);
    const items = fit(this.entries, classes.length, () => this.classButton());
    classes.forEach((probed, at) => {
      const item = items[at];
      const [name, value] = item?.children ?? [];
      if (item === void 0 || name === void 0 || value === void 0) return;
      item.dataset["index"] = String(probed.index);
      item.title = `Choose ${probed.name}`;
      item.style.setProperty("--camwidget-value", `${100 * probed.value}%`);
      setText(name, probed.name);
      setText(value, probed.value.toFixed(2));
    });
  }
  classButton() {
    const made = button(
      "camwidget-class-probe-entry",
      {},
      make("span", "camwidget-class-probe-name"),
      make("span", "camwidget-class-probe-value")
    );
    made.addEventListener(
      "click",
      () => {
        this.close();
        this.stage.frame.focus();
        pickClass(this.context, Number(made.dataset["index"]));
      },
      { signal: this.context.signal }
    );
    return made;
  }
};
function within(value, most) {
  return `clamp(0px, ${value}, ${most})`;
}

// src/core/contour.ts
var MOST3 = 12e3;
var TOP = 0;
var RIGHT = 1;
var BOTTOM = 2;
var LEFT = 3;
function contour(values, width, height, level) {
  let field2 = { values, width, height, side: 1 };
  for (; ; ) {
    const steps = march(field2, level);
    if (steps !== null) return path(steps, field2, level, width, height);
    field2 = halved(field2);
  }
}
function march({ values, width, height }, level) {
  const stride = width + 2;
  const next = new Int32Array(2 * stride * (height + 2));
  const isLeft = new Uint8Array(next.length);
  const entries = [];
  const ofRow = (j) => width * clamp(j - 1, 0, height - 1);
  for (let j = 0; j <= height; j++) {
    const above = ofRow(j);
    const below = ofRow(j + 1);
    let a = values[above] >= level;
    let d = values[below] >= level;
    for (let i = 0; i <= width; i++) {
      const column = Math.min(width - 1, i);
      const b = values[above + column] >= level;
      const c = values[below + column] >= level;
      if (a !== b || b !== c || c !== d) {
        if (entries.length >= MOST3) return null;
        const at = 2 * (j * stride + i);
        const sides = [at, at + 3, at + 2 * stride, at + 1];
        const step2 = (from, to) => {
          entries.push(sides[from]);
          next[sides[from]] = sides[to];
          isLeft[sides[to]] = 1;
        };
        if (a === c && b === d) {
          const middle = values[above + Math.max(0, i - 1)] + values[above + column] + values[below + Math.max(0, i - 1)] + values[below + column];
          saddle(a, middle >= 4 * level, step2);
        } else {
          const entry = !a && b ? TOP : !b && c ? RIGHT : !c && d ? BOTTOM : LEFT;
          const exit = a && !b ? TOP : b && !c ? RIGHT : c && !d ? BOTTOM : LEFT;
          step2(entry, exit);
        }
      }
      a = b;
      d = c;
    }
  }
  return { next, entries, isLeft };
}
function saddle(isFirst, isHigh, step2) {
  if (isFirst) {
    step2(LEFT, isHigh ? BOTTOM : TOP);
    step2(RIGHT, isHigh ? TOP : BOTTOM);
  } else {
    step2(TOP, isHigh ? LEFT : RIGHT);
    step2(BOTTOM, isHigh ? RIGHT : LEFT);
  }
}
function path({ next, entries, isLeft }, field2, level, width, height) {
  const parts = [];
  const isDone = new Uint8Array(next.length);
  const follow2 = (start) => {
    if (isDone[start] === 1) return;
    let side = start;
    let sign = "M";
    do {
      isDone[side] = 1;
      parts.push(sign, place(side, field2, level, width, height));
      sign = "L";
      side = next[side];
    } while (side !== 0 && side !== start);
    if (side === start) parts.push("Z");
  };
  for (const side of entries) if (isLeft[side] === 0) follow2(side);
  for (const side of entries) follow2(side);
  return parts.join("");
}
function place(side, { values, width: columns, height: rows2, side: size2 }, level, width, height) {
  const stride = columns + 2;
  const corner = side >> 1;
  const i = corner % stride;
  const j = (corner - i) / stride;
  const isDown = side % 2 === 1;
  const value = (x2, y2) => values[columns * clamp(y2 - 1, 0, rows2 - 1) + clamp(x2 - 1, 0, columns - 1)];
  const start = value(i, j);
  const part = (level - start) / (value(isDown ? i : i + 1, isDown ? j + 1 : j) - start);
  const x = size2 * (i - 0.5 + (isDown ? 0 : part));
  const y = size2 * (j - 0.5 + (isDown ? part : 0));
  return `${hundredths(x, width)} ${hundredths(y, height)}`;
}
function hundredths(value, most) {
  return Math.round(100 * clamp(value, 0, most)) / 100;
}
function halved({ values, width, height, side }) {
  const columns = width + 1 >> 1;
  const rows2 = height + 1 >> 1;
  const out = new Uint8Array(columns * rows2);
  for (let j = 0, k = 0; j < rows2; j++) {
    const above = 2 * j * width;
    const below = Math.min(2 * j + 1, height - 1) * width;
    for (let i = 0; i < columns; i++, k++) {
      const left = 2 * i;
      const right = Math.min(left + 1, width - 1);
      out[k] = values[above + left] + values[above + right] + values[below + left] + values[below + right] + 2 >> 2;
    }
  }
  return { values: out, width: columns, height: rows2, side: 2 * side };
}

// src/core/toneMapping.ts
var COLORS = 0.9;
function fromTone(drawn, knee) {
  if (knee === null) return drawn;
  return drawn > COLORS ? knee + (1 - knee) * (drawn - COLORS) / (1 - COLORS) : drawn * knee / COLORS;
}

// src/view/picture/contours.ts
var FIRST = 0.5;
var LOWEST = 0.01;
var Contours = class {
  constructor(context, stage) {
    this.context = context;
    this.stage = stage;
    const { signal } = context;
    this.toggle = button(
      "camwidget-button",
      { "aria-pressed": "false", title: "Outline where the map reaches a part of its maximum; a grainy map is averaged first (c)" },
      "contour"
    );
    this.toggle.addEventListener("click", () => this.flip(), { signal });
    const range = new Slider({
      className: "camwidget-contour-level",
      label: "Level of the contour, of the map's maximum",
      title: "Where on the color scale the contour is drawn; the number is the part of its maximum that the map reaches inside",
      step: 1,
      signal,
      input: (value) => context.write({ contour: Math.max(LOWEST, value) }),
      release: () => range.follow(this.chosenLevel)
    });
    this.level = range.element;
    this.reading = make("span", "camwidget-contour-value", { "aria-hidden": "true" });
    this.drawing = overlay("camwidget-contours");
    this.drawing.append(...line(""));
    stage.canvas.after(this.drawing);
    stage.listen(() => this.draw());
    context.watch(["contour"], () => {
      const { chosenLevel, level, reading } = this;
      if (chosenLevel > 0) this.last = chosenLevel;
      else if (level === document.activeElement) this.toggle.focus();
      setAttribute(this.toggle, "aria-pressed", String(chosenLevel > 0));
      level.hidden = reading.hidden = chosenLevel === 0;
      if (chosenLevel > 0) range.follow(chosenLevel);
      this.draw();
    });
  }
  context;
  stage;
  toggle;
  /** The mark on the color scale, and the level as a text; shown only while the contour is on. */
  level;
  reading;
  drawing;
  drawn = null;
  at = 0;
  /** The last level, for turning the contour on again. */
  last = FIRST;
  /** Turns the contour off, or on at its last level. */
  flip() {
    this.context.write({ contour: this.chosenLevel > 0 ? 0 : this.last });
  }
  get chosenLevel() {
    return portion(this.context.model, "contour");
  }
  draw() {
    const { chosenLevel, drawing, stage } = this;
    const shown2 = stage.drawn;
    setText(this.reading, percent(fromTone(chosenLevel, shown2?.knee ?? null)));
    const map = chosenLevel > 0 ? shown2?.drawn ?? shown2?.saliency ?? null : null;
    if (map === this.drawn && chosenLevel === this.at) return;
    this.drawn = map;
    this.at = chosenLevel;
    const { width, height } = stage.canvas;
    const path2 = map === null ? "" : contour(map, width, height, 255 * chosenLevel);
    drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    for (const child of drawing.children) child.setAttribute("d", path2);
  }
};

// src/view/picture/readout.ts
var MOST4 = 3;
var LEAST2 = 5e-3;
var HINT = hint("point: values", "click: classes", "wheel: zoom", "drag: pan");
var FINDING = {
  boxes: hint("click a box: ask about it", "point: values", "wheel: zoom"),
  areas: hint("click: the class there", "point: values", "wheel: zoom"),
  region: hint("click: the class there", "point: values", "paint: ask about a region")
};
var PARTS2 = hint("click a part: hide it, or show it again", "point: values", "wheel: zoom");
var PARTS_ALONE = hint("point at a part: its value", "wheel: zoom", "drag: pan");
var PAINTING = hint("drag: paint", "shift click: a straight line", "x: next brush", "wheel: zoom");
function readout(context, stage, zoom) {
  const { model, hover, scrub } = context;
  const facts = make("div", "camwidget-readout-pixel");
  const names = make("span", "camwidget-readout-classes", {
    title: "The listed classes' maps at this pixel, on one scale: 1 is the highest value of all of them"
  });
  const caption = make("span", "camwidget-readout-caption");
  const scale = legend(context);
  const line2 = make("div", "camwidget-readout", {}, scale, facts, make("div", "camwidget-readout-evidence", {}, caption, names));
  let known = classMaps(null);
  let peak = 0;
  const update = () => {
    const point = hover.value;
    line2.classList.toggle("camwidget-readout-empty", point === null);
    scale.hidden = point !== null;
    setText(facts, point === null ? context.tool.value === "" ? groundTruthSummary(context) || usage(context, stage) : PAINTING : describePixel(context, stage, point));
    const isUnknown = point === null || scrub.preview !== null || known.classes.length === 0;
    const strongest = isUnknown ? [] : strengths(known, peak ||= peakOfClasses(known, stage), stage, point);
    setText(caption, isUnknown ? "" : strongest.length === 0 ? "no evidence for the classes listed" : "evidence");
    const target = trait(model, "target");
    const parts = fit(names, strongest.length, () => make("span", "", {}, make("span", ""), make("b", "")));
    strongest.forEach(({ index, name, value }, at) => {
      const [label2, amount] = parts[at]?.children ?? [];
      if (label2 === void 0 || amount === void 0) return;
      parts[at]?.classList.toggle("camwidget-chosen", index === target);
      setText(label2, name);
      setText(amount, value.toFixed(2));
    });
  };
  context.watch(["class_maps", "method", "prompt", "explanation", "scene", "target"], () => {
    const received = classMaps(model.get("class_maps"));
    const isCurrent = received.scene === stage.sceneId && received.method === trait(model, "method") && received.layer === mapLayer(model.get("explanation")).layer && received.text === (prompt(model.get("prompt"))?.text ?? "");
    known = isCurrent ? received : classMaps(null);
    peak = 0;
    update();
  });
  context.watch(["fraction", "mode", "ground_truth", "outlines", "box", "boxes", "found", "findings", "picture_parts", "parts"], update);
  stage.listen(update);
  hover.listen(update);
  context.tool.listen(update);
  follow(context, stage, zoom);
  return line2;
}
function usage({ model, runsModel }, stage) {
  if (stage.parts.drawn !== null) return runsModel ? PARTS2 : PARTS_ALONE;
  const { areas: areas2, boxes: boxes2, takesRegion } = findings(model.get("found"));
  if (!trait(model, "findings") || areas2 === null && boxes2.length === 0) return HINT;
  if (areas2 === null) return FINDING.boxes;
  return takesRegion ? FINDING.region : FINDING.areas;
}
function hint(...all) {
  return all.map((one) => one.replaceAll(" ", " ")).join(" · ");
}
function follow({ hover, signal }, stage, zoom) {
  let last = null;
  stage.clip.addEventListener(
    "pointermove",
    (event) => {
      if (event.pointerType === "touch") return;
      last = event;
      hover.set(stage.at(event));
    },
    { signal }
  );
  stage.clip.addEventListener(
    "pointerleave",
    () => {
      last = null;
      hover.set(null);
    },
    { signal }
  );
  zoom.listen(() => {
    if (last !== null) hover.set(stage.at(last));
  });
}
function describePixel(context, stage, { x, y }) {
  const at = y * stage.canvas.width + x;
  const { drawn } = stage;
  const parts = [`saliency ${((drawn?.saliency[at] ?? 0) / 255).toFixed(2)}`];
  const part = stage.parts.describe({ x, y });
  if (part !== "") parts.unshift(part);
  const level = drawn?.levels?.[at];
  if (level !== void 0) {
    parts.push(`top ${(Math.ceil(1e3 * (level + 1) / 65536) / 10).toFixed(1)} %`);
    const isTop = level < threshold(context.fraction());
    const chosen = mode(context.model.get("mode"));
    if (chosen !== "multiply" && isTop === (chosen === "remove")) parts.push("removed");
  }
  return parts.join(" · ");
}
function strengths(known, peak, stage, { x, y }) {
  const { width, height } = stage.canvas;
  return known.classes.map(({ index, name, grid: grid2 }) => ({ index, name, value: enlargeAt(grid2, width, height, x, y) / peak })).filter(({ value }) => value >= LEAST2).sort((a, b) => b.value - a.value).slice(0, MOST4);
}
function peakOfClasses({ classes }, { canvas: { width, height } }) {
  return enlargedPeak(classes.map(({ grid: grid2 }) => grid2), width, height) || 1;
}

// src/core/viewport.ts
var FULL_VIEW = { scale: 1, left: 0, top: 0 };
var MAX_SCALE = 16;
function fitted(scale, left, top) {
  const within2 = (value) => clamp(value, 0, scale - 1);
  return { scale, left: within2(left), top: within2(top) };
}
function zoomed({ scale, left, top }, factor2, { x, y }) {
  const next = clamp(scale * factor2, 1, MAX_SCALE);
  const grown = next / scale;
  return fitted(next, (left + x) * grown - x, (top + y) * grown - y);
}
function moved({ scale, left, top }, right, down) {
  return fitted(scale, left - right, top - down);
}
function seen({ scale, left, top }, { x, y }) {
  return { x: x * scale - left, y: y * scale - top };
}
function revealing(viewport, place3) {
  const margin = 0.1;
  const { x, y } = seen(viewport, place3);
  const lack = (at) => at < margin ? margin - at : at > 1 - margin ? 1 - margin - at : 0;
  return moved(viewport, lack(x), lack(y));
}

// src/view/picture/wheelZoom.ts
var PAUSE4 = 300;
var GAIN = 2e-3;
var PINCH_GAIN = 0.01;
var MOST5 = 0.3;
var LINE = 16;
var PAGE = 400;
var WheelZoom = class {
  /** When the page was last given a wheel event, and when it was last enlarged or reduced here. */
  passed = -Infinity;
  zoomed = -Infinity;
  /**
   * @param element where it zooms
   * @param zoom by a factor; false if there is nothing to zoom that way
   */
  constructor(element, signal, zoom) {
    const elsewhere = (event) => {
      if (!(event.target instanceof Node && element.contains(event.target))) this.passed = event.timeStamp;
    };
    window.addEventListener("wheel", elsewhere, { capture: true, passive: true, signal });
    element.addEventListener(
      "wheel",
      (event) => {
        const now = event.timeStamp;
        const isPinch = event.ctrlKey;
        const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
        if (!isPinch && (isSideways || !event.cancelable || now - this.passed < PAUSE4)) {
          this.passed = now;
        } else if (zoom(event, factor(event))) {
          this.zoomed = now;
          event.preventDefault();
        } else if (isPinch || now - this.zoomed < PAUSE4) {
          event.preventDefault();
        } else {
          this.passed = now;
        }
      },
      { passive: false, signal }
    );
  }
};
function factor({ deltaY, deltaMode, ctrlKey }) {
  const pixels = deltaY * (deltaMode === 1 ? LINE : deltaMode === 2 ? PAGE : 1);
  const much = -pixels * (ctrlKey ? PINCH_GAIN : GAIN);
  return Math.exp(clamp(much, -MOST5, MOST5));
}

// src/view/picture/zoom.ts
var STILL = 3;
var STRIDE2 = 1.5;
var CRISP = 3;
var Zoom = class {
  constructor(context, stage) {
    this.context = context;
    this.stage = stage;
    const { signal } = context;
    this.badge = button("camwidget-button camwidget-zoomed", { title: "Show the whole picture again (0)", hidden: true });
    this.badge.addEventListener("click", () => this.reset(), { signal });
    stage.frame.append(this.badge);
    for (const end of ["pointerup", "pointercancel"]) {
      window.addEventListener(end, ({ pointerId }) => this.up(pointerId), { signal });
    }
    this.add(stage);
    context.watch(["scene"], () => this.fit());
    stage.frames.listen(() => {
      this.lay();
      this.listeners.notify();
    });
  }
  context;
  stage;
  /** Whether the last press on the picture was a drag and no click. */
  dragged = false;
  viewport = FULL_VIEW;
  size = "";
  /** The number of pictures when one was last shown. */
  count = 0;
  badge;
  panes = [];
  listeners = new Listeners();
  /** The last positions of the pressed pointers, in CSS pixels. */
  down = /* @__PURE__ */ new Map();
  from = { x: 0, y: 0 };
  /** Adds a pane, which shows the same viewport and can move it. */
  add(pane) {
    const { signal } = this.context;
    this.panes.push(pane);
    new WheelZoom(pane.clip, signal, (event, factor2) => this.wheel(pane.clip, event, factor2));
    this.listenToPointers(pane.clip, signal);
    this.lay();
  }
  /** Calls `update` whenever another part of the picture is seen. */
  listen(update) {
    this.listeners.add(update);
  }
  /** Zooms in (+1) or out (-1) by one step about the center. */
  step(by) {
    this.setViewport(zoomed(this.viewport, STRIDE2 ** by, { x: 0.5, y: 0.5 }));
  }
  reset() {
    this.setViewport(FULL_VIEW);
  }
  /** Moves the picture as far as is needed to see a pixel of it. */
  reveal(point) {
    this.setViewport(revealing(this.viewport, this.stage.frames.inFrame(relativeCenter(point, this.stage.canvas))));
  }
  /** Where in the frame, from 0 to 1 each way, a pixel is seen. */
  seen(point) {
    return seen(this.viewport, this.stage.frames.inFrame(relativeCenter(point, this.stage.canvas)));
  }
  /** Pictures of the same size are compared at the same place; one that has just been opened is seen whole. */
  fit() {
    const { width, height } = this.stage.canvas;
    const size2 = this.stage.sceneId === null ? "" : `${width}×${height}`;
    const count = texts(this.context.model.get("pictures")).length;
    const isOpened = count > this.count;
    this.count = count;
    if (size2 === this.size && !isOpened) return;
    this.size = size2;
    this.reset();
  }
  setViewport(viewport) {
    const { stage, badge } = this;
    if (this.size === "") viewport = FULL_VIEW;
    this.viewport = viewport;
    this.lay();
    const { scale } = viewport;
    const isCloser = scale > 1;
    if (!isCloser && badge === document.activeElement) stage.focus();
    badge.hidden = !isCloser;
    const times = scale < 9.95 ? scale.toFixed(1) : String(Math.round(scale));
    setText(badge, `×${times} ↺`);
    setAttribute(badge, "aria-label", `Enlarged ${times} times: show the whole picture again`);
    this.listeners.notify();
  }
  /** Lays out each pane by the viewport. To be called after a canvas has changed its size. */
  lay() {
    const { scale, left, top } = this.viewport;
    const isCloser = scale > 1;
    const { clientWidth } = this.stage.clip;
    const { count, shown: shown2 } = this.stage.frames;
    for (const { clip, plane, canvas } of this.panes) {
      const { style } = plane;
      style.width = `${100 * scale}%`;
      style.height = `${100 * scale * count}%`;
      style.left = `${-100 * left}%`;
      style.top = `${-100 * (top + scale * shown2)}%`;
      clip.classList.toggle("camwidget-enlarged", isCloser);
      clip.classList.toggle("camwidget-film", count > 1);
      canvas.classList.toggle("camwidget-crisp", isCloser && scale * clientWidth > CRISP * canvas.width);
    }
  }
  /** Zooms by a factor; false where that changes nothing, so that the page may scroll. */
  wheel(clip, event, factor2) {
    const next = zoomed(this.viewport, factor2, positionIn(clip, { x: event.clientX, y: event.clientY }));
    if (this.size === "" || factor2 < 1 && this.viewport.scale === 1) return false;
    this.setViewport(next);
    return true;
  }
  listenToPointers(clip, signal) {
    const { down, context } = this;
    clip.addEventListener(
      "pointerdown",
      (event) => {
        if (down.size === 0) this.dragged = false;
        if (context.tool.value !== "" || event.button !== 0 || down.size === 2) return;
        this.from = place2(event);
        down.set(event.pointerId, this.from);
        if (down.size === 2) this.dragged = true;
      },
      { signal }
    );
    clip.addEventListener(
      "pointermove",
      (event) => {
        if (event.pointerType === "mouse" && event.buttons === 0) this.up(event.pointerId);
        const before = down.get(event.pointerId);
        if (before === void 0) return;
        const now = place2(event);
        if (down.size === 2) this.pinch(clip, event.pointerId, now);
        else this.drag(clip, event, before, now);
      },
      { signal }
    );
    const own = (event) => {
      if (context.tool.value === "" && event.touches.length > 1 && event.cancelable) event.preventDefault();
    };
    clip.addEventListener("touchstart", own, { passive: false, signal });
    clip.addEventListener("touchmove", own, { passive: false, signal });
  }
  up(pointer) {
    this.down.delete(pointer);
    if (this.down.size > 0) return;
    for (const { clip } of this.panes) clip.classList.remove("camwidget-dragging");
  }
  drag(clip, event, before, now) {
    if (!this.dragged && distance(this.from, now) <= STILL) return;
    if (!this.dragged) {
      this.dragged = true;
      if (this.viewport.scale > 1) {
        clip.setPointerCapture(event.pointerId);
        clip.classList.add("camwidget-dragging");
      }
    }
    this.down.set(event.pointerId, now);
    this.pull(clip, before, now);
  }
  /** Zooms and moves so that the point between two fingers stays between them. */
  pinch(clip, moving, now) {
    const still = [...this.down].find(([id]) => id !== moving)?.[1];
    const before = this.down.get(moving);
    if (still === void 0 || before === void 0) return;
    this.down.set(moving, now);
    const apart = distance(still, before);
    if (apart === 0) return;
    const from = positionIn(clip, between2(still, before));
    const to = positionIn(clip, between2(still, now));
    const closer = zoomed(this.viewport, distance(still, now) / apart, from);
    this.setViewport(moved(closer, to.x - from.x, to.y - from.y));
  }
  pull(clip, before, now) {
    if (this.viewport.scale === 1) return;
    const from = positionIn(clip, before);
    const to = positionIn(clip, now);
    this.setViewport(moved(this.viewport, to.x - from.x, to.y - from.y));
  }
};
function positionIn(clip, { x, y }) {
  return relativePosition(clip, { clientX: x, clientY: y }) ?? { x: 0.5, y: 0.5 };
}
function place2({ clientX, clientY }) {
  return { x: clientX, y: clientY };
}
function between2(a, b) {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}
function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

// src/view/view.ts
function mount(model, root, signal, host = "kernel") {
  const connection = new KernelConnection(model, root, signal);
  const context = new Context(connection.guarded(), signal, host);
  const { live, runsModel } = context;
  const stage = new Stage(context);
  const zoom = new Zoom(context, stage);
  const probe = new ClassProbePopover(context, stage, zoom);
  const help = new HelpPanel(context);
  const stance2 = new StanceControl(context);
  const classes = classList(context, stance2.element);
  const methods2 = new MethodRow(context);
  const compare = new Comparison(context, stage, zoom, root);
  const mask = maskRow(context, () => {
    stage.repaint();
    compare.repaint();
  });
  const play = new LayerPlayback(context);
  const layer = layerPicker(context, play.element, () => stage.focus());
  play.stopOn(layer);
  const contour2 = new Contours(context, stage);
  const brush = new Brush(context, stage);
  const keep = exportTool(context, stage);
  const truth = groundTruthLine(context);
  const drawing = mapStyleTool(context, contour2, truth);
  const large = largeTool(context, root);
  const tools = live ? [historyTool(context), brush, compare.tool, new MethodSettings(context).tool, drawing, keep, large.tool] : runsModel ? [historyTool(context), brush, compare.tool, new MethodSettings(context).tool, drawing, keep] : [drawing, keep];
  const editor = new ReferenceEditor(context);
  const question2 = detectionQuestion(context);
  const parts = [
    make(
      "div",
      "camwidget-stage",
      {},
      ...compare.around,
      frameControl(context, stage.frames),
      readout(context, stage, zoom)
    ),
    make("div", "camwidget-class-header", {}, new PromptPanel(context).element, classes.head, ...live ? [] : [question2]),
    classes.names,
    classes.numbers,
    ...compare.numbers,
    ...runsModel ? [mostProbableRow(context)] : [],
    referenceRows(context, classes.names, (name) => editor.edit(name)),
    make("div", "camwidget-find", { "data-needs": "model" }, nothingFound(context), make("div", "camwidget-find-line", {}, ...live ? [question2] : [], new ClassSearch(context).element), editor.element),
    curveHeading(context),
    curveNames(context),
    fallbackControls(context),
    mask,
    sentence(context),
    make("div", "camwidget-choices", {}, methods2.element, layer),
    toolbar(tools, status(context, help.element)),
    errorLine(context),
    connection.element
  ];
  root.classList.add("camwidget-view");
  root.append(...parts);
  keyboard(context, {
    root,
    frame: stage.frame,
    toggleHelp: () => help.toggle(),
    marker: brush.marker(probe),
    brush,
    zoom,
    contour: contour2,
    play,
    frames: stage.frames,
    cycleComparison: () => compare.cycle(),
    close: () => help.close() || play.stop() || stage.frames.stop() || methods2.close() || stance2.cancel() || probe.close() || brush.stop() || stage.cancel.press() || large.leave()
  });
  observeWidth(root, mask, signal);
  markPending(context, root);
  const marks = live ? new ReferenceMarks(context) : null;
  followThumbnails(context, root, (strip) => marks?.place(strip));
  keepFocus(root, stage.frame, signal);
  makePanelsAccessible(root, signal);
  connection.start();
  signal.addEventListener("abort", () => parts.forEach((part) => part.remove()));
}

// src/index.ts
var src_default = widgetModule(mount);
export {
  src_default as default
};
