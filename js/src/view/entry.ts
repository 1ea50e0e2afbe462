import type { Model } from "./model";

interface Props<Traits extends object> {
  readonly model: Model<Traits>;
  readonly el: HTMLElement;
  /** Aborted when the view goes; hosts that do not know it call the returned function. */
  readonly signal?: AbortSignal;
}

/** What anywidget wants of a module, of what builds a view in an element and takes it away when its signal aborts. */
export function entry<Traits extends object>(mount: (model: Model<Traits>, el: HTMLElement, signal: AbortSignal) => void) {
  return {
    render({ model, el, signal }: Props<Traits>): () => void {
      const life = new AbortController();
      signal?.addEventListener("abort", () => life.abort(), { once: true });
      mount(model, el, life.signal);
      return () => life.abort();
    },
  };
}
