/** ``LiveModel``: the view's model on a page that runs the model in a worker. */
import { peakOf } from "../core/geometry";
import { enlargeAt } from "../core/interpolation";
import type { Features } from "../core/classActivation";
import type { RgbPicture } from "../core/compositor";
import { number, text, unit } from "../core/parse";
import { probabilities } from "../core/scores";
import { covered, decode, HIDDEN } from "../core/userMask";
import type { BinaryBundle } from "../page/binaryBundle";
import { fractionAt } from "../page/curve";
import { evidenceOf, note, probeSentence, sentence } from "../page/sentences";
import type { Model, Values } from "../view/model";
import { Store } from "../view/store";
import { DEFAULTS } from "../view/syncedTraits";
import type { SyncedTraits } from "../view/syncedTraits";
import { mode, paint, quantity } from "../view/traits";
import { LiveMaps } from "./liveMaps";
import type { FoundMap, Subject } from "./liveMaps";
import { LivePicture } from "./livePicture";
import { maskedInput } from "./maskedInput";
import type { InputMask } from "./maskedInput";
import type { FeatureMaps } from "./messages";
import type { Answer, Input, ModelRunner } from "./modelRunner";
import { corners, occluded } from "./occlusion";
import type { LivePayload } from "./payload";

/** The least value at which a click finds a class, as in the kernel. */
const FAINT = 0.005;

/** How many squares of an occlusion are between two looks at the unfinished map. */
const SHOWN_EVERY = 12;

/** A curve that is computed, or was last. */
interface Curve {
  readonly key: string;
  /** By step; those of a coarse curve come first. */
  readonly points: Map<number, Float64Array>;
}

/** Every how many steps a curve has a point at first, and then. */
const COARSE = [4, 2, 1] as const;

/** The view's model on a live page: its worker answers what a kernel would. */
export class LiveModel extends Store implements Model {
  private readonly maps: LiveMaps;
  private readonly every: LivePicture[];
  private shown: FoundMap | null = null;
  private requested = "";
  private runner: ModelRunner | null = null;
  /** The number of the last request for numbers, and the last one whose answer is not wanted any more. */
  private asked = 0;
  private unwanted = 0;
  private drawn: Curve | null = null;
  /** Why no map is shown; "" while one is. */
  private noMap = "";
  /** The slow map that is computed. */
  private computing: Subject | null = null;

  constructor(
    private readonly data: LivePayload,
    archive: BinaryBundle,
  ) {
    super(traitsOf(data, archive));
    this.maps = new LiveMaps(data, archive);
    const { width, height } = data.scene;
    const fills = Object.entries(data.scene.fills).map(([name, place]) => [
      name, place[1] === 3 ? archive.bytes(place) : archive.picture(place, width),
    ] as const);
    const picture = { width, height, rgb: archive.picture(data.scene.picture, width) };
    const listed = data.classes.map(({ index }) => index);
    this.every = [new LivePicture("page", data.name, picture, true, Object.fromEntries(fills), listed)];
    this.setAll({ scene: this.every[0]!.scene, busy: true });
    this.save_changes();
    this.setAll({ sentence: "The model is starting, which takes a moment." });
  }

  /** Takes the runner of the model, which starts meanwhile. */
  start(runner: ModelRunner): void {
    this.runner = runner;
    this.examine(this.picture);
  }

  /** The model is ready. */
  ready(weights: Float32Array | null): void {
    if (weights !== null) this.maps.takeWeights(weights);
    this.requested = "";
    this.save_changes();
  }

  /** The model does not run, or a pass has failed. */
  fail(reason: string): void {
    // A model that has never answered will not answer later.
    if (this.every[0]!.unmasked === null) this.runner = null;
    this.setAll({ busy: false, pending: false, sentence: this.runner === null ? "" : text(this.state.sentence), error: `The model does not run here: ${reason.replace(/\.$/, "")}.` });
  }

  /** Shows a picture of one's own, as the model gets it. */
  add(name: string, picture: RgbPicture): void {
    this.every.push(new LivePicture(`own-${this.every.length}`, name, picture, false));
    this.setAll({ pictures: this.every.map((one) => one.name), picture: this.every.length - 1 });
    this.save_changes();
  }

