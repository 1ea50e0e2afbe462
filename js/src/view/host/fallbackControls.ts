import { texts } from "../../core/parse";
import { stepPicture } from "../actions";
import type { Context } from "../context";
import { button, make, setText } from "../dom/dom";
import { trait } from "../model";

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
  const line = make("div", "camwidget-line", {}, make("span", "camwidget-label", {}, "Picture"), back, on, name);
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
