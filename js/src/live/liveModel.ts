/** ``LiveModel``: the view's model on a page that runs the model in a worker. */
import { peakOf } from "../core/geometry";
import { enlargeAt } from "../core/interpolation";
import type { Features } from "../core/classActivation";
import type { RgbPicture } from "../core/compositor";
import { number, text, unit } from "../core/parse";
import { probabilities } from "../core/scores";
import { covered, decode, HIDDEN } from "../core/userMask";
import type { BinaryBundle } from "../page/binaryBundle";
import { foundOf } from "../page/pageModel";
import { evidenceOf, probeSentence, sentence } from "../page/sentences";
import { write } from "../view/model";
import type { Model, Values } from "../view/model";
import { Store } from "../view/store";
import { DEFAULTS } from "../view/syncedTraits";
import type { SyncedTraits } from "../view/syncedTraits";
import { mode, paint, quantity, stance, targetLabel } from "../view/traits";
import type { Stance } from "../view/traits";
import { LiveCurve } from "./liveCurve";
import { LiveComparison } from "./liveComparison";
import type { Main } from "./liveComparison";
import { keyOf, LiveMaps } from "./liveMaps";
import type { FoundMap, Subject } from "./liveMaps";
import { LivePicture } from "./livePicture";
import { explainedLabel, explanationTrait, layerOf, methodLabel } from "./mapTraits";
import { maskedInput } from "./maskedInput";
import type { InputMask } from "./maskedInput";
import type { FeatureMaps } from "./messages";
import type { Answer, Input, ModelRunner } from "./modelRunner";
import type { LivePayload } from "./payload";
import { SlowMap } from "./slowMap";

/** The least value at which a click finds a class, as in the kernel. */
const FAINT = 0.005;

const FOR: Stance = { kind: "for", other: -1 };

/** The view's model on a live page: its worker answers what a kernel would. */
export class LiveModel extends Store implements Model {
  private readonly maps: LiveMaps;
  private readonly comparison: LiveComparison;
  private readonly every: LivePicture[];
  private shown: FoundMap | null = null;
  private requested = "";
  private runner: ModelRunner | null = null;
  /** The number of the last request for numbers, and the last one whose answer is not wanted any more. */
  private asked = 0;
  private unwanted = 0;
  private drawn: LiveCurve | null = null;
  /** Why no map is shown; "" while one is. */
  private noMap = "";
  /** The class that was explained last. */
  private explained = -1;
  /** The slow map that is computed. */
  private computing: SlowMap | null = null;
  /** The pictures whose first pass is awaited. */
  private readonly awaited = new Set<LivePicture>();
  /** Why the model never ran, in words; "" while it may run. */
  private failure = "";

  constructor(
    private readonly data: LivePayload,
    archive: BinaryBundle,
  ) {
    super(traitsOf(data, archive));
    this.maps = new LiveMaps(data, archive);
    this.comparison = new LiveComparison(this, data, this.maps);
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
    // The one shown first; map B may be of any.
    for (const picture of [this.picture, ...this.every]) this.examine(picture);
  }

  /** The model is ready. */
  ready(weights: Float32Array | null): void {
    if (weights !== null) this.maps.takeWeights(weights);
    this.requested = "";
    this.save_changes();
  }

  /** The model does not run, or a pass has failed. */
  fail(reason: string): void {
    const error = `The model does not run here: ${reason.replace(/\.$/, "")}.`;
    // The pass may be one of a slow map, which would wait for it forever: a quick map is shown again.
    this.comparison.fail(error);
    this.cancel();
    // A model that has never answered will not answer later.
    if (this.every.every(({ unmasked }) => unmasked === null)) {
      this.runner = null;
      this.failure = error;
    }
    this.setAll({ busy: false, pending: false, sentence: this.runner === null ? "" : text(this.state.sentence), error });
  }

  /** Shows a picture of one's own, as the model gets it. */
  add(name: string, picture: RgbPicture): void {
    this.list(name, picture);
    this.setAll({ picture: this.every.length - 1 });
    this.save_changes();
  }

  /** Adds a picture to the list, as the model gets it; the one shown stays. */
  list(name: string, picture: RgbPicture): void {
    const one = new LivePicture(`own-${this.every.length}`, name, picture, false);
    this.every.push(one);
    this.setAll({ pictures: this.every.map((each) => each.name) });
    if (this.runner !== null) this.examine(one);
  }

