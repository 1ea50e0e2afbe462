/** Pictures of a question, and the outlines drawn over them once it is answered. */
import { line, make, overlay } from "../view/dom/dom";
import type { ObjectOutline, EncodedPicture } from "./cards";

/** Pictures this small are shown as their pixels; larger ones are smoothed by the browser. */
const SMALL = 96;

/** Object URLs of encoded pictures; revoked when the view is removed. */
export class ObjectUrls {
  private readonly known = new Map<EncodedPicture, string>();

  constructor(signal: AbortSignal) {
    signal.addEventListener("abort", () => this.known.forEach((address) => URL.revokeObjectURL(address)));
  }

  of(picture: EncodedPicture): string {
    const known = this.known.get(picture);
    if (known !== undefined) return known;
    // Copied: a blob is made of no part of a larger message.
    const made = URL.createObjectURL(new Blob([new Uint8Array(picture.data)], { type: picture.type }));
    this.known.set(picture, made);
    return made;
  }
}

export function image(picture: EncodedPicture, addresses: ObjectUrls): HTMLImageElement {
  const { width, height, caption } = picture;
  const shown = make("img", "camwidget-quiz-image", { src: addresses.of(picture), alt: caption, width, height });
  if (Math.max(width, height) <= SMALL) shown.classList.add("camwidget-quiz-pixelated");
  return shown;
}

/** A picture with its caption; `reveal` draws the true outlines. */
export class CaptionedPicture {
  readonly element: HTMLElement;
  private readonly frame: HTMLElement;
  private revealed = false;

  constructor(
    private readonly picture: EncodedPicture,
    addresses: ObjectUrls,
  ) {
    this.frame = make("div", "camwidget-quiz-frame", {}, image(picture, addresses));
    this.frame.style.setProperty("--aspect", String(picture.width / picture.height));
    this.element = make(
      "figure",
      "camwidget-quiz-figure",
      {},
      this.frame,
      make("figcaption", "camwidget-quiz-caption", {}, picture.caption),
    );
  }

  /** Puts an element over the picture. */
  cover(element: HTMLElement): void {
    this.frame.append(element);
  }

  /** @param named whether the outlines' names are written next to them */
  reveal(named: boolean): void {
    if (this.revealed) return;
    this.revealed = true;
    // The first, which is the answer's, on top.
    const outlines = this.picture.outlines.map((outline, at) => ({ outline, first: at === 0 })).reverse();
    for (const { outline, first } of outlines) this.frame.append(drawn(outline, first));
    if (!named) return;
    for (const { outline, first } of outlines) this.frame.append(tag(outline, first));
  }
}

function drawn({ path, width, height }: ObjectOutline, first: boolean): SVGElement {
  const made = overlay(`camwidget-quiz-outline${first ? " camwidget-quiz-first" : ""}`, `0 0 ${width} ${height}`);
  made.append(...line(path, "camwidget-quiz-over", "camwidget-quiz-under"));
  return made;
}

function tag({ name, x, y }: ObjectOutline, first: boolean): HTMLElement {
  const made = make("span", `camwidget-quiz-tag${first ? " camwidget-quiz-first" : ""}`, {}, name);
  made.style.left = `${100 * x}%`;
  made.style.top = `${100 * y}%`;
  return made;
}
