import type { Better, Column, Order, Row } from "./traits";

/** The rows with the best of a column first, or last; those without a number at the end either way. */
export function sorted(rows: readonly Row[], columns: readonly Column[], order: Order): readonly Row[] {
  const at = columns.findIndex(({ name }) => name === order.column);
  const column = columns[at];
  if (column === undefined) return rows;
  const sign = (column.better === "lower" ? 1 : -1) * (order.reverse ? -1 : 1);
  const value = (row: Row): number | null => row.cells[at]?.value ?? null;
  return [...rows].sort((a, b) => {
    const [one, other] = [value(a), value(b)];
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    return sign * (one - other);
  });
}

/** What a click on a column's head leads to: its best first, then its worst, and so on. */
export function turned(order: Order, column: string): Order {
  return { column, reverse: column !== "" && order.column === column && !order.reverse };
}

/** As ARIA says it: by value, not by what is best. */
export function direction(better: Better, reverse: boolean): "ascending" | "descending" {
  return (better === "lower") === reverse ? "descending" : "ascending";
}
