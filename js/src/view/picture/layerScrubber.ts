/** ``LayerScrubber``: the layer that the controls are at, with a preview of its map before the kernel's arrives. */
import type { CellGrid } from "../../core/interpolation";
import type { Context } from "../context";
import { Listeners } from "../listeners";
import { trait } from "../model";
import { layers, mapLayer, sceneId, layerMaps } from "../traits";
import type { LayerMaps, MapSubject } from "../traits";

/** A small map that the kernel sent ahead, shown until the layer's own map arrives. */
export interface Preview {
  readonly layer: string;
  readonly grid: CellGrid;
}

/**
 * The layer that the controls point at. Moving along the layers shows the maps that the kernel has sent beforehand;
 * only the layer at which the slider comes to rest is requested, and the preview stays until its map is there.
 */
export class LayerScrubber {
  /** The layer that the slider is dragged to, not requested yet. */
  private draggedTo: string | null = null;
  /** Requested, and its map has not come. */
  private requested: string | null = null;
  /** Whether the kernel has started on it. */
  private started = false;
  private known: LayerMaps | null = null;
  /** Kept apart from `known`: the kernel may clear that while its answer is awaited. */
  private found: (Preview & { readonly of: MapSubject }) | null = null;
  private explanation: unknown = undefined;
  private mapLayer = "";
  private busy = false;
  private readonly listeners = new Listeners();

  constructor(private readonly context: Context) {
    context.watch(["layer_maps"], () => {
      const raw = layerMaps(context.model.get("layer_maps"));
      this.known = raw.layers.size > 0 ? raw : null;
      this.find();
      this.listeners.notify();
    });
    context.watch(["explanation", "layer", "busy", "scene", "target", "method"], () => {
      this.follow();
      this.listeners.notify();
    });
  }

  /** Calls `update` whenever the current layer or its preview may have changed. */
  listen(update: () => void): void {
    this.listeners.add(update);
  }

  /** The layer the controls name. */
  get current(): string {
    return this.draggedTo ?? trait(this.context.model, "layer");
  }

  /** Null: the kernel's map is the one to show. */
  get preview(): Preview | null {
    const { found } = this;
    const name = this.draggedTo ?? this.requested;
    return found !== null && found.layer === name && this.isPresent(found.of) ? found : null;
  }

  /** The layers that can be previewed, shallow to deep. */
  get available(): readonly string[] {
    const { known } = this;
    if (known === null || this.isDisabled || !this.isPresent(known)) return [];
    const all = layers(this.context.model.get("layers"));
    return all.map(({ name }) => name).filter((name) => known.layers.has(name));
  }

  /** Whether the map is the picture's own, so that there is no layer to choose. */
  get isDisabled(): boolean {
    return mapLayer(this.context.model.get("explanation")).atInput;
  }

  /** The slider is at this layer. Nothing is sent. */
  moveTo(name: string): void {
    this.draggedTo = name;
    this.find();
    this.listeners.notify();
  }

  /** The slider is let go, and nothing is requested. */
  cancel(): void {
    this.draggedTo = null;
    this.listeners.notify();
  }

  /** The slider rests: its layer is requested, once. */
  commit(): void {
    const name = this.draggedTo;
    if (name === null) return;
    this.draggedTo = null;
    if (name === trait(this.context.model, "layer")) this.listeners.notify();
    else this.request(name);
  }

  request(name: string): void {
    this.draggedTo = null;
    // The kernel does not send again what is there already.
    this.requested = name === this.mapLayer ? null : name;
    this.started = false;
    this.find();
    this.context.write({ layer: name });
    this.listeners.notify();
  }

  step(by: number): void {
    const all = layers(this.context.model.get("layers"));
    const now = all.findIndex(({ name }) => name === this.current);
    const next = all[now + by];
    if (now >= 0 && next !== undefined && !this.isDisabled) this.request(next.name);
  }

  private get subject(): MapSubject {
    const { model } = this.context;
    return {
      scene: sceneId(model.get("scene")),
      target: trait(model, "target"),
      method: trait(model, "method"),
    };
  }

  private isPresent({ scene, target, method }: MapSubject): boolean {
    const now = this.subject;
    return scene !== "" && scene === now.scene && target === now.target && method === now.method;
  }

  private find(): void {
    const name = this.draggedTo ?? this.requested;
    const { known } = this;
    if (name === null || known === null || !this.isPresent(known)) return;
    const grid = known.layers.get(name);
    const { scene, target, method } = known;
    if (grid !== undefined) this.found = { layer: name, grid, of: { scene, target, method } };
  }

  /** Notices when a requested layer's map has come, was refused, or was canceled. */
  private follow(): void {
    const { model } = this.context;
    const raw = model.get("explanation");
    const layer = trait(model, "layer");
    const busy = trait(model, "busy");
    const arrived = raw !== this.explanation;
    if (arrived) {
      const from = mapLayer(raw);
      this.explanation = raw;
      this.mapLayer = from.layer === "" || from.atInput ? layer : from.layer;
    }
    if (this.requested !== null) {
      const gaveUp = this.started && !busy;
      if (layer !== this.requested || (arrived && this.mapLayer === this.requested) || gaveUp) this.requested = null;
      // Busy before was busy with something else.
      else if (busy && !this.busy) this.started = true;
    }
    this.busy = busy;
  }
}
