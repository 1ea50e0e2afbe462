/** What stands in the rows of the class list where a class is a reference: its thumbnail, and buttons to edit or remove it. */
import { removeReference } from "../actions";
import type { Context } from "../context";
import { button, fit, make, setAttribute } from "../dom/dom";
import { rows } from "../traits";
import { references } from "../promptAndReferences";
import type { Reference } from "../promptAndReferences";

/**
 * Creates a column over the class names, with a row for each class.
 *
 * @param edit puts the text of a class into the field
 */
export function referenceRows(context: Context, names: HTMLElement, edit: (name: string) => void): HTMLElement {
  const { model, signal, live } = context;
  const column = make("div", "camwidget-reference-rows", { hidden: true });
  const row = (): HTMLElement => {
    const tile = make("canvas", "camwidget-reference-tile", { "aria-hidden": "true", hidden: true });
    const pen = button("camwidget-quiet camwidget-reference-edit", {}, "✎");
    const cross = button("camwidget-quiet camwidget-reference-remove", {}, "×");
    const made = make("div", "camwidget-reference-row", {}, tile, make("span", "camwidget-reference-gap"), pen, cross);
    pen.addEventListener("click", () => edit(made.dataset["name"] ?? ""), { signal });
    cross.addEventListener("click", () => removeReference(context, made.dataset["name"] ?? ""), { signal });
    return made;
  };
  context.watch(["references", "rows"], () => {
    const known = references(model.get("references"));
    const listed = known === null ? [] : rows(model.get("rows"));
    column.hidden = listed.length === 0;
    names.classList.toggle("camwidget-names-texts", live && known?.kind === "texts");
    names.classList.toggle("camwidget-names-pictures", known?.kind === "pictures");
    const parts = fit(column, listed.length, row);
    listed.forEach(({ name }, at) => {
      const part = parts[at];
      const [tile, , pen, cross] = part?.children ?? [];
      if (!(part instanceof HTMLElement) || !(tile instanceof HTMLCanvasElement)) return;
      part.dataset["name"] = name;
      const reference = known?.items.find((one) => one.name === name);
      drawTile(tile, reference);
      label(pen, `Edit “${name}”`, !live || known?.kind !== "texts" || reference === undefined);
      label(cross, `Remove “${name}”`, !live || reference === undefined);
    });
  });
  return column;
}

function label(control: Element | undefined, text: string, hidden: boolean): void {
  if (!(control instanceof HTMLElement)) return;
  setAttribute(control, "aria-label", text);
  control.title = text;
  control.hidden = hidden;
}

function drawTile(canvas: HTMLCanvasElement, reference: Reference | undefined): void {
  const rgb = reference?.tile;
  canvas.hidden = rgb == null;
  if (rgb == null) return;
  const side = Math.round(Math.sqrt(rgb.length / 3));
  const rgba = new Uint8ClampedArray(4 * side * side);
  for (let at = 0; at < side * side; at++) {
    rgba.set(rgb.subarray(3 * at, 3 * at + 3), 4 * at);
    rgba[4 * at + 3] = 255;
  }
  canvas.width = canvas.height = side;
  canvas.getContext("2d")?.putImageData(new ImageData(rgba, side, side), 0, 0);
}
