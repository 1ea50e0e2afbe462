/** ``QuestionPage``: a question with its pictures and options, and the feedback after the answer. */
import { button, make, setAttribute, setText } from "../view/dom/dom";
import { MARK, verdict, WORD } from "./cards";
import type { Card, Verdict } from "./cards";
import type { Game } from "./game";
import { CaptionedPicture } from "./pictures";
import type { ObjectUrls } from "./pictures";

/** Options that have a key. */
const KEYS = 9;

/** The page of one question, with feedback once it is answered. */
export class QuestionPage {
  readonly element: HTMLElement;
  private readonly figures: readonly CaptionedPicture[];
  private readonly options: readonly HTMLButtonElement[];
  private readonly word = make("strong", "camwidget-quiz-verdict");
  private readonly reveal = make("span", "camwidget-quiz-reveal");
  private readonly next = button("camwidget-quiz-button camwidget-quiz-next", {});
  private readonly back = button("camwidget-quiz-button", {}, "Back to the score");

  constructor(
    private readonly game: Game,
    private readonly at: number,
    private readonly card: Card,
    addresses: ObjectUrls,
  ) {
    this.figures = card.pictures.map((picture) => new CaptionedPicture(picture, addresses));
    this.options = card.options.map((option, k) => this.option(option, k));
    this.next.addEventListener("click", () => game.next());
    this.back.addEventListener("click", () => game.show(game.total));
    const pictures = make("div", "camwidget-quiz-pictures", {}, ...this.figures.map((figure) => figure.element));
    pictures.style.setProperty("--count", String(Math.max(1, this.figures.length)));
    const scale = card.values === null ? "" : " camwidget-quiz-scale";
    const feedback = make("p", "camwidget-quiz-feedback", { "aria-live": "polite" }, this.word, " ", this.reveal);
    this.element = make("div", "camwidget-quiz-page");
    if (card.error !== "") {
      this.element.append(
        make("p", "camwidget-quiz-error", { role: "alert" }, `This question could not be made. ${card.error}`),
      );
    } else {
      this.element.append(
        make("p", "camwidget-quiz-prompt", {}, card.prompt),
        pictures,
        make("div", `camwidget-quiz-options${scale}`, { role: "group", "aria-label": "Options" }, ...this.options),
      );
    }
    this.element.append(
      make("div", "camwidget-quiz-foot", {}, feedback, make("div", "camwidget-quiz-buttons", {}, this.back, this.next)),
    );
    this.update();
  }

  /** The element that gets the focus after the answer. */
  get nextFocus(): HTMLElement {
    return this.next;
  }

  update(): void {
    const { game, at, card } = this;
    const choice = game.choice(at);
    const found = game.verdict(at);
    this.options.forEach((option, k) => setAttribute(option, "aria-pressed", String(k === choice)));
    this.options.forEach((option, k) => mark(option, k, choice === null ? "" : state(card, k, choice)));
    setText(this.word, found === null ? "" : `${MARK[found]} ${WORD[found]}.`);
    setText(this.reveal, found === null ? hint(card) : answerLine(card, found));
    this.word.dataset["verdict"] = this.reveal.dataset["verdict"] = found ?? "";
    this.next.hidden = !game.done(at);
    setText(this.next, at + 1 === game.total ? "See the score" : "Next");
    this.back.hidden = !game.finished || at + 1 === game.total;
    if (found !== null) this.figures.forEach((figure, k) => figure.reveal(k === 0));
  }

  private option(name: string, k: number): HTMLButtonElement {
    const made = button(
      "camwidget-quiz-option",
      {},
      make("kbd", "camwidget-quiz-key", { "aria-hidden": "true" }),
      make("span", "camwidget-quiz-name", {}, name),
    );
    made.addEventListener("click", () => this.game.choose(k));
    return made;
  }
}

function answerLine({ options, right, reveal }: Card, found: Verdict): string {
  const [only] = right;
  const correction = found === "wrong" && right.length === 1 && only !== undefined ? `It is ${options[only]}. ` : "";
  return `${correction}${reveal}`;
}

function hint({ options: { length } }: Card): string {
  return length === 0 ? "" : `Press ${length === 2 ? "1 or 2" : `1 to ${Math.min(length, KEYS)}`}, or click.`;
}

type State = Verdict | "other" | "";

/** How an option looks once one is chosen. */
function state(card: Card, k: number, choice: number): State {
  if (card.right.includes(k)) return "right";
  return k === choice ? verdict(card, choice) : "other";
}

function mark(option: HTMLButtonElement, k: number, found: State): void {
  option.dataset["state"] = found;
  setAttribute(option, "aria-disabled", String(found !== ""));
  const key = option.querySelector(".camwidget-quiz-key");
  const shown = found === "" || found === "other" ? (k < KEYS ? String(k + 1) : "") : MARK[found];
  if (key !== null) setText(key, shown);
}
