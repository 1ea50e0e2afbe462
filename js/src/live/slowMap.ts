/** ``SlowMap``: a map that is made by running the model many times, pass by pass. */
import { passesKey } from "./liveMaps";
import type { Subject } from "./liveMaps";
import type { Answer, ModelRunner } from "./modelRunner";
import type { Rerun } from "./reruns";

/** Milliseconds between two displays of an unfinished map. */
const SHOWN_EVERY = 400;

export class SlowMap {
  private isWanted = true;

  constructor(
    readonly of: Subject,
    private readonly rerun: Rerun,
  ) {}

  /** The part that is done, from 0 to 1. */
  get progress(): number {
    const { picture } = this.of;
    return picture.passesOf(passesKey(this.of)).length / this.rerun.total(picture);
  }

  /**
   * Runs the passes that are left, each after all that the slider needs. They are kept with the picture.
   *
   * @param logits of the picture's classes, from the outputs of a pass
   * @param showPartial called now and then meanwhile, after the first pass
   * @param done called at the end, unless `stop` was called
   */
  run(runner: ModelRunner, logits: (answer: Answer) => Float32Array, showPartial: () => void, done: () => void): void {
    const { picture } = this.of;
    const passes = picture.passesOf(passesKey(this.of));
    const total = this.rerun.total(picture);
    let last = performance.now();
    const next = (): void => {
      if (!this.isWanted) return;
      if (passes.length >= total) {
        done();
        return;
      }
      if (passes.length > 0 && performance.now() - last > SHOWN_EVERY) {
        showPartial();
        last = performance.now();
      }
      const at = passes.length;
      void runner.later(() => this.rerun.input(picture, at), () => this.isWanted).then((answer) => {
        if (answer === null) return;
        // Another map of the same passes may have added it.
        if (at === passes.length) passes.push(logits(answer));
        next();
      });
    };
    next();
  }

  stop(): void {
    this.isWanted = false;
  }
}
