/** ``Store``: a model without a kernel, on which the offline page, the harness and the tests build. */
import { Listeners } from "./listeners";
import type { NameOf, Values } from "./model";
import type { SyncedTraits } from "./syncedTraits";

export class Store<Traits extends object = SyncedTraits> {
  readonly state: { [Name in keyof Traits]?: unknown };
  private readonly listeners = new Map<string, Listeners>();

  constructor(state: Values<Traits> = {}) {
    this.state = { ...state };
  }

  get(name: NameOf<Traits>): unknown {
    return this.state[name];
  }

  set(name: NameOf<Traits>, value: unknown): void {
    if (Object.is(this.state[name], value)) return;
    this.state[name] = value;
    this.emit(`change:${name}`);
  }

  /** Sets several traits, one after the other. */
  setAll(values: Values<Traits>): void {
    for (const [name, value] of Object.entries(values)) this.set(name as NameOf<Traits>, value);
  }

  on(event: string, callback: () => void): void {
    const listeners = this.listeners.get(event) ?? new Listeners();
    this.listeners.set(event, listeners);
    listeners.add(callback);
  }

  off(event: string, callback: () => void): void {
    this.listeners.get(event)?.delete(callback);
  }

  emit(event: string): void {
    this.listeners.get(event)?.notify();
  }

  /** The number of registered callbacks. */
  get listening(): number {
    return [...this.listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }
}