  /** Answers the changes that the view has set. */
  save_changes(): void {
    if (this.state.scene !== undefined && this.picture.id !== text((this.state.scene as { id?: unknown }).id)) this.open();
    this.explain();
    this.updateMasked();
    this.comparison.update(this.main);
  }

  send(content: unknown): void {
    const { type, x, y } = content as { readonly type?: unknown; readonly x?: unknown; readonly y?: unknown };
    if (type === "pick") this.pick(number(x, 0), number(y, 0));
    if (type === "cancel") this.cancel();
  }

  /** The curve of the map shown, of every listed class at every step; null while there is none. */
  curve(): number[][] | null {
    return this.drawn?.values(this.rows) ?? null;
  }

  private get picture(): LivePicture {
    return this.every[number(this.state.picture, 0)] ?? this.every[0]!;
  }

  private get target(): number {
    return number(this.state.target, -1);
  }

  private get rows(): readonly number[] {
    return this.picture.rows(this.target, stance(this).other);
  }

  private get mask(): InputMask {
    return this.maskOf(this.picture);
  }

  /** The mask of a picture, with paint only where it is the one shown. */
  private maskOf(picture: LivePicture): InputMask {
    const painted = paint(this.state.paint);
    const { width, height } = picture.picture;
    const pixels = painted.scene === picture.id ? decode(painted.runs, width * height) : null;
    return {
      mode: mode(this.state.mode), fraction: unit(this.state.fraction, 0),
      fill: picture.fills[text(this.state.baseline)] ?? new Uint8Array(3),
      paint: pixels?.some((value) => value !== 0) === true ? pixels : null,
    };
  }

  /** What map B needs of the map shown. */
  private get main(): Main {
    return {
      map: this.shown, isComputing: this.computing !== null, pictures: this.every, runner: this.runner, rows: this.rows,
      mask: (picture) => this.maskOf(picture),
      isUnmasked: (map, mask) => !isMasked(map, mask),
      input: (picture, map, mask) => this.input(picture, map, mask),
      read: (logits) => probabilities(logits, this.data.live.scores),
      unmasked: (picture, index) => this.unmasked(index, picture),
    };
  }

  /** Another picture is shown, with the class that the page was saved with, or that the model names for it. */
  private open(): void {
    const { picture } = this;
    const { first } = this.data;
    const known = picture.isSaved ? first : { target: picture.unmasked === null ? -1 : picture.listed[0]!, stance: FOR };
    this.shown = null;
    this.unwanted = this.asked;
    this.setAll({
      scene: picture.scene, paint: {}, class_probe: {}, explanation: {}, box: {}, class_maps: {}, layer_maps: {},
      masked: [], most_probable: {}, error: this.failure, target: known.target, stance: known.stance,
    });
    this.requested = "";
    if (picture.unmasked === null) this.examine(picture);
  }

