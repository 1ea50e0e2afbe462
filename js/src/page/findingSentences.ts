/** Sentences on what a model finds in a masked picture, word for word those of camwidget/widget/view/findings.py. */
import { isLost } from "../core/detections";
import type { FollowedBox } from "../core/detections";
import type { Mode } from "../core/maskingRule";
import { fixed } from "../core/numberFormat";

/** A followed box in the masked picture; or an area in the unmasked and the masked one. */
export type Change =
  | { readonly box: FollowedBox | null }
  | { readonly isRegion: boolean; readonly shares: readonly [number, number]; readonly means: readonly [number, number] };

type CurvePoint = readonly [fraction: number, probability: number];

/** Where a class is in the masked picture, compared with the unmasked one. */
export function changeSentence(change: Change): string {
  if ("box" in change) {
    const { box } = change;
    if (box === null || isLost(box)) return "It is lost.";
    const { score, overlap } = box;
    return `Its box now: score ${fixed(score, 2)}, overlap with its old place ${fixed(overlap, 2)}; score × overlap ${fixed(score * overlap, 2)}.`;
  }
  const shares = change.shares.map((share) => `${fixed(100 * share, 0)} %`);
  const means = change.means.map((mean) => fixed(mean, 2));
  const where = change.isRegion ? "the region" : "the picture";
  return `Its area in ${where}: ${shares[0]} → ${shares[1]}; its mean probability there: ${means[0]} → ${means[1]}.`;
}

/**
 * The point of its curve at which a followed detection is first lost, or found where the mask keeps pixels; with the
 * point before, since between the two nothing is known.
 *
 * @param points fractions with score × overlap there
 * @param least score × overlap below which it is lost
 */
export function lostSentence(points: readonly CurvePoint[], mode: Mode, least: number): string {
  const found = points.findIndex(([, probability]) => probability >= least);
  const lost = points.findIndex(([, probability]) => probability < least);
  if (mode === "keep") {
    if (found < 0 || points.at(-1)![1] < least) return "";
    return changeOnCurve(points, found, "lost", "found");
  }
  if (lost < 0) return points.length > 2 ? "Never lost." : "";
  return changeOnCurve(points, lost, "found", "lost");
}

function changeOnCurve(points: readonly CurvePoint[], at: number, before: string, then: string): string {
  const earlier = at > 0 ? `${before} at ${share(points[at - 1]![0])}, ` : "";
  return `On the curve: ${earlier}first ${then} at ${share(points[at]![0])}.`;
}

function share(fraction: number): string {
  const percents = 100 * fraction;
  return percents >= 1 ? `${fixed(percents, 0)} %` : `${Number(percents.toPrecision(1))} %`;
}
