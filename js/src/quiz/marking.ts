/** ``MarkingPage``: a question that is answered by marks on its picture, and their correlation with maps. */
import { fixed } from "../core/numberFormat";
import type { Position } from "../core/geometry";
import { decode, draw, encode, HIDDEN } from "../core/userMask";
import { button, make, relativePosition, setText } from "../view/dom/dom";
import { OWN_KEYS } from "../view/host/compat";
import type { Card, Correlation } from "./cards";
import type { Game } from "./game";
import { CaptionedPicture } from "./pictures";
import type { ObjectUrls } from "./pictures";

const TIES =
  "Spearman’s rank correlation over 14 × 14 cells, from −1 to 1. Equal cells, as all that you did not mark, share the average of their ranks.";

/** The page of a question about where one looks. */
export class MarkingPage {
  readonly element: HTMLElement;
  private readonly figure: CaptionedPicture;
  private readonly canvas: HTMLCanvasElement;
  private readonly marks: Int8Array;
  private readonly done = button("camwidget-quiz-button camwidget-quiz-next camwidget-quiz-done", {}, "Compare");
  private readonly clear = button("camwidget-quiz-button", {}, "Clear");
  private readonly next = button("camwidget-quiz-button camwidget-quiz-next", {});
  private readonly back = button("camwidget-quiz-button", {}, "Back to the score");
  private readonly size: HTMLInputElement;
  private readonly feedback = make("p", "camwidget-quiz-feedback", { "aria-live": "polite" });
  private readonly tools: HTMLElement;
  private readonly result = make("div", "camwidget-quiz-result");
  private last: Position | null = null;

  constructor(
    private readonly game: Game,
    private readonly at: number,
    private readonly card: Card,
    addresses: ObjectUrls,
  ) {
    const [picture] = card.pictures;
    const { width, height } = picture!;
    this.figure = new CaptionedPicture(picture!, addresses);
    this.canvas = make("canvas", "camwidget-quiz-marks-layer", {
      width, height, tabindex: 0, role: "img", "aria-label": "Mark on the picture where you look", ...OWN_KEYS,
    });
    const side = Math.min(width, height);
    this.size = make("input", "camwidget-quiz-size", {
      type: "range", min: 1, max: Math.max(2, Math.round(side / 2)), value: Math.max(1, Math.round(side / 6)), "aria-label": "Size of the brush",
    });
    this.marks = this.given() ?? new Int8Array(width * height);
    this.figure.cover(this.canvas);
    this.listen();
    this.done.addEventListener("click", () => game.mark(encode(this.marks)));
    this.clear.addEventListener("click", () => {
      this.marks.fill(0);
      this.paint();
    });
    this.next.addEventListener("click", () => game.next());
    this.back.addEventListener("click", () => game.show(game.total));
    this.tools = make("div", "camwidget-quiz-tools", {}, make("label", "", {}, "Brush ", this.size), this.clear, this.done);
    this.element = make(
      "div", "camwidget-quiz-page", {},
      make("p", "camwidget-quiz-prompt", {}, card.prompt),
      make("div", "camwidget-quiz-pictures", {}, this.figure.element, this.result),
      this.tools,
      make("div", "camwidget-quiz-foot", {}, this.feedback, make("div", "camwidget-quiz-buttons", {}, this.back, this.next)),
    );
    this.update();
  }

  /** The element that gets the focus after the answer. */
  get nextFocus(): HTMLElement {
    return this.next;
  }

  update(): void {
    const { game, at, card } = this;
    const isDone = game.done(at);
    const given = this.given();
    if (given !== null) this.marks.set(given);
    this.tools.hidden = isDone;
    this.canvas.classList.toggle("camwidget-quiz-marked", isDone);
    setText(this.feedback, isDone ? `${card.reveal} ${TIES}` : "Draw with the pointer; or move with the arrow keys and mark with space.");
    this.result.replaceChildren(...(isDone ? [table(game.correlations(at))] : []));
    this.next.hidden = !isDone;
    setText(this.next, at + 1 === game.total ? "See the score" : "Next");
    this.back.hidden = !game.finished || at + 1 === game.total;
    if (isDone) this.figure.reveal(true);
    this.paint();
  }