  /** Answers the changes that the view has set. */
  save_changes(): void {
    if (this.state.scene !== undefined && this.picture.id !== text((this.state.scene as { id?: unknown }).id)) this.open();
    this.explain();
    this.updateMasked();
  }

  send(content: unknown): void {
    const { type, x, y } = content as { readonly type?: unknown; readonly x?: unknown; readonly y?: unknown };
    if (type === "pick") this.pick(number(x, 0), number(y, 0));
    if (type === "cancel") this.cancel();
  }

  /** The curve of the map shown, of every listed class at every step; null while there is none. */
  curve(): number[][] | null {
    const { drawn, rows } = this;
    const last = this.data.steps - 1;
    for (const stride of [...COARSE].reverse()) {
      const points = Array.from({ length: last / stride + 1 }, (_, at) => drawn?.points.get(at * stride));
      if (last % stride === 0 && points.every((one) => one !== undefined)) {
        return points.map((values) => rows.map((index) => values[index]!));
      }
    }
    return null;
  }

  private get picture(): LivePicture {
    return this.every[number(this.state.picture, 0)] ?? this.every[0]!;
  }

  private get target(): number {
    return number(this.state.target, -1);
  }

  private get rows(): readonly number[] {
    return this.picture.rows(this.target);
  }

  private get mask(): InputMask {
    const painted = paint(this.state.paint);
    const { width, height } = this.picture.picture;
    const pixels = painted.scene === this.picture.id ? decode(painted.runs, width * height) : null;
    return {
      mode: mode(this.state.mode), fraction: unit(this.state.fraction, 0),
      fill: this.picture.fills[text(this.state.baseline)] ?? new Uint8Array(3),
      paint: pixels?.some((value) => value !== 0) === true ? pixels : null,
    };
  }

  /** Another picture is shown, with the class that the model names for it. */
  private open(): void {
    const { picture } = this;
    const known = picture.unmasked === null ? -1 : picture.isSaved ? this.data.first.target : picture.listed[0]!;
    this.shown = null;
    this.unwanted = this.asked;
    this.setAll({
      scene: picture.scene, paint: {}, class_probe: {}, explanation: {}, box: {}, class_maps: {}, layer_maps: {},
      masked: [], most_probable: {}, error: "", target: known,
    });
    this.requested = "";
    if (picture.unmasked === null) this.examine(picture);
  }

  /** Runs the model on an unmasked picture. */
  private examine(picture: LivePicture): void {
    this.setAll({ busy: true });
    const clear: InputMask = { mode: "remove", fraction: 0, fill: new Uint8Array(3), paint: null };
    void this.runner?.later(() => this.input(picture, null, clear, this.data.live.head !== null)).then((answer) => {
      if (answer === null) return;
      picture.answer(answer.logits, this.read(answer), featuresOf(answer.features), this.data.live.ordered);
      if (picture !== this.picture) return;
      if (this.target < 0) this.setAll({ target: picture.listed[0]! });
      this.requested = "";
      this.setAll({ busy: false });
      this.save_changes();
    });
  }

  private input(picture: LivePicture, map: FoundMap | null, mask: InputMask, withFeatures = false): Input {
    const ranking = map === null || map.isEmpty ? null : { levels: map.map.levels, saliency: map.map.unit };
    return { ...maskedInput(picture.picture, ranking, mask, this.data.live.channels), withFeatures };
  }

  private read(answer: Answer): Float64Array {
    return probabilities(answer.logits, this.data.live.scores);
  }

  private explain(): void {
    const { picture, target } = this;
    if (target < 0) {
      this.setAll({ rows: [], sentence: "", status: `${this.data.model} · ${picture.name}` });
      return;
    }
    const key = [picture.id, target, this.state.method, this.state.layer].join("\n");
    if (key === this.requested) return;
    const of = this.suited({ picture, target, method: text(this.state.method), layer: text(this.state.layer) });
    this.requested = [picture.id, target, of.method, of.layer].join("\n");
    const methods = this.maps.methods(of);
    this.setAll({
      rows: this.rows.map((index) => ({ index, name: this.data.live.names[index]!, unmasked: this.unmasked(index) })),
      layers: this.maps.layers(of), method: of.method, layer: of.layer,
      methods: methods.map((one) => ({
        ...one, reason: this.reason(one.name, of), slow: this.maps.isSlow({ ...of, method: one.name }), settings: [],
      })),
    });
    this.computing = null;
    this.setAll({ partial: false, can_cancel: false, progress: -1, busy: picture.unmasked === null && this.runner !== null });
    const found = this.maps.find(of);
    if (found !== null) this.show(found);
    else if (this.maps.isSlow(of) && picture.logits !== null) this.compute(of);
    else this.showNone(of);
  }

