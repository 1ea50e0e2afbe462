/** ``LiveHistory``: undo and redo of a live page, by the rules of camwidget/widget/state/history.py. */
import type { TraitName } from "../view/model";

/** What is undone and redone. */
const TRAITS = [
  "picture", "target", "stance", "method", "settings", "layer", "mode", "baseline", "fraction", "paint", "compare", "boxes", "arrangement",
  "divider", "opacity", "overlay", "cells", "contour", "colormap", "findings", "parts",
] as const satisfies readonly TraitName[];

type Kept = (typeof TRAITS)[number];
export type State = { readonly [Name in Kept]: unknown };

/** Past, present and future states. */
interface Line {
  readonly past: readonly State[];
  readonly now: State;
  readonly future: readonly State[];
}

/** Steps that are kept. */
const LENGTH = 200;
/** Milliseconds after which the same trait changed again is another step. */
const PAUSE = 1000;

export class LiveHistory {
  private line: Line;
  /** The line at the time when the map of its present state was last shown. */
  private settled: Line;
  /** What the last step changed, and when; "" if the next change is a new step in any case. */
  private cause = "";
  private when = 0;
  private isRestoring = false;

  /**
   * @param read the present state of a trait
   * @param restore sets a state, and requests its map
   * @param publish takes whether there is a state to go back to, and one to go forth to
   */
  constructor(
    private readonly read: (name: Kept) => unknown,
    private readonly restore: (state: State) => void,
    private readonly publish: (can_undo: boolean, can_redo: boolean) => void,
  ) {
    this.line = this.settled = { past: [], now: this.state(), future: [] };
  }

  /**
   * Adds the present state as a step if it has changed, or replaces the last step if that continues.
   *
   * @param isShown whether the map of the present state is shown
   */
  note(isShown: boolean): void {
    if (this.isRestoring) return;
    const { line } = this;
    const now = this.state();
    const changed = TRAITS.filter((name) => !isSame(now[name], line.now[name]));
    // The class of a picture may be known only now.
    if (changed.length === 0 || isCompleted(line.now, now)) {
      this.line = { ...line, now };
    } else {
      this.add(now, causeOf(changed, now));
    }
    if (isShown) this.settled = this.line;
    this.tell();
  }

  /** A map was shown: the next change is a step of its own. */
  mapShown(): void {
    this.cause = "";
  }

  /** Removes the step whose map failed or was canceled; other changes since then become a step. */
  mapCanceled(): void {
    this.line = this.settled;
    this.cause = "";
    this.note(true);
  }

  undo(): void {
    const { past, now, future } = this.line;
    const last = past.at(-1);
    if (last !== undefined) this.move({ past: past.slice(0, -1), now: last, future: [now, ...future] });
  }

  redo(): void {
    const { past, now, future: [next, ...rest] } = this.line;
    if (next !== undefined) this.move({ past: [...past, now], now: next, future: rest });
  }

  private add(now: State, cause: string): void {
    const { past, now: before } = this.line;
    const when = performance.now();
    // A stroke is one step, however long it takes.
    const goesOn = cause !== "" && cause === this.cause && (cause.startsWith("paint") || when - this.when < PAUSE);
    const kept = goesOn ? past : [...past, before].slice(-LENGTH);
    const isBack = goesOn && kept.length > 0 && TRAITS.every((name) => isSame(kept.at(-1)![name], now[name]));
    this.line = { past: isBack ? kept.slice(0, -1) : kept, now, future: [] };
    this.cause = isBack ? "" : cause;
    this.when = when;
  }

  private move(to: Line): void {
    this.line = to;
    this.cause = "";
    this.isRestoring = true;
    try {
      this.restore(to.now);
    } finally {
      this.isRestoring = false;
    }
    // What cannot be restored as it was stands for it.
    this.line = { ...to, now: this.state() };
    this.tell();
  }

  private tell(): void {
    this.publish(this.line.past.length > 0, this.line.future.length > 0);
  }

  private state(): State {
    return Object.fromEntries(TRAITS.map((name) => [name, this.read(name)])) as State;
  }
}

/** Whether only the class of the picture has become known, with the method and layer that it has a map by. */
function isCompleted(before: State, now: State): boolean {
  return before.target === -1 && now.target !== -1 && before.picture === now.picture;
}

/** What continues a step if it changes again; "" for several traits. */
function causeOf(changed: readonly Kept[], { paint }: State): string {
  const [first] = changed;
  if (changed.length !== 1 || first === undefined) return "";
  return first === "paint" ? `paint ${String((paint as { readonly stroke?: unknown }).stroke)}` : first;
}

/** Whether two values of a trait are the same; paint is the same whose pixels are. */
function isSame(one: unknown, other: unknown): boolean {
  return Object.is(one, other) || JSON.stringify(plain(one)) === JSON.stringify(plain(other));
}

function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("runs" in value)) return value;
  return (value as { readonly runs: unknown }).runs;
}
