/** ``LiveMaps``: maps of a live page, from the file where it has them, computed from the head's weights elsewhere. */
import { classActivation } from "../core/classActivation";
import type { ClosedForm, Head } from "../core/classActivation";
import { peakOf } from "../core/geometry";
import type { CellGrid } from "../core/interpolation";
import { strongestRegion } from "../core/regions";
import type { BinaryBundle } from "../page/binaryBundle";
import type { MethodData } from "../page/payload";
import { decodeMap, QuantizedMaps } from "../page/quantizedMaps";
import type { DecodedMap } from "../page/quantizedMaps";
import type { LivePicture } from "./livePicture";
import { corners, occlusionMap } from "./occlusion";
import type { HeadData, LivePayload } from "./payload";

/** What a map is of. */
export interface Subject {
  readonly picture: LivePicture;
  readonly target: number;
  readonly method: string;
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
  private readonly saved: QuantizedMaps;
  private readonly made = new Map<string, FoundMap>();
  private head: Head | null = null;

  constructor(
    private readonly data: LivePayload,
    private readonly archive: BinaryBundle,
  ) {
    this.saved = new QuantizedMaps(data, archive);
  }

  /** Takes the head's weights, from which maps are computed then. */
  takeWeights(weights: Float32Array): void {
    const { head, names } = this.data.live;
    if (head === null) return;
    this.head = {
      weights, bias: this.archive.float32(head.bias), channels: head.channels, rectified: head.rectified,
      gated: head.gated, single: head.rows === 1 && names.length === 2,
    };
  }

  /** The name of the layer before the pooling; null where nothing is computed. */
  get headLayer(): string | null {
    const { head } = this.data.live;
    return head === null ? null : this.data.layers[head.layer]!.name;
  }

  /** Whether the file has maps of a picture's class. */
  has({ picture, target }: Pick<Subject, "picture" | "target">): boolean {
    return picture.isSaved && this.data.classes.some(({ index }) => index === target);
  }

  /** The methods with a map of a picture's class at any layer; the last one runs the model many times. */
  methods(of: Pick<Subject, "picture" | "target">): readonly MethodData[] {
    const computed: readonly string[] = this.data.live.head?.methods ?? [];
    const quick = this.data.methods.filter(({ name }) => this.has(of) || computed.includes(name));
    const { method } = this.data.live.occlusion;
    return quick.some(({ name }) => name === method.name) ? quick : [...quick, method];
  }

  /** Any method by its name. */
  method(name: string): MethodData | undefined {
    const { method } = this.data.live.occlusion;
    return this.data.methods.find((one) => one.name === name) ?? (name === method.name ? method : undefined);
  }

  /** Whether a map is made by running the model many times, and the file has none. */
  isSlow(of: Subject): boolean {
    return of.method === this.data.live.occlusion.method.name && this.number(of) === null;
  }

  /** The part of a slow map that is done, from 0 to 1. */
  progress({ picture }: Subject): number {
    return picture.occluded.length / corners(picture.picture, this.data.live.occlusion).length;
  }

  /** The layers with a map of a picture's class. */
  layers(of: Pick<Subject, "picture" | "target">): LivePayload["layers"] {
    if (this.has(of)) return this.data.layers;
    return this.data.layers.filter(({ name }) => name === this.headLayer);
  }

  /** The parts of the saved picture that are drawn with a map; none of a picture of one's own. */
  pictureParts(of: Subject): unknown {
    return of.picture.isSaved ? this.saved.pictureParts(this.number(of), of.picture.id) : {};
  }

  /** The values of a map's parts, as the file has them. */
  partValues(of: Subject): unknown {
    const number = this.number(of);
    return number === null ? {} : (this.data.grids[number]?.parts ?? {});
  }

  /** Cells of a map on the scale of other classes' maps; null where there is no map. */
  grid(of: Subject): CellGrid | null {
    const number = this.number(of);
    return number === null ? this.computed(of) : this.saved.inProportion(number);
  }

  /** A map ready to be shown; null where there is none, or the model has not run yet. */
  find(of: Subject): FoundMap | null {
    if (this.isSlow(of) && this.progress(of) < 1) return null;
    const key = [of.picture.id, of.target, of.method, of.layer].join("\n");
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
    const { picture } = of.picture;
    const atInput = this.method(of.method)?.everywhere ?? false;
    const number = this.number(of);
    if (number !== null) {
      const { rows, columns, knee, scale_note, peak, box, at } = this.data.grids[number]!;
      const region = box === null || at === null ? null : { box, peak: at };
      return { of, map: this.saved.show(number), rows, columns, knee, scaleNote: scale_note, isEmpty: peak === 0, atInput, region };
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

  /** The number of a map in the file; null where it has none. */
  private number({ picture, target, method, layer }: Subject): number | null {
    const { classes, methods, layers } = this.data;
    const row = classes.findIndex(({ index }) => index === target);
    const column = methods.findIndex(({ name }) => name === method);
    if (!picture.isSaved || row < 0 || column < 0) return null;
    return this.saved.find(row, column, layers.findIndex(({ name }) => name === layer)) ?? null;
  }

  private computed({ picture, target, method, layer }: Subject): CellGrid | null {
    const { occlusion } = this.data.live;
    if (method === occlusion.method.name) {
      if (picture.logits === null || picture.occluded.length === 0) return null;
      return occlusionMap(picture.picture, occlusion, picture.occluded, picture.logits, target);
    }
    const of: HeadData | null = this.data.live.head;
    if (of === null || this.head === null || picture.features === null || layer !== this.headLayer) return null;
    const form = of.methods.find((name) => name === method);
    return form === undefined ? null : classActivation(picture.features, this.head, target, form satisfies ClosedForm);
  }
}
