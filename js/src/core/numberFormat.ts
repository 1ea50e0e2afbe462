/** Formatting of numbers, equal to that of camwidget/models/scores.py and Python's format. */

import { peakOf } from "./geometry";

/** What numbers are that are no probabilities, such as years. */
export interface Quantity {
  readonly unit: string;
}

/** A number ≥ 0 with so many digits. Exact halves go to the even digit, as Python's do; toFixed rounds them up. */
export function fixed(value: number, digits: number): string {
  const halves = value * 2 ** (digits + 1);
  const up = value.toFixed(digits);
  // Only eighths, quarters and halves are exact halves of a last digit.
  if (!Number.isInteger(halves) || halves % 2 === 0) return up;
  const last = Number(up.at(-1));
  return last % 2 === 0 ? up : (Number(up) - 10 ** -digits).toFixed(digits);
}

export function rounded(value: number, digits: number): number {
  return Math.sign(value) * Number(fixed(Math.abs(value), digits));
}

/** How many digits to write after the point: of quantities, three that count in the largest. */
export function decimals(...values: readonly number[]): number {
  const largest = peakOf(values.map(Math.abs));
  let digits = 2;
  for (let bound = 10; digits > 0 && largest >= bound; bound *= 10) digits--;
  for (let small = 1; largest > 0 && largest < small && digits < 9; small /= 10) digits++;
  return digits;
}

/** A quantity with so many digits; of zero no sign. */
export function signed(value: number, digits: number): string {
  const size = fixed(Math.abs(value), digits);
  return value < 0 && Number(size) !== 0 ? `-${size}` : size;
}

/** The model's numbers before and after masking, with the same digits each; a dash for what is not known. */
export function readings(values: readonly number[], quantity: Quantity | null): string[] {
  const known = values.filter(Number.isFinite);
  const digits = decimals(...known);
  return values.map((value) =>
    !Number.isFinite(value) ? "–" : quantity === null ? value.toFixed(2) : signed(value, digits),
  );
}

/** "25 %", with a tenth only where there is one. The space does not break. */
export function percent(value: number): string {
  return `${Math.round(1000 * value) / 10}\u00a0%`;
}

/** ", years" where a quantity has a unit, else "". */
export function unitSuffix(quantity: Quantity | null, before: string): string {
  return quantity === null || quantity.unit === "" ? "" : `${before}${quantity.unit}`;
}