  private given(): Int8Array | null {
    const { width, height } = this.card.pictures[0]!;
    const runs = this.game.runs(this.at);
    return runs === null ? null : decode(runs, width * height);
  }

  private listen(): void {
    const { canvas } = this;
    let pointer: number | null = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (this.game.done(this.at) || event.button !== 0) return;
      event.preventDefault();
      canvas.focus({ preventScroll: true });
      pointer = event.pointerId;
      canvas.setPointerCapture?.(pointer);
      this.last = null;
      this.stroke(this.over(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId === pointer) this.stroke(this.over(event));
    });
    for (const end of ["pointerup", "pointercancel"] as const) {
      canvas.addEventListener(end, () => (pointer = null));
    }
    canvas.addEventListener("keydown", (event) => this.press(event));
  }

  private over(event: PointerEvent): Position | null {
    const found = relativePosition(this.canvas, event);
    return found === null ? null : { x: found.x * this.canvas.width, y: found.y * this.canvas.height };
  }

  private stroke(to: Position | null): void {
    if (to === null || this.game.done(this.at)) return;
    draw(this.marks, this.canvas.width, this.last ?? to, to, Number(this.size.value), HIDDEN);
    this.last = to;
    this.paint();
  }

  /** Arrow keys move the marker by a cell; space marks there. */
  private press(event: KeyboardEvent): void {
    const { width, height } = this.canvas;
    const [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    const at = this.last ?? { x: width / 2, y: height / 2 };
    if (event.key === " ") {
      this.last = at;
      this.stroke(at);
    } else if (right === 0 && down === 0) return;
    else {
      const step = Math.max(1, Math.round(Math.min(width, height) / 14));
      this.last = { x: Math.min(width - 1, Math.max(0, at.x + right! * step)), y: Math.min(height - 1, Math.max(0, at.y + down! * step)) };
      this.paint();
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private paint(): void {
    const { canvas, marks, last } = this;
    const isEmpty = !marks.includes(HIDDEN);
    this.done.disabled = this.clear.disabled = isEmpty;
    const pen = canvas.getContext("2d");
    if (pen === null) return;
    const image = pen.createImageData(canvas.width, canvas.height);
    for (let k = 0; k < marks.length; k++) {
      if (marks[k] === HIDDEN) image.data.set([255, 196, 0, 130], 4 * k);
    }
    pen.putImageData(image, 0, 0);
    if (last === null || this.game.done(this.at)) return;
    pen.strokeStyle = "#fff";
    pen.lineWidth = Math.max(1, canvas.width / 160);
    pen.beginPath();
    pen.arc(last.x, last.y, Number(this.size.value) / 2, 0, 2 * Math.PI);
    pen.stroke();
  }
}

/** The correlations with a bar each, the largest first. */
function table(found: readonly Correlation[]): HTMLElement {
  const rows = [...found].sort((a, b) => (b.value ?? -2) - (a.value ?? -2)).map(({ name, value }) => {
    const bar = make("span", "camwidget-quiz-bar", { "aria-hidden": "true" });
    bar.style.setProperty("--value", String(value ?? 0));
    return make("tr", "", {}, make("th", "", { scope: "row" }, name), make("td", "camwidget-quiz-number", {}, correlationText(value)), make("td", "", {}, bar));
  });
  return make(
    "table", "camwidget-quiz-correlations", {},
    make("caption", "", {}, "Rank correlation with your marks"),
    make("tbody", "", {}, ...rows),
  );
}

export function correlationText(value: number | null): string {
  if (value === null) return "–";
  const size = fixed(Math.abs(value), 2);
  return value < 0 && Number(size) !== 0 ? `−${size}` : size;
}
