/** Boxes that a model finds, and how they match detections, as in camwidget/models/detections.py and findings.py. */

/** All boxes in a picture. */
export interface FoundBoxes {
  /** Left, top, right, bottom of each. */
  readonly boxes: Float32Array;
  /** The score of each box for each class, or for its own class. */
  readonly scores: Float32Array;
  /** The boxes' classes; null where there is a score for each class. */
  readonly labels: Float32Array | null;
}

export type Box = readonly [left: number, top: number, right: number, bottom: number];

/** A box that is followed. */
export interface Detection {
  readonly box: Box;
  readonly label: number;
  readonly score: number;
}

/** The box that matches a detection best. */
export interface FollowedBox {
  readonly box: Box;
  readonly score: number;
  /** Its intersection over union with the detection. */
  readonly overlap: number;
  /** Score × overlap below which the detection is lost. */
  readonly least: number;
}

/** Score × overlap below which a followed detection counts as lost; half of its own score if that is less. */
export const LOST_BELOW = 0.25;

/** Scores are kept this far from 0 and 1, whose logits are infinite. */
const MARGIN = 1e-6;

export function isLost(found: FollowedBox | null): boolean {
  return found === null || found.score * found.overlap < found.least;
}

/** The box that matches a detection best; null where none of its class overlaps it. */
export function followed({ boxes, scores, labels }: FoundBoxes, { box, label, score: own }: Detection): FollowedBox | null {
  const count = boxes.length / 4;
  const classes = labels === null ? scores.length / Math.max(1, count) : 1;
  let [best, most] = [-1, 0];
  for (let at = 0; at < count; at++) {
    if (labels !== null && labels[at] !== label) continue;
    const score = scores[labels === null ? at * classes + label : at]!;
    const product = score * overlap(box, boxAt(boxes, at));
    if (product > most) [best, most] = [at, product];
  }
  if (best < 0) return null;
  const matched = boxAt(boxes, best);
  return {
    box: matched, overlap: overlap(box, matched), score: scores[labels === null ? best * classes + label : best]!,
    least: Math.min(LOST_BELOW, 0.5 * own),
  };
}

/** The logit of score × overlap, by which a detection is followed. */
export function followedLogit(found: FollowedBox | null): number {
  const product = found === null ? 0 : found.score * found.overlap;
  const kept = Math.min(1 - MARGIN, Math.max(MARGIN, product));
  return Math.log(kept / (1 - kept));
}

/** The boxes whose best score reaches a least one, by decreasing score. */
export function detections({ boxes, scores, labels }: FoundBoxes, least: number): Detection[] {
  const count = boxes.length / 4;
  const classes = labels === null ? scores.length / Math.max(1, count) : 1;
  const best = Array.from({ length: count }, (_, at) => {
    if (labels !== null) return { at, label: labels[at]!, score: scores[at]! };
    let label = 0;
    for (let k = 1; k < classes; k++) if (scores[at * classes + k]! > scores[at * classes + label]!) label = k;
    return { at, label, score: scores[at * classes + label]! };
  });
  return best
    .filter(({ score }) => score >= least)
    .sort((a, b) => b.score - a.score || a.at - b.at)
    .map(({ at, label, score }) => ({ box: boxAt(boxes, at), label, score }));
}

/** Names made unique by their places, as in camwidget/models/class_names.py. */
export function uniqueNames(names: readonly string[]): string[] {
  const times = new Map<string, number>();
  for (const name of names) times.set(name, (times.get(name) ?? 0) + 1);
  const unique = names.map((name, at) => (times.get(name)! > 1 ? `${name} #${at}` : name));
  // A given name may look like a numbered one.
  return new Set(unique).size < names.length ? names.map((name, at) => `${name} #${at}`) : unique;
}

function boxAt(boxes: Float32Array, at: number): Box {
  return [boxes[4 * at]!, boxes[4 * at + 1]!, boxes[4 * at + 2]!, boxes[4 * at + 3]!];
}

/** The intersection over union of two boxes. */
function overlap(one: Box, other: Box): number {
  const width = Math.max(0, Math.min(one[2], other[2]) - Math.max(one[0], other[0]));
  const height = Math.max(0, Math.min(one[3], other[3]) - Math.max(one[1], other[1]));
  const common = width * height;
  return common === 0 ? 0 : common / (area(one) + area(other) - common);
}

function area([left, top, right, bottom]: Box): number {
  return (right - left) * (bottom - top);
}
