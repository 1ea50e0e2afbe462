/** ``BaselineFills``: the pixels that replace masked ones, from the scene or from the kernel. */
import type { Context } from "../context";
import { inpaintedFill } from "../traits";
import type { Scene } from "../traits";

/** The colors that replace hidden pixels, and the hole that they were made for; null for any. */
export interface BaselineFill {
  readonly fill: Uint8Array | null;
  readonly hole: Uint8Array | null;
}

/**
 * Fills by baseline. Most are one picture for all holes; inpaintings are made by the kernel for each hole, and sent with
 * the prediction. Until then the previous one is used, or the mean.
 */
export class BaselineFills {
  private scene: Scene | null = null;
  private baseline = "";
  private raw: unknown = undefined;
  private fill: Uint8Array = new Uint8Array(0);
  private hole: Uint8Array = new Uint8Array(0);

  /** @param trait the name of the trait with the kernel's fill */
  constructor(
    private readonly context: Context,
    private readonly trait: "baseline_fill" | "compared_baseline_fill" = "baseline_fill",
  ) {}

  of(scene: Scene, baseline: string): BaselineFill {
    const known = scene.fills.get(baseline);
    if (known !== undefined || baseline === "") return { fill: known ?? null, hole: null };
    const raw = this.context.model.get(this.trait);
    const isOther = scene !== this.scene || baseline !== this.baseline;
    if (isOther) this.restart(scene, baseline);
    if (isOther || raw !== this.raw) this.take(raw, scene, baseline);
    return { fill: this.fill, hole: this.hole };
  }

  private restart(scene: Scene, baseline: string): void {
    this.scene = scene;
    this.baseline = baseline;
    this.hole = new Uint8Array(scene.width * scene.height);
    const mean = scene.fills.get("mean") ?? new Uint8Array(3);
    this.fill = Uint8Array.from({ length: 3 * this.hole.length }, (_, i) => mean[i % mean.length]!);
  }

  private take(raw: unknown, scene: Scene, baseline: string): void {
    this.raw = raw;
    const given = inpaintedFill(raw, scene);
    if (given === null || given.baseline !== baseline) return;
    const { hole, rgb } = given;
    // Another array: whoever has the one before knows by it that the fill has changed.
    const fill = this.fill.slice();
    for (let i = 0, from = 0; i < hole.length; i++) {
      if (hole[i] === 0) continue;
      for (let channel = 0; channel < 3; channel++) fill[3 * i + channel] = rgb[from++]!;
    }
    this.fill = fill;
    this.hole = hole;
  }
}
