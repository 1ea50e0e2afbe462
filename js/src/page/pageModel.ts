/** ``PageModel``: the view's model on the offline page, with precomputed maps and curves in place of a kernel. */
import { peakOf } from "../core/geometry";
import type { Mode } from "../core/maskingRule";
import { number, text, unit } from "../core/parse";
import type { Model, Values } from "../view/model";
import { Store } from "../view/store";
import { DEFAULTS } from "../view/syncedTraits";
import type { SyncedTraits } from "../view/syncedTraits";
import { mode, quantity, stance, targetLabel } from "../view/traits";
import type { Stance } from "../view/traits";
import type { BinaryBundle } from "./binaryBundle";
import { curveKey } from "./payload";
import type { Payload } from "./payload";
import { between } from "./curve";
import { QuantizedMaps } from "./quantizedMaps";
import { evidenceOf, note, probeSentence, sentence } from "./sentences";

const SCENE = "page";

/** The least value at which a click finds a class, as in the kernel. */
const FAINT = 0.005;

const FOR: Stance = { kind: "for", other: -1 };

/** A map, as indices into the lists of classes and contrasts, methods and layers. */
interface MapIndices {
  readonly row: number;
  readonly method: number;
  readonly layer: number;
}

/** The view's model without a kernel: changes of its traits are answered from precomputed maps and curves. */
export class PageModel extends Store implements Model {
  private readonly maps: QuantizedMaps;
  private shown: MapIndices | null = null;

  constructor(
    private readonly data: Payload,
    archive: BinaryBundle,
  ) {
    super(traitsOf(data, archive));
    this.maps = new QuantizedMaps(data, archive);
    this.save_changes();
  }

  /** Answers the changes that the view has set. */
  save_changes(): void {
    const requested = this.requested;
    const { shown } = this;
    const same = shown !== null && (["row", "method", "layer"] as const).every((key) => shown[key] === requested[key]);
    if (!same) this.explain(requested);
    this.updateMasked();
  }

  send(content: unknown): void {
    const { type, x, y } = content as { readonly type?: unknown; readonly x?: unknown; readonly y?: unknown };
    if (type === "pick") this.pick(number(x, 0), number(y, 0));
  }

  /** The curve of the map shown, or null: of every listed class at every step. */
  curve(): number[][] | null {
    const grid = this.grid;
    const { mode: of, baseline } = this.mask;
    return grid === undefined || of === "multiply" ? null : this.maps.curve(grid, curveKey(of, baseline));
  }

  private get requested(): MapIndices {
    const { classes, contrasts, methods, layers } = this.data;
    const { kind, other } = stance(this);
    const contrast = contrasts.findIndex((one) => one.target === this.state.target && one.kind === kind && one.other === other);
    return {
      row: contrast < 0 ? classes.findIndex(({ index }) => index === this.state.target) : classes.length + contrast,
      method: methods.findIndex(({ name }) => name === this.state.method),
      layer: layers.findIndex(({ name }) => name === this.state.layer),
    };
  }

  /** The place of a map's class in the list. */
  private rowOf(place: MapIndices): number {
    const { classes, contrasts } = this.data;
    const contrast = contrasts[place.row - classes.length];
    return contrast === undefined ? place.row : classes.findIndex(({ index }) => index === contrast.target);
  }

  private stanceOf(place: MapIndices): Stance {
    const contrast = this.data.contrasts[place.row - this.data.classes.length];
    return contrast === undefined ? FOR : { kind: contrast.kind, other: contrast.other };
  }

  private get mask(): { readonly mode: Mode; readonly baseline: string; readonly fraction: number } {
    return {
      mode: mode(this.state.mode),
      baseline: text(this.state.baseline),
      fraction: unit(this.state.fraction, 0),
    };
  }

  private get grid(): number | undefined {
    return this.shown === null ? undefined : this.at(this.shown);
  }

  private at({ row, method, layer }: MapIndices): number | undefined {
    return this.maps.find(row, method, layer);
  }

  private explain(requested: MapIndices): void {
    const grid = this.at(requested);
    const { classes, methods, layers, missing } = this.data;
    if (grid === undefined) {
      const label = methods[requested.method]?.label ?? "This method";
      const { kind } = this.stanceOf(requested);
      const unsuited = kind === "for" ? null : methods[requested.method]?.[kind];
      const reason = unsuited ?? missing[methods[requested.method]?.name ?? ""]?.[layers[requested.layer]?.name ?? ""];
      const back = this.shown;
      this.setAll({ error: `${label} does not apply: ${(reason ?? "this page has no such map").replace(/\.$/, "")}.` });
      if (back === null) return;
      this.setAll({
        target: classes[this.rowOf(back)]?.index, stance: this.stanceOf(back), method: methods[back.method]?.name,
        layer: layers[back.layer]?.name,
      });
      return;
    }
    const before = this.shown;
    this.shown = requested;
    // What a click found holds for this method and layer, whatever class is chosen.
    if (before?.method !== requested.method || before.layer !== requested.layer) this.setAll({ class_probe: {} });
    this.show(requested, grid);
  }

