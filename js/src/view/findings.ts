/** Parsers of what the model finds where in the picture: boxes, or areas, each of them a class. */
import type { Point } from "../core/geometry";
import { bytes, fields, flag, list, number, numbers, text, texts, uint16 } from "../core/parse";

/** A box around what a class is of. */
export interface FoundBox {
  readonly index: number;
  readonly name: string;
  /** The model's own score of the box, from 0 to 1. */
  readonly score: number;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  /** Where in the picture it is, in words. */
  readonly where: string;
  /** Of the masked picture: whether it matches the detection too little to be the same. */
  readonly lost: boolean;
}

/** The class of every pixel. */
export interface Areas {
  readonly width: number;
  readonly height: number;
  readonly classes: Uint16Array;
  /** Names of the larger areas, each with a pixel that belongs to it. */
  readonly labels: readonly (Point & { readonly index: number; readonly name: string })[];
}

export interface Findings {
  readonly scene: string;
  readonly boxes: readonly FoundBox[];
  readonly areas: Areas | null;
  /** Whether a region of the picture can be asked about. */
  readonly takesRegion: boolean;
  /** What can be asked about a detection; empty for a model of areas. */
  readonly questions: readonly string[];
  /** Whether the detections are the model's own for each picture, from a least score on. */
  readonly findsForItself: boolean;
  /** Why nothing is found; "" where something is. */
  readonly note: string;
}

export function findings(value: unknown): Findings {
  const from = fields(value);
  return {
    scene: text(from["scene"]),
    boxes: list(from["boxes"]).flatMap(box),
    areas: areas(from["areas"]),
    takesRegion: flag(from["takes_region"], false),
    questions: texts(from["questions"]),
    findsForItself: flag(from["finds_for_itself"], false),
    note: text(from["note"]),
  };
}

/** The class at a pixel: of the smallest box around it, or of its area; -1 where nothing is found. */
export function classAt({ boxes, areas }: Findings, { x, y }: Point): number {
  const around = boxes.filter((one) => !one.lost && one.left <= x + 0.5 && x + 0.5 <= one.right && one.top <= y + 0.5 && y + 0.5 <= one.bottom);
  if (around.length > 0) return around.reduce((best, one) => (size(one) < size(best) ? one : best)).index;
  return areas?.classes[y * areas.width + x] ?? -1;
}

function size({ left, top, right, bottom }: FoundBox): number {
  return (right - left) * (bottom - top);
}

function box(value: unknown): readonly FoundBox[] {
  const from = fields(value);
  const [left, top, right, bottom] = numbers(from["box"]);
  if (left === undefined || top === undefined || right === undefined || bottom === undefined) return [];
  return [
    {
      index: number(from["index"], -1), name: text(from["name"]), score: number(from["score"], 0),
      left, top, right, bottom, where: text(from["where"]), lost: flag(from["lost"], false),
    },
  ];
}

function areas(value: unknown): Areas | null {
  const from = fields(value);
  const raw = bytes(from["classes"]);
  const width = number(from["width"], 0);
  const height = number(from["height"], 0);
  if (raw === null || raw.length !== 2 * width * height) return null;
  const labels = list(from["labels"]).map((one) => {
    const { index, name, x, y } = fields(one);
    return { index: number(index, -1), name: text(name), x: number(x, 0), y: number(y, 0) };
  });
  return { width, height, classes: uint16(raw), labels };
}
