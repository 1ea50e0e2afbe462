/** ``Game``: questions, answers and score of a quiz, stored in its synced traits. */
import { list, text } from "../core/parse";
import { cellMeans, rankCorrelation } from "../core/rankCorrelation";
import { decode } from "../core/userMask";
import { write } from "../view/model";
import type { Model } from "../view/model";
import { randomNumber } from "./answerSheet";
import { card, count, verdict } from "./cards";
import type { Card, Correlation, Verdict } from "./cards";
import type { QuizTraits } from "./syncedTraits";

/**
 * The state of a game. It is all in the synced traits and decided here, so that a saved notebook can be
 * played without a kernel; the kernel, where there is one, reads along.
 */
export class Game {
  /** Parsed questions; the list is sent again whenever another question is ready. */
  private readonly read: (Card | undefined)[] = [];

  constructor(private readonly model: Model<QuizTraits>) {}

  get total(): number {
    return count(this.model.get("total"));
  }

  /** The question shown; `total` is the score. */
  get number(): number {
    return Math.min(count(this.model.get("number")), this.total);
  }

  get title(): string {
    return text(this.model.get("title"));
  }

  get source(): string {
    return text(this.model.get("source"));
  }

  get scale(): string {
    return text(this.model.get("scale"));
  }

  /** A question; null while it is being made. */
  card(at: number): Card | null {
    const raw = list(this.model.get("cards"))[at];
    if (raw === undefined) return null;
    return (this.read[at] ??= card(raw));
  }

  choice(at: number): number | null {
    const given = list(this.model.get("answers"))[at];
    return typeof given === "number" ? given : null;
  }

  /** The marks of a question about where one looks, as runs; null before. */
  runs(at: number): readonly unknown[] | null {
    const given = list(this.model.get("answers"))[at];
    return Array.isArray(given) ? given : null;
  }

  /** The share of the picture that is marked. */
  marked(at: number): number {
    const marks = this.marks(at);
    return marks === null ? 0 : marks.reduce((sum, value) => sum + (value > 0 ? 1 : 0), 0) / marks.length;
  }

  /** The rank correlation of the marks with each map; empty before, and for a question with options. */
  correlations(at: number): readonly Correlation[] {
    const [card, marks] = [this.card(at), this.marks(at)];
    const picture = card?.pictures[0];
    if (marks === null || picture === undefined) return [];
    const own = cellMeans(marks, picture.width, picture.height);
    return (card?.maps ?? []).map(({ name, cells }) => ({ name, value: rankCorrelation(own, cells) }));
  }

  private marks(at: number): Int8Array | null {
    const [card, runs] = [this.card(at), this.runs(at)];
    const picture = card?.pictures[0];
    return runs === null || picture === undefined ? null : decode(runs, picture.width * picture.height);
  }

  verdict(at: number): Verdict | null {
    if (this.runs(at) !== null) return "noted";
    const [card, choice] = [this.card(at), this.choice(at)];
    return card === null || choice === null ? null : verdict(card, choice);
  }

  /** Whether there is nothing left to answer at a question: it may be gone on from. */
  done(at: number): boolean {
    return this.choice(at) !== null || this.runs(at) !== null || (this.card(at)?.error ?? "") !== "";
  }

  get finished(): boolean {
    return Array.from({ length: this.total }, (_, at) => this.done(at)).every(Boolean);
  }

  /** How many answers were right, of those that could be. */
  get score(): { readonly right: number; readonly of: number } {
    const judged = this.verdicts().filter((found) => found !== "noted");
    return { right: judged.filter((found) => found === "right").length, of: judged.length };
  }

  /** The mean on the questions' scale; null without any answer on one. */
  get mean(): number | null {
    const values = Array.from({ length: this.total }, (_, at) => {
      const choice = this.choice(at);
      return choice === null ? undefined : this.card(at)?.values?.[choice];
    }).filter((value) => value !== undefined);
    return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
  }

  choose(option: number): void {
    const at = this.number;
    const card = this.card(at);
    if (card === null || this.choice(at) !== null || option >= card.options.length) return;
    this.answer(at, option);
  }

  /** Answers the question shown by marks, as runs. */
  mark(runs: readonly number[]): void {
    if (this.card(this.number)?.maps == null || this.runs(this.number) !== null || runs.length === 0) return;
    this.answer(this.number, runs);
  }

  /** The number of the answers, by which copies of a file are recognized. */
  get attempt(): string {
    return text(this.model.get("attempt"));
  }

  private answer(at: number, given: number | readonly number[]): void {
    const answers = Array.from({ length: this.total }, (_, k) => (k === at ? given : (this.choice(k) ?? this.runs(k))));
    write(this.model, { answers, ...(this.attempt === "" ? { attempt: randomNumber() } : {}) });
  }

  next(): void {
    if (this.number < this.total && this.done(this.number)) this.show(this.number + 1);
  }

  show(number: number): void {
    write(this.model, { number });
  }

  restart(): void {
    write(this.model, { answers: Array.from({ length: this.total }, () => null), number: 0, attempt: "" });
  }

  /** By method, of questions with a right option: how many were right, of how many. Empty where there is one method. */
  get tally(): readonly { readonly method: string; readonly right: number; readonly of: number; readonly mean: number | null }[] {
    const found = new Map<string, { right: number; of: number; values: number[] }>();
    for (let at = 0; at < this.total; at++) {
      const [card, verdict, choice] = [this.card(at), this.verdict(at), this.choice(at)];
      if (card === null || choice === null || verdict === null || verdict === "noted") continue;
      const line = found.get(card.method) ?? { right: 0, of: 0, values: [] };
      found.set(card.method, line);
      line.of += 1;
      line.right += verdict === "right" ? 1 : 0;
      const value = card.values?.[choice];
      if (value !== undefined) line.values.push(value);
    }
    if (found.size < 2) return [];
    return [...found].map(([method, { right, of, values }]) => ({
      method, right, of, mean: values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length,
    }));
  }

  private verdicts(): readonly Verdict[] {
    return Array.from({ length: this.total }, (_, at) => this.verdict(at)).filter((found) => found !== null);
  }

}
