/** Points of a curve: the numbers of the listed classes at fractions that are the squares of evenly spaced numbers. */

/** The fraction of a point. */
export function fractionAt(step: number, count: number): number {
  return count < 2 ? 0 : (step / (count - 1)) ** 2;
}

/** The numbers at any fraction, on the lines between the points as the chart draws them. */
export function between(curve: readonly (readonly number[])[], fraction: number): number[] {
  const at = Math.sqrt(fraction) * (curve.length - 1);
  const low = Math.min(Math.floor(at), Math.max(0, curve.length - 2));
  const part = at - low;
  const next = curve[low + 1] ?? curve[low]!;
  return curve[low]!.map((value, row) => (part === 0 ? value : value + part * (next[row]! - value)));
}
