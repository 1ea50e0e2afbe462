/** The pixels that replace masked ones, as in camwidget/masking/baselines.py. */
import type { RgbPicture } from "./compositor";

export const BASELINES = ["blur", "mean", "black"] as const;

/** RGB bytes of a full picture, or of one color. Of a blur, a byte in many may differ by 1 from the kernel's, which adds in float32. */
export function baseline(name: string, picture: RgbPicture): Uint8Array {
  if (name === "black") return new Uint8Array(3);
  return name === "mean" ? mean(picture) : blurred(picture);
}

function mean({ rgb }: RgbPicture): Uint8Array {
  const sums = [0, 0, 0];
  rgb.forEach((value, at) => (sums[at % 3]! += value));
  return Uint8Array.from(sums, (sum) => Math.round((3 * sum) / rgb.length));
}

/** A Gaussian of 1/20 of the shorter side, reflected at the edges. */
function blurred({ width, height, rgb }: RgbPicture): Uint8Array {
  const short = Math.min(width, height);
  const sigma = Math.max(short / 20, 1);
  const reach = Math.max(1, Math.min(Math.ceil(3 * sigma), short - 2));
  const kernel = Float64Array.from({ length: 2 * reach + 1 }, (_, k) => Math.exp(-0.5 * ((k - reach) / sigma) ** 2));
  const total = kernel.reduce((sum, one) => sum + one, 0);
  kernel.forEach((one, k) => (kernel[k] = one / total));
  const rows = convolved(Float64Array.from(rgb), kernel, width, height, 3, 3 * width);
  const both = convolved(rows, kernel, height, width, 3 * width, 3);
  return Uint8Array.from(both, (value) => Math.round(value));
}

/** Convolves lines of so many pixels: `step` numbers lie between the pixels of a line, `stride` between lines. */
function convolved(
  from: Float64Array, kernel: Float64Array, length: number, lines: number, step: number, stride: number,
): Float64Array {
  const reach = (kernel.length - 1) / 2;
  const out = new Float64Array(from.length);
  const places = Int32Array.from({ length: length + 2 * reach }, (_, k) => {
    const at = Math.abs(k - reach);
    return step * (at < length ? at : 2 * (length - 1) - at);
  });
  for (let line = 0; line < lines; line++) {
    for (let channel = 0; channel < 3; channel++) {
      const start = line * stride + channel;
      for (let at = 0; at < length; at++) {
        let sum = 0;
        for (let k = 0; k < kernel.length; k++) sum += kernel[k]! * from[start + places[at + k]!]!;
        out[start + at * step] = sum;
      }
    }
  }
  return out;
}
