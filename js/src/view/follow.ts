import type { Context } from "./context";
import { number, texts } from "./traits";

/** Keeps the chosen thumbnail in sight: the strip beside the view, another widget's canvas, scrolls by itself. */
export function followPicture(context: Context, root: HTMLElement): void {
  const { model } = context;
  let strip: HTMLElement | undefined;

  const bring = (): void => {
    const count = texts(model.get("pictures")).length;
    const chosen = number(model.get("picture"), -1);
    if (strip === undefined || count === 0 || chosen < 0) return;
    const pitch = strip.scrollWidth / count;
    const hidden = chosen * pitch < strip.scrollLeft || (chosen + 1) * pitch > strip.scrollLeft + strip.clientWidth;
    if (hidden) strip.scrollLeft = (chosen + 0.5) * pitch - strip.clientWidth / 2;
  };

  // The thumbnails are drawn after the first map, and their canvas is only then as wide as they are.
  const grown = new MutationObserver(bring);
  context.signal.addEventListener("abort", () => grown.disconnect());

  context.watch(["picture", "pictures", "scene"], () => {
    const found = root.closest(".camwidget-explorer")?.querySelector(".camwidget-thumbs");
    if (found instanceof HTMLElement && found !== strip) {
      strip = found;
      grown.disconnect();
      grown.observe(strip, { attributes: true, childList: true, subtree: true });
    }
    bring();
  });
}
