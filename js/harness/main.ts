import widget from "../src/index";
import type { Values } from "../src/view/model";
import type { SyncedTraits } from "../src/view/syncedTraits";
import { FakeKernel, traits } from "./kernel";

const query = new URLSearchParams(location.search);
const state = query.get("state") ?? "";
document.body.classList.toggle("dark", query.get("theme") === "dark");

const [width, height] = state === "small" ? [32, 32] : state === "wide" ? [500, 300] : [224, 224];
const all = traits(width, height);
const changes: Record<string, Values<SyncedTraits>> = {
  busy: { busy: true, progress: 0.4, status: "Occlusion · 40 of 100", can_cancel: true },
  partial: { busy: true, progress: 0.35, can_cancel: true, partial: true, method: "rise", fraction: 0.2 },
  input: { method: "gradient", explanation: { ...(all.explanation as object), layer: "input", at_input: true } },
  unlisted: { layer: "layer4.1.relu" },
  deep: { layers: Array.from({ length: 60 }, (_, i) => ({ name: `blocks.${i}`, shape: [768, 14, 14] })), layer: "blocks.59" },
  flat: { layers: [{ name: "only", shape: [8, 7, 7] }], layer: "only", methods: (all.methods as unknown[]).slice(0, 8) },
  nostages: { layer_maps: {} },
  error: { error: "OutOfMemoryError: a long message\nwith <b>two</b> lines, to be shown as it is" },
  empty: Object.fromEntries(Object.keys(all).map((key) => [key, undefined])),
  silent: { explanation: { ...(all.explanation as object), saliency: new Uint8Array(width * height), empty: true, note: "No positive evidence for lined at this layer" } },
  one: { rows: [{ index: 0, name: "honeycombed", unmasked: 1 }], class_names: ["honeycombed"] },
};
const model = new FakeKernel({ ...all, ...changes[state] });

const explorer = document.createElement("div");
if (state !== "alone") explorer.className = "camwidget-explorer";
explorer.style.width = `${query.get("width") ?? 900}px`;
const root = document.querySelector("#root")!;
root.append(explorer);

const view = document.createElement("div");
explorer.append(view);
widget.render({ model, el: view });
if (state !== "alone") explorer.append(strip(), bars(), curve());
Object.assign(window, { model });

function strip(): HTMLElement {
  const box = document.createElement("div");
  box.className = "camwidget-thumbnails";
  for (let i = 0; i < 6; i++) box.append(document.createElement("i"));
  return box;
}

/** Stands in for a bqplot figure. */
function drawing(className: string, draw: () => SVGElement[]): HTMLElement {
  const box = document.createElement("div");
  box.className = className;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.setAttribute("preserveAspectRatio", "none");
  box.append(svg);
  const update = (): void => svg.replaceChildren(...draw());
  for (const key of ["rows", "masked", "target", "fraction"] as const) model.on(`change:${key}`, update);
  update();
  return box;
}

function shape(tag: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

function bars(): HTMLElement {
  return drawing("camwidget-bars", () => {
    const rows = (model.get("rows") ?? []) as { index: number; unmasked: number }[];
    const masked = model.get("masked") as number[] | undefined;
    const step = 100 / rows.length;
    return rows.flatMap(({ index, unmasked }, at) => {
      const chosen = index === model.get("target");
      const fill = chosen ? "var(--camwidget-accent)" : "#4f86c6";
      const box = { x: 0, y: (at + 0.25) * step, height: step / 2, fill };
      const now = masked?.[at] ?? unmasked;
      return [
        shape("rect", { ...box, width: 100 * unmasked, opacity: 0.25 }),
        shape("rect", { ...box, width: 100 * now, opacity: chosen ? 1 : 0.7 }),
      ];
    });
  });
}

function curve(): HTMLElement {
  return drawing("camwidget-curve", () => {
    const points = Array.from({ length: 21 }, (_, i) => `${5 * i},${94 - 88 * (1 - i / 20) ** 2}`);
    const at = 100 * ((model.get("fraction") as number | undefined) ?? 0);
    const line = { fill: "none", "stroke-width": 2, "vector-effect": "non-scaling-stroke" };
    return [
      shape("path", { ...line, d: "M0 2V98H100", stroke: "var(--camwidget-edge)" }),
      shape("polyline", { ...line, points: points.join(" "), stroke: "var(--camwidget-accent)" }),
      shape("path", { ...line, d: `M${at} 2V98`, stroke: "var(--camwidget-muted)", "stroke-dasharray": "3 3" }),
    ];
  });
}
