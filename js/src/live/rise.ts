/** RISE, as in camwidget/attribution/methods/perturbation.py, with the kernel's own random masks. */
import { axis } from "../core/interpolation";
import type { Axis, CellGrid } from "../core/interpolation";
import { MersenneTwister } from "../core/mersenneTwister";
import { isOneClass, scoreOf } from "../core/scoreTerms";
import type { Terms } from "../core/scoreTerms";
import type { MethodData } from "../page/payload";
import type { LivePicture } from "./livePicture";
import type { Input } from "./modelRunner";
import { timesMask } from "./reruns";
import type { Rerun } from "./reruns";

export interface RiseData {
  readonly method: MethodData;
  /** Its settings, as the view has them. */
  readonly fields: readonly unknown[];
  readonly defaults: RiseSettings;
}

export interface RiseSettings {
  /** The number of masks. */
  readonly masks: number;
  /** The number of a mask's cells along each side. */
  readonly cells: number;
  /** The share of the cells that stay visible. */
  readonly keep: number;
  readonly seed: number;
}

/** Random masks for pictures of one size, before they are enlarged. */
interface Masks {
  readonly rows: number;
  readonly columns: number;
  /** By mask and cell whether it stays visible. */
  readonly visible: Uint8Array;
  /** By mask the number of pixels by which it is shifted up, and to the left. */
  readonly up: Uint16Array;
  readonly left: Uint16Array;
}

export class Rise implements Rerun {
  private drawn: { readonly size: string; readonly masks: Masks } | null = null;

  /**
   * @param mean the color that stands for hidden pixels
   * @param probabilities from the logits of all classes
   */
  constructor(
    readonly method: MethodData,
    private readonly settings: RiseSettings,
    private readonly mean: readonly number[],
    private readonly probabilities: (logits: Float32Array) => Float64Array,
  ) {}

  problem(): string {
    return "";
  }

  total(): number {
    return this.settings.masks;
  }

  input(picture: LivePicture, at: number): Input {
    return timesMask(picture, this.mask(at, picture.picture.width, picture.picture.height), this.mean);
  }

  /** A mask at the size of the picture: which part of each pixel is left. */
  mask(at: number, width: number, height: number): Float32Array {
    const masks = this.masks(width, height);
    const { rows, columns } = masks;
    const [across, down] = [axisOf(width, columns), axisOf(height, rows)];
    const [up, left] = [masks.up[at]!, masks.left[at]!];
    const out = new Float32Array(width * height);
    const row = new Float32Array(columns);
    for (let y = 0, i = 0; y < height; y++) {
      const [above, below] = [down.first[y + up]!, down.second[y + up]!];
      for (let column = 0; column < columns; column++) {
        row[column] = cell(masks, at, above, column) * down.ofFirst[y + up]! + cell(masks, at, below, column) * down.ofSecond[y + up]!;
      }
      for (let x = left; x < left + width; x++, i++) {
        out[i] = row[across.first[x]!]! * across.ofFirst[x]! + row[across.second[x]!]! * across.ofSecond[x]!;
      }
    }
    return out;
  }

  /**
   * The sum of the masks, each weighted by the class's probability, or by the score of anything else. Masks with the same
   * shift to the left are added up row by row before they are enlarged along the rows: that is the same sum.
   */
  map({ picture }: LivePicture, logits: readonly Float32Array[], terms: Terms): CellGrid {
    const { width, height } = picture;
    const { keep } = this.settings;
    const masks = this.masks(width, height);
    const { columns } = masks;
    const [across, down] = [axisOf(width, columns), axisOf(height, masks.rows)];
    const byShift = new Map<number, Float64Array>();
    logits.forEach((values, at) => {
      const weight = isOneClass(terms) ? this.probabilities(values)[terms[0]!.index]! : scoreOf(terms, values);
      const [up, left] = [masks.up[at]!, masks.left[at]!];
      const rows = byShift.get(left) ?? new Float64Array(height * columns);
      byShift.set(left, rows);
      for (let y = 0, i = 0; y < height; y++) {
        const [above, below] = [down.first[y + up]!, down.second[y + up]!];
        const [ofAbove, ofBelow] = [weight * down.ofFirst[y + up]!, weight * down.ofSecond[y + up]!];
        for (let column = 0; column < columns; column++, i++) {
          rows[i]! += ofAbove * cell(masks, at, above, column) + ofBelow * cell(masks, at, below, column);
        }
      }
    });
    const sums = new Float64Array(width * height);
    for (const [left, rows] of byShift) {
      for (let y = 0, i = 0; y < height; y++) {
        const start = y * columns;
        for (let x = left; x < left + width; x++, i++) {
          sums[i]! += rows[start + across.first[x]!]! * across.ofFirst[x]! + rows[start + across.second[x]!]! * across.ofSecond[x]!;
        }
      }
    }
    // What every pixel has is of no pixel: the map is scaled from its least value.
    const least = sums.reduce((a, b) => Math.min(a, b), Infinity);
    return { rows: height, columns: width, cells: Float32Array.from(sums, (sum) => (sum - least) / (keep * logits.length)) };
  }

  /** The kernel's own masks: the same generator, asked in the same order. */
  private masks(width: number, height: number): Masks {
    const size = `${width}×${height}`;
    if (this.drawn?.size !== size) this.drawn = { size, masks: drawMasks(width, height, this.settings) };
    return this.drawn.masks;
  }
}

function drawMasks(width: number, height: number, { masks, cells, keep, seed }: RiseSettings): Masks {
  const draw = new MersenneTwister(seed);
  const [rows, columns] = [Math.min(cells, height), Math.min(cells, width)];
  const least = Math.fround(keep);
  const visible = Uint8Array.from({ length: masks * rows * columns }, () => (draw.uniform() < least ? 1 : 0));
  const shifts = (length: number, count: number): Uint16Array =>
    Uint16Array.from({ length: masks }, () => draw.below(Math.ceil(length / count)));
  const up = shifts(height, rows);
  return { rows, columns, visible, up, left: shifts(width, columns) };
}

function cell({ rows, columns, visible }: Masks, at: number, row: number, column: number): number {
  return visible[(at * rows + row) * columns + column]!;
}

/** A mask is larger than the picture by one cell, so that it can be shifted. */
function axisOf(length: number, count: number): Axis {
  return axis(count, (count + 1) * Math.ceil(length / count));
}
