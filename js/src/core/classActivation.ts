/**
 * Maps at the layer before global average pooling, from its features and the head's weights. camwidget/export/closed_forms.py
 * has the same, and a page offers only methods whose maps were equal to it when the page was saved.
 */
import type { CellGrid } from "./interpolation";
import { isOneClass } from "./scoreTerms";
import type { Terms } from "./scoreTerms";

export const CLOSED_FORMS = [
  "cam", "gradcam", "gradcam++", "layercam", "hirescam", "xgradcam", "ablationcam", "recipro-cam",
] as const;
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
  /** From the logits of all classes to probabilities. */
  readonly probabilities: (logits: Float32Array) => Float64Array;
}

/** The mask of Recipro-CAM along each axis. */
const RECIPRO = [0.25, 0.5, 0.25] as const;

/** The positive part of a map, or for Recipro-CAM what it has above its minimum, at the layer's resolution. */
export function classActivation(of: Features, head: Head, terms: Terms, method: ClosedForm): CellGrid {
  const cells = new PooledHead(of, head).map(terms, method);
  const least = method === "recipro-cam" ? cells.reduce((a, b) => Math.min(a, b), Infinity) : 0;
  return { rows: of.rows, columns: of.columns, cells: Float32Array.from(cells, (cell) => Math.max(0, cell - least)) };
}

/** A head with the features of one picture. */
class PooledHead {
  private readonly area: number;
  private readonly features: Float32Array;

  constructor(
    private readonly of: Features,
    private readonly head: Head,
  ) {
    this.area = of.rows * of.columns;
    this.features = head.rectified ? of.values.map((value) => Math.max(0, value)) : of.values;
  }

  map(terms: Terms, method: ClosedForm): Float64Array {
    if (method === "recipro-cam") return this.recipro(terms);
    if (method === "ablationcam") return this.weighted(this.ablation(terms));
    const gradient = this.gradient(terms, method !== "cam");
    if (method === "cam") return this.product(gradient).map((value) => value * this.area);
    if (method === "hirescam") return this.product(gradient);
    if (method === "layercam") return this.product(gradient.map((value) => Math.max(0, value)));
    return this.weighted(this.weights(gradient, method));
  }

  private weights(gradient: Float64Array, method: "gradcam" | "gradcam++" | "xgradcam"): Float64Array {
    const { area, features } = this;
    return Float64Array.from({ length: this.of.channels }, (_, k) => {
      let [total, gradients, both] = [0, 0, 0];
      for (let at = k * area; at < (k + 1) * area; at++) {
        total += features[at]!;
        gradients += gradient[at]!;
        both += features[at]! * gradient[at]!;
      }
      if (method === "gradcam") return gradients / area;
      if (method === "xgradcam") return total === 0 ? 0 : both / total;
      let sum = 0;
      for (let at = k * area; at < (k + 1) * area; at++) {
        const positive = Math.max(0, gradient[at]!);
        const below = 2 + total * positive;
        if (below !== 0) sum += positive / below;
      }
      return sum;
    });
  }

  /** By channel how much the score falls without it, in relation to the score. */
  private ablation(terms: Terms): Float64Array {
    const { area, features, of } = this;
    let unchanged = 0;
    const without = new Float64Array(of.channels);
    for (const { index, sign } of terms) {
      const scores = this.cellScores(index);
      const bias = this.bias(index);
      unchanged += sign * this.pooled(scores, bias);
      const left = new Float64Array(area);
      for (let k = 0; k < of.channels; k++) {
        const weight = this.weight(index, k);
        for (let cell = 0; cell < area; cell++) left[cell] = scores[cell]! - weight * features[k * area + cell]!;
        without[k]! += sign * this.pooled(left, bias);
      }
    }
    return without.map((score) => (unchanged - score) / (Math.abs(unchanged) || 1));
  }

  /** How probable the class is, or the score of anything else, with the cells around each position alone. */
  private recipro(terms: Terms): Float64Array {
    const { area } = this;
    const out = new Float64Array(area);
    if (!isOneClass(terms)) {
      for (const { index, sign } of terms) this.around(index).forEach((score, cell) => (out[cell]! += sign * score));
      return out;
    }
    const count = this.head.bias.length;
    const logits = new Float32Array(this.head.single ? 2 : count);
    const scores = Array.from(logits, (_, index) => this.around(index));
    return out.map((_, cell) => {
      scores.forEach((one, index) => (logits[index] = one[cell]!));
      return this.head.probabilities(logits)[terms[0]!.index]!;
    });
  }

  /** By position a class's logit with the cells around it alone. */
  private around(index: number): Float64Array {
    const { rows, columns } = this.of;
    const scores = this.cellScores(index);
    const bias = this.bias(index);
    const alone = this.gate(bias);
    return scores.map((_, at) => {
      const [y, x] = [Math.floor(at / columns), at % columns];
      let sum = alone * this.area;
      for (let dy = Math.max(0, y - 1); dy <= Math.min(rows - 1, y + 1); dy++) {
        for (let dx = Math.max(0, x - 1); dx <= Math.min(columns - 1, x + 1); dx++) {
          const factor = RECIPRO[dy - y + 1]! * RECIPRO[dx - x + 1]!;
          sum += this.gate(factor * scores[dy * columns + dx]! + bias) - alone;
        }
      }
      return sum / this.area;
    });
  }

  private gradient(terms: Terms, isStopped: boolean): Float64Array {
    const { area, of } = this;
    const out = new Float64Array(of.channels * area);
    for (const { index, sign } of terms) {
      const bias = this.bias(index);
      const passes = isStopped && this.head.gated ? this.cellScores(index).map((score) => (score + bias > 0 ? 1 : 0)) : null;
      for (let k = 0, at = 0; k < of.channels; k++) {
        const weight = (sign * this.weight(index, k)) / area;
        for (let cell = 0; cell < area; cell++, at++) out[at]! += passes === null ? weight : weight * passes[cell]!;
      }
    }
    return out;
  }

  /** What each cell adds to a class's score, without the bias. */
  private cellScores(index: number): Float64Array {
    return this.weighted(Float64Array.from({ length: this.of.channels }, (_, k) => this.weight(index, k)));
  }

  private weighted(weights: Float64Array): Float64Array {
    const { area, features } = this;
    const out = new Float64Array(area);
    weights.forEach((weight, k) => {
      if (weight !== 0) for (let cell = 0; cell < area; cell++) out[cell]! += weight * features[k * area + cell]!;
    });
    return out;
  }

  /** Gradient times features, summed over the channels. */
  private product(gradient: Float64Array): Float64Array {
    const out = new Float64Array(this.area);
    gradient.forEach((value, at) => (out[at % this.area]! += value * this.features[at]!));
    return out;
  }

  private pooled(scores: Float64Array, bias: number): number {
    return scores.reduce((sum, score) => sum + this.gate(score + bias), 0) / this.area;
  }

  private gate(score: number): number {
    return this.head.gated ? Math.max(0, score) : score;
  }

  private sign(index: number): number {
    return this.head.single && index === 0 ? -1 : 1;
  }

  private row(index: number): number {
    return this.head.single ? 0 : index;
  }

  private weight(index: number, channel: number): number {
    return this.sign(index) * this.head.weights[this.row(index) * this.head.channels + channel]!;
  }

  private bias(index: number): number {
    return this.sign(index) * this.head.bias[this.row(index)]!;
  }
}
