/** ``LiveModel``: the view's model on a page that runs the model in a worker. */
import type { Features } from "../core/classActivation";
import type { RgbPicture } from "../core/compositor";
import { fields, number, text, unit } from "../core/parse";
import { probabilities } from "../core/scores";
import { decode } from "../core/userMask";
import type { BinaryBundle } from "../page/binaryBundle";
import type { Payload } from "../page/payload";
import { evidenceOf, probeSentence } from "../page/sentences";
import { write } from "../view/model";
import type { Model, Values } from "../view/model";
import { Store } from "../view/store";
import { DEFAULTS } from "../view/syncedTraits";
import type { SyncedTraits } from "../view/syncedTraits";
import { mode, paint, stance } from "../view/traits";
import type { Stance } from "../view/traits";
import { classGrids, classMapsTrait, layerMapsTrait, strongestAt } from "./classGrids";
import { Finder } from "./findings";
import { LiveComparison } from "./liveComparison";
import type { Main } from "./liveComparison";
import { LiveHistory } from "./liveHistory";
import type { State } from "./liveHistory";
import { keyOf, LiveMaps } from "./liveMaps";
import type { FoundMap, Subject } from "./liveMaps";
import { LivePicture } from "./livePicture";
import { explainedLabel, explanationTrait, layerOf, methodLabel } from "./mapTraits";
import { maskedInput } from "./maskedInput";
import type { InputMask } from "./maskedInput";
import { isMasked, MaskedPrediction } from "./maskedPrediction";
import type { FeatureMaps } from "./messages";
import type { Answer, Input, ModelRunner } from "./modelRunner";
import type { LivePayload } from "./payload";
import type { Settings } from "./reruns";
import { SlowMap } from "./slowMap";

const FOR: Stance = { kind: "for", other: -1 };

