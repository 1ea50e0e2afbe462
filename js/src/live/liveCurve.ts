/** ``LiveCurve``: the curve of a live page's map, point by point, coarse first. */
import { fractionAt } from "../page/curve";
import type { Answer, Input, ModelRunner } from "./modelRunner";

/** Every how many steps a curve has a point at first, and then. */
const COARSE = [4, 2, 1] as const;

export class LiveCurve {
  /** By step the model's numbers of all classes. */
  private readonly points = new Map<number, Float64Array>();
  private isWanted = true;

  /**
   * @param key of what it is
   * @param steps the number of its points
   */
  constructor(
    readonly key: string,
    private readonly steps: number,
  ) {}

  /**
   * Runs the model for one point after the other, each after all that the slider needs.
   *
   * @param input of a fraction
   * @param read from the model's outputs
   * @param found called after each point
   */
  run(runner: ModelRunner, input: (fraction: number) => Input, read: (answer: Answer) => Float64Array, found: () => void): void {
    const every = Array.from({ length: this.steps }, (_, step) => step);
    const order = new Set(COARSE.flatMap((stride) => every.filter((step) => step % stride === 0)));
    const next = (left: readonly number[]): void => {
      const [step, ...rest] = left;
      if (step === undefined || !this.isWanted) return;
      void runner.later(() => input(fractionAt(step, this.steps)), () => this.isWanted).then((answer) => {
        if (answer === null) return;
        this.points.set(step, read(answer));
        found();
        next(rest);
      });
    };
    next([...order]);
  }

  /** Asks for no more points. */
  stop(): void {
    this.isWanted = false;
  }

  /** The numbers of some classes at evenly spaced steps, as fine as they are known; null while too few are. */
  values(rows: readonly number[]): number[][] | null {
    const last = this.steps - 1;
    for (const stride of [...COARSE].reverse()) {
      const points = Array.from({ length: last / stride + 1 }, (_, at) => this.points.get(at * stride));
      if (last % stride === 0 && points.every((one) => one !== undefined)) {
        return points.map((values) => rows.map((index) => values[index]!));
      }
    }
    return null;
  }
}
