/** Saving the picture that is shown as a PNG file. */
import { texts } from "../../core/parse";
import { trait } from "../model";
import type { Model } from "../model";
import { explanation, scene } from "../traits";

/** A saved picture is at least so many pixels wide or high, by whole multiples of the model's own. */
const LEAST = 1000;
/** Longer names are cut: file systems end at 255 bytes. */
const LONGEST = 120;

/** A file name for what is shown: picture, method, layer and class. */
export function pictureName(model: Model): string {
  const shown = scene(model.get("scene"));
  const picture = texts(model.get("pictures"))[trait(model, "picture")] ?? "picture";
  const title = explanation(model.get("explanation"), shown)?.title ?? "";
  return `${safeName([picture.replace(/\.(bmp|gif|jpe?g|png|tiff?|webp)$/i, ""), ...title.split(" · ")])}.png`;
}

/** Parts joined to what any file system takes: letters and digits of any script, and few signs. */
export function safeName(parts: readonly string[]): string {
  const joined = parts
    .map((part) => part.normalize("NFC").replace(/[^\p{L}\p{M}\p{N}+._-]+/gu, "_").replace(/^[._-]+|[._-]+$/g, ""))
    .filter((part) => part !== "")
    .join("-");
  return Array.from(joined).slice(0, LONGEST).join("") || "picture";
}

/** The whole number by which a canvas is enlarged. */
export function scaleOf(width: number, height: number): number {
  return Math.max(1, Math.ceil(LEAST / Math.max(width, height)));
}

/** Saves what a canvas shows, enlarged as the page enlarges it; false if it shows nothing. */
export async function save(canvas: HTMLCanvasElement, name: string): Promise<boolean> {
  const blob = await enlarged(canvas);
  if (blob === null) return false;
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads it after this.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return true;
}

function enlarged(from: HTMLCanvasElement): Promise<Blob | null> {
  const { width, height, hidden } = from;
  const paper = document.createElement("canvas");
  const context = paper.getContext("2d");
  if (hidden || context === null) return Promise.resolve(null);
  const scale = scaleOf(width, height);
  paper.width = scale * width;
  paper.height = scale * height;
  // As on the screen: small pictures are shown as their pixels.
  context.imageSmoothingEnabled = !from.classList.contains("camwidget-pixelated");
  context.drawImage(from, 0, 0, paper.width, paper.height);
  return new Promise((resolve) => paper.toBlob(resolve, "image/png"));
}
