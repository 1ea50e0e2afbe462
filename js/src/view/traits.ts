/**
 * Parsers of the view's synced traits. A missing or malformed value counts as absent: a view may be shown before, or
 * without, a kernel.
 */
import { GRAY } from "../core/colormap";
import type { Heat, MapStyle, RgbPicture } from "../core/compositor";
import type { CellGrid } from "../core/interpolation";
import type { Mode } from "../core/maskingRule";
import type { Quantity } from "../core/numberFormat";
import { bytes, fields, flag, float32, list, number, numbers, text, texts, uint16, unit } from "../core/parse";
import type { Fields } from "../core/parse";
import { unpackBits } from "../core/userMask";
import { portion, trait } from "./model";
import type { Model } from "./model";

export interface Scene extends RgbPicture {
  readonly id: string;
  /** The number of frames of a clip, which lie one below the other in the picture; 1 otherwise. */
  readonly frames: number;
  readonly fills: ReadonlyMap<string, Uint8Array>;
}

export interface Explanation extends Heat {
  readonly scene: string;
  /** The value, of the maximum, that is drawn at 0.9 of the color scale; null where the map is drawn in proportion. */
  readonly knee: number | null;
  readonly title: string;
  readonly empty: boolean;
  readonly note: string;
}

export interface ClassRow {
  readonly index: number;
  readonly name: string;
  /** The model's number for the unmasked picture. */
  readonly unmasked: number;
}

/** The most probable class of the masked picture. */
export interface MostProbable extends ClassRow {
  readonly masked: number;
  /** Whether it is that of the unmasked picture too. */
  readonly wasFirst: boolean;
}

/** The name of a line of the curve, and the height of its end, from 0 at the foot of the chart to 1. */
export interface LineName {
  readonly name: string;
  readonly color: string;
  readonly place: number;
}

/** Whether a map is for a class, against it, or for it rather than another. */
export const KINDS = ["for", "against", "rather"] as const;
export type Kind = (typeof KINDS)[number];

/** The stance of a map towards the chosen class; `other` is the class that it is contrasted with, -1 if there is none. */
export interface Stance {
  readonly kind: Kind;
  readonly other: number;
}

/** A class with a stance. */
export interface Contrast extends Stance {
  readonly target: number;
}

/** A setting of a method, as the method declares it. */
export interface Setting {
  readonly name: string;
  /** The default; null where it depends on the picture. */
  readonly initial: number | null;
  readonly isWhole: boolean;
  readonly low: number;
  /** Null where there is no greatest value. */
  readonly high: number | null;
  /** The end of the slider; null where there is none. */
  readonly sliderEnd: number | null;
  readonly help: string;
  /** Values that are no numbers. */
  readonly words: readonly string[];
}

export interface Method {
  readonly name: string;
  readonly label: string;
  readonly group: string;
  readonly tip: string;
  /** Why it cannot be used here; null when it can. */
  readonly reason: string | null;
  /** Why its map says nothing against a class, or of one rather than another; null where it does. */
  readonly against: string | null;
  readonly rather: string | null;
  readonly settings: readonly Setting[];
  /** Reruns the model many times: computed only when this very method is chosen. */
  readonly slow: boolean;
}

export interface Layer {
  readonly name: string;
  /** Channels, height and width; of a clip, the height of all frames together. */
  readonly shape: readonly number[];
  readonly frames: number;
}

/** The picture, class and method that maps have in common. */
export interface MapSubject {
  readonly scene: string;
  readonly target: number;
  readonly method: string;
}

/** The maps of one picture, class and method at every layer, small enough to be sent ahead. */
export interface LayerMaps extends MapSubject {
  readonly layers: ReadonlyMap<string, CellGrid>;
}

/** The map of one listed class, at the layer's own resolution. */
export interface ClassMap {
  readonly index: number;
  readonly name: string;
  readonly grid: CellGrid;
}

