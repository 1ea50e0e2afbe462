/** ``Finder``: what a live page's model finds in a picture besides its numbers: boxes that are followed, or areas. */
import { detections, followed, followedLogit, isLost, uniqueNames } from "../core/detections";
import type { FollowedBox, FoundBoxes } from "../core/detections";
import { changeSentence } from "../page/findingSentences";
import type { LivePicture } from "./livePicture";
import type { Answer } from "./modelRunner";
import type { FindsData } from "./payload";

/** Areas below this share of the picture have no name in it. */
const NAMED = 0.01;

/** Where in a picture the classes are. */
export interface Found {
  /** For each class the box that matches it best; empty for a model of areas. */
  readonly boxes: readonly (FollowedBox | null)[];
  /** The most probable class of every pixel; null for a model of boxes. */
  readonly areas: Uint16Array | null;
  /** By class its share of the region, and its mean probability there; empty for a model of boxes. */
  readonly shares: readonly number[];
  readonly means: readonly number[];
}

export class Finder {
  /** @param region 1 where the model is asked; null for the whole picture */
  constructor(
    private readonly finds: FindsData | null,
    private readonly region: Uint8Array | null,
  ) {}

  /** Whether each picture has detections of its own, which are its classes. */
  get hasOwnClasses(): boolean {
    return this.finds?.kind === "boxes" && this.finds.own;
  }

  /** Lets a picture's own detections in the unmasked picture be its classes. */
  meet(picture: LivePicture, answer: Answer): void {
    const { finds } = this;
    if (finds?.kind !== "boxes" || picture.detections !== null) return;
    const found = detections(boxesOf(answer), finds.least);
    picture.detections = found;
    picture.names = uniqueNames(found.map(({ label }) => finds.labels[label] ?? `label ${label}`));
  }

  /** The logits of a picture's classes. */
  logits(picture: LivePicture, answer: Answer): Float32Array {
    if (this.finds?.kind !== "boxes") return answer.logits;
    const found = boxesOf(answer);
    return Float32Array.from(picture.detections ?? [], (one) => followedLogit(followed(found, one)));
  }

  /** Where the classes are; null where the model does not say. */
  found(picture: LivePicture, answer: Answer): Found | null {
    if (this.finds === null) return null;
    if (this.finds.kind === "boxes") {
      const every = boxesOf(answer);
      return { boxes: (picture.detections ?? []).map((one) => followed(every, one)), areas: null, shares: [], means: [] };
    }
    const { areas, means } = answer.found;
    if (areas === undefined || means === undefined) return null;
    const counts = new Float64Array(means.length);
    let asked = 0;
    areas.forEach((index, at) => {
      if (this.region !== null && this.region[at] === 0) return;
      counts[index]! += 1;
      asked += 1;
    });
    return { boxes: [], areas, shares: Array.from(counts, (count) => count / asked), means: Array.from(means) };
  }

  /** The trait of what is found, as camwidget/export/findings_payload.py makes it. */
  drawn({ id, names, picture: { width, height } }: LivePicture, found: Found): Record<string, unknown> {
    const boxes = found.boxes.flatMap((one, index) => (one === null ? [] : [{
      index, name: names[index]!, score: one.score, box: one.box, where: placeText(one.box, width, height), lost: isLost(one),
    }]));
    const { areas } = found;
    if (areas === null) return { scene: id, boxes, areas: {}, note: "", questions: ["score"] };
    const classes = new Uint8Array(areas.buffer, areas.byteOffset, areas.byteLength);
    return { scene: id, boxes, areas: { width, height, classes, labels: labels(areas, width, names) }, note: "" };
  }

  /** Why a picture has no class; "" where it has one. */
  whyNothing({ names, unmasked }: LivePicture): string {
    if (this.finds?.kind !== "boxes" || unmasked === null || names.length > 0) return "";
    return `${this.finds.model} detects nothing in this picture with a score of ${this.finds.least} or more. Choose another picture.`;
  }

  /** What became of a class in the masked picture, in a sentence. */
  change(target: number, before: Found, after: Found): string {
    if (after.areas === null) return changeSentence({ box: after.boxes[target] ?? null });
    const pair = (values: "shares" | "means"): readonly [number, number] => [before[values][target]!, after[values][target]!];
    return changeSentence({ isRegion: this.region !== null, shares: pair("shares"), means: pair("means") });
  }
}

function boxesOf({ found: { boxes, scores, labels } }: Answer): FoundBoxes {
  return { boxes: boxes ?? new Float32Array(), scores: scores ?? new Float32Array(), labels: labels ?? null };
}

/** A name for each larger area, at the pixel of it next to its middle: the middle itself may be outside. */
function labels(areas: Uint16Array, width: number, names: readonly string[]): unknown[] {
  const sums = new Map<number, { x: number; y: number; count: number }>();
  areas.forEach((index, at) => {
    const sum = sums.get(index) ?? { x: 0, y: 0, count: 0 };
    sums.set(index, { x: sum.x + (at % width), y: sum.y + Math.floor(at / width), count: sum.count + 1 });
  });
  const large = [...sums].filter(([, { count }]) => count >= NAMED * areas.length).sort(([a], [b]) => a - b);
  return large.map(([index, { x, y, count }]) => {
    const [middleX, middleY] = [x / count, y / count];
    let [best, least] = [-1, Infinity];
    areas.forEach((one, at) => {
      if (one !== index) return;
      const away = (Math.floor(at / width) - middleY) ** 2 + ((at % width) - middleX) ** 2;
      if (away < least) [best, least] = [at, away];
    });
    return { index, name: names[index]!, x: best % width, y: Math.floor(best / width) };
  });
}

const COLUMNS = ["left", "middle", "right"] as const;
const ROWS = ["upper", "middle", "lower"] as const;

/** Where a box is, in words. */
function placeText([left, top, right, bottom]: readonly [number, number, number, number], width: number, height: number): string {
  const third = (part: number): number => Math.min(2, Math.max(0, Math.trunc(3 * part)));
  const [column, row] = [third((left + right) / 2 / width), third((top + bottom) / 2 / height)];
  if (row === 1 && column === 1) return "middle";
  return row === 1 ? COLUMNS[column]! : `${ROWS[row]!} ${COLUMNS[column]!}`;
}
