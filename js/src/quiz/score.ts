/** The last page of a quiz: the score and a list of the questions. */
import { fixed } from "../core/numberFormat";
import { button, make } from "../view/dom/dom";
import { MARK, WORD } from "./cards";
import { answerSheet, saveLine } from "./answerSheet";
import type { Game } from "./game";
import { correlationText } from "./marking";
import { image } from "./pictures";
import type { ObjectUrls } from "./pictures";

/**
 * Creates the last page: the score, a published score to compare with, and the questions with their answers.
 *
 * @param saves whether the answers can be saved here; a page with tasks saves them all in one place
 */
export function scorePage(game: Game, addresses: ObjectUrls, saves: boolean): HTMLElement {
  const again = button("camwidget-quiz-button camwidget-quiz-next", {}, "Play again");
  again.addEventListener("click", () => game.restart());
  const rows = Array.from({ length: game.total }, (_, at) => row(game, at, addresses));
  return make(
    "div",
    "camwidget-quiz-page",
    {},
    make("p", "camwidget-quiz-score", { role: "status" }, headline(game)),
    ...means(game),
    ...tally(game),
    ...(game.source === "" ? [] : [make("p", "camwidget-quiz-source", {}, game.source)]),
    make("ol", "camwidget-quiz-rows", {}, ...rows),
    make("div", "camwidget-quiz-foot", {}, ...(saves ? [saveLine((name) => sheetOf(game, name)).element] : []), make("div", "camwidget-quiz-buttons", {}, again)),
  );
}

function sheetOf(game: Game, name: string): Record<string, unknown> | null {
  return game.attempt === "" ? null : answerSheet(game.attempt, name, game.title, game);
}

/** The score of each method, where there are several. */
function tally(game: Game): HTMLElement[] {
  const lines = game.tally.map(({ method, right, of, mean }) => make(
    "tr", "", {},
    make("th", "", { scope: "row" }, method === "" ? "–" : method),
    make("td", "camwidget-quiz-number", {}, `${right} of ${of} right`),
    make("td", "camwidget-quiz-number", {}, mean === null ? "" : `mean ${signed(mean)}`),
  ));
  if (lines.length === 0) return [];
  return [make("table", "camwidget-quiz-tally", {}, make("caption", "", {}, "By method"), make("tbody", "", {}, ...lines))];
}

function headline(game: Game): string {
  const { right, of } = game.score;
  return of === 0 ? "That was the last question." : `${right} of ${of} right`;
}

function means(game: Game): HTMLElement[] {
  const { mean, scale } = game;
  if (mean === null) return [];
  const value = make("strong", "", {}, signed(mean));
  return [make("p", "camwidget-quiz-mean", {}, "Your mean: ", value, scale === "" ? "" : `, ${scale}.`)];
}

function signed(value: number): string {
  const size = fixed(Math.abs(value), 2);
  if (Number(size) === 0) return size;
  return `${value < 0 ? "−" : "+"}${size}`;
}

/** Creates the row of a question; a click shows the question again. */
function row(game: Game, at: number, addresses: ObjectUrls): HTMLElement {
  const card = game.card(at);
  const choice = game.choice(at);
  const found = game.verdict(at);
  const right = card?.right.map((k) => card.options[k]).join(" or ") ?? "";
  const chosen = choice === null ? "" : (card?.options[choice] ?? "");
  const marks = game.correlations(at).map(({ name, value }) => `${name} ${correlationText(value)}`).join(", ");
  const given = choice !== null ? `Your answer: ${chosen}` : marks === "" ? "Not answered" : marks;
  const correction = found === "wrong" || found === "undecided" ? `Right: ${right}` : "";
  const pictures = card?.pictures ?? [];
  const open = button(
    "camwidget-quiz-row",
    { title: "Show this question again" },
    make("span", "camwidget-quiz-row-number", {}, String(at + 1)),
    make("span", "camwidget-quiz-thumbnails", {}, ...pictures.map((picture) => image(picture, addresses))),
    make(
      "span",
      "camwidget-quiz-answer",
      {},
      make("span", "camwidget-quiz-verdict", { "data-verdict": found ?? "" }, found === null ? "" : `${MARK[found]} ${WORD[found]}`),
      make("span", "", {}, given),
      make("span", "camwidget-quiz-correction", {}, correction),
    ),
  );
  open.addEventListener("click", () => game.show(at));
  return make("li", "camwidget-quiz-item", {}, open);
}