  /** The map of the same method and layer, or another one where there is none. */
  private suited(of: Subject): Subject {
    const methods = this.maps.methods(of);
    const layers = this.maps.layers(of);
    const headLayer = this.maps.headLayer;
    const known = methods.find(({ name }) => name === of.method);
    const label = this.maps.method(of.method)?.label ?? of.method;
    const quick = methods.find((one) => !this.maps.isSlow({ ...of, method: one.name }));
    const name = this.data.live.names[of.target] ?? "";
    if (this.maps.has(of)) {
      const reason = this.reason(of.method, of);
      if (reason === null) return of;
      this.setAll({ error: `${label} does not apply: ${reason.replace(/\.$/, "")}.` });
      const { shown } = this;
      if (shown !== null && this.maps.has(shown.of)) return { ...of, method: shown.of.method, layer: shown.of.layer };
      return { ...of, method: this.data.first.method, layer: this.data.first.layer };
    }
    if (known === undefined && quick !== undefined && of.method !== "") {
      this.setAll({ error: `This page has no ${label} of ${name}${of.picture.isSaved ? "" : " in this picture"}, which needs Python: ${quick.label} is shown.` });
    }
    return {
      ...of, method: known?.name ?? quick?.name ?? "",
      layer: layers.some((one) => one.name === of.layer) ? of.layer : (headLayer ?? of.layer),
    };
  }

  /** Computes a slow map by running the model many times; what is done of it is shown meanwhile. */
  private compute(of: Subject): void {
    const { occlusion, channels } = this.data.live;
    const { picture } = of;
    const all = corners(picture.picture, occlusion);
    this.computing = of;
    const isWanted = (): boolean => this.computing === of;
    this.setAll({ busy: true, can_cancel: true, progress: 0, error: "", masked: [], most_probable: {}, sentence: "" });
    this.unwanted = this.asked;
    const next = (): void => {
      const at = picture.occluded.length;
      if (!isWanted()) return;
      if (at === all.length) {
        this.requested = "";
        this.save_changes();
        return;
      }
      if (at % SHOWN_EVERY === 1) {
        const found = this.maps.make(of);
        if (found !== null) this.show(found);
        this.setAll({ partial: true, progress: this.maps.progress(of) });
      }
      const input = (): Input => occluded(picture.picture, all[at]!, occlusion, channels);
      void this.runner?.later(input, isWanted).then((answer) => {
        if (answer === null) return;
        picture.occluded.push(answer.logits);
        next();
      });
    };
    next();
  }

  /** Stops a slow map, and goes back to a quick one; what is computed of it is kept. */
  private cancel(): void {
    const of = this.computing;
    if (of === null) return;
    this.computing = null;
    const quick = this.maps.methods(of).find(({ name }) => !this.maps.isSlow({ ...of, method: name }));
    this.setAll({ method: quick?.name ?? "" });
    this.save_changes();
  }

  /** Why a method has no map at a layer; null where it has one. */
  private reason(method: string, of: Subject): string | null {
    if (!this.maps.has(of)) return null;
    return this.data.missing[method]?.[of.layer] ?? null;
  }

  private unmasked(index: number): number {
    const saved = this.picture.isSaved ? this.data.classes.find((one) => one.index === index)?.unmasked : undefined;
    return saved ?? this.picture.unmasked?.[index] ?? Number.NaN;
  }

  /** There is no map, or not yet: paint masks alone. */
  private showNone(of: Subject): void {
    this.shown = null;
    const name = this.data.live.names[of.target] ?? "";
    const { label } = this.data.live.occlusion.method;
    const reason = of.picture.unmasked === null || of.method !== ""
      ? "" : `There is no quick map of ${name} for this picture here: choose ${label}, or paint on the picture to mask it.`;
    this.noMap = reason;
    this.setAll({
      explanation: {}, picture_parts: this.maps.pictureParts(of), box: {}, class_maps: {}, layer_maps: {},
      status: `${this.data.model} · ${of.picture.name} · ${name}`,
    });
  }

