/** The model's input for a masked picture: the pixels that the screen shows, by the rule of the compositor. */
import type { RgbPicture } from "../core/compositor";
import { threshold } from "../core/maskingRule";
import type { Mode } from "../core/maskingRule";
import type { Input } from "./modelRunner";

/** A map that masks: rank levels, and the saliency from 0 to 1. */
export interface Ranking {
  readonly levels: Uint16Array;
  readonly saliency: Float32Array;
}

export interface InputMask {
  readonly mode: Mode;
  readonly fraction: number;
  /** RGB bytes of a full picture or of one color. */
  readonly fill: Uint8Array;
  /** One number a pixel; null where nothing is painted. */
  readonly paint: Int8Array | null;
}

const { fround } = Math;

/** A byte as a number from 0 to 1, as the kernel has it. */
const SHADES = Float32Array.from({ length: 256 }, (_, shade) => shade / 255);

/**
 * The masked picture as the model's input.
 *
 * @param map null for a picture without a map, which is masked by paint alone
 */
export function maskedInput(picture: RgbPicture, map: Ranking | null, mask: InputMask, channels: number): Omit<Input, "withFeatures"> {
  const { width, height, rgb } = picture;
  const size = width * height;
  const pixels = new Float32Array(channels * size);
  const { mode, fill, paint } = mask;
  const one = fill.length === 3;
  const cut = threshold(mask.fraction);
  for (let i = 0; i < size; i++) {
    const by = paint?.[i] ?? 0;
    const isTop = map !== null && mode !== "multiply" && map.levels[i]! < cut;
    const isHidden = by === 0 ? map !== null && mode !== "multiply" && isTop !== (mode === "keep") : by > 0;
    const factor = mode === "multiply" && map !== null && by === 0 ? map.saliency[i]! : 1;
    for (let c = 0; c < channels; c++) {
      const shade = SHADES[isHidden ? fill[one ? c : 3 * i + c]! : rgb[3 * i + c]!]!;
      pixels[c * size + i] = factor === 1 ? shade : fround(shade * factor);
    }
  }
  return { pixels, shape: [channels, height, width] };
}
