/** Methods that run the model many times on one picture, and what they have in common. */
import type { CellGrid } from "../core/interpolation";
import type { Terms } from "../core/scoreTerms";
import type { MethodData } from "../page/payload";
import type { LivePicture } from "./livePicture";
import type { Input } from "./modelRunner";

/** The settings of a method that differ from its defaults. */
export type Settings = Readonly<Record<string, number>>;

/** A method whose map is made of the outputs for a series of changed pictures, which serve every class. */
export interface Rerun {
  readonly method: MethodData;
  /** Why its settings do not suit a picture; "" where they do. */
  problem(picture: LivePicture): string;
  /** The number of passes. */
  total(picture: LivePicture): number;
  /** The model's input of a pass. */
  input(picture: LivePicture, at: number): Input;
  /**
   * The map from what the passes so far have given, rectified.
   *
   * @param logits at least one
   */
  map(picture: LivePicture, logits: readonly Float32Array[], terms: Terms): CellGrid;
}

/** A method that runs the model many times, with any settings. */
export class RerunMethod {
  private readonly made = new Map<string, Rerun>();

  /**
   * @param fields its settings, as the view has them
   * @param make the method with settings of one's own
   */
  constructor(
    readonly method: MethodData,
    readonly fields: readonly unknown[],
    private readonly make: (own: Settings) => Rerun,
  ) {}

  with(own: Settings): Rerun {
    const key = settingsKey(own);
    const known = this.made.get(key) ?? this.make(own);
    this.made.set(key, known);
    return known;
  }
}

/** A text that settings have in common if they are the same. */
export function settingsKey(own: Settings): string {
  return Object.entries(own).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name} ${value}`).join(", ");
}

/** A byte as a number from 0 to 1, as the kernel has it. */
const SHADES = Float32Array.from({ length: 256 }, (_, shade) => shade / 255);

/**
 * A picture times a mask as the model's input: where the mask is 0 the model's normalized input is.
 *
 * @param mean the color that is zero once the model has normalized it, from 0 to 1
 * @param visible by pixel the part that is left of it; null for none of the whole picture
 */
export function timesMask({ picture }: LivePicture, visible: Float32Array | null, mean: readonly number[]): Input {
  const { width, height, rgb } = picture;
  const size = width * height;
  const pixels = new Float32Array(mean.length * size);
  mean.forEach((gray, c) => {
    for (let i = 0; i < size; i++) pixels[c * size + i] = gray + (SHADES[rgb[3 * i + c]!]! - gray) * (visible?.[i] ?? 0);
  });
  return { pixels, shape: [mean.length, height, width], withFeatures: false };
}