  private show(found: FoundMap): void {
    const { of, map, rows, columns } = found;
    const before = this.shown;
    this.shown = found;
    const method = this.maps.method(of.method)!;
    const name = this.data.live.names[of.target]!;
    const called = method.settings ? `${method.label} (${method.settings})` : method.label;
    const where = found.atInput ? "input" : of.layer;
    const scene = of.picture.id;
    // What a click found holds for this method and layer, whatever class is chosen.
    if (before?.of.method !== of.method || before.of.layer !== of.layer) this.setAll({ class_probe: {} });
    const classMaps = this.grids(of);
    const most = peakOf(classMaps.map(({ grid }) => peakOf(grid.cells))) || 1;
    const isOfClasses = classMaps.length < 2 || classMaps.some(({ grid }) => !isEqual(grid.cells, classMaps[0]!.grid.cells));
    this.setAll({
      class_maps: {
        scene, method: of.method, layer: where, text: "",
        classes: !isOfClasses ? [] : classMaps.map(({ index, grid }) => ({
          index, name: this.data.live.names[index]!, rows: grid.rows, columns: grid.columns,
          cells: new Uint8Array(grid.cells.map((value) => value / most).buffer),
        })),
      },
      explanation: {
        scene, saliency: map.saliency, drawn: map.drawn, knee: found.knee, scale_note: found.scaleNote, levels: map.levels,
        cells: map.cells, cells_shape: [rows, columns], layer: where, at_input: found.atInput,
        title: `${called} · ${where} · ${name}`, empty: found.isEmpty, parts: this.maps.partValues(of),
        note: found.isEmpty ? note(evidenceOf(name, "for", name), where) : "",
      },
      picture_parts: this.maps.pictureParts(of),
      box: found.region === null ? {} : { scene, ...found.region, hit: "", summary: "" },
      layer_maps: this.layerMaps(found),
      status: `${this.data.model} · ${called} · ${where} ${columns}×${rows} · ${name}`,
    });
  }

  /** The maps of the listed classes, by the same method at the same layer. */
  private grids(of: Subject) {
    return this.rows.flatMap((index) => {
      const grid = this.maps.grid({ ...of, target: index });
      return grid === null ? [] : [{ index, grid }];
    });
  }

  /** The same map at all layers, so that scrubbing along them shows each. */
  private layerMaps({ of, atInput }: FoundMap): unknown {
    if (atInput) return {};
    const layers = this.maps.layers(of).flatMap(({ name }) => {
      const grid = this.maps.grid({ ...of, layer: name });
      return grid === null ? [] : [{ name, ...grid }];
    });
    return { scene: of.picture.id, target: of.target, method: of.method, layers };
  }

  /** Asks for the numbers of the masked picture; a newer request replaces one whose turn has not come. */
  private updateMasked(): void {
    const { picture, mask, shown } = this;
    if (this.target < 0 || picture.unmasked === null || this.computing !== null) return;
    const byMap = shown !== null && !shown.isEmpty
      && !((mask.mode === "remove" && mask.fraction === 0) || (mask.mode === "keep" && mask.fraction === 1));
    this.updateCurve();
    if (!byMap && mask.paint?.includes(HIDDEN) !== true) {
      this.unwanted = this.asked;
      this.setAll({ masked: [], most_probable: {}, pending: false, sentence: this.sentence(mask, null) });
      return;
    }
    const request = ++this.asked;
    this.setAll({ pending: true });
    void this.runner?.latest(() => this.input(picture, shown, mask)).then((answer) => {
      if (answer === null || request <= this.unwanted || picture !== this.picture) return;
      const values = this.read(answer);
      const first = values.indexOf(values.reduce((a, b) => Math.max(a, b), -Infinity));
      this.setAll({
        masked: this.rows.map((index) => values[index]!),
        most_probable: { index: first, name: this.data.live.names[first]!, unmasked: this.unmasked(first), masked: values[first]! },
        sentence: shown === this.shown ? this.sentence(mask, values) : text(this.state.sentence),
        pending: request < this.asked,
      });
    });
  }

