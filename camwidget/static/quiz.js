// built from js/ — do not edit

// src/view/host/compat.ts
var OWN_KEYS = { "data-lm-suppress-shortcuts": "true" };
function keepFromFocus(target) {
  if (target instanceof HTMLCanvasElement) target.removeAttribute("tabindex");
}

// src/view/dom/dom.ts
function make(tag2, className, attributes = {}, ...children) {
  const element = document.createElement(tag2);
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
function fit(parent, count2, create) {
  while (parent.children.length > count2) parent.lastElementChild?.remove();
  while (parent.children.length < count2) parent.append(create(parent.children.length));
  return Array.from(parent.children);
}
function relativePosition(element, { clientX, clientY }) {
  const { left, top, width, height } = element.getBoundingClientRect();
  return width === 0 || height === 0 ? null : { x: (clientX - left) / width, y: (clientY - top) / height };
}
var SVG = "http://www.w3.org/2000/svg";
function svg(tag2, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag2);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}
function overlay(className, viewBox = "") {
  const made = svg("svg", { class: className, "aria-hidden": "true", preserveAspectRatio: "none" });
  if (viewBox !== "") made.setAttribute("viewBox", viewBox);
  return made;
}
function line(d, over = "over", under = "under") {
  return [svg("path", { class: under, d }), svg("path", { class: over, d })];
}

// src/view/host/panelCanvasKeys.ts
var ATTENTION = "canvas.camwidget-attention-canvas";
var PARTS = "canvas.camwidget-parts-canvas";
function actsOnArrows(target) {
  return target instanceof HTMLCanvasElement && target.matches(`${ATTENTION}, ${PARTS}`);
}
function focusInPlace(canvas) {
  canvas.focus({ preventScroll: true });
}

