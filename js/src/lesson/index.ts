/** Entry point of what a teacher adds to a saved page: tasks, the quiz, and the answers as a file. */
import { bytes as binary, fields, list, text, texts } from "../core/parse";
import { answerSheet, randomNumber, saveLine } from "../quiz/answerSheet";
import type { AnsweredTask } from "../quiz/answerSheet";
import { Game } from "../quiz/game";
import { mount } from "../quiz/index";
import { DEFAULTS } from "../quiz/syncedTraits";
import type { QuizTraits } from "../quiz/syncedTraits";
import { button, make } from "../view/dom/dom";
import type { Model } from "../view/model";
import { Store } from "../view/store";
import { markdown } from "./markdown";

/** The quiz's traits, without a kernel that reads along. */
class QuizStore extends Store<QuizTraits> implements Model<QuizTraits> {
  save_changes(): void {
    // The state is in the page already.
  }

  send(): void {
    // Nobody listens.
  }
}

/** A task with the field for its answer. */
class TaskField {
  readonly element: HTMLElement;
  private readonly field: HTMLTextAreaElement;

  constructor(
    private readonly task: string,
    number: number,
    changed: () => void,
  ) {
    this.field = make("textarea", "camwidget-lesson-field", { rows: 3, maxlength: 20_000, "aria-label": `Your answer to task ${number}` });
    this.field.addEventListener("input", changed);
    this.element = make(
      "li", "camwidget-lesson-task", {}, make("div", "camwidget-lesson-text", {}, ...markdown(task)), this.field,
    );
  }

  get answer(): AnsweredTask {
    return { task: this.task, answer: this.field.value.trim() };
  }

  clear(): void {
    this.field.value = "";
  }
}

/** A quiz as the page has it: its pictures are base64. */
function quizTraits(value: unknown): QuizStore {
  const given = fields(value);
  const cards = list(given["cards"]).map((card) => ({
    ...fields(card), pictures: list(fields(card)["pictures"]).map((picture) => ({ ...fields(picture), data: decoded(fields(picture)["data"]) })),
  }));
  const answers = cards.map(() => null);
  return new QuizStore({
    ...DEFAULTS, cards, answers, total: cards.length, title: text(given["title"]), source: text(given["source"]), scale: text(given["scale"]),
  });
}

function decoded(value: unknown): Uint8Array | null {
  return binary(Uint8Array.from(atob(text(value)), (sign) => sign.charCodeAt(0)));
}

function build(root: (id: string) => HTMLElement, data: Readonly<Record<string, unknown>>): void {
  const title = text(data["title"]);
  let number = randomNumber();
  // Of the tasks, and of the quiz.
  let unsaved = { tasks: false, quiz: false };
  const isUnsaved = (): boolean => unsaved.tasks || unsaved.quiz;
  const status = make("p", "camwidget-lesson-status", { role: "status" });
  const changed = (of: Partial<typeof unsaved>): void => {
    unsaved = { ...unsaved, ...of };
    status.replaceChildren();
    if (isUnsaved()) line.outdate();
  };
  const tasks = texts(data["tasks"]).map((task, at) => new TaskField(task, at + 1, () => changed({ tasks: true })));
  if (tasks.length > 0) {
    const hint = "Try it out in the picture below, and write down what you find. At the end of the page you save your answers.";
    root("camwidget-tasks").append(make("h2", "", {}, "Tasks"), make("p", "camwidget-lesson-hint", {}, hint), make("ol", "camwidget-lesson-tasks", {}, ...tasks.map(({ element }) => element)));
  }
  let game: Game | null = null;
  if (data["quiz"] != null) {
    const store = quizTraits(data["quiz"]);
    const played = (game = new Game(store));
    // A quiz that has begun again has no answers to save.
    store.on("change:answers", () => changed({ quiz: list(store.get("answers")).some((answer) => answer !== null) }));
    // After a restart the next person may answer: without a number of its own, pooling takes the sheet for a copy.
    store.on("change:attempt", () => {
      if (played.attempt !== "") return;
      number = randomNumber();
      if (tasks.some(({ answer }) => answer.answer !== "")) {
        status.replaceChildren("The quiz has begun again; the answers to the tasks are still there. “Start again” clears them too, for the next person.");
      }
    });
    const place = make("div", "");
    root("camwidget-quiz").append(make("h2", "", {}, "Quiz"), place);
    // The page ends with its window.
    mount(store, place, new AbortController().signal, true);
  }
  const sheet = (name: string): Record<string, unknown> | null => {
    const answers = tasks.map((task) => task.answer);
    const isAnswered = answers.some(({ answer }) => answer !== "") || (game !== null && game.attempt !== "");
    if (!isAnswered) return null;
    unsaved = { tasks: false, quiz: false };
    return answerSheet(number, name, title, game, answers);
  };
  let line = saveLine(sheet);
  const clear = (): void => {
    for (const task of tasks) task.clear();
    game?.restart();
    number = randomNumber();
    unsaved = { tasks: false, quiz: false };
    const empty = saveLine(sheet);
    line.element.replaceWith(empty.element);
    line = empty;
    status.replaceChildren("All answers are cleared: the next person can begin.");
  };
  root("camwidget-answers").append(
    make("h2", "", {}, "Your answers"),
    make("p", "", {}, "They stay in this page until you save them as a file. The file has your answers, and the name only if you write one."),
    make("div", "camwidget-lesson-ending", {}, line.element, startAgain(isUnsaved, clear, status)), status,
  );
  addEventListener("beforeunload", (event) => {
    if (isUnsaved()) event.preventDefault();
  });
}

/** A button that clears all answers; where some are not saved, only after a second click. */
function startAgain(isUnsaved: () => boolean, clear: () => void, status: HTMLElement): HTMLElement {
  const again = button("camwidget-quiz-button", { title: "Clear the answers to the tasks and the quiz, for the next person" }, "Start again");
  again.addEventListener("click", () => {
    if (!isUnsaved()) {
      clear();
      return;
    }
    const yes = button("camwidget-quiz-button", {}, "Clear them");
    const no = button("camwidget-quiz-button", {}, "Keep them");
    yes.addEventListener("click", clear);
    no.addEventListener("click", () => status.replaceChildren());
    for (const one of [yes, no]) one.addEventListener("click", () => again.focus());
    status.replaceChildren("Some answers are not saved. ", yes, " ", no);
    no.focus();
  });
  return again;
}

const source = document.getElementById("camwidget-lesson");
if (source !== null) {
  const root = (id: string): HTMLElement => document.getElementById(id) ?? make("section", "");
  try {
    build(root, fields(JSON.parse(source.textContent ?? "")));
  } catch (error) {
    root("camwidget-tasks").replaceChildren(make("p", "camwidget-page-error", { role: "alert" }, `The tasks cannot be shown: ${String(error)}`));
  }
}
