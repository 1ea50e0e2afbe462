/** ``LiveMaps``: maps of a live page, from the file where it has them, computed from the head's weights elsewhere. */
import { classActivation } from "../core/classActivation";
import type { ClosedForm, Head } from "../core/classActivation";
import { peakOf } from "../core/geometry";
import type { CellGrid } from "../core/interpolation";
import { strongestRegion } from "../core/strongestRegion";
import type { BinaryBundle } from "../page/binaryBundle";
import { probabilities } from "../core/scores";
import { termsOf } from "../core/scoreTerms";
import type { MethodData } from "../page/payload";
import { decodeMap } from "../page/quantizedMaps";
import type { DecodedMap } from "../page/quantizedMaps";
import type { Stance } from "../view/traits";
import type { LivePicture } from "./livePicture";
import { Occlusion } from "./occlusion";
import type { HeadData, LivePayload } from "./payload";
import { RerunMethod, settingsKey } from "./reruns";
import type { Rerun, Settings } from "./reruns";
import { Rise } from "./rise";
import { ScoreCam } from "./scoreCam";

/** What is explained of a picture. */
export interface Explained {
  readonly picture: LivePicture;
  readonly target: number;
  readonly stance: Stance;
}

/** What a map is of. */
export interface Subject extends Explained {
  readonly method: string;
  /** Of the method, those that differ from its defaults. */
  readonly settings: Settings;
  readonly layer: string;
}

/** A map with what the view shows of it. */
export interface FoundMap {
  readonly of: Subject;
  readonly map: DecodedMap;
  readonly rows: number;
  readonly columns: number;
  readonly knee: number | null;
  readonly scaleNote: string;
  readonly isEmpty: boolean;
  /** Whether it is a map of the input, whatever layer is chosen. */
  readonly atInput: boolean;
  readonly region: { readonly box: readonly number[]; readonly peak: readonly number[] } | null;
}

/** The number of maps that are cached; each takes eight bytes a pixel. */
const KEPT = 24;

export class LiveMaps {
  /** All methods of the page. */
  private readonly every: readonly MethodData[];
  private readonly reruns: readonly RerunMethod[];
  private readonly made = new Map<string, FoundMap>();
  private head: Head | null = null;

  constructor(
    private readonly data: LivePayload,
    private readonly archive: BinaryBundle,
  ) {
    const { head, mean, occlusion, rise } = data.live;
    const reruns = [
      new RerunMethod(occlusion.method, occlusion.fields, (own) => new Occlusion(occlusion, mean, own)),
      new RerunMethod(rise.method, rise.fields, (own) => new Rise(rise.method, { ...rise.defaults, ...own }, mean, this.probabilities)),
      ...(head === null ? [] : [new RerunMethod(head.scorecam, [], () => new ScoreCam(head.scorecam, mean))]),
    ];
    // With settings of one's own the file has another method of that name.
    this.reruns = reruns.filter(({ method }) => data.methods.every(({ name, settings }) => name !== method.name || settings === ""));
    const known = new Set(data.methods.map(({ name }) => name));
    const further = [...(head?.further ?? []), ...this.reruns.map(({ method }) => method)];
    this.every = [...data.methods, ...further.filter(({ name }) => !known.has(name))];
  }

  /** Takes the head's weights, from which maps are computed then. */
  takeWeights(weights: Float32Array): void {
    const { head, names } = this.data.live;
    if (head === null) return;
    this.head = {
      weights, bias: this.archive.float32(head.bias), channels: head.channels, rectified: head.rectified,
      gated: head.gated, single: head.rows === 1 && names.length === 2, probabilities: this.probabilities,
    };
  }

  private readonly probabilities = (logits: Float32Array): Float64Array => probabilities(logits, this.data.live.scores);

  /** The name of the layer before the pooling; null where nothing is computed. */
  get headLayer(): string | null {
    const { head } = this.data.live;
    return head === null ? null : this.data.layers[head.layer]!.name;
  }

  /** Whether the file has maps of what is explained. */
  has(of: Explained): boolean {
    return this.row(of) >= 0;
  }

  /** The settings that a method has here, as the view has them. */
  fields(method: string): readonly unknown[] {
    return this.reruns.find((one) => one.method.name === method)?.fields ?? [];
  }

  /**
   * The methods with a map of what is explained, at any layer, and those that say why they have none; those come last
   * that run the model many times, or once where other methods need a gradient.
   */
  methods(of: Explained): readonly MethodData[] {
    return this.every.filter((method) => {
      const { kind } = of.stance;
      return (kind !== "for" && method[kind] !== null) || this.isComputed(method.name) || this.isSaved(of, method.name);
    });
  }

  /** Any method by its name. */
  method(name: string): MethodData | undefined {
    return this.every.find((one) => one.name === name);
  }

  /** Why a method has no map; null where it has one. */
  reason({ layer, ...of }: Subject): string | null {
    const method = this.method(of.method);
    const { kind } = of.stance;
    if (method === undefined) return "this page does not have it";
    if (kind !== "for" && method[kind] !== null) return method[kind];
    if (method.everywhere || layer === this.headLayer && this.isComputed(method.name)) return null;
    if (this.number({ layer, ...of }) !== null) return null;
    const missing = (of.picture.saved?.data ?? this.data).missing[method.name]?.[layer];
    if (missing !== undefined) return missing;
    return `this page has its map at ${this.headLayer ?? this.data.first.layer} only`;
  }

