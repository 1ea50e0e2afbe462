/** ``Model``: the interface of a front end to its host, with synced traits, change events and messages. */
import { clamp, plain } from "../core/parse";
import { DEFAULTS } from "./syncedTraits";
import type { SyncedTraits } from "./syncedTraits";

export type NameOf<Traits> = keyof Traits & string;

/** Names of the view's synced traits. */
export type TraitName = NameOf<SyncedTraits>;

/** Values of some traits. They may be malformed: what reads them parses them. */
export type Values<Traits> = { readonly [Name in keyof Traits]?: unknown };

/**
 * What the front end needs of its host. anywidget's model fits; so does that of a page without a kernel.
 * `Traits` is the generated interface of the widget's synced traits.
 */
export interface Model<Traits extends object = SyncedTraits> {
  get(name: NameOf<Traits>): unknown;
  set<Name extends NameOf<Traits>>(name: Name, value: Traits[Name]): void;
  save_changes(): void;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
  send(content: unknown): void;
}

/** Names of the traits that are a flag, a number or a text. */
export type PlainName = {
  [Name in TraitName]: SyncedTraits[Name] extends boolean | number | string ? Name : never;
}[TraitName];

/** A plain trait of the view; its default where the value is of another type. */
export function trait<Name extends PlainName>(model: Model, name: Name): SyncedTraits[Name] {
  return plain(model.get(name), DEFAULTS, name);
}

/** A numeric trait of the view, clamped to 0…1. */
export function portion(model: Model, name: "contour" | "divider" | "fraction" | "opacity"): number {
  return clamp(trait(model, name), 0, 1);
}

/** Sets traits on both sides: in the page, and in the kernel where there is one. */
export function write<Traits extends object>(model: Model<Traits>, values: Partial<Traits>): void {
  for (const name of Object.keys(values) as NameOf<Traits>[]) model.set(name, values[name]!);
  model.save_changes();
}

/**
 * Calls `update` now and after changes of any of these traits, until `signal` aborts: once for all changes
 * that arrive together, before the next frame.
 */
export function watch<Traits extends object>(
  model: Model<Traits>, names: readonly NameOf<Traits>[], signal: AbortSignal, update: () => void,
): void {
  let isScheduled = false;
  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(() => {
      isScheduled = false;
      if (!signal.aborted) update();
    });
  };
  for (const name of names) {
    model.on(`change:${name}`, schedule);
    signal.addEventListener("abort", () => model.off(`change:${name}`, schedule));
  }
  update();
}

/** What a host gives to a module of anywidget. */
interface Props<Traits extends object> {
  readonly model: Model<Traits>;
  readonly el: HTMLElement;
  /** Aborted when the view goes; hosts that do not know it call the returned function. */
  readonly signal?: AbortSignal;
}

/** A module as anywidget expects it, from a function that builds a view and removes it when its signal aborts. */
export function widgetModule<Traits extends object>(mount: (model: Model<Traits>, el: HTMLElement, signal: AbortSignal) => void) {
  return {
    render({ model, el, signal }: Props<Traits>): () => void {
      const life = new AbortController();
      signal?.addEventListener("abort", () => life.abort(), { once: true });
      mount(model, el, life.signal);
      return () => life.abort();
    },
  };
}
