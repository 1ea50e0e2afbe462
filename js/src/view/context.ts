/** What all parts of one view share. */
import type { Point } from "../core/geometry";
import { Observable } from "./listeners";
import { portion, watch, write } from "./model";
import type { Model, TraitName } from "./model";
import { LayerScrubber } from "./picture/layerPreview";
import type { SyncedTraits } from "./syncedTraits";

let views = 0;

/** What every part of one view shares: the model, its lifetime, and ids unique in the document. */
export class Context {
  private readonly prefix = `camwidget-${++views}`;

  /** The pixel of the picture that the pointer or the marker is on; null: none. */
  readonly hover = new Observable<Point | null>(null, (a, b) => a?.x === b?.x && a?.y === b?.y);

  /** The name of the tool that the pointer belongs to on the picture, or "" where it asks and pans. */
  readonly tool = new Observable("");

  /** The fraction to draw: the model's, or the slider's while this view's slider is dragged. */
  fraction = (): number => portion(this.model, "fraction");

  /** The layer to name and to draw: the model's, or the slider's while it is dragged. */
  readonly scrub: LayerScrubber;

  /**
   * @param model what is shown
   * @param signal the end of the view
   * @param live whether there is a kernel; without one there is only what was computed beforehand
   */
  constructor(
    readonly model: Model,
    readonly signal: AbortSignal,
    readonly live = true,
  ) {
    this.scrub = new LayerScrubber(this);
  }

  id(name: string): string {
    return `${this.prefix}-${name}`;
  }

  /** Sets traits in the page and in the kernel. */
  write(values: Partial<SyncedTraits>): void {
    write(this.model, values);
  }

  /**
   * Calls `update` now and after changes of any of these traits: once for all changes that arrive
   * together, before the next frame.
   */
  watch(names: readonly TraitName[], update: () => void): void {
    watch(this.model, names, this.signal, update);
  }
}
