import { button, make, setAttribute, setText } from "../view/dom";
import { MARK, WORD } from "./cards";
import type { Card, Verdict } from "./cards";
import type { Game } from "./game";
import { Figure } from "./pictures";
import type { Addresses } from "./pictures";

/** One question: asked, and after the answer with what was right. */
export class QuestionPage {
  readonly element: HTMLElement;
  private readonly figures: readonly Figure[];
  private readonly options: readonly HTMLButtonElement[];
  private readonly word = make("strong", "camwidget-quiz-word");
  private readonly reveal = make("span", "camwidget-quiz-reveal");
  private readonly next = button("camwidget-quiz-button camwidget-quiz-next", {});
  private readonly back = button("camwidget-quiz-button", {}, "Back to the score");

  constructor(
    private readonly game: Game,
    private readonly at: number,
    private readonly asked: Card,
    addresses: Addresses,
  ) {
    this.figures = asked.pictures.map((picture) => new Figure(picture, addresses));
    this.options = asked.options.map((option, k) => this.option(option, k));
    this.next.addEventListener("click", () => game.next());
    this.back.addEventListener("click", () => game.show(game.total));
    const scale = asked.values === null ? "" : " camwidget-quiz-scale";
    const said = make("p", "camwidget-quiz-said", { "aria-live": "polite" }, this.word, this.reveal);
    this.element = make("div", "camwidget-quiz-page");
    if (asked.error !== "") {
      this.element.append(
        make("p", "camwidget-quiz-error", { role: "alert" }, `This question could not be made. ${asked.error}`),
      );
    } else {
      this.element.append(
        make("p", "camwidget-quiz-prompt", {}, asked.prompt),
        make("div", "camwidget-quiz-pictures", {}, ...this.figures.map((figure) => figure.element)),
        make("div", `camwidget-quiz-options${scale}`, { role: "group", "aria-label": "Options" }, ...this.options),
      );
    }
    this.element.append(
      make("div", "camwidget-quiz-foot", {}, said, make("div", "camwidget-quiz-ways", {}, this.back, this.next)),
    );
    this.update();
  }

  /** Where the keyboard goes on once the question is answered. */
  get way(): HTMLElement {
    return this.next;
  }

  update(): void {
    const { game, at, asked } = this;
    const choice = game.choice(at);
    const found = game.verdict(at);
    const hint = asked.options.length > 1 ? `Press 1 to ${asked.options.length}, or click.` : "";
    this.options.forEach((option, k) => mark(option, asked, k, choice));
    setText(this.word, found === null ? "" : `${MARK[found]} ${WORD[found]}.`);
    setText(this.reveal, found === null ? hint : answerLine(asked, found));
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
      make("kbd", "camwidget-quiz-key", { "aria-hidden": "true" }, String(k + 1)),
      make("span", "camwidget-quiz-name", {}, name),
    );
    made.addEventListener("click", () => this.game.choose(k));
    return made;
  }
}

function answerLine({ options, right, reveal }: Card, found: Verdict): string {
  const [only] = right;
  const told = found === "wrong" && right.length === 1 && only !== undefined ? `It is ${options[only]}. ` : "";
  return `${told}${reveal}`;
}

function mark(option: HTMLButtonElement, { right }: Card, k: number, choice: number | null): void {
  const chosen = choice === k;
  const isRight = right.includes(k);
  let state = "";
  if (choice !== null) state = isRight ? "right" : chosen && right.length > 0 ? "wrong" : chosen ? "chosen" : "other";
  option.dataset["state"] = state;
  setAttribute(option, "aria-disabled", String(choice !== null));
  setAttribute(option, "aria-pressed", String(chosen));
  const key = option.querySelector(".camwidget-quiz-key");
  if (key !== null) setText(key, state === "right" ? "✓" : state === "wrong" ? "✗" : String(k + 1));
}
