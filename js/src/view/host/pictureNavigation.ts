/** Navigation between pictures: scrolling of the thumbnails, and buttons where the host shows no thumbnails. */
import { fields, number, texts } from "../../core/parse";
import { stepPicture } from "../actions";
import type { Context } from "../context";
import { button, labeledLine, make, setText } from "../dom/dom";
import { frameTask } from "../listeners";
import { trait } from "../model";
import { explorerBox } from "./keyboardFocus";
import type { Strip } from "./referenceMarks";

/** The thumbnails requested on either side of the visible ones, as a share of their visible width. */
const MARGIN = 0.5;

/**
 * Keeps the chosen thumbnail visible, and reports the visible range to the kernel, which draws only thumbnails in it.
 * They are on a canvas of another widget, in an element that scrolls.
 *
 * @param place called with the thumbnails in sight whenever they may have changed
 */
export function followThumbnails(context: Context, root: HTMLElement, place: (strip: Strip) => void = () => {}): void {
  const { model, signal } = context;
  let strip: HTMLElement | undefined;
  let reported = "";

  /**
   * Returns the number of the first picture on the canvas, the number of pictures on it, none before the kernel has said
   * how many, and the pixels of each.
   */
  const places = (): { first: number; count: number; pitch: number } => {
    const said = fields(model.get("thumbnails"));
    const count = number(said.places, 0);
    return { first: number(said.first, 0), count, pitch: number(said.pitch, (strip?.scrollWidth ?? 0) / Math.max(1, count)) };
  };

  const scrollToChosen = (): void => {
    const { first, count, pitch } = places();
    const at = trait(model, "picture") - first;
    if (strip === undefined || count === 0 || at < 0 || at >= count) return;
    const hidden = at * pitch < strip.scrollLeft || (at + 1) * pitch > strip.scrollLeft + strip.clientWidth;
    if (hidden) strip.scrollLeft = (at + 0.5) * pitch - strip.clientWidth / 2;
  };

  const reportVisible = (): void => {
    const { first, count, pitch } = places();
    if (strip === undefined || count === 0 || strip.clientWidth === 0 || strip.scrollWidth === 0) return;
    // The canvas is not yet as wide as its thumbnails: it is looked at again when it has grown.
    if (strip.scrollWidth < 0.9 * pitch * count) return;
    const margin = MARGIN * strip.clientWidth;
    const from = Math.max(0, Math.floor((strip.scrollLeft - margin) / pitch));
    const to = Math.min(count - 1, Math.floor((strip.scrollLeft + strip.clientWidth + margin) / pitch));
    place({ element: strip, first, from: first + from, to: first + to + 1, pitch });
    const seen = { type: "thumbnails", first: first + from, last: first + to };
    if (reported === JSON.stringify(seen)) return;
    reported = JSON.stringify(seen);
    model.send(seen);
  };

  const { schedule: reportSoon } = frameTask(signal, reportVisible);

  // The thumbnails are drawn after the first map, and their canvas is only then as wide as they are.
  const grownObserver = new MutationObserver((records) => {
    // The marks of references lie in the strip, and follow it: only they have changed after it was scrolled.
    const isMark = ({ target }: MutationRecord): boolean =>
      target instanceof Element && target.closest(".camwidget-reference-marks") !== null;
    if (records.every(isMark)) return;
    scrollToChosen();
    reportSoon();
  });
  // The strip is another widget: it may come after this view, and after the last of its traits.
  const arrivalObserver = new MutationObserver(() => follow());
  const resizeObserver = typeof ResizeObserver === "undefined" ? undefined : new ResizeObserver(reportSoon);
  signal.addEventListener("abort", () => {
    arrivalObserver.disconnect();
    grownObserver.disconnect();
    resizeObserver?.disconnect();
  });

  const follow = (): void => {
    const found = explorerBox(root)?.querySelector(".camwidget-thumbnails-scroll");
    if (found instanceof HTMLElement && found !== strip) {
      strip = found;
      arrivalObserver.disconnect();
      grownObserver.disconnect();
      grownObserver.observe(strip, { attributes: true, childList: true, subtree: true });
      resizeObserver?.disconnect();
      resizeObserver?.observe(strip);
      strip.addEventListener("scroll", reportSoon, { signal });
    }
    scrollToChosen();
    reportSoon();
  };
  context.watch(["picture", "pictures", "scene", "thumbnails"], follow);
  setTimeout(() => {
    // Only now the view is where its host has put it.
    const box = explorerBox(root);
    if (strip !== undefined || box === null || signal.aborted) return;
    arrivalObserver.observe(box, { childList: true, subtree: true });
    follow();
  });
}

/**
 * Creates controls for a host that shows no other widget than this view: buttons for the previous and the next picture,
 * and a note on what is left out.
 */
export function fallbackControls(context: Context): HTMLElement {
  const { model, signal } = context;
  const step = (by: number, label: string, glyph: string): HTMLButtonElement => {
    const one = button("camwidget-button", { "aria-label": label, title: `${label} (${by < 0 ? "," : "."})` }, glyph);
    one.addEventListener("click", () => stepPicture(context, by), { signal });
    return one;
  };
  const back = step(-1, "Previous picture", "‹");
  const on = step(1, "Next picture", "›");
  const name = make("span", "camwidget-fallback-name");
  const line = labeledLine("Picture", back, on, name);
  const note = make("p", "camwidget-fallback-note");
  const block = make("div", "camwidget-fallback", {}, line, note);
  context.watch(["fallback_note", "pictures", "picture"], () => {
    const missing = trait(model, "fallback_note");
    const names = texts(model.get("pictures"));
    const at = trait(model, "picture");
    block.hidden = missing === "";
    line.hidden = names.length < 2;
    back.disabled = at <= 0;
    on.disabled = at >= names.length - 1;
    setText(name, `${names[at] ?? ""} · ${at + 1} of ${names.length}`);
    setText(note, missing);
  });
  return block;
}
