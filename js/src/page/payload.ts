/** The payload of an offline page, as camwidget/export/payload.py writes it. The page's own file is its only source. */
import type { Detection } from "../core/detections";
import type { Mode } from "../core/maskingRule";
import type { Contrast, Stance } from "../view/traits";
import type { ByteRange } from "./binaryBundle";

export interface Payload {
  readonly format: number;
  readonly model: string;
  /** The picture's name. */
  readonly name: string;
  /** The further pictures of the page. */
  readonly others?: readonly Payload[];
  readonly scene: {
    readonly width: number;
    /** Of a clip, that of all its frames, which lie one below the other. */
    readonly height: number;
    /** The number of a clip's frames; 1 for a picture, and absent in pages of older versions. */
    readonly frames?: number;
    readonly picture: ByteRange;
    /** By baseline a full picture, or three bytes. */
    readonly fills: Readonly<Record<string, ByteRange>>;
  };
  /** Which of the picture's channels are shown; empty where all are, and absent in pages of older versions. */
  readonly channels?: string;
  /** The boxes or areas that the model finds, as the view has them, with the place of the areas' pixels. */
  readonly found?: { readonly boxes?: readonly unknown[]; readonly areas?: { readonly classes?: ByteRange } };
  /** The detections that are the picture's classes, on a page that runs a detector. */
  readonly detections?: readonly (Detection & { readonly name: string })[];
  /** Divisions of the picture into parts, each a number for every pixel; absent in pages of older versions. */
  readonly divisions?: readonly { readonly width: number; readonly height: number; readonly count: number; readonly labels: ByteRange }[];
  readonly classes: readonly ClassData[];
  /** Of which there are maps besides those for every class. */
  readonly contrasts: readonly Contrast[];
  readonly methods: readonly MethodData[];
  readonly layers: readonly { readonly name: string; readonly shape: readonly number[]; readonly frames?: number }[];
  /** By method and layer the reason why there is no map. */
  readonly missing: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Class, method, layer (−1 for any) and grid, by their places in these lists; the contrasts come after the classes. */
  readonly maps: readonly (readonly [number, number, number, number])[];
  readonly grids: readonly GridData[];
  /** What the numbers are where they are no probabilities; empty where they are. */
  readonly quantity: { readonly unit?: string };
  /** The number of points of a curve, at fractions from 0 to 1 that are the squares of evenly spaced numbers. */
  readonly steps: number;
  readonly modes: readonly Mode[];
  readonly baselines: readonly string[];
  readonly colormaps: Readonly<Record<string, ByteRange>>;
  readonly first: {
    readonly target: number;
    readonly stance: Stance;
    readonly method: string;
    readonly layer: string;
    readonly mode: Mode;
    readonly baseline: string;
    readonly fraction: number;
    /** The frame of a clip. */
    readonly frame?: number;
    readonly box_threshold: number;
    /** What is asked about the boxes; absent in pages of older versions. */
    readonly about?: string;
  };
  readonly archive: string;
}

export interface ClassData {
  readonly index: number;
  readonly name: string;
  readonly unmasked: number;
}

export interface MethodData {
  readonly name: string;
  readonly label: string;
  /** Those that differ from the defaults, in words. */
  readonly settings: string;
  readonly group: string;
  readonly tip: string;
  /** Why its map says nothing against a class, or of one rather than another. */
  readonly against: string | null;
  readonly rather: string | null;
  /** Whether the map is of the input, whatever layer is chosen. */
  readonly everywhere: boolean;
}

export interface GridData {
  readonly rows: number;
  readonly columns: number;
  /** To whole numbers, two bytes each; else float32. */
  readonly rounded: boolean;
  /** The map's maximum before that. */
  readonly peak: number;
  /** The value, of the maximum, that is drawn at 0.9 of the color scale; null where it is drawn in proportion. */
  readonly knee: number | null;
  /** What the color scale says of that. */
  readonly scale_note: string;
  readonly cells: ByteRange;
  readonly box: readonly number[] | null;
  readonly at: readonly number[] | null;
  /** Of a map whose units are parts: the place of their division, and the value of each. */
  readonly parts?: { readonly division: number; readonly values: readonly number[]; readonly errors: readonly (number | null)[] };
  /** By `curveKey`: probabilities in ten-thousandths, or quantities as float32, of each class in the list at each step. */
  readonly curves: Readonly<Record<string, ByteRange>>;
}

export const FORMAT = 2;

export function curveKey(mode: Mode, baseline: string): string {
  return mode === "multiply" ? mode : `${mode} ${baseline}`;
}
