import type { Context } from "./context";
import { number, texts } from "./traits";

/** Keeps the chosen thumbnail in sight: the strip beside the view, another widget's canvas, scrolls by itself. */
export function followPicture(context: Context, root: HTMLElement): void {
  const { model } = context;
  context.watch(["picture", "pictures", "scene"], () => {
    const strip = root.closest(".camwidget-explorer")?.querySelector(".camwidget-thumbs");
    const count = texts(model.get("pictures")).length;
    const chosen = number(model.get("picture"), -1);
    if (!(strip instanceof HTMLElement) || count === 0 || chosen < 0) return;
    const pitch = strip.scrollWidth / count;
    const hidden = chosen * pitch < strip.scrollLeft || (chosen + 1) * pitch > strip.scrollLeft + strip.clientWidth;
    if (hidden) strip.scrollLeft = (chosen + 0.5) * pitch - strip.clientWidth / 2;
  });
}
