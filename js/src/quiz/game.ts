/** ``Game``: questions, answers and score of a quiz, stored in its synced traits. */
import { list, text } from "../core/parse";
import { write } from "../view/model";
import type { Model } from "../view/model";
import { card, count, verdict } from "./cards";
import type { Card, Verdict } from "./cards";
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

  verdict(at: number): Verdict | null {
    const [card, choice] = [this.card(at), this.choice(at)];
    return card === null || choice === null ? null : verdict(card, choice);
  }

  /** Whether there is nothing left to answer at a question: it may be gone on from. */
  done(at: number): boolean {
    return this.choice(at) !== null || (this.card(at)?.error ?? "") !== "";
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
    const answers = Array.from({ length: this.total }, (_, k) => (k === at ? option : this.choice(k)));
    write(this.model, { answers });
  }

  next(): void {
    if (this.number < this.total && this.done(this.number)) this.show(this.number + 1);
  }

  show(number: number): void {
    write(this.model, { number });
  }

  restart(): void {
    write(this.model, { answers: Array.from({ length: this.total }, () => null), number: 0 });
  }

  private verdicts(): readonly Verdict[] {
    return Array.from({ length: this.total }, (_, at) => this.verdict(at)).filter((found) => found !== null);
  }

}
