/** ``LivePicture``: a picture of a live page, with what the model has said of it. */
import { baseline, BASELINES } from "../core/baselines";
import type { Features } from "../core/classActivation";
import type { RgbPicture } from "../core/compositor";
import type { Detection } from "../core/detections";
import type { BinaryBundle } from "../page/binaryBundle";
import { foundOf } from "../page/pageModel";
import type { Payload } from "../page/payload";
import { QuantizedMaps } from "../page/quantizedMaps";
import type { Found } from "./findings";

/** The greatest number of listed classes of a picture of one's own. */
const LISTED = 5;

/** What the page has of a picture that it was saved with. */
export interface SavedPicture {
  readonly data: Payload;
  readonly archive: BinaryBundle;
  readonly maps: QuantizedMaps;
}

export class LivePicture {
  /** Of the unmasked picture, for every class; null until the model has run. */
  unmasked: Float64Array | null = null;
  /** The model's outputs for it. */
  logits: Float32Array | null = null;
  /** The maps before the pooling; null where the model has no such head, or has not run. */
  features: Features | null = null;
  /** Where the classes are in it; null where the model does not say, or has not run. */
  found: Found | null = null;
  /** The trait of that: the file's at first. */
  drawn: Readonly<Record<string, unknown>> = {};
  /** The detections that are its classes; null of other models, and before the model has run. */
  detections: readonly Detection[] | null = null;
  /** What is painted on it, as the view has it. */
  paint: unknown = {};
  /** The listed classes. */
  listed: readonly number[] = [];
  /** By method and settings the outputs of the passes so far, of those that it needs. */
  private readonly passes = new Map<string, Float32Array[]>();

  /**
   * @param id unique in the page
   * @param names of all its classes
   * @param saved what the page has of it; null for a picture of one's own
   */
  constructor(
    readonly id: string,
    readonly name: string,
    readonly picture: RgbPicture,
    public names: readonly string[],
    readonly fills: Readonly<Record<string, Uint8Array>> = Object.fromEntries(BASELINES.map((one) => [one, baseline(one, picture)])),
    readonly saved: SavedPicture | null = null,
  ) {}

  /** A picture that the page was saved with. */
  static saved(id: string, data: Payload, archive: BinaryBundle, names: readonly string[]): LivePicture {
    const { scene: { width, height, picture, fills }, detections } = data;
    const made = new LivePicture(
      id, data.name, { width, height, rgb: archive.picture(picture, width) }, detections?.map(({ name }) => name) ?? names,
      Object.fromEntries(Object.entries(fills).map(([name, place]) => [
        name, place[1] === 3 ? archive.bytes(place) : archive.picture(place, width),
      ])),
      { data, archive, maps: new QuantizedMaps(data, archive) },
    );
    made.listed = data.classes.map(({ index }) => index);
    made.detections = detections ?? null;
    made.drawn = foundOf(data, archive, id);
    return made;
  }

  /**
   * Takes what the model has said of the unmasked picture.
   *
   * @param logits its outputs
   * @param unmasked their probabilities
   * @param ordered whether the most probable classes are listed; else the first ones
   */
  answer(logits: Float32Array, unmasked: Float64Array, features: Features | null, ordered: boolean): void {
    this.logits = logits;
    this.unmasked = unmasked;
    this.features = features;
    if (this.listed.length > 0) return;
    const every = Array.from(unmasked.keys());
    this.listed = (ordered ? every.sort((a, b) => unmasked[b]! - unmasked[a]! || a - b) : every).slice(0, LISTED);
  }

  /** The outputs of the passes of a method so far, to which further ones are added. */
  passesOf(method: string): Float32Array[] {
    const known = this.passes.get(method) ?? [];
    this.passes.set(method, known);
    return known;
  }

  /** The listed classes, with the one explained and the one that it is contrasted with, which take the last places. */
  rows(target: number, rival = -1): readonly number[] {
    const wanted = [target, rival].filter((index) => index >= 0);
    const missing = wanted.filter((index) => !this.listed.includes(index));
    if (target < 0 || missing.length === 0) return this.listed;
    const most = Math.max(LISTED, wanted.length);
    const others = this.listed.filter((index) => !wanted.includes(index)).slice(0, most - wanted.length);
    return [...this.listed.filter((index) => wanted.includes(index) || others.includes(index)), ...missing];
  }

  /** The number of a class for the unmasked picture; NaN before it is known. */
  numberOf(index: number): number {
    const saved = this.saved?.data.classes.find((one) => one.index === index)?.unmasked;
    return saved ?? this.unmasked?.[index] ?? Number.NaN;
  }

  /** The scene's trait. */
  get scene(): Record<string, unknown> {
    const { width, height, rgb } = this.picture;
    return { id: this.id, width, height, picture: rgb, fills: this.fills };
  }
}
