/** Occlusion, as in camwidget/attribution/methods/perturbation.py: how much a score falls while a gray square slides over the picture. */
import type { RgbPicture } from "../core/compositor";
import type { CellGrid } from "../core/interpolation";
import { scoreOf } from "../core/scoreTerms";
import type { Terms } from "../core/scoreTerms";
import type { MethodData } from "../page/payload";
import type { LivePicture } from "./livePicture";
import type { Input } from "./modelRunner";
import { timesMask } from "./reruns";
import type { Rerun, Settings } from "./reruns";

export interface OcclusionData {
  readonly method: MethodData;
  /** Its settings, as the view has them. */
  readonly fields: readonly unknown[];
  /** The side of the square in pixels, unless another one is set. */
  readonly window: number;
}

/** The side of the square, and the distance from one to the next, in pixels. */
interface Steps {
  readonly window: number;
  readonly stride: number;
}

type Corner = readonly [y: number, x: number];

function starts(length: number, { window, stride }: Steps): readonly number[] {
  return Array.from({ length: Math.ceil((length - window) / stride) + 1 }, (_, i) => i * stride);
}

/** The corners of all squares: every fourth row and column first, then every second, then the rest. */
export function corners({ width, height }: RgbPicture, of: Steps): readonly Corner[] {
  const [rows, columns] = [starts(height, of), starts(width, of)];
  const cells = rows.flatMap((y, i) => columns.map((x, j) => {
    const level = [4, 2, 1].findIndex((step) => i % step === 0 && j % step === 0);
    return { level, corner: [y, x] as const };
  }));
  return cells.sort((a, b) => a.level - b.level).map(({ corner }) => corner);
}

export class Occlusion implements Rerun {
  readonly method: MethodData;
  private readonly steps: Steps;
  private readonly corners = new WeakMap<LivePicture, readonly Corner[]>();

  /**
   * @param mean the color of the square: zero once the model has normalized it
   * @param own settings of one's own
   */
  constructor(
    data: Pick<OcclusionData, "method" | "window">,
    private readonly mean: readonly number[],
    own: Settings = {},
  ) {
    this.method = data.method;
    const window = own["window"] ?? data.window;
    this.steps = { window, stride: own["stride"] ?? Math.max(1, Math.floor(window / 2)) };
  }

  problem({ picture: { width, height } }: LivePicture): string {
    const { window, stride } = this.steps;
    if (window >= 1 && window <= Math.min(width, height) && stride >= 1 && stride <= window) return "";
    return `A window of ${window} and a stride of ${stride} do not cover a picture of ${width}×${height}: take a window of at most its shorter side, and a stride of at most the window.`;
  }

  total(picture: LivePicture): number {
    return this.of(picture).length;
  }

  input(picture: LivePicture, at: number): Input {
    const { width, height } = picture.picture;
    const [top, left] = this.of(picture)[at]!;
    const { window } = this.steps;
    const visible = new Float32Array(width * height).fill(1);
    for (let y = top; y < Math.min(height, top + window); y++) {
      visible.fill(0, y * width + left, y * width + Math.min(width, left + window));
    }
    return timesMask(picture, visible, this.mean);
  }

  /** For each pixel the mean drop over the squares that cover it. */
  map(picture: LivePicture, logits: readonly Float32Array[], terms: Terms): CellGrid {
    const { width, height } = picture.picture;
    const { window } = this.steps;
    const sums = new Float64Array(width * height);
    const counts = new Uint16Array(width * height);
    const unmasked = scoreOf(terms, picture.logits!);
    const all = this.of(picture);
    logits.forEach((values, at) => {
      const [top, left] = all[at]!;
      const drop = unmasked - scoreOf(terms, values);
      for (let y = top; y < Math.min(height, top + window); y++) {
        for (let x = left; x < Math.min(width, left + window); x++) {
          sums[y * width + x]! += drop;
          counts[y * width + x]! += 1;
        }
      }
    });
    const cells = Float32Array.from(sums, (sum, at) => Math.max(0, sum / Math.max(1, counts[at]!)));
    return { rows: height, columns: width, cells };
  }

  private of(picture: LivePicture): readonly Corner[] {
    const known = this.corners.get(picture) ?? corners(picture.picture, this.steps);
    this.corners.set(picture, known);
    return known;
  }
}