  private show(place: MapIndices, number: number): void {
    const { classes, methods, layers, grids, model, channels } = this.data;
    const method = methods[place.method]!;
    const { name: layer, frames: depth } = layers[place.layer]!;
    const target = classes[this.rowOf(place)]!;
    const shown = this.stanceOf(place);
    this.setAll({ stance: shown });
    const label = targetLabel(this, shown);
    const called = method.settings ? `${method.label} (${method.settings})` : method.label;
    const { rows, columns, box, at, peak, knee, scale_note } = grids[number]!;
    const { saliency, drawn, levels, cells } = this.maps.show(number);
    const where = method.everywhere ? "input" : layer;
    const { frames } = this.maps;
    const within = frames > 1 ? ` in ${method.everywhere ? frames : depth ?? 1} frames` : "";
    this.setAll({
      error: "",
      class_maps: {
        scene: SCENE, method: method.name, layer: where, text: "",
        classes: this.maps.classMaps(place.method, place.layer),
      },
      explanation: {
        scene: SCENE, saliency, drawn, knee, scale_note, levels, cells, cells_shape: [rows, columns], layer: where,
        at_input: method.everywhere, title: [called, where, label, ...(channels ? [channels] : [])].join(" · "),
        parts: grids[number]!.parts ?? {}, empty: peak === 0, note: peak === 0 ? note(evidenceOf(target.name, shown.kind, label), where) : "",
      },
      box: box === null ? {} : { scene: SCENE, box, peak: at, hit: "", summary: "" },
      picture_parts: this.maps.pictureParts(number, SCENE),
      methods: this.methods(layer),
      layer_maps: this.layerMaps(place),
      status: `${model} · ${called} · ${where} ${columns}×${rows / frames}${within} · ${label}`,
    });
  }

  private methods(layer: string): unknown[] {
    return this.data.methods.map(({ name, label, group, tip, against, rather }) => ({
      name, label, group, tip, against, rather, reason: this.data.missing[name]?.[layer] ?? null, slow: false,
    }));
  }

  /** The same map at all layers, so that scrubbing along them shows each. */
  private layerMaps(place: MapIndices): unknown {
    const { row, method } = place;
    const { classes, methods, layers } = this.data;
    if (methods[method]!.everywhere || this.maps.frames > 1) return {};
    const found = layers.flatMap(({ name }, layer) => {
      const number = this.at({ row, method, layer });
      if (number === undefined) return [];
      const { rows, columns, cells } = this.maps.grid(number);
      return [{ name, rows, columns, cells }];
    });
    return { scene: SCENE, target: classes[this.rowOf(place)]!.index, method: methods[method]!.name, layers: found };
  }

  /** Updates the numbers of the masked picture by linear interpolation between the steps of the curve. */
  private updateMasked(): void {
    const grid = this.grid;
    const { shown } = this;
    if (grid === undefined || shown === null) return;
    const { mode: of, baseline, fraction } = this.mask;
    const { evident } = this.maps.show(grid);
    const isUnmasked = (of === "remove" && fraction === 0) || (of === "keep" && fraction === 1);
    const curve = isUnmasked ? null : this.maps.curve(grid, curveKey(of, baseline));
    const masked = curve === null ? [] : between(curve, of === "multiply" ? 0 : fraction);
    const row = this.rowOf(shown);
    const target = this.data.classes[row]!;
    const { kind, other } = this.stanceOf(shown);
    const at = this.data.classes.findIndex(({ index }) => index === other);
    const rival = this.data.classes[at];
    this.setAll({
      masked,
      sentence: sentence({
        name: target.name, evidence: evidenceOf(target.name, kind, targetLabel(this)),
        rival: rival === undefined ? null : { name: rival.name, before: rival.unmasked, after: masked[at] ?? null }, method: this.data.methods[shown.method]!.name,
        layer: this.data.methods[shown.method]!.everywhere ? "input" : this.data.layers[shown.layer]!.name,
        mode: of, baseline, fraction, before: target.unmasked, after: masked[row] ?? null, evident,
        quantity: quantity(this.data.quantity), alone: this.data.classes.length === 1,
      }),
    });
  }

  /** Which of the listed classes have the strongest maps at a pixel, on one scale. */
  private pick(x: number, y: number): void {
    const { shown } = this;
    if (shown === null) return;
    const { classes, scene } = this.data;
    const maps = classes.map((_, row) => {
      const grid = this.at({ ...shown, row });
      return grid === undefined ? null : this.maps.enlarged(grid);
    });
    const most = peakOf(maps.map((map) => peakOf(map ?? [])));
    const found = classes
      .map(({ index, name }, row) => ({ index, name, value: (maps[row]?.[y * scene.width + x] ?? 0) / (most || 1) }))
      .filter(({ value }) => value >= FAINT)
      .sort((a, b) => b.value - a.value);
    const strongest = found[0];
    this.setAll({
      class_probe: { x, y, scene: SCENE, classes: found, of: classes.length },
      sentence: probeSentence(strongest?.name ?? null),
    });
    if (strongest !== undefined && strongest.index !== this.state.target) {
      this.setAll({ target: strongest.index, stance: FOR });
      this.save_changes();
    }
  }
}

/** The boxes or areas that the model finds in the picture. */
export function foundOf({ found }: Payload, archive: BinaryBundle, id = SCENE): Readonly<Record<string, unknown>> {
  if (found === undefined) return {};
  const place = found.areas?.classes;
  const areas = place === undefined ? {} : { ...found.areas, classes: archive.bytes(place) };
  return { scene: id, ...found, areas };
}

function traitsOf(data: Payload, archive: BinaryBundle): Values<SyncedTraits> {
  const { scene, first } = data;
  const fills = Object.entries(scene.fills).map(([name, place]) => [
    name,
    place[1] === 3 ? archive.bytes(place) : archive.picture(place, scene.width),
  ]);
  return {
    ...DEFAULTS,
    ...first,
    scene: {
      id: SCENE, width: scene.width, height: scene.height, frames: scene.frames ?? 1,
      picture: archive.picture(scene.picture, scene.width), fills: Object.fromEntries(fills),
    },
    found: foundOf(data, archive),
    rows: data.classes, contrasts: data.contrasts, masked: [], quantity: data.quantity, layers: data.layers, modes: data.modes, baselines: data.baselines,
    colormaps: Object.fromEntries(Object.entries(data.colormaps).map(([name, at]) => [name, archive.bytes(at)])),
  };
}
