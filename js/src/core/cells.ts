/** The cell of a grid of `cells` that holds the centre of pixel `at`, of `size` pixels. */
export function nearestCell(at: number, size: number, cells: number): number {
  return Math.floor(((2 * at + 1) * cells) / (2 * size));
}

/** Enlarges a grid of cells to the picture without smoothing: what the layer really resolves. */
export function expandCells(
  cells: Uint8Array,
  rows: number,
  columns: number,
  width: number,
  height: number,
): Uint8Array {
  const out = new Uint8Array(width * height);
  const column = new Uint32Array(width);
  for (let x = 0; x < width; x++) column[x] = nearestCell(x, width, columns);
  for (let y = 0, i = 0; y < height; y++) {
    const start = nearestCell(y, height, rows) * columns;
    for (let x = 0; x < width; x++, i++) out[i] = cells[start + column[x]!]!;
  }
  return out;
}
