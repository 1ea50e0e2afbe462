/** The file of a person's answers, of the format of camwidget/analysis/answer_sheets.py. */
import { button, make, setText } from "../view/dom/dom";
import type { Card } from "./cards";
import type { Game } from "./game";

const FORMAT = "camwidget answers";
const VERSION = 1;

/** A task with its text and what was answered. */
export interface AnsweredTask {
  readonly task: string;
  readonly answer: string;
}

/** A random number of 32 hexadecimal digits. `crypto.randomUUID` is missing in pages without encryption. */
export function randomNumber(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The content of a sheet; the name is left out where none is given. */
export function answerSheet(
  number: string, name: string, title: string, game: Game | null, tasks: readonly AnsweredTask[] = [],
): Record<string, unknown> {
  const questions = Array.from({ length: game?.total ?? 0 }, (_, at) => ({ card: game!.card(at), at }))
    .flatMap(({ card, at }) => (card === null || card.error !== "" ? [] : [answered(card, game!, at)]));
  const given = name.trim();
  return {
    format: FORMAT, version: VERSION, id: number, ...(given === "" ? {} : { name: given }), title, questions, tasks,
  };
}

function answered(card: Card, game: Game, at: number): Record<string, unknown> {
  return {
    prompt: card.prompt, study: card.study, method: card.method, options: card.options, right: card.right,
    values: card.values, chosen: game.choice(at), faithfulness: card.faithfulness,
    correlations: Object.fromEntries(game.correlations(at).map(({ name, value }) => [name, value])), marked: game.marked(at),
  };
}

/** Has the browser save a sheet as a file. */
export function download(sheet: Record<string, unknown>, file: string): void {
  const address = URL.createObjectURL(new Blob([`${JSON.stringify(sheet, null, 1)}\n`], { type: "application/json" }));
  const link = make("a", "", { href: address, download: file });
  document.body.append(link);
  link.click();
  link.remove();
  // Firefox reads the file after the click.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** A file name of letters and digits of a person's name. */
export function fileName(name: string): string {
  const plain = name.trim().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60);
  return plain === "" ? "answers.json" : `answers-${plain}.json`;
}

/** A field for a name and a button that saves the sheet. */
export interface SaveLine {
  readonly element: HTMLElement;
  /** Removes what was said of a file, which does not have what was answered since. */
  outdate(): void;
}

/** @param sheet makes the sheet under a name; null while there is nothing to save */
export function saveLine(sheet: (name: string) => Record<string, unknown> | null): SaveLine {
  const name = make("input", "camwidget-quiz-name-field", {
    type: "text", maxlength: 200, autocomplete: "off", placeholder: "Name, if you like", "aria-label": "Your name, if you like",
  });
  // Keys belong to the field, not to the quiz or the notebook.
  name.addEventListener("keydown", (event) => event.stopPropagation());
  const save = button("camwidget-quiz-button", { title: "A JSON file for whoever asked" }, "Save the answers");
  const said = make("span", "camwidget-quiz-saved", { role: "status" });
  save.addEventListener("click", () => {
    const made = sheet(name.value);
    const file = fileName(name.value);
    if (made !== null) download(made, file);
    setText(said, made === null ? "There is nothing to save yet." : `Saved as ${file} in your downloads. Send this file to your teacher.`);
  });
  return { element: make("div", "camwidget-quiz-save", {}, name, save, said), outdate: () => setText(said, "") };
}
