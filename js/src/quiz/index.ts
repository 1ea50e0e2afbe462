import type { Model } from "../view/model";
import { mount } from "./quiz";

interface Props {
  readonly model: Model;
  readonly el: HTMLElement;
  /** Aborted when the view goes; hosts that do not know it call the returned function. */
  readonly signal?: AbortSignal;
}

export default {
  render({ model, el, signal }: Props): () => void {
    const life = new AbortController();
    signal?.addEventListener("abort", () => life.abort(), { once: true });
    mount(model, el, life.signal);
    return () => life.abort();
  },
};
