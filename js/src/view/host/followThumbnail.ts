import { fields, number, texts } from "../../core/parse";
import type { Context } from "../context";
import { trait } from "../model";
import { explorerBox } from "./keyboardFocus";

/** Of as many thumbnails as are seen at once, these are asked for beside them, on either side. */
const BESIDE = 0.5;

/**
 * Keeps the chosen thumbnail in sight, and tells the kernel which thumbnails are: it makes no others. The strip beside
 * the view, another widget's canvas, scrolls by itself.
 */
export function followPicture(context: Context, root: HTMLElement): void {
  const { model, signal } = context;
  let strip: HTMLElement | undefined;
  let told = "";
  let isAsked = false;

  /** Which picture has the first place on the canvas, and how many have one. */
  const places = (): { first: number; count: number } => {
    const { first, places: count } = fields(model.get("strip"));
    return { first: number(first, 0), count: number(count, texts(model.get("pictures")).length) };
  };

  const bring = (): void => {
    const { first, count } = places();
    const at = trait(model, "picture") - first;
    if (strip === undefined || count === 0 || at < 0 || at >= count) return;
    const pitch = strip.scrollWidth / count;
    const hidden = at * pitch < strip.scrollLeft || (at + 1) * pitch > strip.scrollLeft + strip.clientWidth;
    if (hidden) strip.scrollLeft = (at + 0.5) * pitch - strip.clientWidth / 2;
  };

  const tell = (): void => {
    const { first, count } = places();
    if (strip === undefined || count === 0 || strip.clientWidth === 0 || strip.scrollWidth === 0) return;
    const pitch = strip.scrollWidth / count;
    const beside = BESIDE * strip.clientWidth;
    const from = Math.max(0, Math.floor((strip.scrollLeft - beside) / pitch));
    const to = Math.min(count - 1, Math.floor((strip.scrollLeft + strip.clientWidth + beside) / pitch));
    const seen = { type: "strip", first: first + from, last: first + to };
    if (told === JSON.stringify(seen)) return;
    told = JSON.stringify(seen);
    model.send(seen);
  };

  /** Once a frame, however fast the strip is scrolled. */
  const tellSoon = (): void => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      if (!signal.aborted) tell();
    });
  };

  // The thumbnails are drawn after the first map, and their canvas is only then as wide as they are.
  const grown = new MutationObserver(() => {
    bring();
    tellSoon();
  });
  const resized = typeof ResizeObserver === "undefined" ? undefined : new ResizeObserver(tellSoon);
  signal.addEventListener("abort", () => {
    grown.disconnect();
    resized?.disconnect();
  });

  context.watch(["picture", "pictures", "scene", "strip"], () => {
    const found = explorerBox(root)?.querySelector(".camwidget-thumbs");
    if (found instanceof HTMLElement && found !== strip) {
      strip = found;
      grown.disconnect();
      grown.observe(strip, { attributes: true, childList: true, subtree: true });
      resized?.disconnect();
      resized?.observe(strip);
      strip.addEventListener("scroll", tellSoon, { signal });
    }
    bring();
    tellSoon();
  });
}
