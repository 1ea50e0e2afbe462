/** RISE, as in camwidget/attribution/methods/perturbation.py, with the kernel's own random masks. */
import { axis } from "../core/interpolation";
import type { Axis, CellGrid } from "../core/interpolation";
import { isOneClass, scoreOf } from "../core/scoreTerms";
import type { Terms } from "../core/scoreTerms";
import type { BinaryBundle, ByteRange } from "../page/binaryBundle";
import type { MethodData } from "../page/payload";
import type { LivePicture } from "./livePicture";
import type { Input } from "./modelRunner";
import { timesMask } from "./reruns";
import type { Rerun } from "./reruns";

export interface RiseData {
  readonly method: MethodData;
  /** The number of masks. */
  readonly masks: number;
  /** The number of a mask's cells along each side. */
  readonly cells: number;
  /** The share of the cells that stay visible. */
  readonly keep: number;
  /** A bit for each cell of each mask. */
  readonly visible: ByteRange;
  /** Of each mask by how many pixels it is shifted up, and to the left. */
  readonly shifts: ByteRange;
}

export class Rise implements Rerun {
  readonly method: MethodData;
  private readonly bits: Uint8Array;
  private readonly shifts: Uint16Array;

  /**
   * @param mean the color that stands for hidden pixels
   * @param probabilities from the logits of all classes
   */
  constructor(
    private readonly data: RiseData,
    archive: BinaryBundle,
    private readonly mean: readonly number[],
    private readonly probabilities: (logits: Float32Array) => Float64Array,
  ) {
    this.method = data.method;
    this.bits = archive.bytes(data.visible);
    this.shifts = archive.uint16(data.shifts);
  }

  total(): number {
    return this.data.masks;
  }

  input(picture: LivePicture, at: number): Input {
    return timesMask(picture, this.mask(at, picture.picture.width, picture.picture.height), this.mean);
  }

  /** A mask at the size of the picture: which part of each pixel is left. */
  mask(at: number, width: number, height: number): Float32Array {
    const { cells } = this.data;
    const [across, down] = [this.axisOf(width), this.axisOf(height)];
    const [up, left] = this.shift(at);
    const out = new Float32Array(width * height);
    const row = new Float32Array(cells);
    for (let y = 0, i = 0; y < height; y++) {
      for (let cell = 0; cell < cells; cell++) {
        const [above, below] = [down.first[y + up]!, down.second[y + up]!];
        row[cell] = this.cell(at, above, cell) * down.ofFirst[y + up]! + this.cell(at, below, cell) * down.ofSecond[y + up]!;
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
    const { cells, keep } = this.data;
    const [across, down] = [this.axisOf(width), this.axisOf(height)];
    const byShift = new Map<number, Float64Array>();
    logits.forEach((values, at) => {
      const weight = isOneClass(terms) ? this.probabilities(values)[terms[0]!.index]! : scoreOf(terms, values);
      const [up, left] = this.shift(at);
      const rows = byShift.get(left) ?? new Float64Array(height * cells);
      byShift.set(left, rows);
      for (let y = 0, i = 0; y < height; y++) {
        const [above, below] = [down.first[y + up]!, down.second[y + up]!];
        const [ofAbove, ofBelow] = [weight * down.ofFirst[y + up]!, weight * down.ofSecond[y + up]!];
        for (let cell = 0; cell < cells; cell++, i++) {
          rows[i]! += ofAbove * this.cell(at, above, cell) + ofBelow * this.cell(at, below, cell);
        }
      }
    });
    const sums = new Float64Array(width * height);
    for (const [left, rows] of byShift) {
      for (let y = 0, i = 0; y < height; y++) {
        const start = y * cells;
        for (let x = left; x < left + width; x++, i++) {
          sums[i]! += rows[start + across.first[x]!]! * across.ofFirst[x]! + rows[start + across.second[x]!]! * across.ofSecond[x]!;
        }
      }
    }
    // What every pixel has is of no pixel: the map is scaled from its least value.
    const least = sums.reduce((a, b) => Math.min(a, b), Infinity);
    return { rows: height, columns: width, cells: Float32Array.from(sums, (sum) => (sum - least) / (keep * logits.length)) };
  }

  private shift(at: number): readonly [up: number, left: number] {
    return [this.shifts[2 * at]!, this.shifts[2 * at + 1]!];
  }

  private cell(at: number, row: number, column: number): number {
    const bit = (at * this.data.cells + row) * this.data.cells + column;
    return (this.bits[bit >> 3]! >> (bit & 7)) & 1;
  }

  /** A mask is larger than the picture by one cell, so that it can be shifted. */
  private axisOf(length: number): Axis {
    const { cells } = this.data;
    return axis(cells, (cells + 1) * Math.ceil(length / cells));
  }
}
