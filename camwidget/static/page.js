// built from js/ — do not edit
"use strict";
(() => {
  // src/view/dom.ts
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
  var OWN_KEYS = { "data-lm-suppress-shortcuts": "true" };
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
  function setChoices(select, choices2, value) {
    const same = select.options.length === choices2.length && choices2.every((choice, at) => {
      const option = select.options[at];
      return option?.value === choice.value && option.textContent === choice.label;
    });
    if (!same) {
      select.replaceChildren(
        ...choices2.map(({ value: of, label }) => make("option", "", { value: of }, label))
      );
    }
    select.selectedIndex = choices2.findIndex((choice) => choice.value === value);
  }

  // src/page/archive.ts
  var Archive = class _Archive {
    constructor(data) {
      this.data = data;
    }
    data;
    /** From text: zlib's format in base64. */
    static async read(text2) {
      const packed = Uint8Array.from(atob(text2), (letter) => letter.charCodeAt(0));
      const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
      return new _Archive(new Uint8Array(await new Response(stream).arrayBuffer()));
    }
    bytes([offset, length]) {
      return this.data.subarray(offset, offset + length);
    }
    uint16(place2) {
      return new Uint16Array(joined(this.bytes(place2), 2).buffer);
    }
    float32(place2) {
      return new Float32Array(joined(this.bytes(place2), 4).buffer);
    }
    /** RGB bytes, row by row. */
    picture(place2, width) {
      return unfiltered(this.bytes(place2), 3 * width);
    }
  };
  function joined(planes, size) {
    const count = planes.length / size;
    const out = new Uint8Array(planes.length);
    for (let byte = 0, i = 0; byte < size; byte++) {
      for (let at = 0; at < count; at++, i++) out[at * size + byte] = planes[i];
    }
    return out;
  }
  function unfiltered(residuals, row) {
    const out = new Uint8Array(residuals.length);
    for (let i = 0; i < out.length; i++) {
      const inRow = i % row;
      const left = inRow < 3 ? 0 : out[i - 3];
      const above = i < row ? 0 : out[i - row];
      const corner = inRow < 3 || i < row ? 0 : out[i - row - 3];
      const guess = left + above - corner;
      const fromLeft = Math.abs(guess - left);
      const fromAbove = Math.abs(guess - above);
      const fromCorner = Math.abs(guess - corner);
      const nearest = fromLeft <= fromAbove && fromLeft <= fromCorner ? left : fromAbove <= fromCorner ? above : corner;
      out[i] = residuals[i] + nearest;
    }
    return out;
  }

  // src/page/data.ts
  var FORMAT = 1;
  function curveKey(mode2, baseline) {
    return mode2 === "multiply" ? mode2 : `${mode2} ${baseline}`;
  }

  // src/core/bytes.ts
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

  // src/view/traits.ts
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
    return Math.min(1, Math.max(0, number(value, otherwise)));
  }
  function texts(value) {
    return list(value).filter((item) => typeof item === "string");
  }
  function numbers(value) {
    return list(value).map((item) => number(item, Number.NaN));
  }
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
    return { id: text(from["id"]), width, height, rgb, fills: byteMap(from["fills"]) };
  }
  function explanation(value, of) {
    const from = fields(value);
    const saliency = bytes(from["saliency"]);
    const levels = bytes(from["levels"]);
    if (of === null || saliency === null || levels === null || from["scene"] !== of.id) return null;
    const size = of.width * of.height;
    if (saliency.length !== size || levels.length !== 2 * size) return null;
    return {
      scene: of.id,
      saliency,
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
        whole: number(from["whole"], Number.NaN)
      };
    });
  }
  function methods(value) {
    return list(value).map((item) => {
      const from = fields(item);
      const name = text(from["name"]);
      const reason = from["reason"];
      return {
        name,
        label: text(from["label"], name),
        group: text(from["group"]),
        tip: text(from["tip"]),
        reason: typeof reason === "string" ? reason : null,
        slow: flag(from["slow"], false)
      };
    });
  }
  function layers(value) {
    return list(value).map((item) => {
      const from = fields(item);
      return { name: text(from["name"]), shape: numbers(from["shape"]) };
    });
  }
  function place(explanation2) {
    const from = fields(explanation2);
    return { layer: text(from["layer"]), atInput: flag(from["at_input"], false) };
  }
  function sceneId(value) {
    return text(fields(value)["id"]);
  }
  function stages(value) {
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
  function grid(from) {
    const rows2 = number(from["rows"], 0);
    const columns = number(from["columns"], 0);
    const raw = bytes(from["cells"]);
    if (raw === null || !(rows2 > 0 && columns > 0) || raw.length !== 4 * rows2 * columns) return null;
    const cells2 = float32(raw);
    return cells2.every((value) => value >= 0 && value < Infinity) ? { rows: rows2, columns, cells: cells2 } : null;
  }
  function here(value) {
    const from = fields(value);
    const x = number(from["x"], -1);
    const y = number(from["y"], -1);
    if (x < 0 || y < 0) return null;
    const entries = list(from["entries"]).map((item) => {
      const entry = fields(item);
      return {
        index: number(entry["index"], -1),
        name: text(entry["name"]),
        value: unit(entry["value"], 0)
      };
    });
    return { x, y, scene: text(from["scene"]), entries, of: number(from["of"], entries.length) };
  }
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
      beside: words(from["beside"]),
      proposes: flag(from["proposes"], false),
      own: flag(from["own"], false)
    };
  }
  function words(value) {
    return list(value).map((item) => {
      const from = fields(item);
      return { text: text(from["text"]), target: number(from["target"], -1) };
    });
  }
  function truth(value) {
    const from = fields(value);
    const scene2 = text(from["scene"]);
    if (scene2 === "") return null;
    return {
      scene: scene2,
      objects: texts(from["objects"]),
      evidence: text(from["evidence"]),
      said: text(from["said"])
    };
  }
  function box(value) {
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
      said: text(from["said"])
    };
  }

  // src/core/enlarge.ts
  var { fround } = Math;
  function axis(cells2, pixels) {
    const made = {
      first: new Uint32Array(pixels),
      second: new Uint32Array(pixels),
      ofFirst: new Float32Array(pixels),
      ofSecond: new Float32Array(pixels)
    };
    const scale = fround(cells2 / pixels);
    for (let at = 0; at < pixels; at++) {
      const exact = Math.max(0, fround(fround(scale * (at + 0.5)) - 0.5));
      const first = Math.min(Math.floor(exact), cells2 - 1);
      const part = Math.min(1, fround(exact - first));
      made.first[at] = first;
      made.second[at] = Math.min(first + 1, cells2 - 1);
      made.ofFirst[at] = fround(1 - part);
      made.ofSecond[at] = part;
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
  function toBytes(map) {
    let peak = 0;
    for (const value of map) if (value > peak) peak = value;
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

  // src/core/ranks.ts
  var LEVELS = 65536;
  function rankLevels(saliency) {
    const count = saliency.length;
    const bits = new Uint32Array(count);
    bits.set(new Uint32Array(saliency.buffer, saliency.byteOffset, count));
    for (let i = 0; i < count; i++) bits[i] = ~bits[i];
    const order = sorted(bits);
    const levels = new Uint16Array(count);
    for (let rank = 0; rank < count; rank++) levels[order[rank]] = Math.floor(rank * LEVELS / count);
    return levels;
  }
  function sorted(bits) {
    const count = bits.length;
    let from = Uint32Array.from({ length: count }, (_, i) => i);
    let to = new Uint32Array(count);
    for (const shift of [0, 16]) {
      const starts = new Uint32Array(LEVELS + 1);
      for (let i = 0; i < count; i++) starts[(bits[i] >>> shift & 65535) + 1]++;
      for (let key = 0; key < LEVELS; key++) starts[key + 1] += starts[key];
      for (let i = 0; i < count; i++) {
        const at = from[i];
        const key = bits[at] >>> shift & 65535;
        to[starts[key]++] = at;
      }
      [from, to] = [to, from];
    }
    return from;
  }

  // src/page/maps.ts
  var KEPT = 24;
  var { fround: fround2 } = Math;
  var Maps = class {
    constructor(data, archive) {
      this.data = data;
      this.archive = archive;
      for (const [row, method, layer, grid2] of data.maps) this.places.set(`${row} ${method} ${layer}`, grid2);
    }
    data;
    archive;
    made = /* @__PURE__ */ new Map();
    places = /* @__PURE__ */ new Map();
    /** The number of a map's grid, by places in the lists; undefined where there is no such map. */
    find(row, method, layer) {
      return this.places.get(`${row} ${method} ${layer}`) ?? this.places.get(`${row} ${method} -1`);
    }
    grid(number2) {
      const { rows: rows2, columns, rounded: rounded2, cells: cells2 } = this.data.grids[number2];
      const values = rounded2 ? Float32Array.from(this.archive.uint16(cells2)) : this.archive.float32(cells2);
      return { rows: rows2, columns, cells: values };
    }
    /** At the size of the picture, in proportion to the map: values of several classes' maps compare. */
    enlarged(number2) {
      const { width, height } = this.data.scene;
      const { rounded: rounded2, peak } = this.data.grids[number2];
      const map = enlarge(this.grid(number2), width, height);
      const step2 = rounded2 ? peak / Math.max(...this.grid(number2).cells) : 1;
      return map.map((value) => value * step2);
    }
    show(number2) {
      const known = this.made.get(number2);
      if (known !== void 0) return known;
      const { width, height } = this.data.scene;
      const grid2 = this.grid(number2);
      const map = enlarge(grid2, width, height);
      const shown = {
        saliency: toBytes(map),
        levels: rankLevels(unit2(map)),
        cells: toBytes(grid2.cells),
        evident: map.reduce((count, value) => count + (value > 0 ? 1 : 0), 0) / map.length
      };
      this.made.set(number2, shown);
      for (const oldest of this.made.keys()) {
        if (this.made.size <= KEPT) break;
        this.made.delete(oldest);
      }
      return shown;
    }
    /** Probabilities at every step, of every listed class. */
    curve(number2, key) {
      const place2 = this.data.grids[number2]?.curves[key];
      if (place2 === void 0) return null;
      const values = this.archive.uint16(place2);
      const count = this.data.classes.length;
      return Array.from(
        { length: values.length / count },
        (_, step2) => Array.from(values.subarray(step2 * count, (step2 + 1) * count), (value) => value / 1e4)
      );
    }
  };
  function unit2(map) {
    const peak = map.reduce((most, value) => Math.max(most, value), 0);
    return peak > 0 ? map.map((value) => Math.min(1, fround2(value / peak))) : map;
  }

  // src/page/words.ts
  function note(name, layer) {
    return `No positive evidence for ${name} at ${layer}.`;
  }
  function sentence(of) {
    const { name, mode: mode2, fraction, before, after, evident } = of;
    if (evident === 0) return `${note(name, of.layer)} Choose another class, layer or method.`;
    if (after === null) {
      return mode2 === "keep" ? `The whole picture is kept. Drag the slider to keep only the most evidence for ${name}.` : `Nothing is removed yet. Drag the slider to take the evidence for ${name} away.`;
    }
    const part = `${rounded(100 * fraction, 1)} %`;
    const most = of.method === "random" ? `a random ${part}` : `the ${part} with the most evidence for ${name}`;
    const deed = {
      remove: `Removing ${most}`,
      keep: `Keeping only ${most}`,
      multiply: `Multiplying the picture by its map for ${name}`
    }[mode2];
    const beyond = mode2 !== "multiply" && fraction > evident + 5e-3 ? ` Only ${fixed(100 * evident, 0)} % of the picture has any; beyond, pixels go in reading order.` : "";
    return `${deed} ${effect(name, before, after)}${beyond}`;
  }
  function effect(name, before, after) {
    const change = rounded(rounded(after, 2) - rounded(before, 2), 2);
    if (Math.max(before, after) < 5e-3) return `leaves ${name} below 0.01.`;
    if (change === 0) return `leaves ${name} at ${fixed(before, 2)}.`;
    const verb = change > 0 ? "raises" : "lowers";
    return `${verb} it by ${fixed(Math.abs(change), 2)} (${fixed(before, 2)} → ${fixed(after, 2)}).`;
  }
  function pickedSentence(name) {
    return name === null ? "None of the most probable classes has positive evidence there." : `The strongest evidence there is for ${name}.`;
  }
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

  // src/page/model.ts
  var SCENE = "page";
  var FAINT = 5e-3;
  var PageModel = class {
    constructor(data, archive) {
      this.data = data;
      const { scene: scene2, first } = data;
      this.maps = new Maps(data, archive);
      const fills = Object.entries(scene2.fills).map(([name, place2]) => [
        name,
        place2[1] === 3 ? archive.bytes(place2) : archive.picture(place2, scene2.width)
      ]);
      this.state = {
        ...first,
        scene: {
          id: SCENE,
          width: scene2.width,
          height: scene2.height,
          picture: archive.picture(scene2.picture, scene2.width),
          fills: Object.fromEntries(fills)
        },
        rows: data.classes,
        masked: [],
        layers: data.layers,
        modes: data.modes,
        baselines: data.baselines,
        colormaps: Object.fromEntries(Object.entries(data.colormaps).map(([name, at]) => [name, archive.bytes(at)])),
        colormap: "inferno",
        overlay: true,
        opacity: 0.65,
        cells: false,
        boxes: false,
        pictures: [],
        picture: -1,
        here: {},
        error: "",
        busy: false,
        pending: false,
        progress: -1
      };
      this.save_changes();
    }
    data;
    state;
    listeners = /* @__PURE__ */ new Map();
    maps;
    shown = null;
    get(key) {
      return this.state[key];
    }
    set(key, value) {
      if (Object.is(this.state[key], value)) return;
      this.state[key] = value;
      for (const listener of [...this.listeners.get(`change:${key}`) ?? []]) listener();
    }
    /** The view is done with its changes: answer. */
    save_changes() {
      const asked = this.asked;
      const { shown } = this;
      const same = shown !== null && ["row", "method", "layer"].every((key) => shown[key] === asked[key]);
      if (!same) this.ask(asked);
      this.answer();
    }
    on(event, callback) {
      const known = this.listeners.get(event) ?? /* @__PURE__ */ new Set();
      this.listeners.set(event, known.add(callback));
    }
    off(event, callback) {
      this.listeners.get(event)?.delete(callback);
    }
    send(content) {
      const { type, x, y } = content;
      if (type === "pick") this.pick(number(x, 0), number(y, 0));
    }
    /** The curve of the map shown, or null: of every listed class at every step. */
    curve() {
      const grid2 = this.grid;
      const { mode: of, baseline } = this.mask;
      return grid2 === void 0 || of === "multiply" ? null : this.maps.curve(grid2, curveKey(of, baseline));
    }
    get asked() {
      const { classes, methods: methods2, layers: layers2 } = this.data;
      return {
        row: classes.findIndex(({ index }) => index === this.state["target"]),
        method: methods2.findIndex(({ name }) => name === this.state["method"]),
        layer: layers2.findIndex(({ name }) => name === this.state["layer"])
      };
    }
    get mask() {
      return {
        mode: mode(this.state["mode"]),
        baseline: text(this.state["baseline"]),
        fraction: unit(this.state["fraction"], 0)
      };
    }
    get grid() {
      return this.shown === null ? void 0 : this.at(this.shown);
    }
    at({ row, method, layer }) {
      return this.maps.find(row, method, layer);
    }
    tell(values) {
      for (const [key, value] of Object.entries(values)) this.set(key, value);
    }
    ask(asked) {
      const grid2 = this.at(asked);
      const { classes, methods: methods2, layers: layers2, missing } = this.data;
      if (grid2 === void 0) {
        const label = methods2[asked.method]?.label ?? "This method";
        const reason = missing[methods2[asked.method]?.name ?? ""]?.[layers2[asked.layer]?.name ?? ""];
        const back = this.shown;
        this.tell({ error: `${label} does not apply: ${reason ?? "this page has no such map"}.` });
        if (back === null) return;
        this.tell({
          target: classes[back.row]?.index,
          method: methods2[back.method]?.name,
          layer: layers2[back.layer]?.name
        });
        return;
      }
      const before = this.shown;
      this.shown = asked;
      if (before?.method !== asked.method || before.layer !== asked.layer) this.tell({ here: {} });
      this.show(asked, grid2);
    }
    show(place2, number2) {
      const { classes, methods: methods2, layers: layers2, grids, model } = this.data;
      const method = methods2[place2.method];
      const layer = layers2[place2.layer].name;
      const target = classes[place2.row];
      const { rows: rows2, columns, box: box2, at, peak } = grids[number2];
      const { saliency, levels, cells: cells2 } = this.maps.show(number2);
      const where = method.everywhere ? "input" : layer;
      this.tell({
        error: "",
        explanation: {
          scene: SCENE,
          saliency,
          levels,
          cells: cells2,
          cells_shape: [rows2, columns],
          layer: where,
          at_input: method.everywhere,
          title: `${method.label} · ${where} · ${target.name}`,
          empty: peak === 0,
          note: peak === 0 ? note(target.name, where) : ""
        },
        box: box2 === null ? {} : { scene: SCENE, box: box2, peak: at, hit: "", said: "" },
        methods: this.methods(layer),
        stages: this.stages(place2),
        status: `${model} · ${method.label} · ${where} ${columns}×${rows2} · ${target.name}`
      });
    }
    methods(layer) {
      return this.data.methods.map(({ name, label, group, tip }) => ({
        name,
        label,
        group,
        tip,
        reason: this.data.missing[name]?.[layer] ?? null,
        slow: false
      }));
    }
    /** The same map at all layers, so that scrubbing along them shows each. */
    stages({ row, method }) {
      const { classes, methods: methods2, layers: layers2 } = this.data;
      if (methods2[method].everywhere) return {};
      const found = layers2.flatMap(({ name }, layer) => {
        const number2 = this.at({ row, method, layer });
        if (number2 === void 0) return [];
        const { rows: rows2, columns, cells: cells2 } = this.maps.grid(number2);
        return [{ name, rows: rows2, columns, cells: cells2 }];
      });
      return { scene: SCENE, target: classes[row].index, method: methods2[method].name, layers: found };
    }
    /** What the model says of the masked picture: between two of its answers on a straight line. */
    answer() {
      const grid2 = this.grid;
      const { shown } = this;
      if (grid2 === void 0 || shown === null) return;
      const { mode: of, baseline, fraction } = this.mask;
      const { evident } = this.maps.show(grid2);
      const whole = of === "remove" && fraction === 0 || of === "keep" && fraction === 1;
      const curve = whole ? null : this.maps.curve(grid2, curveKey(of, baseline));
      const masked = curve === null ? [] : between(curve, of === "multiply" ? 0 : fraction);
      const target = this.data.classes[shown.row];
      this.tell({
        masked,
        sentence: sentence({
          name: target.name,
          method: this.data.methods[shown.method].name,
          layer: this.data.methods[shown.method].everywhere ? "input" : this.data.layers[shown.layer].name,
          mode: of,
          fraction,
          before: target.whole,
          after: masked[shown.row] ?? null,
          evident
        })
      });
    }
    /** Which of the listed classes have the strongest maps at a pixel, on one scale. */
    pick(x, y) {
      const { shown } = this;
      if (shown === null) return;
      const { classes, scene: scene2 } = this.data;
      const maps = classes.map((_, row) => {
        const grid2 = this.at({ ...shown, row });
        return grid2 === void 0 ? null : this.maps.enlarged(grid2);
      });
      const most = maps.reduce((high, map) => map?.reduce((peak, value) => Math.max(peak, value), high) ?? high, 0);
      const entries = classes.map(({ index, name }, row) => ({ index, name, value: (maps[row]?.[y * scene2.width + x] ?? 0) / (most || 1) })).filter(({ value }) => value >= FAINT).sort((a, b) => b.value - a.value);
      const found = entries[0];
      this.tell({
        here: { x, y, scene: SCENE, entries, of: classes.length },
        sentence: pickedSentence(found?.name ?? null)
      });
      if (found !== void 0 && found.index !== this.state["target"]) {
        this.set("target", found.index);
        this.save_changes();
      }
    }
  };
  function between(curve, fraction) {
    const at = fraction * (curve.length - 1);
    const low = Math.min(Math.floor(at), Math.max(0, curve.length - 2));
    const part = at - low;
    const next = curve[low + 1] ?? curve[low];
    return curve[low].map((value, row) => value + part * (next[row] - value));
  }

  // src/view/actions.ts
  function nudgeFraction(context, percents) {
    if (mode(context.model.get("mode")) === "multiply") return;
    const next = Math.round(100 * context.fraction()) + percents;
    context.write({ fraction: Math.min(100, Math.max(0, next)) / 100 });
  }
  function stepPicture(context, by) {
    const next = number(context.model.get("picture"), -1) + by;
    if (next >= 0 && next < texts(context.model.get("pictures")).length) context.write({ picture: next });
  }
  function nextMethod(context) {
    const all = methods(context.model.get("methods"));
    const now = all.findIndex(({ name }) => name === text(context.model.get("method")));
    const onwards = [...all.slice(now + 1), ...all.slice(0, Math.max(0, now))];
    const next = onwards.find(({ reason, slow }) => reason === null && !slow);
    if (next !== void 0) context.write({ method: next.name });
  }
  function pickClass(context, index) {
    context.write({ target: index });
  }
  function pickRow(context, at) {
    const row = rows(context.model.get("rows"))[at];
    if (row !== void 0) pickClass(context, row.index);
  }
  function toggleOutlines(context) {
    if (flag(context.model.get("truthful"), false)) context.write({ outlines: !flag(context.model.get("outlines"), false) });
  }
  function toggleBoxes(context) {
    context.write({ boxes: !flag(context.model.get("boxes"), false) });
  }
  function toggleOverlay(context) {
    if (mode(context.model.get("mode")) === "multiply") return;
    context.write({ overlay: !flag(context.model.get("overlay"), true) });
  }

  // src/view/classes.ts
  var VISIBLE = 5e-3;
  function classList(context) {
    const { model } = context;
    const caption = make("span", "camwidget-caption");
    const head = make(
      "div",
      "camwidget-classhead",
      {},
      make("span", "camwidget-heading", {}, "What the model says"),
      caption
    );
    const names = make("div", "camwidget-names", { role: "group", "aria-label": "Classes" });
    const values = make("div", "camwidget-numbers");
    context.watch(["rows", "masked", "target"], () => {
      const all = rows(model.get("rows"));
      const masked = numbers(model.get("masked"));
      const target = number(model.get("target"), -1);
      setText(caption, masked.length > 0 ? "whole → masked" : "whole");
      const buttons = fit(names, all.length, (at) => nameButton(context, at));
      const cells2 = fit(values, all.length, (at) => numberCell(context, at));
      all.forEach((row, at) => {
        const item = buttons[at];
        const cell = cells2[at];
        if (item === void 0 || cell === void 0) return;
        const chosen = String(row.index === target);
        item.dataset["index"] = String(row.index);
        item.title = at < 9 ? `Explain ${row.name} (${at + 1})` : `Explain ${row.name}`;
        setText(item, row.name);
        setAttribute(item, "aria-pressed", chosen);
        setAttribute(cell, "data-chosen", chosen);
        showNumbers(cell, row.whole, masked[at]);
      });
    });
    return { head, names, numbers: values };
  }
  function nameButton(context, at) {
    const made = button("camwidget-name", { "aria-describedby": context.id(`number-${at}`) });
    made.addEventListener("click", () => pickClass(context, Number(made.dataset["index"])), {
      signal: context.signal
    });
    return made;
  }
  function numberCell(context, at) {
    return make(
      "div",
      "camwidget-number",
      { id: context.id(`number-${at}`) },
      make("span", "camwidget-whole"),
      make("span", "camwidget-arrow"),
      make("span", "camwidget-masked")
    );
  }
  function showNumbers(cell, whole, masked) {
    const [first, arrow, second] = cell.children;
    if (first === void 0 || arrow === void 0 || second === void 0) return;
    setText(first, probability(whole));
    setText(arrow, masked === void 0 ? "" : " → ");
    setText(second, masked === void 0 ? "" : probability(masked));
    const change = masked === void 0 ? 0 : masked - whole;
    const direction = change >= VISIBLE ? "up" : change <= -VISIBLE ? "down" : "same";
    setAttribute(cell, "data-change", direction);
  }
  function probability(value) {
    return Number.isFinite(value) ? value.toFixed(2) : "–";
  }

  // src/view/scrub.ts
  var Scrub = class {
    constructor(context) {
      this.context = context;
      context.watch(["stages"], () => {
        const raw = stages(context.model.get("stages"));
        this.known = raw.layers.size > 0 ? raw : null;
        this.find();
        this.tell();
      });
      context.watch(["explanation", "layer", "busy", "scene", "target", "method"], () => {
        this.follow();
        this.tell();
      });
    }
    context;
    /** Where the hand is, not written yet. */
    held = null;
    /** Written, and its map has not come. */
    asked = null;
    /** Whether the kernel has started on it. */
    started = false;
    known = null;
    /** Kept apart from `known`: the kernel may clear that while its answer is awaited. */
    found = null;
    explanation = void 0;
    mapLayer = "";
    busy = false;
    listeners = [];
    /** Calls `update` whenever what is pointed at or shown may have changed. */
    listen(update) {
      this.listeners.push(update);
    }
    /** The layer the controls name. */
    get pointed() {
      return this.held ?? text(this.context.model.get("layer"));
    }
    /** Null: the kernel's map is the one to show. */
    get preview() {
      const { found } = this;
      const name = this.held ?? this.asked;
      return found !== null && found.layer === name && this.isPresent(found.of) ? found : null;
    }
    /** Whether the map is the picture's own, so that there is no layer to choose. */
    get idle() {
      return place(this.context.model.get("explanation")).atInput;
    }
    /** The hand is at this layer. Nothing is sent. */
    point(name) {
      this.held = name;
      this.find();
      this.tell();
    }
    /** The hand rests: its layer is asked for, once. */
    rest() {
      const name = this.held;
      if (name === null) return;
      this.held = null;
      if (name === text(this.context.model.get("layer"))) this.tell();
      else this.ask(name);
    }
    ask(name) {
      this.held = null;
      this.asked = name === this.mapLayer ? null : name;
      this.started = false;
      this.find();
      this.context.write({ layer: name });
      this.tell();
    }
    step(by) {
      const all = layers(this.context.model.get("layers"));
      const now = all.findIndex(({ name }) => name === this.pointed);
      const next = all[now + by];
      if (now >= 0 && next !== void 0 && !this.idle) this.ask(next.name);
    }
    get subject() {
      const { model } = this.context;
      return {
        scene: sceneId(model.get("scene")),
        target: number(model.get("target"), -1),
        method: text(model.get("method"))
      };
    }
    isPresent({ scene: scene2, target, method }) {
      const now = this.subject;
      return scene2 !== "" && scene2 === now.scene && target === now.target && method === now.method;
    }
    find() {
      const name = this.held ?? this.asked;
      const { known } = this;
      if (name === null || known === null || !this.isPresent(known)) return;
      const grid2 = known.layers.get(name);
      const { scene: scene2, target, method } = known;
      if (grid2 !== void 0) this.found = { layer: name, grid: grid2, of: { scene: scene2, target, method } };
    }
    /** Whether what was asked for has come, was refused, or was given up. */
    follow() {
      const { model } = this.context;
      const raw = model.get("explanation");
      const layer = text(model.get("layer"));
      const busy = flag(model.get("busy"), false);
      const arrived = raw !== this.explanation;
      if (arrived) {
        const from = place(raw);
        this.explanation = raw;
        this.mapLayer = from.layer === "" || from.atInput ? layer : from.layer;
      }
      if (this.asked !== null) {
        const gaveUp = this.started && !busy;
        if (layer !== this.asked || arrived && this.mapLayer === this.asked || gaveUp) this.asked = null;
        else if (busy && !this.busy) this.started = true;
      }
      this.busy = busy;
    }
    tell() {
      for (const update of this.listeners) update();
    }
  };

  // src/view/watch.ts
  function watch(model, keys, signal, update) {
    let waiting2 = false;
    const later = () => {
      if (waiting2) return;
      waiting2 = true;
      queueMicrotask(() => {
        waiting2 = false;
        if (!signal.aborted) update();
      });
    };
    for (const key of keys) {
      model.on(`change:${key}`, later);
      signal.addEventListener("abort", () => model.off(`change:${key}`, later));
    }
    update();
  }

  // src/view/context.ts
  var views = 0;
  var Context = class {
    constructor(model, signal) {
      this.model = model;
      this.signal = signal;
      this.scrub = new Scrub(this);
    }
    model;
    signal;
    prefix = `camwidget-${++views}`;
    /** Whose the pointer is on the picture: a tool's name, or "" where it asks and pans. */
    tool = "";
    /** The fraction to draw: the model's, or the one under the hand while this view's slider moves. */
    fraction = () => unit(this.model.get("fraction"), 0);
    /** The layer to name and to draw: the model's, or the one under the hand. */
    scrub;
    id(name) {
      return `${this.prefix}-${name}`;
    }
    /** Changes traits here and in the kernel. */
    write(values) {
      for (const [key, value] of Object.entries(values)) this.model.set(key, value);
      this.model.save_changes();
    }
    /**
     * Calls `update` now and after changes of any of these traits: once for all changes that arrive
     * together, before the next frame.
     */
    watch(keys, update) {
      watch(this.model, keys, this.signal, update);
    }
  };

  // src/view/follow.ts
  function followPicture(context, root) {
    const { model } = context;
    let strip;
    const bring = () => {
      const count = texts(model.get("pictures")).length;
      const chosen = number(model.get("picture"), -1);
      if (strip === void 0 || count === 0 || chosen < 0) return;
      const pitch = strip.scrollWidth / count;
      const hidden = chosen * pitch < strip.scrollLeft || (chosen + 1) * pitch > strip.scrollLeft + strip.clientWidth;
      if (hidden) strip.scrollLeft = (chosen + 0.5) * pitch - strip.clientWidth / 2;
    };
    const grown = new MutationObserver(bring);
    context.signal.addEventListener("abort", () => grown.disconnect());
    context.watch(["picture", "pictures", "scene"], () => {
      const found = root.closest(".camwidget-explorer")?.querySelector(".camwidget-thumbs");
      if (found instanceof HTMLElement && found !== strip) {
        strip = found;
        grown.disconnect();
        grown.observe(strip, { attributes: true, childList: true, subtree: true });
      }
      bring();
    });
  }

  // src/view/help.ts
  var KEYS = [
    ["← →", "mask 1 % less, more"],
    ["shift ← →", "… by 10 %"],
    ["1 … 9", "choose a class of the list"],
    [", .", "previous, next picture"],
    ["m", "next quick method"],
    ["o", "true outlines on, off (where they are known)"],
    ["b", "the map's box and peak on, off"],
    ["[ ]", "shallower, deeper layer"],
    ["space", "map on, off (on the picture)"],
    ["w a s d", "move the marker (on the picture)"],
    ["enter", "ask which classes are strong there"],
    ["↑ ↓", "move in a group of buttons"],
    ["esc", "close, or cancel the computation"],
    ["?", "show these"]
  ];
  var Help = class {
    element;
    opener;
    panel;
    before = null;
    constructor(context) {
      const { signal } = context;
      const title = context.id("help");
      this.opener = button(
        "camwidget-quiet camwidget-help-open",
        { "aria-label": "Keyboard shortcuts", "aria-expanded": "false", title: "Keyboard shortcuts (?)" },
        "?"
      );
      const close = button("camwidget-quiet", { "aria-label": "Close", title: "Close (Esc)" }, "×");
      this.panel = make(
        "div",
        "camwidget-help",
        { role: "dialog", "aria-labelledby": title, hidden: true },
        make("div", "camwidget-help-head", {}, make("span", "camwidget-heading", { id: title }, "Keys"), close),
        make(
          "dl",
          "camwidget-keys",
          {},
          ...KEYS.flatMap(([key, meaning]) => [make("dt", "", {}, key), make("dd", "", {}, meaning)])
        )
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
      this.before = document.activeElement;
      this.panel.hidden = false;
      this.opener.setAttribute("aria-expanded", "true");
      this.panel.querySelector("button")?.focus();
    }
    /** True when it was open. */
    close() {
      if (this.panel.hidden) return false;
      this.panel.hidden = true;
      this.opener.setAttribute("aria-expanded", "false");
      if (this.before instanceof HTMLElement) this.before.focus();
      return true;
    }
  };

  // src/view/here.ts
  var HerePopover = class {
    marker = make("div", "camwidget-marker", { "aria-hidden": "true" });
    entries = make("div", "camwidget-here-entries");
    heading = make("div", "camwidget-here-heading");
    popover;
    context;
    stage;
    asked = null;
    answer = null;
    closed = false;
    constructor(context, stage) {
      this.context = context;
      this.stage = stage;
      const { signal } = context;
      const close = button("camwidget-quiet camwidget-here-close", { "aria-label": "Close", title: "Close (Esc)" }, "×");
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
        "camwidget-here",
        {
          role: "group",
          "aria-label": "Classes with the strongest maps at this point",
          title: "Each class's map at this point; 1 is the highest value of all of them anywhere in the picture"
        },
        this.heading,
        close,
        this.entries
      );
      stage.plane.append(this.marker);
      stage.frame.append(this.popover);
      stage.canvas.addEventListener("click", (event) => this.ask(event), { signal });
      context.watch(["here"], () => {
        this.asked = null;
        this.closed = false;
        this.update();
      });
      context.watch(["scene"], () => {
        this.asked = null;
        this.update();
      });
    }
    /** True when there was something to close. */
    close() {
      const open2 = !this.marker.hidden;
      this.closed = true;
      this.asked = null;
      this.update();
      return open2;
    }
    ask(event) {
      const point = this.stage.at(event);
      if (point !== null) this.send(point);
    }
    /** Moves the marker by a part of the picture; from its middle when there is none. */
    move(right, down) {
      const { width, height } = this.stage.canvas;
      const from = this.asked ?? this.answer ?? { x: Math.floor(width / 2), y: Math.floor(height / 2) };
      const step2 = Math.max(1, Math.round(Math.min(width, height) / 16));
      this.asked = {
        x: Math.min(width - 1, Math.max(0, from.x + right * step2)),
        y: Math.min(height - 1, Math.max(0, from.y + down * step2))
      };
      this.update();
    }
    /** Asks at the marker, as a click there does. */
    askAtMarker() {
      if (this.asked === null) this.move(0, 0);
      if (this.asked !== null) this.send(this.asked);
    }
    send(point) {
      this.asked = point;
      this.closed = false;
      this.update();
      this.context.model.send({ type: "pick", x: point.x, y: point.y });
    }
    update() {
      const given = here(this.context.model.get("here"));
      const fits = given !== null && given.scene === this.stage.sceneId && !this.closed;
      this.answer = fits ? given : null;
      const point = this.asked ?? this.answer;
      this.marker.hidden = point === null;
      const answered = this.answer !== null && point?.x === this.answer.x && point.y === this.answer.y;
      this.popover.hidden = !answered;
      if (point !== null) this.place(point);
      if (answered && this.answer !== null) this.list(this.answer);
    }
    /** The popover opens towards the middle of the picture. */
    place({ x, y }) {
      const { width, height } = this.stage.canvas;
      const left = 100 * (x + 0.5) / width;
      const top = 100 * (y + 0.5) / height;
      this.marker.style.left = `${left}%`;
      this.marker.style.top = `${top}%`;
      const { style } = this.popover;
      style.left = left <= 50 ? `calc(${left}% + 14px)` : "";
      style.right = left <= 50 ? "" : `calc(${100 - left}% + 14px)`;
      style.top = top <= 50 ? `${top}%` : "";
      style.bottom = top <= 50 ? "" : `${100 - top}%`;
    }
    list({ entries, of }) {
      const among = `of the ${of} most probable classes`;
      setText(this.heading, entries.length === 0 ? `No evidence here, ${among}` : `Strongest here, ${among}`);
      const items = fit(this.entries, entries.length, () => this.entry());
      entries.forEach((entry, at) => {
        const item = items[at];
        const [name, value] = item?.children ?? [];
        if (item === void 0 || name === void 0 || value === void 0) return;
        item.dataset["index"] = String(entry.index);
        item.title = `Choose ${entry.name}`;
        item.style.setProperty("--camwidget-value", `${100 * entry.value}%`);
        setText(name, entry.name);
        setText(value, entry.value.toFixed(2));
      });
    }
    entry() {
      const made = button(
        "camwidget-here-entry",
        {},
        make("span", "camwidget-here-name"),
        make("span", "camwidget-here-value")
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

  // src/view/hold.ts
  function holdFocus(root, frame2, signal) {
    const box2 = () => root.closest(".camwidget-explorer") ?? root;
    document.addEventListener(
      "pointerdown",
      ({ target }) => {
        if (target instanceof HTMLCanvasElement && box2().contains(target)) target.removeAttribute("tabindex");
      },
      { capture: true, signal }
    );
    document.addEventListener(
      "click",
      (event) => {
        if (!(event.target instanceof Node) || !box2().contains(event.target)) return;
        setTimeout(() => {
          if (!signal.aborted && !root.contains(document.activeElement) && !isPanels(document.activeElement)) {
            frame2.focus({ preventScroll: true });
          }
        });
      },
      { signal }
    );
  }
  function isPanels(element) {
    return element?.closest(".camwidget-panels") != null && !(element instanceof HTMLCanvasElement);
  }

  // src/view/keyboard.ts
  function keyboard(context, parts) {
    parts.root.addEventListener(
      "keydown",
      (event) => {
        const { target, key } = event;
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
  function free(target, key) {
    if (target.matches("select")) return ["[", "]", "?", "Escape"].includes(key);
    if (target.matches('input:not([type="range"])')) return key === "Escape";
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
    else if (key === "?") parts.toggleHelp();
    else if (key === "Escape") return parts.close();
    else if (key === " " && event.target === parts.frame) toggleOverlay(context);
    else if (event.target === parts.frame && key === "w") parts.marker.move(0, -1);
    else if (event.target === parts.frame && key === "a") parts.marker.move(-1, 0);
    else if (event.target === parts.frame && key === "s") parts.marker.move(0, 1);
    else if (event.target === parts.frame && key === "d") parts.marker.move(1, 0);
    else if (event.target === parts.frame && key === "Enter") parts.marker.askAtMarker();
    else if (/^[1-9]$/.test(key)) pickRow(context, Number(key) - 1);
    else return false;
    return true;
  }

  // src/view/layer.ts
  var MOST_TICKS = 24;
  var PAUSE = 400;
  var NO_LAYER = "This method explains the picture itself, at no layer";
  function layerPicker(context, leave) {
    const { model, scrub, signal } = context;
    const select = make("select", "camwidget-select", {
      "aria-label": "Layer",
      title: "The layer the map is taken from, shallow to deep",
      ...OWN_KEYS
    });
    select.addEventListener("change", () => scrub.ask(select.value), { signal });
    const shallower = step(context, -1, "‹", "Shallower layer", "[");
    const deeper = step(context, 1, "›", "Deeper layer", "]");
    const stops = scrubber(context);
    const row = make(
      "div",
      "camwidget-layer camwidget-line",
      { role: "group", "aria-label": "Layer" },
      make("span", "camwidget-label", { "aria-hidden": "true" }, "Layer"),
      shallower,
      deeper,
      stops,
      select
    );
    const update = () => {
      const all = layers(model.get("layers"));
      const now = all.findIndex(({ name }) => name === scrub.pointed);
      const { idle } = scrub;
      const focused = document.activeElement;
      if (idle && (focused === select || stops.contains(focused))) leave();
      setAttribute(row, "aria-disabled", String(idle));
      row.title = idle ? NO_LAYER : "";
      setChoices(select, choices(all, text(model.get("layer"))), scrub.pointed);
      select.disabled = idle || all.length < 2;
      setAttribute(shallower, "aria-disabled", String(idle || now <= 0));
      setAttribute(deeper, "aria-disabled", String(idle || now < 0 || now === all.length - 1));
    };
    context.watch(["layers"], update);
    scrub.listen(update);
    return row;
  }
  function step(context, by, sign, label, key) {
    const made = button(
      "camwidget-button camwidget-step",
      { "aria-label": label, title: `${label} (${key})` },
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
      const now = all.findIndex(({ name }) => name === scrub.pointed);
      stop = now >= 0 ? now : stop < 0 ? last : Math.min(stop, last);
      range.hidden = ticks.hidden = last < 1;
      range.disabled = scrub.idle;
      range.max = String(Math.max(1, last));
      const value = String(Math.max(0, stop));
      if (range.value !== value) range.value = value;
      const layer = all[now];
      setAttribute(range, "aria-valuetext", layer === void 0 ? scrub.pointed : describe(layer));
      fit(ticks, last < MOST_TICKS ? last + 1 : 0, () => make("i", ""));
    };
    whenMoved(
      range,
      context.signal,
      () => {
        const layer = all[Number(range.value)];
        if (layer !== void 0) scrub.point(layer.name);
      },
      () => scrub.rest()
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
      if (byKeys) timer = window.setTimeout(restNow, PAUSE);
      else restNow();
    });
    listen("blur", restNow);
    window.addEventListener("pointerup", release, { signal });
    window.addEventListener("pointercancel", release, { signal });
    signal.addEventListener("abort", () => window.clearTimeout(timer));
  }
  function choices(all, present) {
    const listed = all.map((layer) => ({ value: layer.name, label: describe(layer) }));
    const missing = present !== "" && all.length > 0 && !all.some(({ name }) => name === present);
    return missing ? [...listed, { value: present, label: present }] : listed;
  }
  function describe({ name, shape }) {
    const [, height, width] = shape;
    return height === void 0 || width === void 0 ? name : `${name} · ${height}×${width}`;
  }

  // src/core/colormap.ts
  var COLORMAP_BYTES = 768;
  var GREY = Uint8Array.from(
    { length: COLORMAP_BYTES },
    (_, i) => Math.floor(i / 3)
  );
  function emphasis(value) {
    const v = value / 255;
    return v * (0.35 + 0.65 * Math.sqrt(v));
  }
  function blendTable() {
    return {
      stay: new Uint32Array(256),
      redBlue: new Uint32Array(256),
      green: new Uint32Array(256)
    };
  }
  function fillBlendTable(table, colors, opacity2) {
    for (let v = 0; v < 256; v++) {
      const weight = Math.round(256 * opacity2 * emphasis(v));
      table.stay[v] = 256 - weight;
      table.redBlue[v] = (colors[3 * v + 2] << 16 | colors[3 * v]) * weight + 8388736;
      table.green[v] = colors[3 * v + 1] * weight + 128;
    }
  }
  function gradient(colors, stops = 17) {
    const parts = [];
    for (let k = 0; k < stops; k++) {
      const at = 3 * Math.round(255 * k / (stops - 1));
      parts.push(`rgb(${colors[at]}, ${colors[at + 1]}, ${colors[at + 2]})`);
    }
    return `linear-gradient(to right, ${parts.join(", ")})`;
  }

  // src/view/range.ts
  var Range = class {
    element;
    dragging = false;
    moved = false;
    constructor(options) {
      const { signal } = options;
      this.element = make("input", `camwidget-range ${options.className}`, {
        type: "range",
        min: 0,
        max: 100,
        step: options.step,
        "aria-label": options.label,
        title: options.title,
        ...OWN_KEYS
      });
      this.element.addEventListener(
        "input",
        () => {
          this.moved = true;
          this.decorate();
          options.input(this.value);
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
        options.release(this.moved);
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
    /** The filled part of the track; the text is what a screen reader says instead of "25". */
    decorate() {
      this.element.style.setProperty("--camwidget-filled", String(this.value));
      this.element.setAttribute("aria-valuetext", percent(this.value));
    }
  };
  function percent(value) {
    return `${Math.round(1e3 * value) / 10} %`;
  }

  // src/view/look.ts
  function look(context) {
    return make("div", "camwidget-look", {}, colormap(context), opacity(context));
  }
  function colormap(context) {
    const { model, signal } = context;
    const select = make("select", "camwidget-select", {
      "aria-label": "Colour map",
      title: "Colours of the map, from low to high",
      ...OWN_KEYS
    });
    select.addEventListener("change", () => context.write({ colormap: select.value }), { signal });
    const bar2 = make("span", "camwidget-legend-bar", { "aria-hidden": "true" });
    context.watch(["colormap", "colormaps"], () => {
      const maps = byteMap(model.get("colormaps"));
      const name = text(model.get("colormap"));
      setChoices(select, [...maps.keys()].map((of) => ({ value: of, label: of })), name);
      bar2.style.backgroundImage = gradient(maps.get(name) ?? GREY);
    });
    return make(
      "div",
      "camwidget-line",
      {},
      make("span", "camwidget-label", {}, "Map"),
      select,
      make(
        "span",
        "camwidget-legend",
        { title: "Each map is scaled to its own maximum: the colours of two maps do not compare" },
        "low",
        bar2,
        "high"
      )
    );
  }
  function opacity(context) {
    const { model, signal } = context;
    const range = new Range({
      className: "camwidget-opacity",
      label: "Opacity of the map",
      title: "How strongly the map covers the picture; 0 shows exactly what the model gets",
      step: 1,
      signal,
      input: (value) => context.write({ opacity: value }),
      release: () => follow()
    });
    const follow = () => range.follow(unit(model.get("opacity"), 0.5));
    const overlay = toggle("overlay", "Show the map over the picture (space)");
    const cells2 = toggle("cells", "Show the layer's own cells");
    const box2 = toggle("box", "Show the map's box, around all above 15 % of its maximum, and its peak (b)");
    box2.addEventListener("click", () => toggleBoxes(context), { signal });
    context.watch(["boxes"], () => setAttribute(box2, "aria-pressed", String(flag(model.get("boxes"), false))));
    overlay.addEventListener("click", () => toggleOverlay(context), { signal });
    cells2.addEventListener("click", () => context.write({ cells: !flag(model.get("cells"), false) }), {
      signal
    });
    context.watch(["opacity"], follow);
    context.watch(["overlay", "cells", "mode"], () => {
      const product = mode(model.get("mode")) === "multiply";
      setAttribute(overlay, "aria-pressed", String(flag(model.get("overlay"), true) && !product));
      setAttribute(cells2, "aria-pressed", String(flag(model.get("cells"), false) && !product));
      range.element.disabled = product;
      cells2.disabled = product;
      overlay.disabled = product;
    });
    return make(
      "div",
      "camwidget-line",
      {},
      make("span", "camwidget-label", {}, "Opacity"),
      range.element,
      overlay,
      cells2,
      box2
    );
  }
  function toggle(label, title) {
    return button("camwidget-button", { "aria-pressed": "false", title }, label);
  }

  // src/view/rove.ts
  function rove(group, signal) {
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

  // src/view/mask.ts
  var MODES = [
    { mode: "remove", label: "remove", title: "Replace the pixels with the most evidence by the fill" },
    { mode: "keep", label: "keep", title: "Keep the pixels with the most evidence, replace all others" },
    { mode: "multiply", label: "× map", title: "Multiply the picture by the map" }
  ];
  function maskRow(context, repaint) {
    const { model, signal } = context;
    const range = new Range({
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
      release: (moved) => {
        const now = unit(model.get("fraction"), 0);
        if (!moved) range.follow(now);
        else if (now !== range.value) context.write({ fraction: range.value });
        show();
        repaint();
      }
    });
    const reading = make("output", "camwidget-reading", { "aria-hidden": "true" });
    const show = () => setText(reading, percent(context.fraction()));
    context.fraction = () => range.dragging ? range.value : unit(model.get("fraction"), 0);
    context.watch(["fraction", "mode"], () => {
      range.follow(unit(model.get("fraction"), 0));
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
    const group = make("div", "camwidget-segments", {
      role: "radiogroup",
      "aria-labelledby": context.id("mask")
    });
    for (const choice of MODES) {
      const made = button(
        "camwidget-button camwidget-radio",
        { role: "radio", title: choice.title, "data-name": choice.mode },
        choice.label
      );
      made.addEventListener("click", () => context.write({ mode: choice.mode }), { signal });
      group.append(made);
      context.watch(["mode", "modes"], () => {
        const known = texts(model.get("modes"));
        made.hidden = known.length > 0 && !known.includes(choice.mode);
        const chosen = mode(model.get("mode")) === choice.mode;
        setAttribute(made, "aria-checked", String(chosen));
        made.tabIndex = chosen ? 0 : -1;
      });
    }
    rove(group, signal);
    return group;
  }
  function fill(context) {
    const { model, signal } = context;
    const select = make("select", "camwidget-select", {
      title: "What takes the place of the masked pixels",
      ...OWN_KEYS
    });
    select.addEventListener("change", () => context.write({ baseline: select.value }), { signal });
    context.watch(["baseline", "baselines", "mode"], () => {
      const names = texts(model.get("baselines"));
      setChoices(select, names.map((name) => ({ value: name, label: name })), text(model.get("baseline")));
      select.disabled = names.length < 2 || mode(model.get("mode")) === "multiply";
    });
    return make("label", "camwidget-fill", {}, "fill", select);
  }

  // src/view/radios.ts
  var SLOW = "reruns the model many times";
  function fillRadios(context, group, all, chosen, stop = all.find(({ name }) => name === chosen) ?? all[0]) {
    const radios = fit(group, all.length, () => radio(context));
    all.forEach((method, at) => {
      const made = radios[at];
      if (made === void 0) return;
      made.dataset["name"] = method.name;
      made.title = describe2(method);
      setAttribute(made, "aria-checked", String(method.name === chosen));
      made.tabIndex = method === stop ? 0 : -1;
      if (method.reason === null) made.removeAttribute("aria-disabled");
      else setAttribute(made, "aria-disabled", "true");
      fillLabel(made, method.label, method.slow);
    });
  }
  function describe2({ tip, reason, slow }) {
    if (reason !== null) return `Not here: ${reason}`;
    return slow ? `${tip} – ${SLOW}` : tip;
  }
  function radio(context) {
    const made = button("camwidget-button camwidget-radio", { role: "radio" });
    made.addEventListener(
      "click",
      () => {
        if (made.getAttribute("aria-disabled") !== "true") context.write({ method: made.dataset["name"] });
      },
      { signal: context.signal }
    );
    return made;
  }
  function fillLabel(of, label, slow) {
    const [name] = fit(of, slow ? 2 : 1, (at) => at === 0 ? make("span", "") : slowMark());
    if (name !== void 0) setText(name, label);
  }
  function slowMark() {
    return make("span", "camwidget-slow", { "aria-hidden": "true", title: SLOW });
  }

  // src/view/more.ts
  var More = class {
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
      rove(this.families, signal);
      this.opener.addEventListener("click", () => this.panel.hidden ? this.open() : this.close(), { signal });
      this.panel.addEventListener("click", (event) => this.clicked(event), { signal });
      document.addEventListener("pointerdown", (event) => this.left(event.target), { signal });
      this.panel.addEventListener("focusout", (event) => this.left(event.relatedTarget), { signal });
    }
    context;
    /** Also a chip: it bears the name of the chosen method when that is one of the rest. */
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
    /** False when it was not open. */
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
    /** A choice is made; what cannot be chosen leaves the list open, to go on looking. */
    clicked({ target }) {
      const radio2 = target instanceof Element ? target.closest('[role="radio"]') : null;
      if (radio2 !== null && radio2.getAttribute("aria-disabled") !== "true") this.close();
    }
    /** The pointer or the focus went elsewhere. */
    left(to) {
      if (!(to instanceof Node) || this.panel.contains(to) || this.opener.contains(to)) return;
      this.close();
    }
  };

  // src/view/methods.ts
  var MOST = 8;
  var FEW = 5;
  var MethodRow = class {
    element;
    more;
    constructor(context) {
      const { model, signal } = context;
      const label = make("span", "camwidget-label", { id: context.id("method") }, "Method");
      const chips = make("div", "camwidget-chips", {
        role: "radiogroup",
        "aria-labelledby": context.id("method")
      });
      rove(chips, signal);
      this.more = new More(context);
      this.element = make(
        "div",
        "camwidget-methods camwidget-line",
        {},
        label,
        make("div", "camwidget-methodgroups", {}, chips, this.more.opener),
        this.more.panel
      );
      context.watch(["methods", "method"], () => {
        const { few, rest } = split(methods(model.get("methods")));
        const name = text(model.get("method"));
        fillRadios(context, chips, few, name);
        this.more.show(rest, name);
      });
    }
    /** Closes the list of the rest; false when it was not open. */
    close() {
      return this.more.close();
    }
  };
  function split(all) {
    if (all.length <= MOST) return { few: all, rest: [] };
    const few = all.filter(({ slow }) => !slow).slice(0, FEW);
    return { few, rest: all.filter((method) => !few.includes(method)) };
  }

  // src/view/narrow.ts
  var NARROW = 640;
  function narrow(root, probe, signal) {
    const observer = new ResizeObserver(() => {
      const width = probe.clientWidth;
      if (width === 0) return;
      const grid2 = root.closest(".camwidget-explorer") ?? root;
      grid2.classList.toggle("camwidget-narrow", width < NARROW);
    });
    observer.observe(probe);
    signal.addEventListener("abort", () => observer.disconnect());
  }

  // src/view/say.ts
  var CURVE = {
    remove: "Confidence as the top evidence goes",
    keep: "Confidence as the top evidence comes",
    multiply: "Picture × map"
  };
  function curveHead(context) {
    const head = make("div", "camwidget-curvehead camwidget-heading");
    context.watch(["mode"], () => setText(head, CURVE[mode(context.model.get("mode"))]));
    return head;
  }
  function sentence2(context) {
    const line2 = make("div", "camwidget-say", { "aria-live": "polite" });
    context.watch(["sentence"], () => setText(line2, text(context.model.get("sentence"))));
    return line2;
  }
  function status(context, help) {
    const line2 = make("span", "camwidget-status-text");
    context.watch(["status"], () => setText(line2, text(context.model.get("status"))));
    return make("div", "camwidget-status", {}, line2, help);
  }
  function errorLine(context) {
    const message = make("span", "camwidget-error-text");
    const dismiss = button("camwidget-quiet", { "aria-label": "Dismiss", title: "Dismiss this message" }, "×");
    dismiss.addEventListener("click", () => context.write({ error: "" }), { signal: context.signal });
    const line2 = make("div", "camwidget-error", { role: "alert" }, message, dismiss);
    context.watch(["error"], () => {
      const error = text(context.model.get("error"));
      setText(message, error);
      line2.hidden = error === "";
    });
    return line2;
  }

  // src/view/prompt.ts
  var NOTHING = { words: [], beside: [] };
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
      rove(this.words, signal);
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
    /** What the kernel said last, and what was sent: as long as the field holds something else, a person is writing. */
    said = "";
    sent = "";
    show() {
      const { model } = this.context;
      const shown = prompt(model.get("prompt"));
      this.element.hidden = shown === null;
      if (shown === null) return;
      setText(this.label, shown.name.charAt(0).toUpperCase() + shown.name.slice(1));
      setAttribute(this.input, "aria-label", shown.name);
      this.input.placeholder = shown.hint;
      this.input.title = shown.hint;
      setChoices(
        this.examples,
        [{ value: "", label: "examples" }, ...shown.examples.map((value2) => ({ value: value2, label: value2 }))],
        ""
      );
      this.own.hidden = !shown.proposes;
      this.own.disabled = shown.own;
      const { value } = this.input;
      const writing = document.activeElement === this.input && value !== this.said && value !== this.sent;
      if (!writing) {
        this.input.value = shown.text;
        this.forgive();
      }
      this.said = shown.text;
    }
    /** A row to read, with buttons in it; nothing where no word can be chosen. */
    showWords() {
      const { model } = this.context;
      const target = number(model.get("target"), -1);
      const { words: words2, beside } = prompt(model.get("prompt")) ?? NOTHING;
      const all = words2.some(({ target: of }) => of >= 0) ? [...beside, ...words2] : [];
      this.words.hidden = all.length === 0;
      const chosen = Math.max(0, all.findIndex((word) => word.target >= 0 && word.target === target));
      const stop = all[chosen]?.target ?? -1;
      const first = all.find((word) => word.target >= 0);
      const parts = fit(this.words, all.length, () => this.word());
      all.forEach((word, at) => {
        const part = parts[at];
        if (part === void 0) return;
        fillWord(part, word, target, stop >= 0 ? at === chosen : word === first);
        part.classList.toggle("camwidget-word-beside", at < beside.length);
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
      const error = text(this.context.model.get("text_error"));
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
      else if (event.key === "Escape" && this.input.value !== this.said) {
        this.input.value = this.said;
        this.forgive();
      } else return;
      event.preventDefault();
    }
    /** The field no longer holds what could not be read. */
    forgive() {
      if (text(this.context.model.get("text_error")) !== "") this.context.write({ text_error: "" });
    }
  };
  function fillWord(part, word, target, stop) {
    const can = word.target >= 0;
    setText(part, word.text);
    part.dataset["target"] = String(word.target);
    part.disabled = !can;
    part.title = can ? `Explain “${word.text}”` : "No class stands for this word";
    part.tabIndex = can && stop ? 0 : -1;
    setAttribute(part, "role", can ? "radio" : "presentation");
    if (can) setAttribute(part, "aria-checked", String(word.target === target));
    else part.removeAttribute("aria-checked");
  }

  // src/view/matches.ts
  var Names = class {
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

  // src/view/search.ts
  var MOST2 = 12;
  var Search = class {
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
      this.element = make("div", "camwidget-find", { "data-needs": "kernel" }, this.input, this.list);
      this.input.addEventListener("input", () => this.search(), { signal });
      this.input.addEventListener("focus", () => this.search(), { signal });
      this.input.addEventListener("blur", () => this.show([]), { signal });
      this.input.addEventListener("keydown", (event) => this.key(event), { signal });
      this.list.addEventListener("pointerdown", (event) => this.point(event), { signal });
      context.watch(["class_names"], () => {
        this.names = new Names(texts(model.get("class_names")));
        this.input.disabled = this.names.names.length === 0;
        if (!this.list.hidden) this.search();
      });
    }
    context;
    element;
    input;
    list;
    names = new Names([]);
    found = [];
    active = 0;
    search() {
      this.active = 0;
      this.show(this.names.find(this.input.value, MOST2));
    }
    show(found) {
      this.found = found;
      const nothing = found.length === 0 && this.input.value.trim() !== "" && document.activeElement === this.input;
      this.list.hidden = found.length === 0 && !nothing;
      setAttribute(this.input, "aria-expanded", String(found.length > 0));
      this.list.classList.toggle("camwidget-nothing", nothing);
      const options = fit(this.list, found.length, (at) => this.option(at));
      found.forEach((index, at) => {
        const option = options[at];
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

  // src/core/cells.ts
  function nearestCell(at, size, cells2) {
    return Math.floor((2 * at + 1) * cells2 / (2 * size));
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

  // src/core/rgba.ts
  var OPAQUE = 4278190080;
  function pack(red, green, blue) {
    return (OPAQUE | blue << 16 | green << 8 | red) >>> 0;
  }
  function fromRgb(rgb, out) {
    for (let i = 0, j = 0; i < out.length; i++, j += 3) {
      out[i] = OPAQUE | rgb[j + 2] << 16 | rgb[j + 1] << 8 | rgb[j];
    }
  }

  // src/core/rule.ts
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
    look = { overlay: false, opacity: 0, cells: false, colors: GREY };
    fill = void 0;
    blended = false;
    table = blendTable();
    setPicture({ width, height, rgb }) {
      const size = width * height;
      if (width !== this.width || height !== this.height) {
        this.width = width;
        this.height = height;
        this.pixels = new Uint8ClampedArray(4 * size);
        this.out = new Uint32Array(this.pixels.buffer);
        this.picture = new Uint32Array(size);
        this.heated = new Uint32Array(size);
        this.filling = new Uint32Array(size);
      }
      fromRgb(rgb, this.picture);
      this.fill = void 0;
      this.setHeat(null);
    }
    /** Null: no map belongs to this picture (yet). It is then drawn whole. */
    setHeat(heat) {
      this.heat = heat;
      this.expanded = null;
      this.blended = false;
    }
    setLook(look2) {
      this.look = look2;
      this.blended = false;
    }
    paint(mask) {
      if (this.heat === null) this.out.set(this.picture);
      else if (mask.mode === "multiply") this.paintProduct(this.heat.saliency);
      else this.paintMasked(this.heat.levels, mask);
      return this.pixels;
    }
    /** Every pixel is changed, so every pixel is shown as the model gets it, without the map. */
    paintProduct(saliency) {
      const { out, picture } = this;
      for (let i = 0; i < out.length; i++) {
        const p = picture[i];
        const s = saliency[i];
        out[i] = OPAQUE | multiply(p >>> 16 & 255, s) << 16 | multiply(p >>> 8 & 255, s) << 8 | multiply(p & 255, s);
      }
    }
    paintMasked(levels, mask) {
      this.prepareFill(mask.fill);
      const shown = this.prepareBlend();
      const inside = mask.mode === "remove" ? this.filling : shown;
      const outside = mask.mode === "remove" ? shown : this.filling;
      const { out } = this;
      const t = threshold(mask.fraction);
      for (let i = 0; i < out.length; i++) {
        const below = levels[i] - t >> 31;
        out[i] = inside[i] & below | outside[i] & ~below;
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
      const { look: look2, heat } = this;
      if (heat === null || !look2.overlay || look2.opacity <= 0) return this.picture;
      if (!this.blended) {
        const colors = look2.colors.length === COLORMAP_BYTES ? look2.colors : GREY;
        fillBlendTable(this.table, colors, Math.min(1, look2.opacity));
        this.blend(look2.cells ? this.cellMap(heat) : heat.saliency);
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
      if (heat.cells === null) return heat.saliency;
      const { values, rows: rows2, columns } = heat.cells;
      this.expanded ??= expandCells(values, rows2, columns, this.width, this.height);
      return this.expanded;
    }
  };

  // src/view/box.ts
  var SVG = "http://www.w3.org/2000/svg";
  function boxes(context) {
    const { model } = context;
    const drawing = make("div", "camwidget-boxes", { "aria-hidden": "true" });
    context.watch(["box", "scene", "boxes"], () => {
      const of = flag(model.get("boxes"), false) ? scene(model.get("scene")) : null;
      const found = of === null ? null : box(model.get("box"));
      if (of === null || found === null || found.scene !== of.id) drawing.replaceChildren();
      else drawing.replaceChildren(frame(found, of), mark(found, of));
    });
    return drawing;
  }
  function frame({ left, top, right, bottom }, { width, height }) {
    const path = `M${left} ${top}H${right}V${bottom}H${left}Z`;
    return drawn(`0 0 ${width} ${height}`, "camwidget-box", path);
  }
  function mark({ x, y, hit }, { width, height }) {
    const shape = hit === "miss" ? "M5 5L15 15M15 5L5 15" : hit === "hit" ? "M10 10h0" : "M10 5V15M5 10H15";
    const made = drawn("0 0 20 20", "camwidget-peak", `M18 10A8 8 0 1 1 2 10A8 8 0 1 1 18 10Z${shape}`);
    made.dataset["hit"] = hit;
    made.style.left = `${100 * (x + 0.5) / width}%`;
    made.style.top = `${100 * (y + 0.5) / height}%`;
    return made;
  }
  function drawn(viewBox, className, path) {
    const svg2 = document.createElementNS(SVG, "svg");
    svg2.setAttribute("class", className);
    svg2.setAttribute("viewBox", viewBox);
    svg2.setAttribute("preserveAspectRatio", "none");
    for (const kind of ["under", "over"]) {
      const line2 = document.createElementNS(SVG, "path");
      line2.setAttribute("class", kind);
      line2.setAttribute("d", path);
      svg2.append(line2);
    }
    return svg2;
  }

  // src/view/progress.ts
  function progressLine(context) {
    const done = make("div", "camwidget-progress-done");
    const line2 = make("div", "camwidget-progress", { role: "progressbar", "aria-label": "Computing" }, done);
    context.watch(["busy", "progress"], () => {
      const progress = number(context.model.get("progress"), -1);
      line2.hidden = !flag(context.model.get("busy"), false);
      line2.classList.toggle("camwidget-indeterminate", progress < 0);
      done.style.width = progress < 0 ? "" : `${100 * Math.min(1, progress)}%`;
      if (progress < 0) line2.removeAttribute("aria-valuenow");
      else setAttribute(line2, "aria-valuenow", String(Math.round(100 * Math.min(1, progress))));
    });
    return line2;
  }
  function tag(context) {
    const { model, scrub } = context;
    const line2 = make("div", "camwidget-tag");
    const update = () => {
      const { preview } = scrub;
      const said = preview === null ? unfinished() : `${preview.layer} · preview`;
      setText(line2, said);
      line2.hidden = said === "";
    };
    const unfinished = () => {
      if (!flag(model.get("partial"), false)) return "";
      const progress = number(model.get("progress"), -1);
      return progress < 0 ? "partial map" : `partial map · ${Math.round(100 * Math.min(1, progress))} %`;
    };
    context.watch(["partial", "progress"], update);
    scrub.listen(update);
    return line2;
  }
  var Cancel = class {
    /** @param leave takes the focus when the button goes */
    constructor(context, leave) {
      this.context = context;
      const { model, signal } = context;
      this.element = button("camwidget-button camwidget-cancel", { title: "Stop computing this map (Esc)" });
      this.element.addEventListener("click", () => this.press(), { signal });
      context.watch(["busy", "cancellable"], () => {
        const hide = !(flag(model.get("busy"), false) && flag(model.get("cancellable"), false));
        if (hide && this.element === document.activeElement) leave();
        this.element.hidden = hide;
      });
      context.watch(
        ["busy", "cancellable", "scene", "target", "method", "layer"],
        () => setText(this.element, "Cancel")
      );
    }
    context;
    element;
    /** False when there is nothing to stop. */
    press() {
      if (this.element.hidden) return false;
      setText(this.element, "Cancelling…");
      this.context.model.send({ type: "cancel" });
      return true;
    }
  };

  // src/view/truth.ts
  var SVG2 = "http://www.w3.org/2000/svg";
  function outlines(context) {
    const { model } = context;
    const drawing = document.createElementNS(SVG2, "svg");
    drawing.setAttribute("class", "camwidget-outlines");
    drawing.setAttribute("aria-hidden", "true");
    drawing.setAttribute("preserveAspectRatio", "none");
    context.watch(["truth", "scene", "outlines"], () => {
      const on = flag(model.get("outlines"), false);
      const of = on ? scene(model.get("scene")) : null;
      const known = of === null ? null : truth(model.get("truth"));
      if (of === null || known === null || known.scene !== of.id) {
        drawing.replaceChildren();
        return;
      }
      drawing.setAttribute("viewBox", `0 0 ${of.width} ${of.height}`);
      drawing.replaceChildren(
        ...known.objects.flatMap((path) => [line(path, "under"), line(path, "object")]),
        ...known.evidence === "" ? [] : [line(known.evidence, "under evidence"), line(known.evidence, "evidence")]
      );
    });
    return drawing;
  }
  function line(path, kind) {
    const made = document.createElementNS(SVG2, "path");
    made.setAttribute("d", path);
    made.setAttribute("class", kind);
    return made;
  }
  function truthLine(context) {
    const { model, signal } = context;
    const toggle2 = button(
      "camwidget-button camwidget-truth-toggle",
      { "aria-pressed": "false", title: "Outline what is truly there; thick: where the evidence for the chosen class is (o)" },
      "outlines"
    );
    toggle2.addEventListener("click", () => toggleOutlines(context), { signal });
    const said = make("span", "");
    const agreed = make("span", "");
    const element = make(
      "div",
      "camwidget-line camwidget-truth",
      {},
      make("span", "camwidget-label", {}, "Truth"),
      toggle2,
      make("span", "camwidget-truth-said", { "aria-live": "polite" }, said, agreed)
    );
    context.watch(["truth", "truthful", "outlines"], () => {
      const known = truth(model.get("truth"));
      const on = flag(model.get("outlines"), false);
      element.hidden = !flag(model.get("truthful"), false);
      setAttribute(toggle2, "aria-pressed", String(on));
      setText(said, !on ? "" : known === null ? "Not known for this picture." : known.said);
    });
    context.watch(["box", "boxes"], () => {
      setText(agreed, flag(model.get("boxes"), false) ? box(model.get("box"))?.said ?? "" : "");
    });
    return element;
  }

  // src/view/stage.ts
  var SMALL = 96;
  var UNMASKED = { mode: "remove", fraction: 0, fill: null };
  var Stage = class {
    constructor(context) {
      this.context = context;
      const { model, scrub, signal } = context;
      this.cancel = new Cancel(context, () => this.focus());
      this.canvas = make("canvas", "camwidget-canvas", { role: "img" });
      this.paper = this.canvas.getContext("2d");
      this.plane = make("div", "camwidget-plane", {}, this.canvas, outlines(context), boxes(context));
      this.frame = make(
        "div",
        "camwidget-frame",
        {
          tabindex: 0,
          role: "group",
          "aria-label": "Picture",
          title: "Click a point (or w a s d, enter) to ask which classes have the strongest maps there",
          ...OWN_KEYS
        },
        this.plane,
        this.empty,
        this.note,
        tag(context),
        progressLine(context),
        this.cancel.element
      );
      context.watch(["scene", "explanation"], () => {
        this.read(model.get("scene"), model.get("explanation"));
        this.repaint();
      });
      context.watch(["overlay", "opacity", "cells", "colormap", "colormaps"], () => {
        this.compositor.setLook({
          overlay: flag(model.get("overlay"), true),
          opacity: unit(model.get("opacity"), 0.5),
          cells: flag(model.get("cells"), false),
          colors: byteMap(model.get("colormaps")).get(text(model.get("colormap"))) ?? GREY
        });
        this.repaint();
      });
      context.watch(["fraction", "mode", "baseline"], () => this.repaint());
      context.watch(["busy", "partial"], () => {
        setAttribute(this.frame, "aria-busy", String(flag(model.get("busy"), false)));
        this.frame.classList.toggle("camwidget-partial", flag(model.get("partial"), false));
        if (this.scene === null) this.announceEmpty();
      });
      scrub.listen(() => {
        if (this.preview === scrub.preview) return;
        this.drawMap();
        this.repaint();
      });
      signal.addEventListener("abort", () => cancelAnimationFrame(this.request));
    }
    context;
    /** As large as the picture is shown; it stays where it is. */
    frame;
    /** What lies in the picture's own pixels, over the canvas too: it may be larger than the frame, and move. */
    plane;
    canvas;
    cancel;
    compositor = new Compositor();
    paper;
    empty = make("div", "camwidget-empty");
    note = make("div", "camwidget-note");
    image = null;
    scene = null;
    map = null;
    preview = null;
    rawScene = void 0;
    request = 0;
    /** The picture on show; null when there is none. */
    get sceneId() {
      return this.scene?.id ?? null;
    }
    /** The pixel under a pointer, the nearest one where it is beside the picture; null before there is a picture. */
    at({ clientX, clientY }) {
      const box2 = this.canvas.getBoundingClientRect();
      if (box2.width === 0 || box2.height === 0) return null;
      const { width, height } = this.canvas;
      return {
        x: within((clientX - box2.left) / box2.width * width, width),
        y: within((clientY - box2.top) / box2.height * height, height)
      };
    }
    focus() {
      this.frame.focus({ preventScroll: true });
    }
    /** At most once a frame, however many changes ask for it. */
    repaint() {
      if (this.request !== 0 || this.context.signal.aborted) return;
      this.request = requestAnimationFrame(() => {
        this.request = 0;
        this.paint();
      });
    }
    paint() {
      if (this.image === null || this.paper === null || this.scene === null) return;
      const { model } = this.context;
      const asked = mode(model.get("mode"));
      this.compositor.paint(
        this.preview === null || asked === "multiply" ? {
          mode: asked,
          fraction: this.context.fraction(),
          fill: this.scene.fills.get(text(model.get("baseline"))) ?? null
        } : UNMASKED
      );
      this.paper.putImageData(this.image, 0, 0);
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
    /** The kernel's map, or the one of the layer under the hand. */
    drawMap() {
      const { scene: shown, map, compositor } = this;
      this.preview = shown === null ? null : this.context.scrub.preview;
      this.frame.classList.toggle("camwidget-previewing", this.preview !== null);
      if (shown !== null && this.preview !== null) {
        const heat = previewHeat(this.preview, shown);
        compositor.setHeat(heat);
        const empty = !heat.saliency.includes(255);
        this.describe(`Preview of the map at ${this.preview.layer}`, empty, "");
        return;
      }
      compositor.setHeat(map?.empty === true ? null : map);
      this.describe(map?.title ?? "", map?.empty === true, map?.note ?? "");
    }
    resize() {
      const { scene: shown, canvas, compositor } = this;
      canvas.hidden = shown === null;
      this.announceEmpty();
      if (shown === null) return;
      const { width, height } = shown;
      const changed = width !== compositor.width || height !== compositor.height;
      compositor.setPicture(shown);
      if (!changed) return;
      canvas.width = width;
      canvas.height = height;
      canvas.classList.toggle("camwidget-pixelated", Math.max(width, height) <= SMALL);
      this.frame.style.setProperty("--camwidget-aspect", String(width / height));
      this.image = new ImageData(compositor.pixels, width, height);
    }
    announceEmpty() {
      const waiting2 = flag(this.context.model.get("busy"), false);
      this.empty.hidden = this.scene !== null;
      setText(this.empty, waiting2 ? "Waiting for the model…" : "No picture yet");
    }
    describe(title, empty, note2) {
      setAttribute(this.canvas, "aria-label", title === "" ? "The picture the model gets" : title);
      const silent = empty ? "No positive evidence for this class at this layer" : "";
      const said = note2 === "" ? silent : note2;
      setText(this.note, said);
      this.note.hidden = said === "";
    }
  };
  function within(value, size) {
    return Math.min(size - 1, Math.max(0, Math.floor(value)));
  }
  function previewHeat({ grid: grid2 }, { width, height }) {
    return {
      saliency: toBytes(enlarge(grid2, width, height)),
      levels: new Uint16Array(width * height),
      cells: { values: toBytes(grid2.cells), rows: grid2.rows, columns: grid2.columns }
    };
  }

  // src/view/tools.ts
  function toolbar(tools) {
    const line2 = make("div", "camwidget-tools camwidget-line", { role: "toolbar", "aria-label": "Tools" });
    const drawers = make("div", "camwidget-drawers");
    for (const { buttons, drawer } of tools) {
      line2.append(...buttons);
      if (drawer !== void 0) drawers.append(drawer);
    }
    line2.hidden = line2.children.length === 0;
    return make("div", "camwidget-toolbox", {}, line2, drawers);
  }

  // src/view/waiting.ts
  function waiting(context, root) {
    const { model, scrub } = context;
    const update = () => {
      const busy = flag(model.get("busy"), false);
      const waits = busy || flag(model.get("pending"), false) || scrub.preview !== null;
      root.classList.toggle("camwidget-waiting", waits);
      root.classList.toggle("camwidget-unfinished", busy && flag(model.get("partial"), false));
    };
    context.watch(["busy", "pending", "partial"], update);
    scrub.listen(update);
  }

  // src/view/view.ts
  function mount(model, root, signal) {
    const context = new Context(model, signal);
    const stage = new Stage(context);
    const here2 = new HerePopover(context, stage);
    const help = new Help(context);
    const classes = classList(context);
    const methods2 = new MethodRow(context);
    const mask = maskRow(context, () => stage.repaint());
    const tools = [];
    const parts = [
      make("div", "camwidget-stage", {}, stage.frame, toolbar(tools), look(context), truthLine(context)),
      make("div", "camwidget-classtop", {}, new PromptPanel(context).element, classes.head),
      classes.names,
      classes.numbers,
      new Search(context).element,
      curveHead(context),
      methods2.element,
      layerPicker(context, () => stage.focus()),
      mask,
      sentence2(context),
      status(context, help.element),
      errorLine(context)
    ];
    root.classList.add("camwidget-view");
    root.append(...parts);
    keyboard(context, {
      root,
      frame: stage.frame,
      toggleHelp: () => help.toggle(),
      marker: here2,
      close: () => help.close() || methods2.close() || here2.close() || stage.cancel.press()
    });
    narrow(root, mask, signal);
    waiting(context, root);
    followPicture(context, root);
    holdFocus(root, stage.frame, signal);
    signal.addEventListener("abort", () => parts.forEach((part) => part.remove()));
  }

  // src/page/colors.ts
  var ACCENT = "#e8710a";
  var RIVALS = ["#4f86c6", "#3a9d8f", "#9a7fc0"];
  var NEUTRAL = "#8a929c";
  function classColors(count, chosen) {
    let rival = 0;
    return Array.from({ length: count }, (_, at) => at === chosen ? ACCENT : RIVALS[rival++] ?? NEUTRAL);
  }

  // src/page/svg.ts
  var SVG3 = "http://www.w3.org/2000/svg";
  function svg(tag2, attributes = {}, ...children) {
    const made = document.createElementNS(SVG3, tag2);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
    made.append(...children);
    return made;
  }

  // src/page/bars.ts
  var ROW = 28;
  function bars(model, pick, signal) {
    const element = document.createElement("div");
    element.className = "camwidget-bars";
    element.setAttribute("aria-hidden", "true");
    const drawing = svg("svg", { width: "100%" });
    element.append(drawing);
    element.addEventListener(
      "click",
      (event) => {
        const at = Math.floor((event.clientY - drawing.getBoundingClientRect().top) / ROW);
        if (at >= 0 && at < rows(model.get("rows")).length) pick(at);
      },
      { signal }
    );
    watch(model, ["rows", "masked", "target"], signal, () => {
      const all = rows(model.get("rows"));
      const masked = numbers(model.get("masked"));
      const chosen = all.findIndex(({ index }) => index === number(model.get("target"), -1));
      const colors = classColors(all.length, chosen);
      drawing.setAttribute("height", String(ROW * all.length));
      drawing.replaceChildren(
        ...all.flatMap(({ whole }, at) => {
          const color = colors[at];
          return [bar(at, 1, NEUTRAL, 0.13), bar(at, whole, color, 0.38), bar(at, masked[at] ?? whole, color, 1)];
        })
      );
    });
    return element;
  }
  function bar(at, value, fill2, opacity2) {
    return svg("rect", { x: 0, y: ROW * (at + 0.25), width: `${100 * value}%`, height: ROW / 2, fill: fill2, opacity: opacity2 });
  }

  // src/page/curve.ts
  var MARGIN = { top: 10, right: 22, bottom: 26, left: 34 };
  function curveChart(model, points, signal) {
    const element = document.createElement("div");
    element.className = "camwidget-curve";
    const drawing = svg("svg", { role: "img" });
    element.append(drawing);
    const draw = () => {
      const width = element.clientWidth || 400;
      const height = element.clientHeight || 176;
      setAttribute(drawing, "width", String(width));
      setAttribute(drawing, "height", String(height));
      const frame2 = new Frame(width, height);
      const all = rows(model.get("rows"));
      const chosen = all.findIndex(({ index }) => index === number(model.get("target"), -1));
      const curve = points();
      drawing.replaceChildren(...frame2.axes());
      setAttribute(drawing, "aria-label", describe3(all[chosen]?.name ?? "", curve, chosen));
      if (curve === null || chosen < 0) return;
      const fraction = unit(model.get("fraction"), 0);
      const now = numbers(model.get("masked"))[chosen] ?? all[chosen]?.whole ?? 0;
      drawing.append(
        frame2.line([[fraction, 0], [fraction, 1]], { stroke: NEUTRAL, "stroke-width": 1.2 }),
        ...rivals(frame2, curve, chosen),
        frame2.line(curve.map((values, at) => [at / (curve.length - 1), values[chosen]]), {
          stroke: ACCENT,
          "stroke-width": 2.5
        }),
        svg("circle", { cx: frame2.x(fraction), cy: frame2.y(now), r: 4.5, fill: ACCENT, stroke: "#fff" })
      );
    };
    const resized = new ResizeObserver(draw);
    resized.observe(element);
    signal.addEventListener("abort", () => resized.disconnect());
    watch(model, ["rows", "masked", "target", "fraction", "mode", "baseline", "explanation"], signal, draw);
    return element;
  }
  function rivals(frame2, curve, chosen) {
    const others = curve[0].map((_, at) => at).filter((at) => at !== chosen);
    return others.slice(0, RIVALS.length).map(
      (row, rank) => frame2.line(curve.map((values, at) => [at / (curve.length - 1), values[row]]), {
        stroke: RIVALS[rank],
        "stroke-width": 1.5,
        "stroke-dasharray": "6 4",
        opacity: 0.8
      })
    );
  }
  function describe3(name, curve, chosen) {
    if (curve === null || chosen < 0) return "No curve";
    const quarters = [0, 25, 50, 75, 100].map((percents) => {
      const value = curve[Math.round((curve.length - 1) * percents / 100)][chosen];
      return `${fixed(value, 2)} at ${percents} %`;
    });
    return `Probability of ${name}: ${quarters.join(", ")}`;
  }
  var Frame = class {
    constructor(width, height) {
      this.width = width;
      this.height = height;
    }
    width;
    height;
    x(fraction) {
      return MARGIN.left + fraction * Math.max(1, this.width - MARGIN.left - MARGIN.right);
    }
    y(probability2) {
      return MARGIN.top + (1 - probability2) * Math.max(1, this.height - MARGIN.top - MARGIN.bottom);
    }
    line(points, look2) {
      const joined2 = points.map(([x, y]) => `${this.x(x).toFixed(1)},${this.y(y).toFixed(1)}`).join(" ");
      return svg("polyline", { points: joined2, fill: "none", "stroke-linejoin": "round", ...look2 });
    }
    axes() {
      const across = [0, 25, 50, 75, 100].map(
        (percents) => svg(
          "text",
          { x: this.x(percents / 100), y: this.height - 8, "text-anchor": "middle" },
          `${percents}%`
        )
      );
      const up = [0, 0.5, 1].flatMap((value) => [
        this.line([[0, value], [1, value]], { stroke: NEUTRAL, opacity: 0.25 }),
        svg("text", { x: MARGIN.left - 8, y: this.y(value) + 4, "text-anchor": "end" }, value.toFixed(1))
      ]);
      return [...up, ...across];
    }
  };

  // src/page/page.ts
  function pageView(model) {
    const { signal } = new AbortController();
    const root = make("div", "");
    const explorer = make("div", "camwidget-explorer camwidget-page");
    const pick = (at) => {
      const row = rows(model.get("rows"))[at];
      if (row === void 0) return;
      model.set("target", row.index);
      model.save_changes();
    };
    explorer.append(root, bars(model, pick, signal), curveChart(model, () => model.curve(), signal));
    mount(model, root, signal);
    return explorer;
  }

  // src/page/index.ts
  async function open() {
    const main = document.getElementById("camwidget-page");
    const source = document.getElementById("camwidget-data");
    if (main === null || source === null) return;
    try {
      const data = JSON.parse(source.textContent ?? "");
      if (data.format !== FORMAT) throw new Error(`the data is of format ${data.format}, the script of ${FORMAT}`);
      const model = new PageModel(data, await Archive.read(data.archive));
      main.replaceChildren(pageView(model));
      performance.mark("camwidget-shown");
    } catch (error) {
      main.replaceChildren(make("p", "camwidget-page-error", { role: "alert" }, `This page cannot be shown: ${String(error)}`));
    }
  }
  void open();
})();
