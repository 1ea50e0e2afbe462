/** A map of a live page as the view has it, and its names. */
import type { MethodData } from "../page/payload";
import { evidenceOf, note } from "../page/sentences";
import type { Explained, FoundMap } from "./liveMaps";
import { settingsKey } from "./reruns";
import type { Settings } from "./reruns";

/** What is explained, in words: "tabby", "against tabby", "tabby rather than lynx". */
export function explainedLabel({ picture: { names }, target, stance: { kind, other } }: Explained): string {
  if (kind === "against") return `against ${names[target]}`;
  return kind === "rather" ? `${names[target]} rather than ${names[other]}` : names[target]!;
}

/** The method, with the settings that differ from its defaults: those of the file, or of one's own. */
export function methodLabel({ label, settings }: MethodData, own: Settings): string {
  const words = settings === "" ? settingsKey(own) : settings;
  return words === "" ? label : `${label} (${words})`;
}

export function layerOf({ atInput, of }: FoundMap): string {
  return atInput ? "input" : of.layer;
}

/** The trait of a map. */
export function explanationTrait(found: FoundMap, method: MethodData): Record<string, unknown> {
  const { of, map, rows, columns, isEmpty } = found;
  const { names } = of.picture;
  const label = explainedLabel(of);
  const where = layerOf(found);
  return {
    scene: of.picture.id, saliency: map.saliency, drawn: map.drawn, knee: found.knee, scale_note: found.scaleNote, levels: map.levels,
    cells: map.cells, cells_shape: [rows, columns], layer: where, at_input: found.atInput,
    title: `${methodLabel(method, of.settings)} · ${where} · ${label}`, empty: isEmpty,
    note: isEmpty ? note(evidenceOf(names[of.target]!, of.stance.kind, label), where) : "",
  };
}
