/** ``ModelRunner``: runs the passes of the page's model in its worker; the newest position of the slider goes first. */
import type { FromWorker, Load, Pass, ToWorker, WeightsPlace } from "./messages";

/** The part of a ``Worker`` that is used here. */
export interface WorkerLike {
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  postMessage(message: ToWorker, transfer?: Transferable[]): void;
}

export type Answer = Extract<FromWorker, { kind: "passed" }>;
export type Input = Omit<Pass, "id">;

interface Job {
  readonly make: () => Input;
  readonly done: (answer: Answer | null) => void;
}

/** Why a browser cannot run the model at all, in words; null where it may. */
export function unsupported(): string | null {
  if (typeof WebAssembly === "undefined") return "it has no WebAssembly, or it is switched off";
  if (typeof Worker === "undefined") return "it has no workers";
  // (module (func (result v128) i32.const 0 i8x16.splat))
  const simd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];
  return WebAssembly.validate(Uint8Array.from(simd)) ? null : "it has no SIMD instructions for WebAssembly";
}

/** One pass runs at a time. A position that a newer one replaces before its turn is never run. */
export class ModelRunner {
  /** The newest waiting position of each map, in the order in which they were requested. */
  private readonly newest = new Map<string, Job>();
  private readonly waiting: Job[] = [];
  private running: Job | null = null;
  private id = 0;
  private isReady = false;

  /**
   * @param ready called once the model can run, with the head's weights
   * @param failed called with the reason if it cannot
   */
  constructor(
    private readonly worker: WorkerLike,
    private readonly ready: (weights: Float32Array | null) => void,
    private readonly failed: (reason: string) => void,
  ) {
    worker.onmessage = ({ data }) => this.receive(data);
    worker.onerror = (event) => this.fail(event.message || "its worker did not start");
  }

  load(files: Load, weights: WeightsPlace | null): void {
    this.worker.postMessage({ kind: "load", ...files, weights });
  }

  /**
   * Runs the newest position; null if a newer one has replaced it.
   *
   * @param of what is masked: positions of two maps that are compared take turns
   */
  latest(make: () => Input, of = "A"): Promise<Answer | null> {
    return new Promise((done) => {
      this.newest.get(of)?.done(null);
      this.newest.delete(of);
      this.newest.set(of, { make, done });
      this.next();
    });
  }

  /** Runs after the newest position and everything that waits already; null if `isWanted` is false when its turn comes. */
  later(make: () => Input, isWanted: () => boolean = () => true): Promise<Answer | null> {
    return new Promise((resolve) => {
      this.waiting.push({
        make: () => {
          if (!isWanted()) throw new Unwanted();
          return make();
        },
        done: resolve,
      });
      this.next();
    });
  }

  private next(): void {
    while (this.isReady && this.running === null) {
      const [first] = this.newest;
      const job = first?.[1] ?? this.waiting.shift();
      if (job === undefined) return;
      if (first !== undefined) this.newest.delete(first[0]);
      this.start(job);
    }
  }

  private start(job: Job): void {
    let input: Input;
    try {
      input = job.make();
    } catch (error) {
      job.done(null);
      if (!(error instanceof Unwanted)) this.fail(String(error));
      return;
    }
    this.running = job;
    this.worker.postMessage({ kind: "pass", id: ++this.id, ...input }, [input.pixels.buffer]);
  }

  private receive(message: FromWorker): void {
    if (message.kind === "failed") {
      this.fail(message.reason);
    } else if (message.kind === "ready") {
      this.isReady = true;
      this.ready(message.weights);
      this.next();
    } else if (message.id === this.id) {
      const { running } = this;
      this.running = null;
      running?.done(message);
      this.next();
    }
  }

  private fail(reason: string): void {
    const { running } = this;
    this.running = null;
    running?.done(null);
    this.failed(reason);
    this.next();
  }
}

class Unwanted extends Error {}
