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

// src/view/host/compat.ts
var OWN_KEYS = { "data-lm-suppress-shortcuts": "true" };

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
function button(className, attributes, ...children) {
  return make("button", className, { type: "button", ...OWN_KEYS, ...attributes }, ...children);
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

// src/view/controls/methodPanel.ts
var SLOW = "reruns the model many times";
function fillLabel(of, label, slow) {
  const [name] = fit(of, slow ? 2 : 1, (at) => at === 0 ? make("span", "") : slowMark());
  if (name !== void 0) setText(name, label);
}
function slowMark() {
  return make("span", "camwidget-slow", { "aria-hidden": "true", title: SLOW });
}

// src/core/colormap.ts
var COLORMAP_BYTES = 768;
var GRAY = Uint8Array.from(
  { length: COLORMAP_BYTES },
  (_, i) => Math.floor(i / 3)
);

// src/view/traits.ts
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

// src/table/chooser.ts
var Chooser = class {
  /**
   * @param all the trait that lists all methods or metrics
   * @param chosen the trait with the names of the chosen ones
   */
  constructor(model, signal, title, all, chosen) {
    this.model = model;
    this.all = all;
    this.chosen = chosen;
    this.groups = make("div", "camwidget-table-groups", { role: "group", "aria-label": title });
    this.element = make(
      "details",
      "camwidget-table-chooser",
      {},
      make(
        "summary",
        "camwidget-table-summary",
        { title: `Choose ${title.toLowerCase()}`, ...OWN_KEYS },
        make("span", "camwidget-table-title", {}, title),
        this.count,
        this.names
      ),
      this.groups
    );
    this.groups.addEventListener("click", (event) => this.clicked(event), { signal });
    watch(model, [all, chosen], signal, () => this.update());
  }
  model;
  all;
  chosen;
  element;
  count = make("span", "camwidget-table-count");
  names = make("span", "camwidget-table-names");
  groups;
  update() {
    const all = methods(this.model.get(this.all));
    const chosen = new Set(texts(this.model.get(this.chosen)));
    const usable = all.filter(({ reason }) => reason === null);
    const taken = usable.filter(({ name }) => chosen.has(name));
    setText(this.count, `${taken.length} of ${usable.length}`);
    setText(this.names, taken.map(({ label }) => label).join(", "));
    const groups = [...new Set(all.map(({ group }) => group))];
    const lines = fit(
      this.groups,
      groups.length,
      () => make("div", "camwidget-table-group", {}, make("span", "camwidget-table-family"), make("div", "camwidget-table-chips"))
    );
    groups.forEach((group, at) => {
      const [family, chips] = Array.from(lines[at]?.children ?? []);
      if (family === void 0 || chips === void 0) return;
      setText(family, group);
      const mine = all.filter((choice) => choice.group === group);
      const made = fit(chips, mine.length, () => button("camwidget-table-chip", {}));
      mine.forEach((choice, k) => show(made[k], choice, chosen.has(choice.name)));
    });
  }
  clicked(event) {
    const chip = event.target instanceof Element ? event.target.closest(".camwidget-table-chip") : null;
    const name = chip?.dataset["name"];
    if (chip === null || name === void 0 || chip.getAttribute("aria-disabled") === "true") return;
    const before = texts(this.model.get(this.chosen));
    const after = before.includes(name) ? before.filter((one) => one !== name) : [...before, name];
    write(this.model, { [this.chosen]: after });
  }
};
function show(chip, { name, label, tip, reason, slow }, chosen) {
  if (chip === void 0) return;
  chip.dataset["name"] = name;
  chip.title = reason !== null ? `Not available: ${reason}` : slow ? `${tip} – ${SLOW}` : tip;
  setAttribute(chip, "aria-pressed", String(chosen && reason === null));
  setAttribute(chip, "aria-disabled", String(reason !== null));
  fillLabel(chip, label, slow);
}

// src/table/traits.ts
function columns(value) {
  return list(value).map(fields).map(({ name, label, tip, better }) => ({
    name: text(name),
    label: text(label, text(name)),
    tip: text(tip),
    better: better === "lower" ? "lower" : "higher"
  }));
}
function rows(value) {
  return list(value).map(fields).map(({ name, label, color, cells }) => ({
    name: text(name),
    label: text(label, text(name)),
    color: text(color),
    cells: list(cells).map(fields).map(cell)
  }));
}
function cell({ value, text: shown, note, best, waits }) {
  return {
    value: typeof value === "number" && Number.isFinite(value) ? value : null,
    text: text(shown, "–"),
    note: text(note),
    best: best === true,
    waits: waits === true
  };
}
function order(value) {
  const { column, reverse } = fields(value);
  return { column: text(column), reverse: reverse === true };
}

// src/table/scoreGrid.ts
var ScoreGrid = class {
  constructor(model, signal) {
    this.model = model;
    const table = make("table", "camwidget-table-scores", {}, make("thead", "", {}, this.head), this.body);
    this.caption = make("div", "camwidget-table-caption", {}, this.about, this.stale);
    this.element = make("div", "camwidget-table-result", {}, table);
    this.head.addEventListener("click", (event) => this.sort(event.target), { signal });
    this.body.addEventListener("click", (event) => this.pick(event.target), { signal });
    watch(model, ["caption", "stale", "running", "columns", "rows", "order", "method"], signal, () => this.update());
  }
  model;
  caption;
  element;
  about = make("span", "");
  stale = make("span", "camwidget-table-stale");
  head = make("tr", "");
  body = make("tbody", "");
  update() {
    const { model } = this;
    const shown = columns(model.get("columns"));
    const by = order(model.get("order"));
    const method = text(model.get("method"));
    const caption = text(model.get("caption"));
    this.element.hidden = this.caption.hidden = shown.length === 0;
    setText(this.about, `Scores of ${caption}`);
    const start = model.get("running") === true ? "" : "; press Start to evaluate it";
    setText(this.stale, model.get("stale") === true ? `the explorer shows another map now${start}` : "");
    const heads = fit(this.head, shown.length + 1, () => make("th", "", { scope: "col" }, button("camwidget-table-head", {})));
    heads.forEach((head, at) => fillHead(head, shown[at - 1], by));
    const lines = sorted(rows(model.get("rows")), shown, by);
    const made = fit(this.body, lines.length, () => make("tr", ""));
    lines.forEach((row, at) => fillRow(made[at], row, shown, row.name === method));
  }
  sort(target) {
    const head = target instanceof Element ? target.closest("th") : null;
    if (head === null) return;
    write(this.model, { order: turned(order(this.model.get("order")), head.dataset["name"] ?? "") });
  }
  pick(target) {
    const row = target instanceof Element ? target.closest("tr") : null;
    if (row !== null) this.model.send({ type: "pick", method: row.dataset["name"] ?? "" });
  }
};
function fillHead(head, column, by) {
  const [press] = Array.from(head.children);
  if (!(press instanceof HTMLElement)) return;
  const name = column?.name ?? "";
  head.dataset["name"] = name;
  const [start, end] = fit(press, 2, (at) => make("span", at === 0 ? "" : "camwidget-table-end"));
  if (start === void 0 || end === void 0) return;
  const [word, arrow] = fit(end, 2, (at) => make("span", at === 0 ? "" : "camwidget-table-better"));
  if (word === void 0 || arrow === void 0) return;
  const label = column?.label ?? "Method";
  const last = label.lastIndexOf(" ") + 1;
  setText(start, label.slice(0, last));
  setText(word, label.slice(last));
  setText(arrow, column === void 0 ? "" : column.better === "lower" ? "↓" : "↑");
  press.title = column === void 0 ? "In the order of the methods" : `${column.tip} – Click to sort`;
  const is = column !== void 0 && by.column === name;
  setAttribute(head, "aria-sort", is ? direction(column.better, by.reverse) : "none");
}
function fillRow(line, row, shown, current) {
  if (line === void 0) return;
  line.dataset["name"] = row.name;
  setAttribute(line, "aria-current", String(current));
  if (line.firstElementChild === null) {
    const press = button("camwidget-table-row", { title: "Show its map" });
    press.append(make("span", "camwidget-table-swatch", { "aria-hidden": "true" }), make("span", ""));
    line.append(make("th", "", { scope: "row" }, press));
  }
  const [swatch, label] = line.querySelectorAll("th span");
  if (swatch !== void 0) swatch.style.backgroundColor = row.color;
  if (label !== void 0) setText(label, row.label);
  const cells = fit(line, shown.length + 1, () => make("td", "")).slice(1);
  shown.forEach((_, at) => fillCell(cells[at], row.cells[at]));
}
function fillCell(place, cell2) {
  if (place === void 0 || cell2 === void 0) return;
  setText(place, cell2.waits ? "…" : cell2.text);
  place.dataset["best"] = String(cell2.best);
  place.dataset["none"] = String(cell2.value === null);
  const value = cell2.value === null ? "" : String(Number(cell2.value.toPrecision(6)));
  place.title = cell2.note !== "" ? cell2.note : cell2.best ? `${value}, the best of this column` : value;
}
function sorted(rows2, columns2, order2) {
  const at = columns2.findIndex(({ name }) => name === order2.column);
  const column = columns2[at];
  if (column === void 0) return rows2;
  const sign = (column.better === "lower" ? 1 : -1) * (order2.reverse ? -1 : 1);
  const value = (row) => row.cells[at]?.value ?? null;
  return [...rows2].sort((a, b) => {
    const [one, other] = [value(a), value(b)];
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    return sign * (one - other);
  });
}
function turned(order2, column) {
  return { column, reverse: column !== "" && order2.column === column && !order2.reverse };
}
function direction(better, reverse) {
  return better === "lower" === reverse ? "descending" : "ascending";
}

// src/table/index.ts
function mount(model, root, signal) {
  const methods2 = new Chooser(model, signal, "Methods", "methods", "chosen_methods");
  const metrics = new Chooser(model, signal, "Metrics", "metrics", "chosen_metrics");
  const scores = new ScoreGrid(model, signal);
  const parts = [
    make("div", "camwidget-table-choose", {}, methods2.element, metrics.element),
    runControls(model, signal),
    scores.caption,
    scores.element
  ];
  root.classList.add("camwidget-table");
  root.append(...parts);
  root.addEventListener("keydown", (event) => event.key !== "Tab" && event.stopPropagation(), { signal });
  signal.addEventListener("abort", () => parts.forEach((part) => part.remove()));
}
function runControls(model, signal) {
  const press = button("camwidget-table-button", {});
  press.addEventListener("click", () => model.send({ type: model.get("running") === true ? "cancel" : "start" }), { signal });
  const message = make("span", "camwidget-table-message");
  const done = make("div", "camwidget-table-done");
  const bar = make(
    "div",
    "camwidget-table-bar",
    { role: "progressbar", "aria-label": "Evaluation", "aria-valuemin": 0, "aria-valuemax": 100 },
    done
  );
  watch(model, ["running", "ready", "progress", "message", "wrong"], signal, () => {
    const running = model.get("running") === true;
    const percent = Math.round(100 * unit(model.get("progress"), 0));
    setText(press, running ? "Cancel" : "Start");
    press.title = running ? "Stop; what is finished stays" : "Score the maps of the picture, class and layer that are shown";
    press.disabled = !running && model.get("ready") !== true;
    setText(message, text(model.get("message")));
    message.dataset["wrong"] = String(model.get("wrong") === true);
    setAttribute(message, "aria-live", running ? "off" : "polite");
    bar.dataset["running"] = String(running);
    setAttribute(bar, "aria-valuenow", String(percent));
    done.style.width = `${percent}%`;
  });
  return make("div", "camwidget-table-start", {}, make("div", "camwidget-table-line", {}, press, message), bar);
}
var table_default = widgetModule(mount);
export {
  table_default as default,
  runControls
};