/** The maps of all listed classes at one layer, on a common scale. */
export interface ClassMaps {
  readonly scene: string;
  readonly method: string;
  readonly layer: string;
  readonly text: string;
  readonly classes: readonly ClassMap[];
}

/** The layer of a map; "" if it is not known. */
export interface MapLayer {
  readonly layer: string;
  readonly atInput: boolean;
}

export interface ProbedClass {
  readonly index: number;
  readonly name: string;
  readonly value: number;
}

export interface ClassProbe {
  readonly x: number;
  readonly y: number;
  readonly scene: string;
  readonly classes: readonly ProbedClass[];
  /** How many classes were compared: the most probable ones. */
  readonly of: number;
}

/** Outlines of the ground truth, as SVG paths in pixels of the scene. */
export interface GroundTruth {
  readonly scene: string;
  readonly objects: readonly string[];
  /** Where the evidence for the chosen class is; "" where there is none. */
  readonly evidence: string;
  readonly summary: string;
}

/** The map's box in the scene's pixels, the last two sides exclusive, and its peak. */
export interface MapBox {
  readonly scene: string;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly x: number;
  readonly y: number;
  /** Whether the peak lies on an object; "" where that is not known. */
  readonly hit: "hit" | "miss" | "";
  readonly summary: string;
}

/** The paint on a scene, run-length encoded; `stroke` is the number of the last stroke. */
export interface Paint {
  readonly scene: string;
  readonly runs: readonly unknown[];
  readonly stroke: number;
}

/** An inpainted fill for one set of masked pixels: the hole, 1 where masked, and the colors in it in reading order. */
export interface InpaintedFill {
  readonly scene: string;
  readonly baseline: string;
  readonly hole: Uint8Array;
  readonly rgb: Uint8Array;
}

export function mode(value: unknown): Mode {
  return value === "keep" || value === "multiply" ? value : "remove";
}

export function byteMap(value: unknown): ReadonlyMap<string, Uint8Array> {
  const out = new Map<string, Uint8Array>();
  for (const [key, raw] of Object.entries(fields(value))) {
    const data = bytes(raw);
    if (data !== null) out.set(key, data);
  }
  return out;
}

export function scene(value: unknown): Scene | null {
  const from = fields(value);
  const width = number(from["width"], 0);
  const height = number(from["height"], 0);
  const rgb = bytes(from["picture"]);
  if (rgb === null || width < 1 || height < 1 || rgb.length !== width * height * 3) return null;
  return { id: text(from["id"]), frames: frameCount(value), width, height, rgb, fills: byteMap(from["fills"]) };
}

/** The number of frames of a scene; 1 where it is no clip. */
export function frameCount(value: unknown): number {
  const { frames, height } = fields(value);
  const count = number(frames, 1);
  return Number.isInteger(count) && count > 1 && number(height, 0) % count === 0 ? count : 1;
}

/** Parses a map; null unless it belongs to this scene and has its size. */
export function explanation(value: unknown, of: Scene | null): Explanation | null {
  const from = fields(value);
  const saliency = bytes(from["saliency"]);
  const drawn = bytes(from["drawn"]);
  const knee = number(from["knee"], -1);
  const levels = bytes(from["levels"]);
  if (of === null || saliency === null || levels === null || from["scene"] !== of.id) return null;
  const size = of.width * of.height;
  if (saliency.length !== size || levels.length !== 2 * size) return null;
  return {
    scene: of.id,
    saliency,
    drawn: drawn?.length === size ? drawn : null,
    knee: knee >= 0 && knee < 1 ? knee : null,
    levels: uint16(levels),
    cells: cells(from),
    title: text(from["title"]),
    empty: flag(from["empty"], false),
    note: text(from["note"]),
  };
}

function cells(from: Fields): Heat["cells"] {
  const values = bytes(from["cells"]);
  const [rows = 0, columns = 0] = numbers(from["cells_shape"]);
  if (values === null || !(rows > 0 && columns > 0) || values.length !== rows * columns) return null;
  return { values, rows, columns };
}