// src/view/host/keyboardFocus.ts
function explorerBox(root) {
  return root.closest(".camwidget-explorer");
}
function keepFocus(root, frame, signal) {
  const box = () => explorerBox(root) ?? root;
  document.addEventListener(
    "pointerdown",
    ({ target }) => {
      if (!(target instanceof Node) || !box().contains(target)) return;
      if (actsOnArrows(target)) focusInPlace(target);
      else keepFromFocus(target);
    },
    { capture: true, signal }
  );
  document.addEventListener(
    "click",
    (event) => {
      if (!(event.target instanceof Node) || !box().contains(event.target)) return;
      setTimeout(() => {
        if (!signal.aborted && !root.contains(document.activeElement) && !isInPanels(document.activeElement)) {
          frame.focus({ preventScroll: true });
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
function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}
function numbers(value) {
  return list(value).map((item) => number(item, Number.NaN));
}
function bytes(value) {
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  return value instanceof ArrayBuffer ? new Uint8Array(value) : null;
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

// src/quiz/cards.ts
function count(value) {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : 0;
}
function outline(value) {
  const { name, path, width, height, x, y } = fields(value);
  return { name: text(name), path: text(path), width: count(width), height: count(height), x: count(x), y: count(y) };
}
function pictures(value) {
  return list(value).flatMap((item) => {
    const { type, data, width, height, caption, outlines } = fields(item);
    const encoded = bytes(data);
    if (encoded === null || count(width) === 0 || count(height) === 0) return [];
    return {
      type: text(type),
      data: encoded,
      width: count(width),
      height: count(height),
      caption: text(caption),
      outlines: list(outlines).map(outline)
    };
  });
}
function card(value) {
  const given = fields(value);
  const { prompt, options, right, reveal, values, study, method, faithfulness, error } = given;
  const shown = pictures(given["pictures"]);
  const maps = Array.isArray(given["maps"]) && shown.length > 0 ? list(given["maps"]).map(comparedMap) : null;
  return {
    prompt: text(prompt),
    pictures: shown,
    options: list(options).map((option) => text(option)),
    right: numbers(right),
    reveal: text(reveal),
    values: Array.isArray(values) ? numbers(values) : null,
    study: text(study),
    method: text(method),
    faithfulness: typeof faithfulness === "number" ? faithfulness : null,
    maps,
    error: text(error)
  };
}
function comparedMap(value) {
  const { name, cells } = fields(value);
  return { name: text(name), cells: numbers(cells) };
}
function verdict({ right, values }, choice) {
  if (right.length === 0) return "noted";
  if (right.includes(choice)) return "right";
  return values?.[choice] === 0 ? "undecided" : "wrong";
}
var MARK = { right: "✓", wrong: "✗", undecided: "–", noted: "•" };
var WORD = {
  right: "Right",
  wrong: "Wrong",
  undecided: "Undecided",
  noted: "Noted"
};

// src/core/rankCorrelation.ts
var CELLS = 14;
function cellMeans(values, width, height) {
  const rows = Math.min(CELLS, height);
  const columns = Math.min(CELLS, width);
  const means2 = [];
  for (let row2 = 0; row2 < rows; row2++) {
    const [top, bottom] = [Math.floor(row2 * height / rows), Math.ceil((row2 + 1) * height / rows)];
    for (let column = 0; column < columns; column++) {
      const [left, right] = [Math.floor(column * width / columns), Math.ceil((column + 1) * width / columns)];
      let sum = 0;
      for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += values[y * width + x];
      means2.push(sum / ((bottom - top) * (right - left)));
    }
  }
  return means2;
}
function averageRanks(values) {
  const peak = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const rounded = values.map((value) => Math.round(value / peak * 1e9));
  const order = rounded.map((_, at) => at).sort((a, b) => rounded[a] - rounded[b]);
  const ranks = new Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to < order.length && rounded[order[to]] === rounded[order[from]]) to++;
    for (let k = from; k < to; k++) ranks[order[k]] = (from + to + 1) / 2;
    from = to;
  }
  return ranks;
}
function rankCorrelation(first, second) {
  if (first.length !== second.length || first.length === 0) return null;
  const [a, b] = [averageRanks(first), averageRanks(second)];
  const mean = (first.length + 1) / 2;
  let [product, one, other] = [0, 0, 0];
  for (let k = 0; k < a.length; k++) {
    product += (a[k] - mean) * (b[k] - mean);
    one += (a[k] - mean) ** 2;
    other += (b[k] - mean) ** 2;
  }
  return one === 0 || other === 0 ? null : Math.max(-1, Math.min(1, product / Math.sqrt(one * other)));
}

// src/core/userMask.ts
var HIDDEN = 1;
var KEPT = -1;
function encode(paint) {
  const runs = [];
  for (let i = 0; i < paint.length; ) {
    const value = paint[i];
    const start = i;
    while (i < paint.length && paint[i] === value) i++;
    if (value !== 0 || i < paint.length) runs.push(value, i - start);
  }
  return runs;
}
function decode(runs, size) {
  if (runs.length % 2 !== 0) return null;
  const paint = new Int8Array(size);
  let at = 0;
  for (let k = 0; k < runs.length; k += 2) {
    const value = runs[k];
    const length = runs[k + 1];
    if (value !== HIDDEN && value !== KEPT && value !== 0) return null;
    if (typeof length !== "number" || !Number.isInteger(length) || length < 1 || length > size - at) return null;
    paint.fill(value, at, at + length);
    at += length;
  }
  return paint;
}
function draw(paint, width, from, to, diameter, shade) {
  const height = paint.length / width;
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
    if (paint[at] === shade) return;
    paint[at] = shade;
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

// src/quiz/answerSheet.ts
var FORMAT = "camwidget answers";
var VERSION = 1;
function randomNumber() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
function answerSheet(number2, name, title, game, tasks = []) {
  const questions = Array.from({ length: game?.total ?? 0 }, (_, at) => ({ card: game.card(at), at })).flatMap(({ card: card2, at }) => card2 === null || card2.error !== "" ? [] : [answered(card2, game, at)]);
  const given = name.trim();
  return {
    format: FORMAT,
    version: VERSION,
    id: number2,
    ...given === "" ? {} : { name: given },
    title,
    questions,
    tasks
  };
}
function answered(card2, game, at) {
  return {
    prompt: card2.prompt,
    study: card2.study,
    method: card2.method,
    options: card2.options,
    right: card2.right,
    values: card2.values,
    chosen: game.choice(at),
    faithfulness: card2.faithfulness,
    correlations: Object.fromEntries(game.correlations(at).map(({ name, value }) => [name, value])),
    marked: game.marked(at)
  };
}
function download(sheet, file) {
  const address = URL.createObjectURL(new Blob([`${JSON.stringify(sheet, null, 1)}
`], { type: "application/json" }));
  const link = make("a", "", { href: address, download: file });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 6e4);
}
function fileName(name) {
  const plain2 = name.trim().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60);
  return plain2 === "" ? "answers.json" : `answers-${plain2}.json`;
}
function saveLine(sheet) {
  const name = make("input", "camwidget-quiz-name-field", {
    type: "text",
    maxlength: 200,
    autocomplete: "off",
    placeholder: "Name, if you like",
    "aria-label": "Your name, if you like"
  });
  name.addEventListener("keydown", (event) => event.stopPropagation());
  const save = button("camwidget-quiz-button", { title: "A JSON file for whoever asked" }, "Save the answers");
  const said = make("span", "camwidget-quiz-saved", { role: "status" });
  save.addEventListener("click", () => {
    const made = sheet(name.value);
    const file = fileName(name.value);
    if (made !== null) download(made, file);
    setText(said, made === null ? "There is nothing to save yet." : `Saved as ${file} in your downloads. Send this file to your teacher.`);
  });
  return { element: make("div", "camwidget-quiz-save", {}, name, save, said), outdate: () => setText(said, "") };
}

// src/quiz/game.ts
var Game = class {
  constructor(model) {
    this.model = model;
  }
  model;
  /** Parsed questions; the list is sent again whenever another question is ready. */
  read = [];
  get total() {
    return count(this.model.get("total"));
  }
  /** The question shown; `total` is the score. */
  get number() {
    return Math.min(count(this.model.get("number")), this.total);
  }
  get title() {
    return text(this.model.get("title"));
  }
  get source() {
    return text(this.model.get("source"));
  }
  get scale() {
    return text(this.model.get("scale"));
  }
  /** A question; null while it is being made. */
  card(at) {
    const raw = list(this.model.get("cards"))[at];
    if (raw === void 0) return null;
    return this.read[at] ??= card(raw);
  }
  choice(at) {
    const given = list(this.model.get("answers"))[at];
    return typeof given === "number" ? given : null;
  }
  /** The marks of a question about where one looks, as runs; null before. */
  runs(at) {
    const given = list(this.model.get("answers"))[at];
    return Array.isArray(given) ? given : null;
  }
  /** The share of the picture that is marked. */
  marked(at) {
    const marks = this.marks(at);
    return marks === null ? 0 : marks.reduce((sum, value) => sum + (value > 0 ? 1 : 0), 0) / marks.length;
  }
  /** The rank correlation of the marks with each map; empty before, and for a question with options. */
  correlations(at) {
    const [card2, marks] = [this.card(at), this.marks(at)];
    const picture = card2?.pictures[0];
    if (marks === null || picture === void 0) return [];
    const own = cellMeans(marks, picture.width, picture.height);
    return (card2?.maps ?? []).map(({ name, cells }) => ({ name, value: rankCorrelation(own, cells) }));
  }
  marks(at) {
    const [card2, runs] = [this.card(at), this.runs(at)];
    const picture = card2?.pictures[0];
    return runs === null || picture === void 0 ? null : decode(runs, picture.width * picture.height);
  }
  verdict(at) {
    if (this.runs(at) !== null) return "noted";
    const [card2, choice] = [this.card(at), this.choice(at)];
    return card2 === null || choice === null ? null : verdict(card2, choice);
  }
  /** Whether there is nothing left to answer at a question: it may be gone on from. */
  done(at) {
    return this.choice(at) !== null || this.runs(at) !== null || (this.card(at)?.error ?? "") !== "";
  }
  get finished() {
    return Array.from({ length: this.total }, (_, at) => this.done(at)).every(Boolean);
  }
  /** How many answers were right, of those that could be. */
  get score() {
    const judged = this.verdicts().filter((found) => found !== "noted");
    return { right: judged.filter((found) => found === "right").length, of: judged.length };
  }
  /** The mean on the questions' scale; null without any answer on one. */
  get mean() {
    const values = Array.from({ length: this.total }, (_, at) => {
      const choice = this.choice(at);
      return choice === null ? void 0 : this.card(at)?.values?.[choice];
    }).filter((value) => value !== void 0);
    return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
  }
  choose(option) {
    const at = this.number;
    const card2 = this.card(at);
    if (card2 === null || this.choice(at) !== null || option >= card2.options.length) return;
    this.answer(at, option);
  }
  /** Answers the question shown by marks, as runs. */
  mark(runs) {
    if (this.card(this.number)?.maps == null || this.runs(this.number) !== null || runs.length === 0) return;
    this.answer(this.number, runs);
  }
  /** The number of the answers, by which copies of a file are recognized. */
  get attempt() {
    return text(this.model.get("attempt"));
  }
  answer(at, given) {
    const answers = Array.from({ length: this.total }, (_, k) => k === at ? given : this.choice(k) ?? this.runs(k));
    write(this.model, { answers, ...this.attempt === "" ? { attempt: randomNumber() } : {} });
  }
  next() {
    if (this.number < this.total && this.done(this.number)) this.show(this.number + 1);
  }
  show(number2) {
    write(this.model, { number: number2 });
  }
  restart() {
    write(this.model, { answers: Array.from({ length: this.total }, () => null), number: 0, attempt: "" });
  }
  /** By method, of questions with a right option: how many were right, of how many. Empty where there is one method. */
  get tally() {
    const found = /* @__PURE__ */ new Map();
    for (let at = 0; at < this.total; at++) {
      const [card2, verdict2, choice] = [this.card(at), this.verdict(at), this.choice(at)];
      if (card2 === null || choice === null || verdict2 === null || verdict2 === "noted") continue;
      const line2 = found.get(card2.method) ?? { right: 0, of: 0, values: [] };
      found.set(card2.method, line2);
      line2.of += 1;
      line2.right += verdict2 === "right" ? 1 : 0;
      const value = card2.values?.[choice];
      if (value !== void 0) line2.values.push(value);
    }
    if (found.size < 2) return [];
    return [...found].map(([method, { right, of, values }]) => ({
      method,
      right,
      of,
      mean: values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
    }));
  }
  verdicts() {
    return Array.from({ length: this.total }, (_, at) => this.verdict(at)).filter((found) => found !== null);
  }
};

// src/core/numberFormat.ts
function fixed(value, digits) {
  const halves = value * 2 ** (digits + 1);
  const up = value.toFixed(digits);
  if (!Number.isInteger(halves) || halves % 2 === 0) return up;
  const last = Number(up.at(-1));
  return last % 2 === 0 ? up : (Number(up) - 10 ** -digits).toFixed(digits);
}

// src/quiz/pictures.ts
var SMALL = 96;
var ObjectUrls = class {
  known = /* @__PURE__ */ new Map();
  constructor(signal) {
    signal.addEventListener("abort", () => this.known.forEach((address) => URL.revokeObjectURL(address)));
  }
  of(picture) {
    const known = this.known.get(picture);
    if (known !== void 0) return known;
    const made = URL.createObjectURL(new Blob([new Uint8Array(picture.data)], { type: picture.type }));
    this.known.set(picture, made);
    return made;
  }
};
function image(picture, addresses) {
  const { width, height, caption } = picture;
  const shown = make("img", "camwidget-quiz-image", { src: addresses.of(picture), alt: caption, width, height });
  if (Math.max(width, height) <= SMALL) shown.classList.add("camwidget-quiz-pixelated");
  return shown;
}
var CaptionedPicture = class {
  constructor(picture, addresses) {
    this.picture = picture;
    this.frame = make("div", "camwidget-quiz-frame", {}, image(picture, addresses));
    this.frame.style.setProperty("--aspect", String(picture.width / picture.height));
    this.element = make(
      "figure",
      "camwidget-quiz-figure",
      {},
      this.frame,
      make("figcaption", "camwidget-quiz-caption", {}, picture.caption)
    );
  }
  picture;
  element;
  frame;
  revealed = false;
  /** Puts an element over the picture. */
  cover(element) {
    this.frame.append(element);
  }
  /** @param named whether the outlines' names are written next to them */
  reveal(named) {
    if (this.revealed) return;
    this.revealed = true;
    const outlines = this.picture.outlines.map((outline2, at) => ({ outline: outline2, first: at === 0 })).reverse();
    for (const { outline: outline2, first } of outlines) this.frame.append(drawn(outline2, first));
    if (!named) return;
    for (const { outline: outline2, first } of outlines) this.frame.append(tag(outline2, first));
  }
};
function drawn({ path, width, height }, first) {
  const made = overlay(`camwidget-quiz-outline${first ? " camwidget-quiz-first" : ""}`, `0 0 ${width} ${height}`);
  made.append(...line(path, "camwidget-quiz-over", "camwidget-quiz-under"));
  return made;
}
function tag({ name, x, y }, first) {
  const made = make("span", `camwidget-quiz-tag${first ? " camwidget-quiz-first" : ""}`, {}, name);
  made.style.left = `${100 * x}%`;
  made.style.top = `${100 * y}%`;
  return made;
}

// src/quiz/marking.ts
var TIES = "Spearman’s rank correlation over 14 × 14 cells, from −1 to 1. Equal cells, as all that you did not mark, share the average of their ranks.";
var MarkingPage = class {
  constructor(game, at, card2, addresses) {
    this.game = game;
    this.at = at;
    this.card = card2;
    const [picture] = card2.pictures;
    const { width, height } = picture;
    this.figure = new CaptionedPicture(picture, addresses);
    this.canvas = make("canvas", "camwidget-quiz-marks-layer", {
      width,
      height,
      tabindex: 0,
      role: "img",
      "aria-label": "Mark on the picture where you look",
      ...OWN_KEYS
    });
    const side = Math.min(width, height);
    this.size = make("input", "camwidget-quiz-size", {
      type: "range",
      min: 1,
      max: Math.max(2, Math.round(side / 2)),
      value: Math.max(1, Math.round(side / 6)),
      "aria-label": "Size of the brush"
    });
    this.marks = this.given() ?? new Int8Array(width * height);
    this.figure.cover(this.canvas);
    this.listen();
    this.done.addEventListener("click", () => game.mark(encode(this.marks)));
    this.clear.addEventListener("click", () => {
      this.marks.fill(0);
      this.paint();
    });
    this.next.addEventListener("click", () => game.next());
    this.back.addEventListener("click", () => game.show(game.total));
    this.tools = make("div", "camwidget-quiz-tools", {}, make("label", "", {}, "Brush ", this.size), this.clear, this.done);
    this.element = make(
      "div",
      "camwidget-quiz-page",
      {},
      make("p", "camwidget-quiz-prompt", {}, card2.prompt),
      make("div", "camwidget-quiz-pictures", {}, this.figure.element, this.result),
      this.tools,
      make("div", "camwidget-quiz-foot", {}, this.feedback, make("div", "camwidget-quiz-buttons", {}, this.back, this.next))
    );
    this.update();
  }
  game;
  at;
  card;
  element;
  figure;
  canvas;
  marks;
  done = button("camwidget-quiz-button camwidget-quiz-next camwidget-quiz-done", {}, "Compare");
  clear = button("camwidget-quiz-button", {}, "Clear");
  next = button("camwidget-quiz-button camwidget-quiz-next", {});
  back = button("camwidget-quiz-button", {}, "Back to the score");
  size;
  feedback = make("p", "camwidget-quiz-feedback", { "aria-live": "polite" });
  tools;
  result = make("div", "camwidget-quiz-result");
  last = null;
  /** The element that gets the focus after the answer. */
  get nextFocus() {
    return this.next;
  }
  update() {
    const { game, at, card: card2 } = this;
    const isDone = game.done(at);
    const given = this.given();
    if (given !== null) this.marks.set(given);
    this.tools.hidden = isDone;
    this.canvas.classList.toggle("camwidget-quiz-marked", isDone);
    setText(this.feedback, isDone ? `${card2.reveal} ${TIES}` : "Draw with the pointer; or move with the arrow keys and mark with space.");
    this.result.replaceChildren(...isDone ? [table(game.correlations(at))] : []);
    this.next.hidden = !isDone;
    setText(this.next, at + 1 === game.total ? "See the score" : "Next");
    this.back.hidden = !game.finished || at + 1 === game.total;
    if (isDone) this.figure.reveal(true);
    this.paint();
  }
  given() {
    const { width, height } = this.card.pictures[0];
    const runs = this.game.runs(this.at);
    return runs === null ? null : decode(runs, width * height);
  }
  listen() {
    const { canvas } = this;
    let pointer = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (this.game.done(this.at) || event.button !== 0) return;
      event.preventDefault();
      canvas.focus({ preventScroll: true });
      pointer = event.pointerId;
      canvas.setPointerCapture?.(pointer);
      this.last = null;
      this.stroke(this.over(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId === pointer) this.stroke(this.over(event));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => pointer = null);
    }
    canvas.addEventListener("keydown", (event) => this.press(event));
  }
  over(event) {
    const found = relativePosition(this.canvas, event);
    return found === null ? null : { x: found.x * this.canvas.width, y: found.y * this.canvas.height };
  }
  stroke(to) {
    if (to === null || this.game.done(this.at)) return;
    draw(this.marks, this.canvas.width, this.last ?? to, to, Number(this.size.value), HIDDEN);
    this.last = to;
    this.paint();
  }
  /** Arrow keys move the marker by a cell; space marks there. */
  press(event) {
    const { width, height } = this.canvas;
    const [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    const at = this.last ?? { x: width / 2, y: height / 2 };
    if (event.key === " ") {
      this.last = at;
      this.stroke(at);
    } else if (right === 0 && down === 0) return;
    else {
      const step = Math.max(1, Math.round(Math.min(width, height) / 14));
      this.last = { x: Math.min(width - 1, Math.max(0, at.x + right * step)), y: Math.min(height - 1, Math.max(0, at.y + down * step)) };
      this.paint();
    }
    event.preventDefault();
    event.stopPropagation();
  }
  paint() {
    const { canvas, marks, last } = this;
    const isEmpty = !marks.includes(HIDDEN);
    this.done.disabled = this.clear.disabled = isEmpty;
    const pen = canvas.getContext("2d");
    if (pen === null) return;
    const image2 = pen.createImageData(canvas.width, canvas.height);
    for (let k = 0; k < marks.length; k++) {
      if (marks[k] === HIDDEN) image2.data.set([255, 196, 0, 130], 4 * k);
    }
    pen.putImageData(image2, 0, 0);
    if (last === null || this.game.done(this.at)) return;
    pen.strokeStyle = "#fff";
    pen.lineWidth = Math.max(1, canvas.width / 160);
    pen.beginPath();
    pen.arc(last.x, last.y, Number(this.size.value) / 2, 0, 2 * Math.PI);
    pen.stroke();
  }
};
function table(found) {
  const rows = [...found].sort((a, b) => (b.value ?? -2) - (a.value ?? -2)).map(({ name, value }) => {
    const bar = make("span", "camwidget-quiz-bar", { "aria-hidden": "true" });
    bar.style.setProperty("--value", String(value ?? 0));
    return make("tr", "", {}, make("th", "", { scope: "row" }, name), make("td", "camwidget-quiz-number", {}, correlationText(value)), make("td", "", {}, bar));
  });
  return make(
    "table",
    "camwidget-quiz-correlations",
    {},
    make("caption", "", {}, "Rank correlation with your marks"),
    make("tbody", "", {}, ...rows)
  );
}
function correlationText(value) {
  if (value === null) return "–";
  const size = fixed(Math.abs(value), 2);
  return value < 0 && Number(size) !== 0 ? `−${size}` : size;
}

// src/quiz/question.ts
var KEYS = 9;
var QuestionPage = class {
  constructor(game, at, card2, addresses) {
    this.game = game;
    this.at = at;
    this.card = card2;
    this.figures = card2.pictures.map((picture) => new CaptionedPicture(picture, addresses));
    this.options = card2.options.map((option, k) => this.option(option, k));
    this.next.addEventListener("click", () => game.next());
    this.back.addEventListener("click", () => game.show(game.total));
    const pictures2 = make("div", "camwidget-quiz-pictures", {}, ...this.figures.map((figure) => figure.element));
    pictures2.style.setProperty("--count", String(Math.max(1, this.figures.length)));
    const scale = card2.values === null ? "" : " camwidget-quiz-scale";
    const feedback = make("p", "camwidget-quiz-feedback", { "aria-live": "polite" }, this.word, " ", this.reveal);
    this.element = make("div", "camwidget-quiz-page");
    if (card2.error !== "") {
      this.element.append(
        make("p", "camwidget-quiz-error", { role: "alert" }, `This question could not be made. ${card2.error}`)
      );
    } else {
      this.element.append(
        make("p", "camwidget-quiz-prompt", {}, card2.prompt),
        pictures2,
        make("div", `camwidget-quiz-options${scale}`, { role: "group", "aria-label": "Options" }, ...this.options)
      );
    }
    this.element.append(
      make("div", "camwidget-quiz-foot", {}, feedback, make("div", "camwidget-quiz-buttons", {}, this.back, this.next))
    );
    this.update();
  }
  game;
  at;
  card;
  element;
  figures;
  options;
  word = make("strong", "camwidget-quiz-verdict");
  reveal = make("span", "camwidget-quiz-reveal");
  next = button("camwidget-quiz-button camwidget-quiz-next", {});
  back = button("camwidget-quiz-button", {}, "Back to the score");
  /** The element that gets the focus after the answer. */
  get nextFocus() {
    return this.next;
  }
  update() {
    const { game, at, card: card2 } = this;
    const choice = game.choice(at);
    const found = game.verdict(at);
    this.options.forEach((option, k) => setAttribute(option, "aria-pressed", String(k === choice)));
    this.options.forEach((option, k) => mark(option, k, choice === null ? "" : state(card2, k, choice)));
    setText(this.word, found === null ? "" : `${MARK[found]} ${WORD[found]}.`);
    setText(this.reveal, found === null ? hint(card2) : answerLine(card2, found));
    this.word.dataset["verdict"] = this.reveal.dataset["verdict"] = found ?? "";
    this.next.hidden = !game.done(at);
    setText(this.next, at + 1 === game.total ? "See the score" : "Next");
    this.back.hidden = !game.finished || at + 1 === game.total;
    if (found !== null) this.figures.forEach((figure, k) => figure.reveal(k === 0));
  }
  option(name, k) {
    const made = button(
      "camwidget-quiz-option",
      {},
      make("kbd", "camwidget-quiz-key", { "aria-hidden": "true" }),
      make("span", "camwidget-quiz-name", {}, name)
    );
    made.addEventListener("click", () => this.game.choose(k));
    return made;
  }
};
function answerLine({ options, right, reveal }, found) {
  const [only] = right;
  const correction = found === "wrong" && right.length === 1 && only !== void 0 ? `It is ${options[only]}. ` : "";
  return `${correction}${reveal}`;
}
function hint({ options: { length } }) {
  return length === 0 ? "" : `Press ${length === 2 ? "1 or 2" : `1 to ${Math.min(length, KEYS)}`}, or click.`;
}
function state(card2, k, choice) {
  if (card2.right.includes(k)) return "right";
  return k === choice ? verdict(card2, choice) : "other";
}
function mark(option, k, found) {
  option.dataset["state"] = found;
  setAttribute(option, "aria-disabled", String(found !== ""));
  const key = option.querySelector(".camwidget-quiz-key");
  const shown = found === "" || found === "other" ? k < KEYS ? String(k + 1) : "" : MARK[found];
  if (key !== null) setText(key, shown);
}

// src/quiz/score.ts
function scorePage(game, addresses, saves) {
  const again = button("camwidget-quiz-button camwidget-quiz-next", {}, "Play again");
  again.addEventListener("click", () => game.restart());
  const rows = Array.from({ length: game.total }, (_, at) => row(game, at, addresses));
  return make(
    "div",
    "camwidget-quiz-page",
    {},
    make("p", "camwidget-quiz-score", { role: "status" }, headline(game)),
    ...means(game),
    ...tally(game),
    ...game.source === "" ? [] : [make("p", "camwidget-quiz-source", {}, game.source)],
    make("ol", "camwidget-quiz-rows", {}, ...rows),
    make("div", "camwidget-quiz-foot", {}, ...saves ? [saveLine((name) => sheetOf(game, name)).element] : [], make("div", "camwidget-quiz-buttons", {}, again))
  );
}
function sheetOf(game, name) {
  return game.attempt === "" ? null : answerSheet(game.attempt, name, game.title, game);
}
function tally(game) {
  const lines = game.tally.map(({ method, right, of, mean }) => make(
    "tr",
    "",
    {},
    make("th", "", { scope: "row" }, method === "" ? "–" : method),
    make("td", "camwidget-quiz-number", {}, `${right} of ${of} right`),
    make("td", "camwidget-quiz-number", {}, mean === null ? "" : `mean ${signed(mean)}`)
  ));
  if (lines.length === 0) return [];
  return [make("table", "camwidget-quiz-tally", {}, make("caption", "", {}, "By method"), make("tbody", "", {}, ...lines))];
}
function headline(game) {
  const { right, of } = game.score;
  return of === 0 ? "That was the last question." : `${right} of ${of} right`;
}
function means(game) {
  const { mean, scale } = game;
  if (mean === null) return [];
  const value = make("strong", "", {}, signed(mean));
  return [make("p", "camwidget-quiz-mean", {}, "Your mean: ", value, scale === "" ? "" : `, ${scale}.`)];
}
function signed(value) {
  const size = fixed(Math.abs(value), 2);
  if (Number(size) === 0) return size;
  return `${value < 0 ? "−" : "+"}${size}`;
}
function row(game, at, addresses) {
  const card2 = game.card(at);
  const choice = game.choice(at);
  const found = game.verdict(at);
  const right = card2?.right.map((k) => card2.options[k]).join(" or ") ?? "";
  const chosen = choice === null ? "" : card2?.options[choice] ?? "";
  const marks = game.correlations(at).map(({ name, value }) => `${name} ${correlationText(value)}`).join(", ");
  const given = choice !== null ? `Your answer: ${chosen}` : marks === "" ? "Not answered" : marks;
  const correction = found === "wrong" || found === "undecided" ? `Right: ${right}` : "";
  const pictures2 = card2?.pictures ?? [];
  const open = button(
    "camwidget-quiz-row",
    { title: "Show this question again" },
    make("span", "camwidget-quiz-row-number", {}, String(at + 1)),
    make("span", "camwidget-quiz-thumbnails", {}, ...pictures2.map((picture) => image(picture, addresses))),
    make(
      "span",
      "camwidget-quiz-answer",
      {},
      make("span", "camwidget-quiz-verdict", { "data-verdict": found ?? "" }, found === null ? "" : `${MARK[found]} ${WORD[found]}`),
      make("span", "", {}, given),
      make("span", "camwidget-quiz-correction", {}, correction)
    )
  );
  open.addEventListener("click", () => game.show(at));
  return make("li", "camwidget-quiz-item", {}, open);
}

// src/quiz/syncedTraits.ts
var DEFAULTS2 = {
  number: 0,
  answers: [],
  attempt: "",
  total: 0,
  cards: [],
  title: "",
  source: "",
  scale: ""
};

// src/quiz/index.ts
var WRITTEN = 'input:not([type="range"]), textarea, select, [contenteditable]';
function mount(model, root, signal, isInPage = false) {
  new QuizView(model, root, signal, isInPage);
}
var QuizView = class {
  constructor(model, root, signal, isInPage) {
    this.isInPage = isInPage;
    this.game = new Game(model);
    this.addresses = new ObjectUrls(signal);
    const head = make("div", "camwidget-quiz-head", {}, this.title, this.marks, this.place);
    this.card = make("div", "camwidget-quiz-card", { tabindex: 0, role: "group", ...OWN_KEYS }, head, this.body);
    root.classList.add("camwidget-quiz");
    root.append(this.card);
    this.card.addEventListener("keydown", (event) => this.press(event), { signal });
    if (isInPage) document.addEventListener("keydown", (event) => this.pressElsewhere(event), { signal });
    keepFocus(root, this.card, signal);
    signal.addEventListener("abort", () => this.card.remove());
    watch(model, Object.keys(DEFAULTS2), signal, () => this.update());
  }
  isInPage;
  game;
  addresses;
  title = make("span", "camwidget-quiz-title");
  marks = make("ol", "camwidget-quiz-marks", { "aria-label": "Questions" });
  place = make("span", "camwidget-quiz-place");
  body = make("div", "camwidget-quiz-body");
  card;
  page = null;
  /** What the body shows: the number of a question or the score, and whether it is ready. */
  shown = "";
  update() {
    const { game } = this;
    const hadFocus = this.card.contains(document.activeElement);
    this.head();
    const turned = this.turn();
    if (!turned) this.page?.update();
    if (!hadFocus) return;
    if (turned) this.card.focus({ preventScroll: true });
    else if (game.done(game.number)) this.page?.nextFocus.focus({ preventScroll: true });
  }
  head() {
    const { game } = this;
    const { number: number2, total } = game;
    setText(this.title, game.title === "" ? "Quiz" : game.title);
    const place = number2 < total ? `Question ${number2 + 1} of ${total}` : "Score";
    setText(this.place, place);
    setAttribute(this.card, "aria-label", `${this.title.textContent}: ${place}`);
    fit(this.marks, total, () => make("li", "camwidget-quiz-mark")).forEach((mark2, at) => {
      const found = game.verdict(at);
      setText(mark2, found === null ? "" : MARK[found]);
      mark2.dataset["verdict"] = found ?? "";
      setAttribute(mark2, "aria-current", String(at === number2));
      setAttribute(mark2, "title", `Question ${at + 1}${found === null ? "" : `: ${WORD[found].toLowerCase()}`}`);
    });
  }
  /** Shows another page where there is one to show; whether there was. */
  turn() {
    const { game } = this;
    const { number: number2, total } = game;
    const card2 = number2 < total ? game.card(number2) : null;
    const state2 = number2 < total ? card2 === null ? "waits" : "" : String([game.total, game.finished]);
    const wanted = `${number2} ${state2}`;
    if (this.shown === wanted) return false;
    this.shown = wanted;
    this.page = card2 === null ? null : this.pageOf(card2, number2);
    const score = () => scorePage(game, this.addresses, !this.isInPage);
    this.body.replaceChildren(this.page?.element ?? (number2 < total ? waits(number2) : score()));
    return true;
  }
  pageOf(card2, number2) {
    const Page = card2.maps === null || card2.error !== "" ? QuestionPage : MarkingPage;
    return new Page(this.game, number2, card2, this.addresses);
  }
  /** Takes a digit that no other element takes, while the options are seen. */
  pressElsewhere(event) {
    if (event.defaultPrevented || !/^[1-9]$/.test(event.key) || event.target instanceof Element && event.target.matches(WRITTEN)) return;
    const options = this.body.querySelector(".camwidget-quiz-options")?.getBoundingClientRect();
    if (options !== void 0 && options.height > 0 && options.top >= 0 && options.bottom <= innerHeight) this.press(event);
  }
  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || event.repeat) return;
    if (/^[1-9]$/.test(event.key)) this.game.choose(Number(event.key) - 1);
    else if (event.key === "Enter" && !pressable(event.target)) this.game.next();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
};
function pressable(target) {
  return target instanceof HTMLButtonElement && target.getAttribute("aria-disabled") !== "true";
}
function waits(number2) {
  return make(
    "div",
    "camwidget-quiz-page camwidget-quiz-waiting",
    { role: "status" },
    `Preparing question ${number2 + 1} …`,
    make("div", "camwidget-quiz-line", { "aria-hidden": "true" }, make("div", "camwidget-quiz-runner"))
  );
}
var quiz_default = widgetModule((model, root, signal) => mount(model, root, signal));
export {
  quiz_default as default,
  mount
};
