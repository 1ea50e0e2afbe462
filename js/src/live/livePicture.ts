/** ``LivePicture``: a picture of a live page, with what the model has said of it. */
import { baseline, BASELINES } from "../core/baselines";
import type { Features } from "../core/classActivation";
import type { RgbPicture } from "../core/compositor";

/** The greatest number of listed classes of a picture of one's own. */
const LISTED = 5;

export class LivePicture {
  /** Of the unmasked picture, for every class; null until the model has run. */
  unmasked: Float64Array | null = null;
  /** The model's outputs for it. */
  logits: Float32Array | null = null;
  /** By method the outputs of the passes so far, of those that it needs. */
  private readonly passes = new Map<string, Float32Array[]>();
  /** The maps before the pooling; null where the model has no such head, or has not run. */
  features: Features | null = null;
  /** The listed classes. */
  listed: readonly number[];
  readonly fills: Readonly<Record<string, Uint8Array>>;

  /**
   * @param id unique in the page
   * @param isSaved whether the page has precomputed maps of it
   */
  constructor(
    readonly id: string,
    readonly name: string,
    readonly picture: RgbPicture,
    readonly isSaved: boolean,
    fills: Readonly<Record<string, Uint8Array>> | null = null,
    listed: readonly number[] = [],
  ) {
    this.fills = fills ?? Object.fromEntries(BASELINES.map((name) => [name, baseline(name, picture)]));
    this.listed = listed;
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

  /** The scene's trait. */
  get scene(): Record<string, unknown> {
    const { width, height, rgb } = this.picture;
    return { id: this.id, width, height, picture: rgb, fills: this.fills };
  }
}
