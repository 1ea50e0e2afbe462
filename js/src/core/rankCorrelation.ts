/** Rank correlation of marks with maps over cells, equal to camwidget/analysis/human_attention.py. */

/** Cells on each side; fewer for a smaller picture. */
export const CELLS = 14;

/** Means over the cells of a picture, row by row; a cell has every pixel that it touches. */
export function cellMeans(values: ArrayLike<number>, width: number, height: number): number[] {
  const rows = Math.min(CELLS, height);
  const columns = Math.min(CELLS, width);
  const means: number[] = [];
  for (let row = 0; row < rows; row++) {
    const [top, bottom] = [Math.floor((row * height) / rows), Math.ceil(((row + 1) * height) / rows)];
    for (let column = 0; column < columns; column++) {
      const [left, right] = [Math.floor((column * width) / columns), Math.ceil(((column + 1) * width) / columns)];
      let sum = 0;
      for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += values[y * width + x]!;
      means.push(sum / ((bottom - top) * (right - left)));
    }
  }
  return means;
}

/** Ranks from 1; equal values share the average of theirs. */
export function averageRanks(values: readonly number[]): number[] {
  // To 1e-9 of the largest: means of equal pixels may differ in their last bits, and would be no ties.
  const peak = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const rounded = values.map((value) => Math.round((value / peak) * 1e9));
  const order = rounded.map((_, at) => at).sort((a, b) => rounded[a]! - rounded[b]!);
  const ranks = new Array<number>(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to < order.length && rounded[order[to]!] === rounded[order[from]!]) to++;
    for (let k = from; k < to; k++) ranks[order[k]!] = (from + to + 1) / 2;
    from = to;
  }
  return ranks;
}

/** Spearman's rank correlation, from −1 to 1; null where one side is constant, or they differ in length. */
export function rankCorrelation(first: readonly number[], second: readonly number[]): number | null {
  if (first.length !== second.length || first.length === 0) return null;
  const [a, b] = [averageRanks(first), averageRanks(second)];
  const mean = (first.length + 1) / 2;
  let [product, one, other] = [0, 0, 0];
  for (let k = 0; k < a.length; k++) {
    product += (a[k]! - mean) * (b[k]! - mean);
    one += (a[k]! - mean) ** 2;
    other += (b[k]! - mean) ** 2;
  }
  return one === 0 || other === 0 ? null : Math.max(-1, Math.min(1, product / Math.sqrt(one * other)));
}
