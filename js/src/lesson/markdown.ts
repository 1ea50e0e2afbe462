/**
 * A safe subset of Markdown as DOM nodes: headings, paragraphs, lists, quotes, code, bold, italics, and links to the web.
 * Everything becomes text nodes: HTML in a text is shown as it is written, pictures are links, and other links are text.
 */
import { make } from "../view/dom/dom";

/** How deep emphasis and quotes may be nested; what is deeper is text. */
const DEEPEST = 6;

/** Builds the blocks of a text. */
export function markdown(source: string, depth = 0): HTMLElement[] {
  const lines = source.replace(/\r\n?/g, "\n").split("\n");
  const blocks: HTMLElement[] = [];
  // The page's own headings are the first two; below them no level is left out, whatever a text begins with.
  const highest = lines.reduce((least, line) => Math.min(least, HEADING.exec(line)?.[1]!.length ?? least), 6);
  for (let at = 0; at < lines.length; ) {
    const line = lines[at]!;
    const fence = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== undefined) {
      const code: string[] = [];
      for (at++; at < lines.length && !lines[at]!.trimStart().startsWith(fence); at++) code.push(lines[at]!);
      at++;
      blocks.push(make("pre", "", {}, make("code", "", {}, code.join("\n"))));
      continue;
    }
    const heading = HEADING.exec(line);
    if (heading !== null) {
      const level = Math.min(6, heading[1]!.length - highest + 3) as 3 | 4 | 5 | 6;
      blocks.push(make(`h${level}`, "", {}, ...inline(heading[2]!, depth)));
      at++;
      continue;
    }
    const [kind, taken] = [kindOf(line), [] as string[]];
    if (kind === "blank") {
      at++;
      continue;
    }
    // A line that begins nothing else goes on with the block before it.
    for (; at < lines.length; at++) {
      const next = lines[at]!;
      const found = kindOf(next);
      if (found !== kind && !(found === "text" && taken.length > 0)) break;
      if (kind === "text" && taken.length > 0 && /^ {0,3}(#{1,6} |`{3,}|~{3,})/.test(next)) break;
      taken.push(next);
    }
    blocks.push(block(kind, taken, depth));
  }
  return blocks;
}

type Kind = "blank" | "bullets" | "numbers" | "quote" | "text";

const HEADING = /^ {0,3}(#{1,6}) +(.*?)( +#+)? *$/;
const BULLET = /^ {0,3}[-*+] +/;
const NUMBER = /^ {0,3}\d{1,9}[.)] +/;
const QUOTE = /^ {0,3}> ?/;

function kindOf(line: string): Kind {
  if (line.trim() === "") return "blank";
  if (BULLET.test(line)) return "bullets";
  if (NUMBER.test(line)) return "numbers";
  return QUOTE.test(line) ? "quote" : "text";
}

function block(kind: Kind, lines: readonly string[], depth: number): HTMLElement {
  if (kind === "text") return make("p", "", {}, ...inline(lines.map((line) => line.trim()).join("\n"), depth));
  if (kind === "quote") {
    const inner = lines.map((line) => line.replace(QUOTE, "")).join("\n");
    const nodes = depth < DEEPEST ? markdown(inner, depth + 1) : [make("p", "", {}, inner)];
    return make("blockquote", "", {}, ...nodes);
  }
  const mark = kind === "bullets" ? BULLET : NUMBER;
  const items: string[] = [];
  for (const line of lines) {
    if (mark.test(line)) items.push(line.replace(mark, ""));
    else items[items.length - 1] += `\n${line.trim()}`;
  }
  const first = Number.parseInt(lines[0]!.trim(), 10);
  const entries = items.map((item) => make("li", "", {}, ...inline(item, depth)));
  return kind === "bullets" ? make("ul", "", {}, ...entries) : make("ol", "", { start: first }, ...entries);
}

/** Code, bold, italics, a link with its text, a bare address. Each alternative ends at the first possible place. */
const INLINE =
  /\\([\\`*_[\]()#>!-])|(`+)([^`]|[^`][^\n]*?[^`])\2(?!`)|(\*\*|__)(?=\S)([^\n]*?\S)\4|([*_])(?=\S)([^\n]*?\S)\6|!?\[([^\]\n]*)\]\(([^()\s]*)\)|(https?:\/\/[^\s<>()"']+)/;

/** Builds the nodes of a line's text. */
export function inline(source: string, depth = 0): (Node | string)[] {
  const nodes: (Node | string)[] = [];
  let rest = source;
  for (let found = INLINE.exec(rest); found !== null && depth < DEEPEST; found = INLINE.exec(rest)) {
    if (found.index > 0) nodes.push(rest.slice(0, found.index));
    nodes.push(...element(found, depth));
    rest = rest.slice(found.index + found[0].length);
  }
  if (rest !== "") nodes.push(rest);
  return nodes;
}

function element(found: RegExpExecArray, depth: number): (Node | string)[] {
  const [all, escaped, , code, , bold, , italic, label, address, bare] = found;
  if (escaped !== undefined) return [escaped];
  if (code !== undefined) return [make("code", "", {}, code)];
  if (bold !== undefined) return [make("strong", "", {}, ...inline(bold, depth + 1))];
  if (italic !== undefined) return [make("em", "", {}, ...inline(italic, depth + 1))];
  const target = bare ?? address ?? "";
  const isWeb = /^https?:\/\/[^\s/]/i.test(target);
  // No other scheme: a script, or a file of the reader's.
  if (!isWeb) return [all];
  const words = label === undefined || label === "" ? [target] : inline(label, DEEPEST);
  return [make("a", "", { href: target, target: "_blank", rel: "noopener noreferrer" }, ...words)];
}
