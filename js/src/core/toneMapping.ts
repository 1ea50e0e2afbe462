/** The tone mapping of maps with a few very high values, as in camwidget/attribution/tone_mapping.py. */
import { peakOf } from "./geometry";

/** The share of the color scale for values up to the knee. */
export const COLORS = 0.9;

/**
 * The position on the color scale of a value in [0, 1]: two straight lines that meet at (knee, 0.9); null draws in
 * proportion.
 */
export function toneMapped(value: number, knee: number | null): number {
  if (knee === null) return value;
  if (value > knee) return COLORS + ((1 - COLORS) * (value - knee)) / (1 - knee);
  return knee > 0 ? (COLORS * value) / knee : 0;
}

/** The value in [0, 1] at a position on the color scale. */
export function fromTone(drawn: number, knee: number | null): number {
  if (knee === null) return drawn;
  return drawn > COLORS ? knee + ((1 - knee) * (drawn - COLORS)) / (1 - COLORS) : (drawn * knee) / COLORS;
}

/** Bytes of a map ≥ 0 as it is drawn, 255 its maximum; all zeros stay zeros. */
export function toneBytes(map: Float32Array, knee: number): Uint8Array {
  const peak = peakOf(map);
  return Uint8Array.from(map, (value) => (peak > 0 ? Math.round(255 * toneMapped(value / peak, knee)) : 0));
}
