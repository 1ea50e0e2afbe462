/** The box of a map's strongest region, as camwidget.localize finds it. */
import type { Point } from "./geometry";
import { peakOf } from "./geometry";

export interface Region {
  /** Left, top, right and bottom, the last two exclusive. */
  readonly box: readonly [number, number, number, number];
  readonly peak: Point;
}

/** The largest 8-connected region at or above a share of the maximum, the first of equal ones; null for a map of zeros. */
export function strongestRegion(map: Float32Array, width: number, share: number): Region | null {
  const peak = peakOf(map);
  if (!(peak > 0)) return null;
  const cut = Math.fround(share * peak);
  const seen = new Uint8Array(map.length);
  const height = map.length / width;
  let best: Region["box"] = [0, 0, 0, 0];
  let most = 0;
  for (let start = 0; start < map.length; start++) {
    if (seen[start] === 1 || map[start]! < cut) continue;
    const open = [start];
    seen[start] = 1;
    let [count, left, top, right, bottom] = [0, width, height, 0, 0];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const x = at % width;
      const y = (at - x) / width;
      count++;
      [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x + 1), Math.max(bottom, y + 1)];
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx;
          if (seen[next] === 1 || map[next]! < cut) continue;
          seen[next] = 1;
          open.push(next);
        }
      }
    }
    if (count > most) [most, best] = [count, [left, top, right, bottom]];
  }
  const first = map.indexOf(peak);
  return { box: best, peak: { x: first % width, y: Math.floor(first / width) } };
}
