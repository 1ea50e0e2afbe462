import { toggleOutlines } from "../actions";
import type { Context } from "../context";
import { button, make, setAttribute, setText } from "../dom/dom";
import { line, overlay } from "../dom/svg";
import { trait } from "../model";
import type { Model } from "../model";
import { box, scene, truth } from "../traits";

/** The outlines over the picture: drawn by the browser, so that they are sharp at any zoom. */
export function outlines(context: Context): SVGElement {
  const { model } = context;
  const drawing = overlay("camwidget-outlines");
  context.watch(["truth", "scene", "outlines"], () => {
    const on = trait(model, "outlines");
    const of = on ? scene(model.get("scene")) : null;
    const known = of === null ? null : truth(model.get("truth"));
    if (of === null || known === null || known.scene !== of.id) {
      drawing.replaceChildren();
      return;
    }
    drawing.setAttribute("viewBox", `0 0 ${of.width} ${of.height}`);
    drawing.replaceChildren(
      ...known.objects.flatMap((path) => line(path, "object")),
      ...(known.evidence === "" ? [] : line(known.evidence, "evidence", "under evidence")),
    );
  });
  return drawing;
}

/** What is to be said of the ground truth now; "" where nothing is. */
export function truthSaid({ model }: Context): string {
  return [outlinesSaid(model), boxSaid(model)].filter((one) => one !== "").join(" ");
}

/** How much of the map lies inside the outlines, while they are drawn. */
function outlinesSaid(model: Model): string {
  if (!trait(model, "outlines")) return "";
  return truth(model.get("truth"))?.said ?? "Not known for this picture.";
}

/** How the map's box agrees with the true ones, while it is drawn. */
function boxSaid(model: Model): string {
  return trait(model, "boxes") ? (box(model.get("box"))?.said ?? "") : "";
}

/** Off and on, how much of the map lies inside, and how its box agrees. Its room is there for all pictures if any has its truth. */
export function truthLine(context: Context): HTMLElement {
  const { model, signal } = context;
  const toggle = button(
    "camwidget-button camwidget-truth-toggle",
    { "aria-pressed": "false", title: "Outline what is truly there; thick: where the evidence for the chosen class is (o)" },
    "outlines",
  );
  toggle.addEventListener("click", () => toggleOutlines(context), { signal });
  const said = make("span", "");
  const agreed = make("span", "");
  const element = make(
    "div",
    "camwidget-line camwidget-truth",
    {},
    make("span", "camwidget-label", {}, "Truth"),
    toggle,
    make("span", "camwidget-truth-said", { "aria-live": "polite" }, said, agreed),
  );
  context.watch(["truth", "truthful", "outlines"], () => {
    const on = trait(model, "outlines");
    element.hidden = !trait(model, "truthful");
    setAttribute(toggle, "aria-pressed", String(on));
    setText(said, outlinesSaid(model));
  });
  context.watch(["outlines", "boxes"], () => {
    element.classList.toggle("camwidget-truth-told", trait(model, "outlines") || trait(model, "boxes"));
  });
  context.watch(["box", "boxes"], () => setText(agreed, boxSaid(model)));
  return element;
}
