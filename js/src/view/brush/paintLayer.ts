/** ``PaintLayer``: paint on the picture shown, or a region marked on it, drawn here at once and synced with the kernel. */
import type { Position } from "../../core/geometry";
import { percent } from "../../core/numberFormat";
import { clamp } from "../../core/parse";
import { covered, decode, draw, encode, HIDDEN } from "../../core/userMask";
import type { Shade } from "../../core/userMask";
import type { Context } from "../context";
import { frameTask, Listeners } from "../listeners";
import type { FrameTask } from "../listeners";
import { trait } from "../model";
import { frameCount, paint, scene } from "../traits";

/**
 * The paint on the picture shown. A stroke is drawn at once, and sent to the kernel once a frame; paint that the kernel
 * sends during the stroke is ignored.
 */
export class PaintLayer {
  /** One number a pixel (see core/userMask.ts), row by row. */
  pixels: Int8Array = new Int8Array(0);
  width = 0;
  private scene = "";
  private raw: unknown = undefined;
  /** The number of the stroke; it only rises, so that each stroke can be told from the one before. */
  private stroke = 0;
  private drawing = false;
  private changed = false;
  private readonly listeners = new Listeners();
  private readonly writing: FrameTask;

  /** @param name of the trait: paint, or the region that is asked about, whose pixels are those of the value 1 */
  constructor(private readonly context: Context, private readonly name: "paint" | "region" = "paint") {
    context.watch(["scene", name], () => this.follow());
    this.writing = frameTask(context.signal, () => this.write());
  }

  /** Calls `update` after each change. */
  listen(update: () => void): void {
    this.listeners.add(update);
  }

  /** The id of the picture that is painted on; "" before there is one. */
  get sceneId(): string {
    return this.scene;
  }

  get isDrawing(): boolean {
    return this.drawing;
  }

  get isEmpty(): boolean {
    return !this.pixels.some((value) => value !== 0);
  }

  /** A summary of the paint, such as "3 % hidden"; "" where nothing is painted. */
  get summary(): string {
    const { hidden, kept } = covered(this.pixels);
    const parts = [hidden > 0 ? `${percent(hidden)} hidden` : "", kept > 0 ? `${percent(kept)} kept` : ""];
    return parts.filter((part) => part !== "").join(", ");
  }

  begin(): void {
    this.drawing = true;
    this.changed = false;
  }

  /** Within a stroke. */
  draw(from: Position, to: Position, diameter: number, shade: Shade): void {
    if (!this.drawing || this.width === 0) return;
    const { model } = this.context;
    const count = frameCount(model.get("scene"));
    const height = this.pixels.length / this.width / count;
    // A stroke stays within its frame of a clip.
    const top = height * clamp(trait(model, "frame"), 0, count - 1);
    const shown = this.pixels.subarray(top * this.width, (top + height) * this.width);
    const down = ({ x, y }: Position): Position => ({ x, y: y - top });
    if (draw(shown, this.width, down(from), down(to), diameter, shade)) this.touch();
  }

  end(): void {
    if (!this.drawing) return;
    this.drawing = false;
    if (this.changed) this.write();
    else this.follow();
  }

  /** A stroke of its own, which takes everything away. */
  clear(): void {
    if (this.isEmpty) return;
    this.begin();
    this.pixels.fill(0);
    this.touch();
    this.end();
  }

  /** A stroke of its own, which hides some pixels, or shows them again if all of them are hidden. */
  toggle(isMeant: (pixel: number) => boolean): void {
    const all = Array.from(this.pixels.keys()).filter(isMeant);
    if (all.length === 0) return;
    const next = all.every((pixel) => this.pixels[pixel] === HIDDEN) ? 0 : HIDDEN;
    this.begin();
    for (const pixel of all) this.pixels[pixel] = next;
    this.touch();
    this.end();
  }

  private touch(): void {
    if (!this.changed) this.stroke = Math.max(this.stroke, paint(this.context.model.get(this.name)).stroke) + 1;
    this.changed = true;
    this.writing.schedule();
    this.listeners.notify();
  }

  private write(): void {
    this.writing.cancel();
    if (this.context.signal.aborted) return;
    const written = { scene: this.scene, runs: encode(this.pixels), stroke: this.stroke, painting: this.drawing };
    this.raw = written;
    this.context.write({ [this.name]: written });
    if (!this.drawing) this.listeners.notify();
  }

  private follow(): void {
    const { model } = this.context;
    const shown = scene(model.get("scene"));
    const raw = model.get(this.name);
    const given = paint(raw);
    if (shown === null) return;
    const isOther = shown.id !== this.scene || shown.rgb.length !== 3 * this.pixels.length;
    if (isOther) {
      // A stroke ends with its picture.
      this.drawing = false;
      this.scene = shown.id;
      this.width = shown.width;
      this.pixels = new Int8Array(shown.width * shown.height);
      this.raw = undefined;
    }
    const isNews = raw !== this.raw && given.scene === shown.id && !this.drawing;
    if (isNews) {
      this.raw = raw;
      this.pixels = decode(given.runs, this.pixels.length) ?? this.pixels;
    }
    if (isNews || isOther) this.listeners.notify();
  }
}
