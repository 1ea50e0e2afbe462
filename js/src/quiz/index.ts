/** Entry point of the quiz, an anywidget module: a card with one question, or the score. */
import { fit, make, setAttribute, setText } from "../view/dom/dom";
import { OWN_KEYS } from "../view/host/compat";
import { keepFocus } from "../view/host/keyboardFocus";
import { watch, widgetModule } from "../view/model";
import type { Model } from "../view/model";
import { MARK, WORD } from "./cards";
import type { Card } from "./cards";
import { Game } from "./game";
import { MarkingPage } from "./marking";
import { ObjectUrls } from "./pictures";
import { QuestionPage } from "./question";
import { scorePage } from "./score";
import { DEFAULTS } from "./syncedTraits";
import type { QuizTraits } from "./syncedTraits";

/** Elements that digits are written in, or choose something in. */
const WRITTEN = 'input:not([type="range"]), textarea, select, [contenteditable]';

/**
 * Builds one view of the model inside `root`; everything it holds on to ends with the signal.
 *
 * @param isInPage whether it is a part of a page, which saves the answers itself, and where digits answer wherever the focus is
 */
export function mount(model: Model<QuizTraits>, root: HTMLElement, signal: AbortSignal, isInPage = false): void {
  new QuizView(model, root, signal, isInPage);
}

class QuizView {
  private readonly game: Game;
  private readonly addresses: ObjectUrls;
  private readonly title = make("span", "camwidget-quiz-title");
  private readonly marks = make("ol", "camwidget-quiz-marks", { "aria-label": "Questions" });
  private readonly place = make("span", "camwidget-quiz-place");
  private readonly body = make("div", "camwidget-quiz-body");
  private readonly card: HTMLElement;
  private page: QuestionPage | MarkingPage | null = null;
  /** What the body shows: the number of a question or the score, and whether it is ready. */
  private shown = "";

  constructor(model: Model<QuizTraits>, root: HTMLElement, signal: AbortSignal, private readonly isInPage: boolean) {
    this.game = new Game(model);
    this.addresses = new ObjectUrls(signal);
    const head = make("div", "camwidget-quiz-head", {}, this.title, this.marks, this.place);
    this.card = make("div", "camwidget-quiz-card", { tabindex: 0, role: "group", ...OWN_KEYS }, head, this.body);
    root.classList.add("camwidget-quiz");
    root.append(this.card);
    this.card.addEventListener("keydown", (event) => this.press(event), { signal });
    if (isInPage) document.addEventListener("keydown", (event) => this.pressElsewhere(event), { signal });
    keepFocus(root, this.card, signal);
    signal.addEventListener("abort", () => this.card.remove());
    watch(model, Object.keys(DEFAULTS) as (keyof QuizTraits)[], signal, () => this.update());
  }

  private update(): void {
    const { game } = this;
    const hadFocus = this.card.contains(document.activeElement);
    this.head();
    const turned = this.turn();
    if (!turned) this.page?.update();
    // Keep the focus: on the card of a new page, and after an answer on the button to the next one.
    if (!hadFocus) return;
    if (turned) this.card.focus({ preventScroll: true });
    else if (game.done(game.number)) this.page?.nextFocus.focus({ preventScroll: true });
  }

  private head(): void {
    const { game } = this;
    const { number, total } = game;
    setText(this.title, game.title === "" ? "Quiz" : game.title);
    const place = number < total ? `Question ${number + 1} of ${total}` : "Score";
    setText(this.place, place);
    setAttribute(this.card, "aria-label", `${this.title.textContent}: ${place}`);
    fit(this.marks, total, () => make("li", "camwidget-quiz-mark")).forEach((mark, at) => {
      const found = game.verdict(at);
      setText(mark, found === null ? "" : MARK[found]);
      mark.dataset["verdict"] = found ?? "";
      setAttribute(mark, "aria-current", String(at === number));
      setAttribute(mark, "title", `Question ${at + 1}${found === null ? "" : `: ${WORD[found].toLowerCase()}`}`);
    });
  }

  /** Shows another page where there is one to show; whether there was. */
  private turn(): boolean {
    const { game } = this;
    const { number, total } = game;
    const card = number < total ? game.card(number) : null;
    // The score names questions that may come later than it does, as from a script.
    const state = number < total ? (card === null ? "waits" : "") : String([game.total, game.finished]);
    const wanted = `${number} ${state}`;
    if (this.shown === wanted) return false;
    this.shown = wanted;
    this.page = card === null ? null : this.pageOf(card, number);
    const score = (): HTMLElement => scorePage(game, this.addresses, !this.isInPage);
    this.body.replaceChildren(this.page?.element ?? (number < total ? waits(number) : score()));
    return true;
  }

  private pageOf(card: Card, number: number): QuestionPage | MarkingPage {
    const Page = card.maps === null || card.error !== "" ? QuestionPage : MarkingPage;
    return new Page(this.game, number, card, this.addresses);
  }

  /** Takes a digit that no other element takes, while the options are seen. */
  private pressElsewhere(event: KeyboardEvent): void {
    if (event.defaultPrevented || !/^[1-9]$/.test(event.key) || event.target instanceof Element && event.target.matches(WRITTEN)) return;
    const options = this.body.querySelector(".camwidget-quiz-options")?.getBoundingClientRect();
    if (options !== undefined && options.height > 0 && options.top >= 0 && options.bottom <= innerHeight) this.press(event);
  }

  private press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || event.repeat) return;
    if (/^[1-9]$/.test(event.key)) this.game.choose(Number(event.key) - 1);
    // On a button that can be pressed, enter presses it.
    else if (event.key === "Enter" && !pressable(event.target)) this.game.next();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function pressable(target: EventTarget | null): boolean {
  return target instanceof HTMLButtonElement && target.getAttribute("aria-disabled") !== "true";
}

function waits(number: number): HTMLElement {
  return make(
    "div",
    "camwidget-quiz-page camwidget-quiz-waiting",
    { role: "status" },
    `Preparing question ${number + 1} …`,
    make("div", "camwidget-quiz-line", { "aria-hidden": "true" }, make("div", "camwidget-quiz-runner")),
  );
}

export default widgetModule<QuizTraits>((model, root, signal) => mount(model, root, signal));