export function rows(value: unknown): readonly ClassRow[] {
  return list(value).map((item) => {
    const from = fields(item);
    return {
      index: number(from["index"], -1),
      name: text(from["name"]),
      unmasked: number(from["unmasked"], Number.NaN),
    };
  });
}

/** Null while the picture is unmasked. */
export function mostProbable(value: unknown): MostProbable | null {
  const from = fields(value);
  const [row] = rows([from]);
  const masked = number(from["masked"], Number.NaN);
  return row === undefined || row.index < 0 || Number.isNaN(masked) ? null : { ...row, masked, wasFirst: flag(from["was_first"], false) };
}

export function lineNames(value: unknown): readonly LineName[] {
  return list(value).map((item) => {
    const from = fields(item);
    return { name: text(from["name"]), color: text(from["color"]), place: unit(from["place"], 0) };
  });
}

/** What the numbers are where they are no probabilities; null where they are. */
export function quantity(value: unknown): Quantity | null {
  const { unit } = fields(value);
  return typeof unit === "string" ? { unit } : null;
}

export function methods(value: unknown): readonly Method[] {
  return list(value).map((item) => {
    const from = fields(item);
    const name = text(from["name"]);
    const { reason, against, rather } = from;
    return {
      name,
      label: text(from["label"], name),
      group: text(from["group"]),
      tip: text(from["tip"]),
      reason: typeof reason === "string" ? reason : null,
      against: typeof against === "string" ? against : null,
      rather: typeof rather === "string" ? rather : null,
      settings: list(from["settings"]).map(setting),
      slow: flag(from["slow"], false),
    };
  });
}

function setting(value: unknown): Setting {
  const from = fields(value);
  const { default: initial, high, usual } = from;
  return {
    name: text(from["name"]),
    initial: typeof initial === "number" ? initial : null,
    isWhole: flag(from["integer"], false),
    low: number(from["low"], 0),
    high: typeof high === "number" ? high : null,
    sliderEnd: typeof high === "number" ? high : typeof usual === "number" ? usual : null,
    help: text(from["help"]),
    words: texts(from["words"]),
  };
}

/** The methods, with the reason why one cannot be used for the present stance among the reasons. */
export function methodsHere(model: Model): readonly Method[] {
  const { kind } = stance(model);
  const all = methods(model.get("methods"));
  return kind === "for" ? all : all.map((method) => ({ ...method, reason: method.reason ?? method[kind] }));
}

export function stance(model: Model): Stance {
  return parsedStance(model.get("stance"));
}

function parsedStance(value: unknown): Stance {
  const from = fields(value);
  const kind = KINDS.find((one) => one === from["kind"]) ?? "for";
  return { kind, other: kind === "rather" ? number(from["other"], -1) : -1 };
}

export function contrasts(model: Model): readonly Contrast[] {
  return list(model.get("contrasts")).map((value) => ({
    target: number(fields(value)["target"], -1), ...parsedStance(value),
  }));
}

/** The name of what is explained: "tabby", "against tabby", "tabby rather than lynx"; "" where it is not known. */
export function targetLabel(model: Model, of: Stance = stance(model)): string {
  const name = className(model, trait(model, "target"));
  if (of.kind === "against") return `against ${name}`;
  return of.kind === "rather" ? `${name} rather than ${className(model, of.other)}` : name;
}

function className(model: Model, index: number): string {
  return rows(model.get("rows")).find((row) => row.index === index)?.name ?? texts(model.get("class_names"))[index] ?? "";
}

export function layers(value: unknown): readonly Layer[] {
  return list(value).map((item) => {
    const from = fields(item);
    return { name: text(from["name"]), shape: numbers(from["shape"]), frames: number(from["frames"], 1) };
  });
}

export function mapLayer(explanation: unknown): MapLayer {
  const from = fields(explanation);
  return { layer: text(from["layer"]), atInput: flag(from["at_input"], false) };
}

export function sceneId(value: unknown): string {
  return text(fields(value)["id"]);
}

