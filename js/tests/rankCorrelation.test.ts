import { describe, expect, it } from "vitest";
import { averageRanks, cellMeans, rankCorrelation } from "../src/core/rankCorrelation";

describe("rank correlation", () => {
  it("gives equal values the average of their ranks", () => {
    expect(averageRanks([3, 1, 3, 2])).toEqual([3.5, 1, 3.5, 2]);
    expect(averageRanks([0, 0, 0, 5])).toEqual([2, 2, 2, 4]);
    // 0.1 + 0.2 is 0.3 here: the last bits make no order.
    expect(averageRanks([0.3, 0.1 + 0.2, 1])).toEqual([1.5, 1.5, 3]);
  });

  it("is Spearman's", () => {
    expect(rankCorrelation([1, 2, 3, 4], [10, 20, 30, 40])).toBeCloseTo(1);
    expect(rankCorrelation([1, 2, 3, 4], [4, 3, 2, 1])).toBeCloseTo(-1);
    // scipy.stats.spearmanr([0, 0, 0, 1, 1], [5, 3, 4, 9, 4]) is 0.4442617.
    expect(rankCorrelation([0, 0, 0, 1, 1], [5, 3, 4, 9, 4])).toBeCloseTo(0.4442617, 6);
    expect(rankCorrelation([1, 1], [1, 2])).toBeNull();
    expect(rankCorrelation([1], [1, 2])).toBeNull();
  });

  it("does not depend on the scale", () => {
    const [first, second] = [[0, 3, 1, 7, 2], [1, 2, 9, 5, 4]];
    const expected = rankCorrelation(first, second)!;
    for (const scale of [1e-12, 1e-200, 1e200]) {
      expect(rankCorrelation(first.map((value) => value * scale), second)).toBeCloseTo(expected, 12);
      expect(averageRanks([0.3 * scale, (0.1 + 0.2) * scale, scale])).toEqual([1.5, 1.5, 3]);
    }
  });

  it("takes means over 14 × 14 cells, with every pixel that a cell touches", () => {
    const values = Float64Array.from({ length: 28 * 42 }, (_, k) => k);
    const means = cellMeans(values, 42, 28);
    expect(means).toHaveLength(196);
    expect(means[0]).toBeCloseTo((0 + 1 + 2 + 42 + 43 + 44) / 6);
    // 17 columns: the second cell has the columns 1 and 2.
    expect(cellMeans(Float64Array.from({ length: 17 }, (_, k) => k), 17, 1)[1]).toBeCloseTo(1.5);
    expect(cellMeans([1, 2, 3], 3, 1)).toEqual([1, 2, 3]);
  });
});
