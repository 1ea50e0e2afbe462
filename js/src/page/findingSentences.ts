/** Sentences on what a model finds in a masked picture, word for word those of camwidget/widget/view/findings.py. */
import { isLost } from "../core/detections";
import type { FollowedBox } from "../core/detections";
import type { Mode } from "../core/maskingRule";
import { fixed } from "../core/numberFormat";

/** A followed box in the masked picture; or an area in the unmasked and the masked one. */
export type Change =
  | { readonly box: FollowedBox | null }
  | { readonly isRegion: boolean; readonly shares: readonly [number, number]; readonly means: readonly [number, number] };

/** Where a class is in the masked picture, compared with the unmasked one. */
export function changeSentence(change: Change): string {
  if ("box" in change) {
    const { box } = change;
    return box === null || isLost(box) ? "It is lost." : `Its box now: score ${fixed(box.score, 2)}, overlap ${fixed(box.overlap, 2)}.`;
  }
  const shares = change.shares.map((share) => `${fixed(100 * share, 0)} %`);
  const means = change.means.map((mean) => fixed(mean, 2));
  const where = change.isRegion ? "the region" : "the picture";
  return `Its area in ${where}: ${shares[0]} → ${shares[1]}; its mean probability there: ${means[0]} → ${means[1]}.`;
}

/**
 * The fraction at which a followed detection is first lost, or found where the mask keeps pixels.
 *
 * @param points fractions with score × overlap there
 * @param least score × overlap below which it is lost
 */
export function lostSentence(points: readonly (readonly [fraction: number, probability: number])[], mode: Mode, least: number): string {
  const found = points.find(([, probability]) => probability >= least);
  const lost = points.find(([, probability]) => probability < least);
  if (mode === "keep") {
    if (found === undefined || points.at(-1)![1] < least) return "";
    return `First found at ${share(found[0])}.`;
  }
  if (lost === undefined) return points.length > 2 ? "Never lost." : "";
  return `First lost at ${share(lost[0])}.`;
}

function share(fraction: number): string {
  const percents = 100 * fraction;
  return percents >= 1 ? `${fixed(percents, 0)} %` : `${Number(percents.toPrecision(1))} %`;
}
