import { stepLayer } from "./actions";
import type { Context } from "./context";
import { button, make, OWN_KEYS, setChoices } from "./dom";
import { layers, text } from "./traits";
import type { Layer } from "./traits";

/** The layer the map is taken from, shallow to deep. */
export function layerPicker(context: Context): HTMLElement {
  const { model, signal } = context;
  const select = make("select", "camwidget-select", {
    "aria-label": "Layer",
    title: "The layer the map is taken from, shallow to deep",
    ...OWN_KEYS,
  });
  select.addEventListener("change", () => context.write({ layer: select.value }), { signal });
  const shallower = button("camwidget-button camwidget-step", { "aria-label": "Shallower layer", title: "Shallower layer ([)" }, "‹");
  const deeper = button("camwidget-button camwidget-step", { "aria-label": "Deeper layer", title: "Deeper layer (])" }, "›");
  shallower.addEventListener("click", () => stepLayer(context, -1), { signal });
  deeper.addEventListener("click", () => stepLayer(context, 1), { signal });
  context.watch(["layers", "layer"], () => {
    const all = layers(model.get("layers"));
    const name = text(model.get("layer"));
    const now = all.findIndex((layer) => layer.name === name);
    setChoices(select, all.map((layer) => ({ value: layer.name, label: describe(layer) })), name);
    select.disabled = all.length < 2;
    // Not `disabled`, which would throw the focus out at the last layer.
    shallower.setAttribute("aria-disabled", String(now <= 0));
    deeper.setAttribute("aria-disabled", String(now < 0 || now === all.length - 1));
  });
  return make(
    "div",
    "camwidget-layer camwidget-line",
    {},
    make("span", "camwidget-label", {}, "Layer"),
    shallower,
    select,
    deeper,
  );
}

function describe({ name, shape }: Layer): string {
  const [, height, width] = shape;
  return height === undefined || width === undefined ? name : `${name} · ${height}×${width}`;
}
