/** Questions of a quiz, parsed from the trait that camwidget/widget/view/quiz_cards.py fills. */
import { bytes, fields, list, numbers, text } from "../core/parse";

export interface ObjectOutline {
  readonly name: string;
  /** An SVG path in a box of this size. */
  readonly path: string;
  readonly width: number;
  readonly height: number;
  /** The place of the name, from 0 to 1 each way. */
  readonly x: number;
  readonly y: number;
}

export interface EncodedPicture {
  readonly type: string;
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly caption: string;
  readonly outlines: readonly ObjectOutline[];
}

/** A map to compare marks with: means over the cells of the first picture. */
export interface ComparedMap {
  readonly name: string;
  readonly cells: readonly number[];
}

/** The rank correlation of marks with a map; null where it is undefined. */
export interface Correlation {
  readonly name: string;
  readonly value: number | null;
}

export interface Card {
  readonly prompt: string;
  readonly pictures: readonly EncodedPicture[];
  readonly options: readonly string[];
  /** Empty where nothing is right or wrong. */
  readonly right: readonly number[];
  readonly reveal: string;
  readonly values: readonly number[] | null;
  /** Which of the package's studies it is of; empty for a question of one's own. */
  readonly study: string;
  /** The label of the method whose map is shown. */
  readonly method: string;
  /** The rank correlation of that map with occlusion's. */
  readonly faithfulness: number | null;
  /** The maps that marks are compared with; null where the answer is an option. */
  readonly maps: readonly ComparedMap[] | null;
  /** Why there is no question. */
  readonly error: string;
}

export type Verdict = "right" | "wrong" | "undecided" | "noted";

export function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : 0;
}

function outline(value: unknown): ObjectOutline {
  const { name, path, width, height, x, y } = fields(value);
  return { name: text(name), path: text(path), width: count(width), height: count(height), x: count(x), y: count(y) };
}

function pictures(value: unknown): readonly EncodedPicture[] {
  return list(value).flatMap((item) => {
    const { type, data, width, height, caption, outlines } = fields(item);
    const encoded = bytes(data);
    if (encoded === null || count(width) === 0 || count(height) === 0) return [];
    return {
      type: text(type), data: encoded, width: count(width), height: count(height),
      caption: text(caption), outlines: list(outlines).map(outline),
    };
  });
}

export function card(value: unknown): Card {
  const given = fields(value);
  const { prompt, options, right, reveal, values, study, method, faithfulness, error } = given;
  const shown = pictures(given["pictures"]);
  const maps = Array.isArray(given["maps"]) && shown.length > 0 ? list(given["maps"]).map(comparedMap) : null;
  return {
    prompt: text(prompt), pictures: shown, options: list(options).map((option) => text(option)), right: numbers(right),
    reveal: text(reveal), values: Array.isArray(values) ? numbers(values) : null, study: text(study), method: text(method),
    faithfulness: typeof faithfulness === "number" ? faithfulness : null, maps, error: text(error),
  };
}

function comparedMap(value: unknown): ComparedMap {
  const { name, cells } = fields(value);
  return { name: text(name), cells: numbers(cells) };
}

/** What an answer is worth. In the middle of a scale it is neither right nor wrong, though it earns nothing. */
export function verdict({ right, values }: Card, choice: number): Verdict {
  if (right.length === 0) return "noted";
  if (right.includes(choice)) return "right";
  return values?.[choice] === 0 ? "undecided" : "wrong";
}

export const MARK: Readonly<Record<Verdict, string>> = { right: "✓", wrong: "✗", undecided: "–", noted: "•" };

export const WORD: Readonly<Record<Verdict, string>> = {
  right: "Right", wrong: "Wrong", undecided: "Undecided", noted: "Noted",
};
