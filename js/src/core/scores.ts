/** From a model's outputs to probabilities, as in camwidget/models/scores.py. */

export type Scores = "softmax" | "sigmoid" | "log" | "value";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export function probabilities(logits: Float32Array, scores: Scores): Float64Array {
  const values = Float64Array.from(logits);
  if (scores === "value") return values;
  if (scores === "log") return values.map((x) => Math.min(1, Math.exp(x)));
  if (scores === "sigmoid" || values.length === 1) return values.map(sigmoid);
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const parts = values.map((x) => Math.exp(x - most));
  const total = parts.reduce((a, b) => a + b, 0);
  return parts.map((x) => x / total);
}
