/**
 * Class activation maps at the layer before global average pooling, from the weights behind it. camwidget/export/live_payload.py
 * has the same, and a page offers only methods whose maps were equal to it when the page was saved.
 */
import type { CellGrid } from "./interpolation";

export const CLOSED_FORMS = ["cam", "gradcam", "gradcam++", "layercam", "hirescam", "xgradcam"] as const;
export type ClosedForm = (typeof CLOSED_FORMS)[number];

/** The layer's maps, channel after channel. */
export interface Features {
  readonly values: Float32Array;
  readonly channels: number;
  readonly rows: number;
  readonly columns: number;
}

/** The linear map behind the pooling: a row of weights and a bias for each score. */
export interface Head {
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  readonly channels: number;
  /** Whether the layer's maps are rectified before the pooling. */
  readonly rectified: boolean;
  /** Whether a rectifier between the linear map and the pooling stops the gradient of cells below zero. */
  readonly gated: boolean;
  /** Whether a single score stands for two classes. */
  readonly single: boolean;
}

/** The positive part of a class's map, at the layer's resolution. */
export function classActivation(of: Features, head: Head, index: number, method: ClosedForm): CellGrid {
  const { channels, rows, columns } = of;
  const area = rows * columns;
  const sign = head.single && index === 0 ? -1 : 1;
  const row = head.single ? 0 : index;
  const weight = (k: number): number => sign * head.weights[row * head.channels + k]!;
  const value = (k: number, cell: number): number => {
    const found = of.values[k * area + cell]!;
    return head.rectified && found < 0 ? 0 : found;
  };
  const weighted = (by: (k: number) => number): Float64Array => {
    const total = new Float64Array(area);
    for (let k = 0; k < channels; k++) {
      const factor = by(k);
      if (factor !== 0) for (let cell = 0; cell < area; cell++) total[cell]! += factor * value(k, cell);
    }
    return total;
  };
  const passes = head.gated ? weighted(weight).map((score) => (score + sign * head.bias[row]! > 0 ? 1 : 0)) : null;
  const count = passes === null ? area : passes.reduce((sum, one) => sum + one, 0);
  const sum = (k: number, gate: Float64Array | null): number => {
    let total = 0;
    for (let cell = 0; cell < area; cell++) total += value(k, cell) * (gate?.[cell] ?? 1);
    return total;
  };
  const positive = (k: number): number => Math.max(0, weight(k)) / area;
  let cells: Float64Array;
  if (method === "cam") cells = weighted(weight);
  else if (method === "gradcam") cells = weighted((k) => (weight(k) * count) / area / area);
  else if (method === "hirescam") cells = weighted((k) => weight(k) / area);
  else if (method === "layercam") cells = weighted(positive);
  else if (method === "gradcam++") cells = weighted((k) => (count * positive(k)) / (2 + sum(k, null) * positive(k)));
  else {
    cells = weighted((k) => {
      const total = sum(k, null);
      return total === 0 ? 0 : ((sum(k, passes) / total) * weight(k)) / area;
    });
  }
  if (passes !== null && (method === "hirescam" || method === "layercam")) cells = cells.map((cell, at) => cell * passes[at]!);
  return { rows, columns, cells: Float32Array.from(cells, (cell) => Math.max(0, cell)) };
}