  private sentence(mask: InputMask, values: Float64Array | null): string {
    const { shown, target } = this;
    const name = this.data.live.names[target]!;
    const painted = mask.paint === null ? { hidden: 0, kept: 0 } : covered(mask.paint);
    if (shown === null && values === null) return this.noMap;
    return sentence({
      name, evidence: evidenceOf(name, "for", name), rival: null, method: shown?.of.method ?? "",
      layer: shown === null || shown.atInput ? "input" : shown.of.layer,
      mode: shown === null ? "remove" : mask.mode, fraction: shown === null ? 0 : mask.fraction,
      before: this.unmasked(target), after: values?.[target] ?? null, evident: shown?.map.evident ?? 1,
      quantity: quantity(this.data.quantity), alone: this.data.live.names.length === 1, painted,
    });
  }

  /** Computes the curve after all that the slider needs; not while the brush is down, when each point would delay it. */
  private updateCurve(): void {
    const { shown, picture, mask } = this;
    const painted = this.state.paint as { readonly stroke?: unknown; readonly painting?: unknown };
    if (shown === null || shown.isEmpty || mask.mode === "multiply") {
      this.drawn = null;
      return;
    }
    if (painted.painting === true) return;
    const stroke = mask.paint === null ? -1 : number(painted.stroke, 0);
    const key = [this.requested, mask.mode, this.state.baseline, stroke].join("\n");
    if (this.drawn?.key === key) return;
    const curve: Curve = { key, points: new Map() };
    this.drawn = curve;
    const { steps } = this.data;
    const every = Array.from({ length: steps }, (_, step) => step);
    const order = new Set(COARSE.flatMap((stride) => every.filter((step) => step % stride === 0)));
    const isWanted = (): boolean => this.drawn === curve;
    const next = (left: readonly number[]): void => {
      const [step, ...rest] = left;
      if (step === undefined || !isWanted()) return;
      const fraction = fractionAt(step, steps);
      void this.runner?.later(() => this.input(picture, shown, { ...mask, fraction }), isWanted).then((answer) => {
        if (answer === null) return;
        curve.points.set(step, this.read(answer));
        // The chart is drawn anew; it draws what `curve` has.
        this.emit("change:masked");
        next(rest);
      });
    };
    next([...order]);
  }

  /** Which of the listed classes have the strongest maps at a pixel, on one scale. */
  private pick(x: number, y: number): void {
    const { shown } = this;
    if (shown === null) return;
    const { width, height } = this.picture.picture;
    const grids = this.grids(shown.of);
    const most = peakOf(grids.map(({ grid }) => peakOf(grid.cells))) || 1;
    const found = grids
      .map(({ index, grid }) => ({
        index, name: this.data.live.names[index]!, value: Math.max(0, enlargeAt(grid, width, height, x, y)) / most,
      }))
      .filter(({ value }) => value >= FAINT)
      .sort((a, b) => b.value - a.value);
    const strongest = found[0];
    this.setAll({
      class_probe: { x, y, scene: this.picture.id, classes: found, of: grids.length },
      sentence: probeSentence(strongest?.name ?? null),
    });
    if (strongest !== undefined && strongest.index !== this.target) {
      this.setAll({ target: strongest.index });
      this.save_changes();
    }
  }
}

function featuresOf(found: FeatureMaps | null): Features | null {
  if (found === null) return null;
  const [, channels = 0, rows = 0, columns = 0] = found.shape;
  return { values: found.values, channels, rows, columns };
}

function isEqual(one: Float32Array, other: Float32Array): boolean {
  return one.length === other.length && one.every((value, at) => value === other[at]);
}

function traitsOf(data: LivePayload, archive: BinaryBundle): Values<SyncedTraits> {
  return {
    ...DEFAULTS,
    ...data.first,
    pictures: [data.name], picture: 0, class_names: data.live.names, quantity: data.quantity, baselines: data.baselines,
    colormaps: Object.fromEntries(Object.entries(data.colormaps).map(([name, at]) => [name, archive.bytes(at)])),
  };
}