/** The view's model on a live page: its worker answers what a kernel would. */
export class LiveModel extends Store implements Model {
  private readonly maps: LiveMaps;
  private readonly comparison: LiveComparison;
  private readonly every: LivePicture[];
  private readonly finder: Finder;
  private readonly prediction: MaskedPrediction;
  private readonly history: LiveHistory;
  private shown: FoundMap | null = null;
  private requested = "";
  private runner: ModelRunner | null = null;
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
    const { finds } = data.live;
    this.maps = new LiveMaps(data, archive);
    this.comparison = new LiveComparison(this, data, this.maps);
    this.finder = new Finder(finds, finds?.kind === "areas" && finds.region !== null ? archive.bytes(finds.region) : null);
    this.prediction = new MaskedPrediction(this, data, this.finder, {
      now: () => {
        const { picture, shown: map, target, rows, mask, runner } = this;
        return {
          picture, map, target, rows, mask, runner, key: this.requested, stance: stance(this), isComputing: this.computing !== null, whyNone: this.noMap,
        };
      },
      input: (picture, map, mask) => this.input(picture, map, mask),
      read: (picture, answer) => this.read(picture, answer),
    });
    this.every = [LivePicture.saved("page", data, archive, data.live.names)];
    this.setAll({ scene: this.every[0]!.scene, found: this.every[0]!.drawn, class_names: this.every[0]!.names, busy: true });
    this.history = new LiveHistory(
      (name) => this.state[name], (state) => this.restore(state),
      (can_undo, can_redo) => this.setAll({ can_undo, can_redo }),
    );
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
    const { hasOwnClasses } = this.finder;
    const one = new LivePicture(`own-${this.every.length}`, name, picture, hasOwnClasses ? [] : this.data.live.names);
    // Detections that were chosen are followed in every picture.
    if (!hasOwnClasses) one.detections = this.every[0]!.detections;
    this.push(one);
  }

  /** Adds a further picture that the page was saved with. */
  addSaved(data: Payload, archive: BinaryBundle): void {
    this.push(LivePicture.saved(`saved-${this.every.length}`, data, archive, this.data.live.names));
  }

  private push(picture: LivePicture): void {
    this.every.push(picture);
    this.setAll({ pictures: this.every.map((each) => each.name) });
    if (this.runner !== null) this.examine(picture);
  }

  /** Answers the changes that the view has set. */
  save_changes(): void {
    const before = this.shown;
    this.answerChanges();
    this.history.note(this.computing === null && this.target >= 0);
    if (this.shown !== before && this.computing === null) this.history.mapShown();
  }

  private answerChanges(): void {
    if (this.state.scene !== undefined && this.picture.id !== text(fields(this.state.scene)["id"])) this.open();
    else if (paint(this.state.paint).scene === this.picture.id) this.picture.paint = this.state.paint;
    this.explain();
    this.prediction.update();
    this.comparison.update(this.main);
  }

  /** Sets an earlier state. */
  private restore({ picture, ...state }: State): void {
    if (picture !== this.state.picture) {
      this.setAll({ picture });
      this.open();
    }
    // A stroke's number tells the view that the paint is another one.
    const { stroke } = fields(this.state.paint);
    // The class of a picture of one's own may have been unknown then.
    const { target, stance } = number(state.target, -1) < 0 ? this.state : state;
    this.setAll({ ...state, target, stance, paint: { ...fields(state.paint), scene: this.picture.id, stroke: number(stroke, 0) + 1, painting: false }, awaits_rival: false });
    this.explained = this.target;
    this.answerChanges();
  }

  send(content: unknown): void {
    const { type, x, y } = content as { readonly type?: unknown; readonly x?: unknown; readonly y?: unknown };
    if (type === "pick") this.pick(number(x, 0), number(y, 0));
    if (type === "cancel") this.cancel();
    if (type === "undo") this.history.undo();
    if (type === "redo") this.history.redo();
  }

  /** The curve of the map shown, of every listed class at every step; null while there is none. */
  curve(): number[][] | null {
    return this.prediction.curve();
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
      logits: (picture, answer) => this.finder.logits(picture, answer),
      read: (picture, answer) => this.read(picture, answer),
      hasOwnClasses: this.finder.hasOwnClasses,
      settings: (method) => this.settings(method),
    };
  }

  /** Another picture is shown, with the class that the page was saved with, or that the model names for it. */
  private open(): void {
    const { picture } = this;
    const own = { target: picture.unmasked === null ? -1 : (picture.listed[0] ?? -1), stance: FOR };
    const { target, stance } = picture.saved?.data.first ?? own;
    this.shown = null;
    this.prediction.drop();
    this.setAll({
      scene: picture.scene, paint: picture.paint, class_names: picture.names, found: this.foundIn(picture), found_masked: {}, class_probe: {},
      explanation: {}, box: {}, class_maps: {}, layer_maps: {}, masked: [], most_probable: {}, error: this.failure, target, stance,
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
      this.finder.meet(picture, answer);
      picture.answer(this.finder.logits(picture, answer), this.read(picture, answer), featuresOf(answer.features), this.data.live.ordered);
      picture.found = this.finder.found(picture, answer);
      if (picture.found !== null && picture.saved === null) picture.drawn = this.finder.drawn(picture, picture.found);
      this.comparison.update(this.main);
      if (picture !== this.picture) return;
      this.setAll({ class_names: picture.names, found: this.foundIn(picture) });
      if (this.target < 0) this.setAll({ target: picture.listed[0] ?? -1 });
      this.requested = "";
      this.setAll({ busy: false });
      this.save_changes();
    });
  }

  private input(picture: LivePicture, map: FoundMap | null, mask: InputMask, withFeatures = false): Input {
    const ranking = map === null || map.isEmpty ? null : { levels: map.map.levels, saliency: map.map.unit };
    return { ...maskedInput(picture.picture, ranking, mask, this.data.live.channels), withFeatures };
  }

  private read(picture: LivePicture, answer: Answer): Float64Array {
    return probabilities(this.finder.logits(picture, answer), this.data.live.scores);
  }

  /** What the model finds in the unmasked picture, as the view has it; why it has no class, where it has none. */
  private foundIn(picture: LivePicture): Readonly<Record<string, unknown>> {
    const note = this.finder.whyNothing(picture);
    return note === "" ? picture.drawn : { scene: picture.id, boxes: [], areas: {}, note };
  }

  /** The settings of a method that differ from its defaults. */
  private settings(method: string): Settings {
    const own = fields(fields(this.state.settings)[method]);
    return Object.fromEntries(Object.entries(own).filter((one): one is [string, number] => typeof one[1] === "number"));
  }

  private explain(): void {
    const { picture, target } = this;
    if (target < 0) {
      this.setAll({ rows: [], sentence: "", status: `${this.data.model} · ${picture.name}` });
      return;
    }
    const error = this.turn() || this.settingsError();
    const method = text(this.state.method);
    const wanted: Subject = { picture, target, stance: stance(this), method, settings: this.settings(method), layer: text(this.state.layer) };
    if (keyOf(wanted) === this.requested) {
      if (error !== "") this.setAll({ error });
      return;
    }
    this.setAll({ error });
    const of = this.suited(wanted);
    this.requested = keyOf(of);
    const methods = this.maps.methods(of);
    this.setAll({
      awaits_rival: false,
      rows: this.rows.map((index) => ({ index, name: picture.names[index]!, unmasked: picture.numberOf(index) })),
      layers: this.maps.layers(of), method: of.method, layer: of.layer,
      methods: methods.map((one) => ({
        ...one, reason: this.maps.reason({ ...of, stance: FOR, method: one.name }), slow: this.maps.rerun(this.by(one.name, of)) !== null,
        settings: this.maps.fields(one.name),
      })),
    });
    this.stop();
    this.setAll({ partial: false, can_cancel: false, progress: -1, busy: picture.unmasked === null && this.runner !== null });
    const found = this.maps.find(of);
    if (found !== null) this.show(found);
    else if (picture.logits !== null && this.maps.rerun(of) !== null) this.compute(of);
    else this.showNone(of);
  }

  /** The same by another method, with that one's settings. */
  private by(method: string, of: Subject): Subject {
    return { ...of, method, settings: this.settings(method) };
  }

  /** Takes settings back that do not suit the picture; returns why, or "". */
  private settingsError(): string {
    const { picture, target, shown } = this;
    const method = text(this.state.method);
    const of: Subject = { picture, target, stance: stance(this), method, settings: this.settings(method), layer: text(this.state.layer) };
    const problem = this.maps.rerun(of)?.problem(picture) ?? "";
    if (problem === "") return "";
    const { [method]: _, ...others } = fields(this.state.settings);
    const before = shown?.of.method === method ? shown.of.settings : {};
    this.setAll({ settings: Object.keys(before).length === 0 ? others : { ...others, [method]: before } });
    return problem;
  }

  /** Where the class becomes the one that it is contrasted with, the two change places; returns why they cannot, or "". */
  private turn(): string {
    const { kind, other } = stance(this);
    const { explained, target } = this;
    this.explained = target;
    if (kind !== "rather" || other !== target) return "";
    this.setAll({ stance: explained === target ? FOR : { kind, other: explained } });
    return explained === target ? `“${this.picture.names[target]!}” rather than itself says nothing: choose another class.` : "";
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
    const possible = (one: { readonly name: string }): boolean => this.maps.reason({ ...this.by(one.name, of), layer }) === null;
    if (known !== undefined && possible(known)) return { ...of, layer };
    const { shown } = this;
    const back = shown === null ? undefined : methods.find(({ name }) => name === shown.of.method);
    const quick = [...(back === undefined ? [] : [back]), ...methods].find(
      (one) => possible(one) && this.maps.rerun({ ...this.by(one.name, of), layer }) === null,
    );
    if (method !== undefined && known !== undefined && this.maps.has(of)) {
      this.setAll({ error: `${method.label} does not apply: ${(reason ?? "").replace(/\.$/, "")}.` });
    } else if (quick !== undefined && method !== undefined) {
      const evidence = of.stance.kind === "for" ? `of ${explainedLabel(of)}` : this.evidence(of);
      this.setAll({ error: `This page has no ${method.label} ${evidence}${of.picture.saved !== null ? "" : " in this picture"}, which needs Python: ${quick.label} is shown.` });
    }
    return { ...this.by(quick?.name ?? "", of), layer };
  }

  private evidence(of: Subject): string {
    return evidenceOf(of.picture.names[of.target]!, of.stance.kind, explainedLabel(of));
  }

  /** Computes a slow map by running the model many times; what is done of it is shown meanwhile. */
  private compute(of: Subject): void {
    const slow = new SlowMap(of, this.maps.rerun(of)!);
    this.computing = slow;
    this.setAll({
      busy: true, can_cancel: true, progress: 0, masked: [], found_masked: {}, most_probable: {},
      sentence: `The map ${this.evidence(of)} is being computed; the prediction for the masked picture follows.`,
    });
    this.prediction.drop();
    if (this.runner === null) return;
    const look = (): void => {
      const found = this.maps.make(of);
      if (found !== null) this.show(found, true);
      this.setAll({ partial: true, progress: slow.progress });
    };
    slow.run(this.runner, (answer) => this.finder.logits(of.picture, answer), look, () => {
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
      const other = this.by(name, of);
      return this.maps.rerun(other) === null && this.maps.reason(other) === null;
    });
    this.setAll({ method: quick?.name ?? "" });
    this.answerChanges();
    this.history.mapCanceled();
  }

  private stop(): void {
    this.computing?.stop();
    this.computing = null;
  }

  /** There is no map, or not yet: paint masks alone. */
  private showNone(of: Subject): void {
    this.shown = null;
    const name = explainedLabel(of);
    const { label } = this.data.live.occlusion.method;
    const reason = of.picture.unmasked === null || of.method !== ""
      ? "" : `This page has no quick map of the evidence ${this.evidence(of)} in this picture: choose ${label}, which takes some seconds, or paint on the picture to mask it.`;
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
    const name = explainedLabel(of);
    const where = layerOf(found);
    const scene = of.picture.id;
    // What a click found holds for this method and layer, whatever class is chosen.
    if (before?.of.method !== of.method || before.of.layer !== of.layer) this.setAll({ class_probe: {} });
    this.setAll({
      class_maps: classMapsTrait(found, isPartial ? [] : classGrids(this.maps, of, this.rows)),
      explanation: { ...explanationTrait(found, method), parts: this.maps.partValues(of) },
      picture_parts: this.maps.pictureParts(of),
      box: found.region === null ? {} : { scene, ...found.region, hit: "", summary: "" },
      layer_maps: layerMapsTrait(this.maps, found),
      status: `${this.data.model} · ${methodLabel(method, of.settings)} · ${where} ${columns}×${rows} · ${name}`,
    });
  }

  /** Which of the listed classes have the strongest maps at a pixel, on one scale. */
  private pick(x: number, y: number): void {
    const { shown } = this;
    if (shown === null) return;
    // A class that is listed only while it is explained may leave its place to another one.
    const compared = new Set([...this.rows, ...this.picture.listed]);
    const found = strongestAt(classGrids(this.maps, shown.of, [...compared]), shown.of, x, y);
    const strongest = found[0];
    this.setAll({ sentence: probeSentence(strongest?.name ?? null) });
    this.choose(found);
    // Of the classes that are listed now, which the readout below the picture has too.
    const grids = classGrids(this.maps, shown.of, this.rows);
    this.setAll({ class_probe: { x, y, scene: this.picture.id, classes: strongestAt(grids, shown.of, x, y), of: grids.length } });
  }

  /** Explains what a click found, the strongest first. */
  private choose(found: readonly { readonly index: number }[]): void {
    const strongest = found[0];
    if (strongest === undefined) return;
    // As in the kernel: a click on the picture chooses the other class where that is waited for, else a class alone.
    const awaits = this.state.awaits_rival === true;
    const first = awaits ? found.find(({ index }) => index !== this.target) : strongest;
    if (first === undefined) return;
    if (awaits) write(this, { stance: { kind: "rather", other: first.index } });
    else if (first.index !== this.target || stance(this).kind !== "for") write(this, { target: first.index, stance: FOR });
  }
}

function featuresOf(found: FeatureMaps | null): Features | null {
  if (found === null) return null;
  const [, channels = 0, rows = 0, columns = 0] = found.shape;
  return { values: found.values, channels, rows, columns };
}

function traitsOf(data: LivePayload, archive: BinaryBundle): Values<SyncedTraits> {
  return {
    ...DEFAULTS,
    ...data.first,
    models: [data.model], pictures: [data.name], picture: 0, quantity: data.quantity, baselines: data.baselines,
    difference_colors: archive.bytes(data.live.difference_colors),
    colormaps: Object.fromEntries(Object.entries(data.colormaps).map(([name, at]) => [name, archive.bytes(at)])),
  };
}