  /** The method that makes a map by running the model many times; null where the file has the map, or another one makes it. */
  rerun(of: Subject): Rerun | null {
    const rerun = this.reruns.find(({ method }) => method.name === of.method);
    if (rerun === undefined || this.number(of) !== null) return null;
    return rerun.method.everywhere || of.layer === this.headLayer ? rerun.with(of.settings) : null;
  }

  /** Whether the page computes a method's maps, of any picture and class. */
  private isComputed(method: string): boolean {
    const computed: readonly string[] = this.data.live.head?.methods ?? [];
    return computed.includes(method) || this.reruns.some((one) => one.method.name === method);
  }

  private isSaved(of: Explained, method: string): boolean {
    return this.data.layers.some(({ name }) => this.number({ ...of, method, settings: {}, layer: name }) !== null);
  }

  /** The part of a slow map that is done, from 0 to 1. */
  progress(of: Subject): number {
    const rerun = this.rerun(of);
    return rerun === null ? 1 : of.picture.passesOf(passesKey(of)).length / rerun.total(of.picture);
  }

  /** The layers with a map of what is explained. */
  layers(of: Explained): LivePayload["layers"] {
    if (this.has(of)) return this.data.layers;
    return this.data.layers.filter(({ name }) => name === this.headLayer);
  }

  /** The parts of a saved picture that are drawn with a map; none of a picture of one's own. */
  pictureParts(of: Subject): unknown {
    return of.picture.saved?.maps.pictureParts(this.number(of), of.picture.id) ?? {};
  }

  /** The values of a map's parts, as the file has them. */
  partValues(of: Subject): unknown {
    const number = this.number(of);
    return number === null ? {} : (of.picture.saved!.data.grids[number]?.parts ?? {});
  }

  /** Cells of a map on the scale of other classes' maps; null where there is no map. */
  grid(of: Subject): CellGrid | null {
    const number = this.number(of);
    return number === null ? this.computed(of) : of.picture.saved!.maps.inProportion(number);
  }

  /** A map ready to be shown; null where there is none, or the model has not run yet. */
  find(of: Subject): FoundMap | null {
    if (this.progress(of) < 1) return null;
    const key = keyOf(of);
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const found = this.make(of);
    if (found === null) return null;
    this.made.set(key, found);
    for (const oldest of this.made.keys()) {
      if (this.made.size <= KEPT) break;
      this.made.delete(oldest);
    }
    return found;
  }

  /** A map as far as it is computed; null where nothing of it is. */
  make(of: Subject): FoundMap | null {
    const { picture, saved } = of.picture;
    const atInput = this.method(of.method)?.everywhere ?? false;
    const number = this.number(of);
    if (saved !== null && number !== null) {
      const { rows, columns, knee, scale_note, peak, box, at } = saved.data.grids[number]!;
      const region = box === null || at === null ? null : { box, peak: at };
      return { of, map: saved.maps.show(number), rows, columns, knee, scaleNote: scale_note, isEmpty: peak === 0, atInput, region };
    }
    const grid = this.computed(of);
    if (grid === null) return null;
    const map = decodeMap(grid, picture.width, picture.height, null);
    const found = strongestRegion(map.unit, picture.width, this.data.first.box_threshold);
    const region = found === null ? null : { box: found.box, peak: [found.peak.x, found.peak.y] };
    return {
      of, map, rows: grid.rows, columns: grid.columns, knee: null, scaleNote: "", isEmpty: peakOf(grid.cells) === 0, atInput, region,
    };
  }

  /** The number of a map among those of its picture in the file; null where it has none. */
  private number(of: Subject): number | null {
    const { saved } = of.picture;
    const row = this.row(of);
    const column = saved?.data.methods.findIndex(({ name }) => name === of.method) ?? -1;
    if (saved === null || row < 0 || column < 0 || settingsKey(of.settings) !== "") return null;
    return saved.maps.find(row, column, saved.data.layers.findIndex(({ name }) => name === of.layer)) ?? null;
  }

  /** The place of what is explained among the classes and contrasts of its picture in the file; −1 where it has none. */
  private row({ picture, target, stance }: Explained): number {
    if (picture.saved === null) return -1;
    const { classes, contrasts } = picture.saved.data;
    if (stance.kind === "for") return classes.findIndex(({ index }) => index === target);
    const at = contrasts.findIndex((one) => one.target === target && one.kind === stance.kind && one.other === stance.other);
    return at < 0 ? -1 : classes.length + at;
  }

  private computed(of: Subject): CellGrid | null {
    const { picture, stance } = of;
    const terms = termsOf(of.target, stance.kind, stance.other);
    const rerun = this.rerun(of);
    if (rerun !== null) {
      const passes = picture.passesOf(passesKey(of));
      return picture.logits === null || passes.length === 0 ? null : rerun.map(picture, passes, terms);
    }
    const head: HeadData | null = this.data.live.head;
    if (head === null || this.head === null || picture.features === null || of.layer !== this.headLayer) return null;
    const form = head.methods.find((name) => name === of.method);
    return form === undefined ? null : classActivation(picture.features, this.head, terms, form satisfies ClosedForm);
  }
}

/** A text that two maps have in common if they are the same. */
export function keyOf({ picture, target, stance, method, settings, layer }: Subject): string {
  return [picture.id, target, stance.kind, stance.other, method, settingsKey(settings), layer].join("\n");
}

/** A text that two maps have in common if the same passes make them. */
export function passesKey({ method, settings }: Subject): string {
  return `${method}\n${settingsKey(settings)}`;
}
