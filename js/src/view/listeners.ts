/** Listener sets, observable values, and tasks that run once a frame. */

/** Callbacks that are called after each change of something. */
export class Listeners {
  private readonly callbacks = new Set<() => void>();

  add(callback: () => void): void {
    this.callbacks.add(callback);
  }

  delete(callback: () => void): void {
    this.callbacks.delete(callback);
  }

  notify(): void {
    for (const callback of [...this.callbacks]) callback();
  }

  get size(): number {
    return this.callbacks.size;
  }
}

/** A value whose changes can be listened to. */
export class Observable<Value> {
  private readonly listeners = new Listeners();

  /** @param isEqual whether a new value is no change */
  constructor(
    private current: Value,
    private readonly isEqual: (a: Value, b: Value) => boolean = Object.is,
  ) {}

  get value(): Value {
    return this.current;
  }

  set(value: Value): void {
    if (this.isEqual(value, this.current)) return;
    this.current = value;
    this.listeners.notify();
  }

  listen(callback: () => void): void {
    this.listeners.add(callback);
  }
}

/** A function that runs at the next frame. */
export interface FrameTask {
  /** Schedules it once, however often it is called, and never after the view's end. */
  schedule(): void;
  /** Forgets that it was scheduled. */
  cancel(): void;
}

export function frameTask(signal: AbortSignal, run: () => void): FrameTask {
  let request = 0;
  const cancel = (): void => {
    cancelAnimationFrame(request);
    request = 0;
  };
  signal.addEventListener("abort", cancel);
  return {
    schedule: () => {
      if (request !== 0 || signal.aborted) return;
      request = requestAnimationFrame(() => {
        request = 0;
        run();
      });
    },
    cancel,
  };
}
