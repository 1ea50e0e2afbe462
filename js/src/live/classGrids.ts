/** Maps of several classes, or at several layers, as the view has them, small and on one scale. */
import { peakOf } from "../core/geometry";
import { enlargeAt, enlargedPeak } from "../core/interpolation";
import type { CellGrid } from "../core/interpolation";
import type { FoundMap, LiveMaps, Subject } from "./liveMaps";
import { layerOf } from "./mapTraits";

/** The least value at which a click finds a class, as in the kernel. */
const FAINT = 0.005;

/** The map of one class. */
export interface ClassGrid {
  readonly index: number;
  readonly grid: CellGrid;
}

/** The maps of some classes, by the same method at the same layer. */
export function classGrids(maps: LiveMaps, of: Subject, classes: readonly number[]): readonly ClassGrid[] {
  return classes.flatMap((index) => {
    const grid = maps.grid({ ...of, target: index, stance: { kind: "for", other: -1 } });
    return grid === null ? [] : [{ index, grid }];
  });
}

/** The trait of the classes' maps; without classes where all maps are the same, which are no class's. */
export function classMapsTrait(found: FoundMap, grids: readonly ClassGrid[]): Record<string, unknown> {
  const { of } = found;
  const most = greatest(grids);
  const isOfClasses = grids.length < 2 || grids.some(({ grid }) => !isEqual(grid.cells, grids[0]!.grid.cells));
  return {
    scene: of.picture.id, method: of.method, layer: layerOf(found), text: "",
    classes: !isOfClasses ? [] : grids.map(({ index, grid }) => ({
      index, name: of.picture.names[index]!, rows: grid.rows, columns: grid.columns,
      cells: new Uint8Array(grid.cells.map((value) => value / most).buffer),
    })),
  };
}

/** The trait of the same map at all layers, so that scrubbing along them shows each. */
export function layerMapsTrait(maps: LiveMaps, { of, atInput }: FoundMap): Record<string, unknown> {
  if (atInput) return {};
  const layers = maps.layers(of).flatMap(({ name }) => {
    const grid = maps.grid({ ...of, layer: name });
    return grid === null ? [] : [{ name, ...grid }];
  });
  return { scene: of.picture.id, target: of.target, method: of.method, layers };
}

/** The classes with the strongest maps at a pixel, on one scale, the strongest first. */
export function strongestAt(grids: readonly ClassGrid[], { picture }: Subject, x: number, y: number) {
  const { picture: { width, height }, names } = picture;
  const most = enlargedPeak(grids.map(({ grid }) => grid), width, height) || 1;
  return grids
    .map(({ index, grid }) => ({ index, name: names[index]!, value: Math.max(0, enlargeAt(grid, width, height, x, y)) / most }))
    .filter(({ value }) => value >= FAINT)
    .sort((a, b) => b.value - a.value);
}

function greatest(grids: readonly ClassGrid[]): number {
  return peakOf(grids.map(({ grid }) => peakOf(grid.cells))) || 1;
}

function isEqual(one: Float32Array, other: Float32Array): boolean {
  return one.length === other.length && one.every((value, at) => value === other[at]);
}
