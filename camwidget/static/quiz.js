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
var CANVASES = "canvas.camwidget-attention-canvas";
function actsOnArrows(target) {
  return target instanceof HTMLCanvasElement && target.matches(CANVASES);
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
  const { prompt, pictures: shown, options, right, reveal, values, error } = fields(value);
  return {
    prompt: text(prompt),
    pictures: pictures(shown),
    options: list(options).map((option) => text(option)),
    right: numbers(right),
    reveal: text(reveal),
    values: Array.isArray(values) ? numbers(values) : null,
    error: text(error)
  };
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
  verdict(at) {
    const [card2, choice] = [this.card(at), this.choice(at)];
    return card2 === null || choice === null ? null : verdict(card2, choice);
  }
  /** Whether there is nothing left to answer at a question: it may be gone on from. */
  done(at) {
    return this.choice(at) !== null || (this.card(at)?.error ?? "") !== "";
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
    const answers = Array.from({ length: this.total }, (_, k) => k === at ? option : this.choice(k));
    write(this.model, { answers });
  }
  next() {
    if (this.number < this.total && this.done(this.number)) this.show(this.number + 1);
  }
  show(number2) {
    write(this.model, { number: number2 });
  }
  restart() {
    write(this.model, { answers: Array.from({ length: this.total }, () => null), number: 0 });
  }
  verdicts() {
    return Array.from({ length: this.total }, (_, at) => this.verdict(at)).filter((found) => found !== null);
  }
};

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
  /** Where the keyboard goes on once the question is answered. */
  get way() {
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

// src/core/numberFormat.ts
function fixed(value, digits) {
  const halves = value * 2 ** (digits + 1);
  const up = value.toFixed(digits);
  if (!Number.isInteger(halves) || halves % 2 === 0) return up;
  const last = Number(up.at(-1));
  return last % 2 === 0 ? up : (Number(up) - 10 ** -digits).toFixed(digits);
}

// src/quiz/score.ts
function scorePage(game, addresses) {
  const again = button("camwidget-quiz-button camwidget-quiz-next", {}, "Play again");
  again.addEventListener("click", () => game.restart());
  const rows = Array.from({ length: game.total }, (_, at) => row(game, at, addresses));
  return make(
    "div",
    "camwidget-quiz-page",
    {},
    make("p", "camwidget-quiz-score", { role: "status" }, headline(game)),
    ...means(game),
    ...game.source === "" ? [] : [make("p", "camwidget-quiz-source", {}, game.source)],
    make("ol", "camwidget-quiz-rows", {}, ...rows),
    make("div", "camwidget-quiz-foot", {}, make("div", "camwidget-quiz-buttons", {}, again))
  );
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
  const given = choice === null ? "Not answered" : `Your answer: ${chosen}`;
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
  total: 0,
  cards: [],
  title: "",
  source: "",
  scale: ""
};

// src/quiz/index.ts
function mount(model, root, signal) {
  new QuizView(model, root, signal);
}
var QuizView = class {
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
  constructor(model, root, signal) {
    this.game = new Game(model);
    this.addresses = new ObjectUrls(signal);
    const head = make("div", "camwidget-quiz-head", {}, this.title, this.marks, this.place);
    this.card = make("div", "camwidget-quiz-card", { tabindex: 0, role: "group", ...OWN_KEYS }, head, this.body);
    root.classList.add("camwidget-quiz");
    root.append(this.card);
    this.card.addEventListener("keydown", (event) => this.press(event), { signal });
    keepFocus(root, this.card, signal);
    signal.addEventListener("abort", () => this.card.remove());
    watch(model, Object.keys(DEFAULTS2), signal, () => this.update());
  }
  update() {
    const { game } = this;
    const hadFocus = this.card.contains(document.activeElement);
    this.head();
    const turned = this.turn();
    if (!turned) this.page?.update();
    if (!hadFocus) return;
    if (turned) this.card.focus({ preventScroll: true });
    else if (game.done(game.number)) this.page?.way.focus({ preventScroll: true });
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
    this.page = card2 === null ? null : new QuestionPage(game, number2, card2, this.addresses);
    const score = () => scorePage(game, this.addresses);
    this.body.replaceChildren(this.page?.element ?? (number2 < total ? waits(number2) : score()));
    return true;
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
var quiz_default = widgetModule(mount);
export {
  quiz_default as default
};
