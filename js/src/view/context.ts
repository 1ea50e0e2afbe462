/** ``Context``: the model and the transient state that all parts of a view share. */
import type { Point } from "../core/geometry";
import { Observable } from "./listeners";
import { portion, watch, write } from "./model";
import type { Model, TraitName } from "./model";
import { LayerScrubber } from "./picture/layerScrubber";
import type { SyncedTraits } from "./syncedTraits";

let views = 0;

/**
 * What answers the view: a kernel; a page that runs the model by itself; or a page that has only precomputed maps and
 * curves.
 */
export type Host = "kernel" | "model" | "page";

/** The widget's model, the abort signal, the pixel under the pointer, and ids unique in the document, shared by all parts of a view. */
export class Context {
  private readonly prefix = `camwidget-${++views}`;

  /** The pixel of the picture that the pointer or the marker is on; null: none. */
  readonly hover = new Observable<Point | null>(null, (a, b) => a?.x === b?.x && a?.y === b?.y);

  /** The name of the tool that uses the pointer on the picture; "" where it probes classes and pans. */
  readonly tool = new Observable("");

  /** Returns the fraction to draw: the model's, or the slider's own while it is dragged. */
  fraction = (): number => portion(this.model, "fraction");

  /** The layer to name and to draw: the model's, or the layer slider's own while it is dragged. */
  readonly scrub: LayerScrubber;

  /**
   * @param model the synced traits
   * @param signal aborts when the view is removed
   * @param host what answers the view
   */
  constructor(
    readonly model: Model,
    readonly signal: AbortSignal,
    readonly host: Host = "kernel",
  ) {
    this.scrub = new LayerScrubber(this);
  }

  /** Whether there is a kernel. */
  get live(): boolean {
    return this.host === "kernel";
  }

  /** Whether the model can be run, in a kernel or in the page: on any mask, and for any class. */
  get runsModel(): boolean {
    return this.host !== "page";
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
