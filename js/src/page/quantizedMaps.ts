/** ``QuantizedMaps``: decodes, enlarges and ranks the maps of an offline page as the kernel does. */
import { peakOf } from "../core/geometry";
import { enlargeFrames, toBytes } from "../core/interpolation";
import type { CellGrid } from "../core/interpolation";
import { rankLevels } from "../core/maskingRule";
import { toneBytes } from "../core/toneMapping";
import type { BinaryBundle } from "./binaryBundle";
import type { Payload } from "./payload";

/** A map ready to be shown. */
export interface DecodedMap {
  readonly saliency: Uint8Array;
  /** The map as it is drawn; null where that is the saliency itself. */
  readonly drawn: Uint8Array | null;
  readonly levels: Uint16Array;
  /** The saliency from 0 to 1, whose ranks the levels are. */
  readonly unit: Float32Array;
  readonly cells: Uint8Array;
  /** The part of the picture with any evidence. */
  readonly evident: number;
}

/** The number of maps that are cached; each takes three or four bytes a pixel. */
const KEPT = 24;

const { fround } = Math;

/** The maps of an offline page, decoded on demand. */
export class QuantizedMaps {
  private readonly made = new Map<number, DecodedMap>();
  private divided: { readonly key: string; readonly parts: unknown } | null = null;
  private readonly places = new Map<string, number>();

  constructor(
    private readonly data: Payload,
    private readonly archive: BinaryBundle,
  ) {
    for (const [row, method, layer, grid] of data.maps) this.places.set(`${row} ${method} ${layer}`, grid);
  }

  /** The number of frames of a clip, whose cells lie one below the other; 1 for a picture. */
  get frames(): number {
    return this.data.scene.frames ?? 1;
  }

  /** The number of a map's grid, by places in the lists; undefined where there is no such map. */
  find(row: number, method: number, layer: number): number | undefined {
    return this.places.get(`${row} ${method} ${layer}`) ?? this.places.get(`${row} ${method} -1`);
  }

  grid(number: number): CellGrid {
    const { rows, columns, rounded, cells } = this.data.grids[number]!;
    const values = rounded ? Float32Array.from(this.archive.uint16(cells)) : this.archive.float32(cells);
    return { rows, columns, cells: values };
  }

  /** At the size of the picture, in proportion to the map: values of several classes' maps compare. */
  enlarged(number: number): Float32Array {
    const { width, height } = this.data.scene;
    return enlargeFrames(this.inProportion(number), width, height, this.frames);
  }

  /**
   * The classes' maps of one method at one layer, divided by the largest value of all of them, as the kernel sends them;
   * none if they are all the same: these are no class's. Nor of a clip, as in the kernel.
   */
  classMaps(method: number, layer: number): Record<string, unknown>[] {
    if (this.frames > 1) return [];
    const found = this.data.classes.flatMap(({ index, name }, row) => {
      const number = this.find(row, method, layer);
      return number === undefined ? [] : [{ index, name, number, ...this.inProportion(number) }];
    });
    if (found.length > 1 && found.every(({ number }) => number === found[0]!.number)) return [];
    const most = peakOf(found.map(({ cells }) => peakOf(cells))) || 1;
    return found.map(({ index, name, rows, columns, cells }) => ({
      index, name, rows, columns, cells: new Uint8Array(cells.map((value) => value / most).buffer),
    }));
  }

  /** A grid, so that its values compare with those of others. */
  inProportion(number: number): CellGrid {
    const { rounded, peak } = this.data.grids[number]!;
    const grid = this.grid(number);
    const step = rounded ? peak / (peakOf(grid.cells) || 1) : 1;
    return { ...grid, cells: grid.cells.map((value) => value * step) };
  }

  show(number: number): DecodedMap {
    const known = this.made.get(number);
    if (known !== undefined) return known;
    const { width, height } = this.data.scene;
    const shown = decodeMap(this.grid(number), width, height, this.data.grids[number]!.knee, this.frames);
    this.made.set(number, shown);
    for (const oldest of this.made.keys()) {
      if (this.made.size <= KEPT) break;
      this.made.delete(oldest);
    }
    return shown;
  }

  /** The parts that are drawn with a map, as the view has them: its own, or the first that the page has. */
  pictureParts(number: number | null, scene: string): unknown {
    const own = number === null ? undefined : this.data.grids[number]?.parts?.division;
    const division = this.data.divisions?.[own ?? 0];
    if (division === undefined) return {};
    const key = `${own ?? -1} ${scene}`;
    if (this.divided?.key !== key) {
      this.divided = { key, parts: { ...division, scene, of_map: own !== undefined, labels: this.archive.uint16(division.labels) } };
    }
    return this.divided.parts;
  }

  /** The numbers of every listed class at every step of the curve; null where there is no curve. */
  curve(number: number, key: string): number[][] | null {
    const place = this.data.grids[number]?.curves[key];
    if (place === undefined) return null;
    const values =
      this.data.quantity.unit === undefined
        ? Array.from(this.archive.uint16(place), (value) => value / 10_000)
        : Array.from(this.archive.float32(place));
    const count = this.data.classes.length;
    return Array.from({ length: values.length / count }, (_, step) =>
      values.slice(step * count, (step + 1) * count),
    );
  }
}

/** A map of cells ready to be shown; of a clip, of the cells of each frame. */
export function decodeMap(grid: CellGrid, width: number, height: number, knee: number | null, frames = 1): DecodedMap {
  const map = enlargeFrames(grid, width, height, frames);
  const shares = unit(map);
  return {
    saliency: toBytes(map),
    drawn: knee === null ? null : toneBytes(map, knee),
    levels: rankLevels(shares),
    unit: shares,
    cells: knee === null ? toBytes(grid.cells) : toneBytes(grid.cells, knee),
    evident: map.reduce((count, value) => count + (value > 0 ? 1 : 0), 0) / map.length,
  };
}

/** A map divided by its maximum. Rounding may make two values equal; the kernel ranks these values. */
function unit(map: Float32Array): Float32Array {
  const peak = peakOf(map);
  return peak > 0 ? map.map((value) => Math.min(1, fround(value / peak))) : map;
}