  /** Runs the model on an unmasked picture. */
  private examine(picture: LivePicture): void {
    if (picture === this.picture) this.setAll({ busy: this.failure === "" });
    if (this.runner === null || this.awaited.has(picture)) return;
    this.awaited.add(picture);
    const clear: InputMask = { mode: "remove", fraction: 0, fill: new Uint8Array(3), paint: null };
    void this.runner.later(() => this.input(picture, null, clear, this.data.live.head !== null)).then((answer) => {
      this.awaited.delete(picture);
      if (answer === null) return;
      picture.answer(answer.logits, this.read(answer), featuresOf(answer.features), this.data.live.ordered);
      this.comparison.update(this.main);
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
    const error = this.turn();
    const wanted: Subject = { picture, target, stance: stance(this), method: text(this.state.method), layer: text(this.state.layer) };
    if (keyOf(wanted) === this.requested) return;
    this.setAll({ error });
    const of = this.suited(wanted);
    this.requested = keyOf(of);
    const methods = this.maps.methods(of);
    this.setAll({
      awaits_rival: false,
      rows: this.rows.map((index) => ({ index, name: this.data.live.names[index]!, unmasked: this.unmasked(index) })),
      layers: this.maps.layers(of), method: of.method, layer: of.layer,
      methods: methods.map((one) => ({
        ...one, reason: this.maps.reason({ ...of, stance: FOR, method: one.name }), slow: this.maps.rerun({ ...of, method: one.name }) !== null,
        settings: [],
      })),
    });
    this.stop();
    this.setAll({ partial: false, can_cancel: false, progress: -1, busy: picture.unmasked === null && this.runner !== null });
    const found = this.maps.find(of);
    if (found !== null) this.show(found);
    else if (picture.logits !== null && this.maps.rerun(of) !== null) this.compute(of);
    else this.showNone(of);
  }

  /** Where the class becomes the one that it is contrasted with, the two change places; returns why they cannot, or "". */
  private turn(): string {
    const { kind, other } = stance(this);
    const { explained, target } = this;
    this.explained = target;
    if (kind !== "rather" || other !== target) return "";
    this.setAll({ stance: explained === target ? FOR : { kind, other: explained } });
    return explained === target ? `“${this.data.live.names[target]!}” rather than itself says nothing: choose another class.` : "";
  }

  /** The map of the same method and layer, or another one where there is none. */
  private suited(of: Subject): Subject {
    const methods = this.maps.methods(of);
    const layers = this.maps.layers(of);
    const known = methods.find(({ name }) => name === of.method);
    const method = this.maps.method(of.method);
    const reason = method === undefined ? null : this.maps.reason(of);
    if (this.maps.has(of) && reason === null && known !== undefined) return of;
    const layer = layers.some(({ name }) => name === of.layer) ? of.layer : (this.maps.headLayer ?? of.layer);
    const possible = (one: { readonly name: string }): boolean => this.maps.reason({ ...of, layer, method: one.name }) === null;
    if (known !== undefined && possible(known)) return { ...of, layer };
    const { shown } = this;
    const back = shown === null ? undefined : methods.find(({ name }) => name === shown.of.method);
    const quick = [...(back === undefined ? [] : [back]), ...methods].find(
      (one) => possible(one) && this.maps.rerun({ ...of, layer, method: one.name }) === null,
    );
    if (method !== undefined && known !== undefined && this.maps.has(of)) {
      this.setAll({ error: `${method.label} does not apply: ${(reason ?? "").replace(/\.$/, "")}.` });
    } else if (quick !== undefined && method !== undefined) {
      const evidence = of.stance.kind === "for" ? `of ${this.name(of)}` : evidenceOf(this.data.live.names[of.target]!, of.stance.kind, this.name(of));
      this.setAll({ error: `This page has no ${method.label} ${evidence}${of.picture.isSaved ? "" : " in this picture"}, which needs Python: ${quick.label} is shown.` });
    }
    return { ...of, method: quick?.name ?? "", layer };
  }

  /** What is explained, in words. */
  private name(of: Subject): string {
    return explainedLabel(of, this.data.live.names);
  }

  /** Computes a slow map by running the model many times; what is done of it is shown meanwhile. */
  private compute(of: Subject): void {
    const slow = new SlowMap(of, this.maps.rerun(of)!);
    this.computing = slow;
    this.setAll({ busy: true, can_cancel: true, progress: 0, error: "", masked: [], most_probable: {}, sentence: "" });
    this.unwanted = this.asked;
    if (this.runner === null) return;
    const look = (): void => {
      const found = this.maps.make(of);
      if (found !== null) this.show(found, true);
      this.setAll({ partial: true, progress: slow.progress });
    };
    slow.run(this.runner, look, () => {
      this.requested = "";
      this.save_changes();
    });
  }

  /** Stops a slow map, and goes back to a quick one; what is computed of it is kept. */
  private cancel(): void {
    if (this.computing === null) return;
    const { of } = this.computing;
    this.stop();
    const quick = this.maps.methods(of).find(({ name }) => {
      const other = { ...of, method: name };
      return this.maps.rerun(other) === null && this.maps.reason(other) === null;
    });
    this.setAll({ method: quick?.name ?? "" });
    this.save_changes();
  }

  private stop(): void {
    this.computing?.stop();
    this.computing = null;
  }

  private unmasked(index: number, picture = this.picture): number {
    const saved = picture.isSaved ? this.data.classes.find((one) => one.index === index)?.unmasked : undefined;
    return saved ?? picture.unmasked?.[index] ?? Number.NaN;
  }

  /** There is no map, or not yet: paint masks alone. */
  private showNone(of: Subject): void {
    this.shown = null;
    const name = this.name(of);
    const { label } = this.data.live.occlusion.method;
    const reason = of.picture.unmasked === null || of.method !== ""
      ? "" : `There is no quick map of ${name} for this picture here: choose ${label}, or paint on the picture to mask it.`;
    this.noMap = reason;
    this.setAll({
      explanation: {}, picture_parts: this.maps.pictureParts(of), box: {}, class_maps: {}, layer_maps: {},
      status: `${this.data.model} · ${of.picture.name} · ${name}`,
    });
  }

  /** @param isPartial whether more of it will come: then only what is needed to draw it */
  private show(found: FoundMap, isPartial = false): void {
    const { of, rows, columns } = found;
    const before = this.shown;
    this.shown = found;
    const method = this.maps.method(of.method)!;
    const name = this.name(of);
    const where = layerOf(found);
    const scene = of.picture.id;
    // What a click found holds for this method and layer, whatever class is chosen.
    if (before?.of.method !== of.method || before.of.layer !== of.layer) this.setAll({ class_probe: {} });
    const classMaps = isPartial ? [] : this.grids(of);
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
      explanation: { ...explanationTrait(found, method, this.data.live.names), parts: this.maps.partValues(of) },
      picture_parts: this.maps.pictureParts(of),
      box: found.region === null ? {} : { scene, ...found.region, hit: "", summary: "" },
      layer_maps: this.layerMaps(found),
      status: `${this.data.model} · ${methodLabel(method)} · ${where} ${columns}×${rows} · ${name}`,
    });
  }

