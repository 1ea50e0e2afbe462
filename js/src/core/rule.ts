/** The masking rule. It must agree with the Python side to the pixel: change both or neither. */

export type Mode = "remove" | "keep" | "multiply";

/** Levels below this number belong to the masked fraction: 0 selects none, 65536 all of them. */
export function threshold(fraction: number): number {
  return Math.floor(fraction * 65536 + 0.5);
}

/** picture × saliency / 255, rounded half up, in integers. */
export function multiply(picture: number, saliency: number): number {
  return Math.floor((2 * picture * saliency + 255) / 510);
}
