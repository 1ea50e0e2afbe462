/** Score-CAM at the layer before the pooling, as in camwidget/attribution/methods/score.py. */
import { enlarge } from "../core/interpolation";
import type { CellGrid } from "../core/interpolation";
import { scoreOf } from "../core/scoreTerms";
import type { Terms } from "../core/scoreTerms";
import type { MethodData } from "../page/payload";
import type { LivePicture } from "./livePicture";
import type { Input } from "./modelRunner";
import { timesMask } from "./reruns";
import type { Rerun } from "./reruns";

export class ScoreCam implements Rerun {
  /** By picture the channels that vary, those with the widest range first, and after them the constant ones. */
  private readonly orders = new WeakMap<LivePicture, { readonly every: readonly number[]; readonly varying: number }>();

  /** @param mean the color that is zero once the model has normalized it */
  constructor(
    readonly method: MethodData,
    private readonly mean: readonly number[],
  ) {}

  problem(): string {
    return "";
  }

  /** One for each channel that varies, and one for the picture without any pixel. */
  total(picture: LivePicture): number {
    return this.order(picture).varying + 1;
  }

  input(picture: LivePicture, at: number): Input {
    if (at === 0) return timesMask(picture, null, this.mean);
    const { width, height } = picture.picture;
    const large = enlarge(channel(picture, this.order(picture).every[at - 1]!), width, height);
    const [low, high] = extremes(large);
    return timesMask(picture, large.map((value) => (value - low) / (high - low)), this.mean);
  }

  map(picture: LivePicture, logits: readonly Float32Array[], terms: Terms): CellGrid {
    const { every, varying } = this.order(picture);
    const empty = scoreOf(terms, logits[0]!);
    const gains = logits.slice(1).map((values) => scoreOf(terms, values) - empty);
    // A constant channel shows nothing of the picture.
    if (gains.length === varying) gains.push(...Array.from({ length: every.length - varying }, () => 0));
    const most = gains.reduce((a, b) => Math.max(a, b), -Infinity);
    const parts = gains.map((gain) => Math.exp(gain - most));
    const total = parts.reduce((a, b) => a + b, 0);
    const { rows, columns } = picture.features!;
    const sums = new Float64Array(rows * columns);
    parts.forEach((part, at) => {
      channel(picture, every[at]!).cells.forEach((value, cell) => (sums[cell]! += (part / total) * value));
    });
    return { rows, columns, cells: Float32Array.from(sums, (sum) => Math.max(0, sum)) };
  }

  private order(picture: LivePicture): { readonly every: readonly number[]; readonly varying: number } {
    const known = this.orders.get(picture);
    if (known !== undefined) return known;
    const ranges = Array.from({ length: picture.features!.channels }, (_, k) => {
      const [low, high] = extremes(channel(picture, k).cells);
      return Math.fround(high - low);
    });
    const every = [...ranges.keys()].sort((a, b) => ranges[b]! - ranges[a]!);
    const made = { every, varying: ranges.filter((range) => range > 0).length };
    this.orders.set(picture, made);
    return made;
  }
}

function channel({ features }: LivePicture, k: number): CellGrid {
  const { values, rows, columns } = features!;
  return { rows, columns, cells: values.subarray(k * rows * columns, (k + 1) * rows * columns) };
}

function extremes(values: Float32Array): readonly [low: number, high: number] {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}