  /** The maps of the listed classes, by the same method at the same layer. */
  private grids(of: Subject) {
    return this.rows.flatMap((index) => {
      const grid = this.maps.grid({ ...of, target: index, stance: FOR });
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
    this.updateCurve();
    if (!isMasked(shown, mask)) {
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
    const { kind, other } = stance(this);
    const rival = kind !== "rather" ? null : {
      name: this.data.live.names[other]!, before: this.unmasked(other), after: values?.[other] ?? null,
    };
    return sentence({
      name, evidence: evidenceOf(name, kind, targetLabel(this)), rival, method: shown?.of.method ?? "",
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
      this.drawn?.stop();
      this.drawn = null;
      return;
    }
    if (painted.painting === true) return;
    const stroke = mask.paint === null ? -1 : number(painted.stroke, 0);
    const key = [this.requested, mask.mode, this.state.baseline, stroke].join("\n");
    if (this.drawn?.key === key) return;
    this.drawn?.stop();
    const curve = new LiveCurve(key, this.data.steps);
    this.drawn = curve;
    if (this.runner === null) return;
    const input = (fraction: number): Input => this.input(picture, shown, { ...mask, fraction });
    // The chart is drawn anew; it draws what `curve` has.
    curve.run(this.runner, input, (logits) => probabilities(logits, this.data.live.scores), () => this.emit("change:masked"));
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
    if (strongest === undefined) return;
    // As in the kernel: a click on the picture chooses the other class where that is waited for, else a class alone.
    const awaits = this.state.awaits_rival === true;
    const first = awaits ? found.find(({ index }) => index !== this.target) : strongest;
    if (first === undefined) return;
    if (awaits) write(this, { stance: { kind: "rather", other: first.index } });
    else if (first.index !== this.target || stance(this).kind !== "for") write(this, { target: first.index, stance: FOR });
  }
}

/** Whether a mask by a map, and by paint, hides anything. */
function isMasked(map: FoundMap | null, { mode: of, fraction, paint: painted }: InputMask): boolean {
  const isAtEnd = (of === "remove" && fraction === 0) || (of === "keep" && fraction === 1);
  return (map !== null && !map.isEmpty && !isAtEnd) || painted?.includes(HIDDEN) === true;
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
    found: foundOf(data, archive), models: [data.model], pictures: [data.name], picture: 0, class_names: data.live.names, quantity: data.quantity, baselines: data.baselines,
    difference_colors: archive.bytes(data.live.difference_colors),
    colormaps: Object.fromEntries(Object.entries(data.colormaps).map(([name, at]) => [name, archive.bytes(at)])),
  };
}