export function layerMaps(value: unknown): LayerMaps {
  const from = fields(value);
  const found = new Map<string, CellGrid>();
  for (const item of list(from["layers"])) {
    const name = text(fields(item)["name"]);
    const read = grid(fields(item));
    if (name !== "" && read !== null) found.set(name, read);
  }
  return {
    scene: text(from["scene"]),
    target: number(from["target"], -1),
    method: text(from["method"]),
    layers: found,
  };
}

export function classMaps(value: unknown): ClassMaps {
  const from = fields(value);
  const classes = list(from["classes"]).flatMap((item): readonly ClassMap[] => {
    const of = fields(item);
    const read = grid(of);
    return read === null ? [] : [{ index: number(of["index"], -1), name: text(of["name"]), grid: read }];
  });
  return {
    scene: text(from["scene"]), method: text(from["method"]), layer: text(from["layer"]), text: text(from["text"]),
    classes,
  };
}

function grid(from: Fields): CellGrid | null {
  const rows = number(from["rows"], 0);
  const columns = number(from["columns"], 0);
  const raw = bytes(from["cells"]);
  if (raw === null || !(rows > 0 && columns > 0) || raw.length !== 4 * rows * columns) return null;
  const cells = float32(raw);
  return cells.every((value) => value >= 0 && value < Infinity) ? { rows, columns, cells } : null;
}

export function classProbe(value: unknown): ClassProbe | null {
  const from = fields(value);
  const x = number(from["x"], -1);
  const y = number(from["y"], -1);
  if (x < 0 || y < 0) return null;
  const classes = list(from["classes"]).map((item) => {
    const of = fields(item);
    return {
      index: number(of["index"], -1),
      name: text(of["name"]),
      value: unit(of["value"], 0),
    };
  });
  return { x, y, scene: text(from["scene"]), classes, of: number(from["of"], classes.length) };
}

/** Null where the picture has no ground truth. */
export function groundTruth(value: unknown): GroundTruth | null {
  const from = fields(value);
  const scene = text(from["scene"]);
  if (scene === "") return null;
  return {
    scene,
    objects: texts(from["objects"]),
    evidence: text(from["evidence"]),
    summary: text(from["summary"]),
  };
}

/** Null where there is no map, or it is all zeros. */
export function box(value: unknown): MapBox | null {
  const from = fields(value);
  const sides = [...numbers(from["box"]), ...numbers(from["peak"])];
  const [left, top, right, bottom, x, y] = sides;
  const hit = from["hit"];
  if (left === undefined || top === undefined || right === undefined || bottom === undefined) return null;
  if (x === undefined || y === undefined || !sides.every(Number.isFinite)) return null;
  return {
    scene: text(from["scene"]), left, top, right, bottom, x, y,
    hit: hit === "hit" || hit === "miss" ? hit : "", summary: text(from["summary"]),
  };
}

export function paint(value: unknown): Paint {
  const from = fields(value);
  return { scene: text(from["scene"]), runs: list(from["runs"]), stroke: number(from["stroke"], 0) };
}

/** Parses a fill; null unless it belongs to this scene and has a color for each masked pixel. */
export function inpaintedFill(value: unknown, of: Scene): InpaintedFill | null {
  const from = fields(value);
  const packed = bytes(from["hole"]);
  const rgb = bytes(from["rgb"]);
  if (packed === null || rgb === null || from["scene"] !== of.id) return null;
  const hole = unpackBits(packed, of.width * of.height);
  if (hole === null || rgb.length !== 3 * hole.reduce((sum, one) => sum + one, 0)) return null;
  return { scene: of.id, baseline: text(from["baseline"]), hole, rgb };
}

/** The style in which maps are drawn, from the traits. */
export function mapStyle(model: Model): MapStyle {
  return {
    overlay: trait(model, "overlay"),
    opacity: portion(model, "opacity"),
    cells: trait(model, "cells"),
    colors: byteMap(model.get("colormaps")).get(trait(model, "colormap")) ?? GRAY,
  };
}
