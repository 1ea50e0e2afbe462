/** Parsers of what the vision model is given besides the picture: a text, or references that are its classes. */

import { bytes, fields, flag, list, number, text, texts } from "../core/parse";

/** A word of the text; `target` is the class that stands for it, -1 if it cannot be chosen. */
export interface Word {
  readonly text: string;
  readonly target: number;
}

/** The text input of a vision-language model, as the model declares it. */
export interface Prompt {
  readonly name: string;
  readonly hint: string;
  readonly text: string;
  readonly examples: readonly string[];
  readonly words: readonly Word[];
  /** Classes that no single word stands for: a full caption. */
  readonly captions: readonly Word[];
  /** Whether the model proposes a text for each picture, and whether the present one is proposed. */
  readonly proposes: boolean;
  readonly own: boolean;
}

/** Null for a model that takes no text. */
export function prompt(value: unknown): Prompt | null {
  const from = fields(value);
  const name = text(from["name"]);
  if (name === "") return null;
  return {
    name,
    hint: text(from["hint"]),
    text: text(from["text"]),
    examples: texts(from["examples"]),
    words: words(from["words"]),
    captions: words(from["captions"]),
    proposes: flag(from["proposes"], false),
    own: flag(from["own"], false),
  };
}

/** What the pictures are compared with: a typed text, or a picture. */
export interface Reference {
  readonly name: string;
  /** The number of the picture in the strip; -1 for none there. */
  readonly picture: number;
  /** The thumbnail, RGB; null for a text, and before there is one. */
  readonly tile: Uint8Array | null;
}

/** The references of a model whose classes these are. */
export interface References {
  readonly kind: "texts" | "pictures";
  /** What is missing before there is a map; "" if nothing is. */
  readonly hint: string;
  readonly items: readonly Reference[];
}

/** Null for a model with classes of its own. */
export function references(value: unknown): References | null {
  const from = fields(value);
  const kind = from["kind"];
  if (kind !== "texts" && kind !== "pictures") return null;
  const items = list(from["items"]).map((item) => {
    const { name, picture, tile } = fields(item);
    const rgb = bytes(tile);
    return { name: text(name), picture: number(picture, -1), tile: rgb === null || rgb.length === 0 ? null : rgb };
  });
  return { kind, hint: text(from["hint"]), items };
}

function words(value: unknown): readonly Word[] {
  return list(value).map((item) => {
    const from = fields(item);
    return { text: text(from["text"]), target: number(from["target"], -1) };
  });
}
