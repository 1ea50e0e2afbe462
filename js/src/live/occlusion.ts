/** Occlusion, as in camwidget/attribution/methods/perturbation.py: how much a score falls while a gray square slides over the picture. */
import type { RgbPicture } from "../core/compositor";
import type { CellGrid } from "../core/interpolation";
import type { MethodData } from "../page/payload";
import { maskedInput } from "./maskedInput";
import type { Input } from "./modelRunner";

export interface OcclusionData {
  readonly method: MethodData;
  /** The side of the square, and the distance from one to the next, in pixels. */
  readonly window: number;
  readonly stride: number;
  /** The color of the square, from 0 to 1: zero once the model has normalized it. */
  readonly mean: readonly number[];
}

type Corner = readonly [y: number, x: number];

function starts(length: number, { window, stride }: OcclusionData): readonly number[] {
  return Array.from({ length: Math.ceil((length - window) / stride) + 1 }, (_, i) => i * stride);
}

/** The corners of all squares: every fourth row and column first, then every second, then the rest. */
export function corners({ width, height }: RgbPicture, of: OcclusionData): readonly Corner[] {
  const [rows, columns] = [starts(height, of), starts(width, of)];
  const cells = rows.flatMap((y, i) => columns.map((x, j) => {
    const level = [4, 2, 1].findIndex((step) => i % step === 0 && j % step === 0);
    return { level, corner: [y, x] as const };
  }));
  return cells.sort((a, b) => a.level - b.level).map(({ corner }) => corner);
}

/** The picture under a square, as the model's input. */
export function occluded(picture: RgbPicture, [top, left]: Corner, { window, mean }: OcclusionData, channels: number): Input {
  const { width, height } = picture;
  const unmasked = { mode: "remove", fraction: 0, fill: new Uint8Array(3), paint: null } as const;
  const input = maskedInput(picture, null, unmasked, channels);
  for (let c = 0; c < channels; c++) {
    for (let y = top; y < Math.min(height, top + window); y++) {
      const row = (c * height + y) * width;
      input.pixels.fill(mean[c]!, row + left, row + Math.min(width, left + window));
    }
  }
  return { ...input, withFeatures: false };
}

/**
 * The positive part of a class's map: for each pixel the mean drop over the squares that cover it.
 *
 * @param logits of the squares so far, in the order of `corners`
 * @param unmasked the logits of the whole picture
 */
export function occlusionMap(
  picture: RgbPicture, of: OcclusionData, logits: readonly Float32Array[], unmasked: Float32Array, target: number,
): CellGrid {
  const { width, height } = picture;
  const sums = new Float64Array(width * height);
  const counts = new Uint16Array(width * height);
  const all = corners(picture, of);
  logits.forEach((values, at) => {
    const [top, left] = all[at]!;
    const drop = unmasked[target]! - values[target]!;
    for (let y = top; y < Math.min(height, top + of.window); y++) {
      for (let x = left; x < Math.min(width, left + of.window); x++) {
        sums[y * width + x]! += drop;
        counts[y * width + x]! += 1;
      }
    }
  });
  const cells = Float32Array.from(sums, (sum, at) => Math.max(0, sum / Math.max(1, counts[at]!)));
  return { rows: height, columns: width, cells };
}
