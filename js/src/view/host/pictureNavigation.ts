/** Ways from picture to picture around the view: thumbnails, and buttons where the host shows no thumbnails. */
import { fields, number, texts } from "../../core/parse";
import { stepPicture } from "../actions";
import type { Context } from "../context";
import { button, labeledLine, make, setText } from "../dom/dom";
import { frameTask } from "../listeners";
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

  const { schedule: tellSoon } = frameTask(signal, tell);

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

/**
 * What stands in for the widgets around this view, in a host that cannot show them: a way from picture to
 * picture, and a word about what is missing.
 */
export function alone(context: Context): HTMLElement {
  const { model, signal } = context;
  const step = (by: number, label: string, glyph: string): HTMLButtonElement => {
    const one = button("camwidget-button", { "aria-label": label, title: `${label} (${by < 0 ? "," : "."})` }, glyph);
    one.addEventListener("click", () => stepPicture(context, by), { signal });
    return one;
  };
  const back = step(-1, "Previous picture", "‹");
  const on = step(1, "Next picture", "›");
  const name = make("span", "camwidget-alone-name");
  const line = labeledLine("Picture", back, on, name);
  const said = make("p", "camwidget-alone-said");
  const block = make("div", "camwidget-alone", {}, line, said);
  context.watch(["missing", "pictures", "picture"], () => {
    const missing = trait(model, "missing");
    const names = texts(model.get("pictures"));
    const at = trait(model, "picture");
    block.hidden = missing === "";
    line.hidden = names.length < 2;
    back.disabled = at <= 0;
    on.disabled = at >= names.length - 1;
    setText(name, `${names[at] ?? ""} · ${at + 1} of ${names.length}`);
    setText(said, missing);
  });
  return block;
}
