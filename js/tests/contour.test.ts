import { afterEach, describe, expect, it } from "vitest";
import { contour } from "../src/core/contour";
import { FakeModel, HEIGHT, settle, show, traits, WIDTH } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

/** The lines of a path, as points; whether each comes back to its beginning. */
function lines(path: string): { points: [number, number][]; closed: boolean }[] {
  return path
    .split("M")
    .slice(1)
    .map((line) => ({
      closed: line.endsWith("Z"),
      points: line.replace("Z", "").split("L").map((pair) => pair.split(" ").map(Number) as [number, number]),
    }));
}

function field(width: number, height: number, value: (x: number, y: number) => number): Uint8Array {
  return Uint8Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width)));
}

describe("the contour of a map", () => {
  it("runs between the middles of pixels, in proportion", () => {
    const map = Uint8Array.from([0, 0, 0, 0, 200, 0, 0, 0, 0]);
    const [line, ...others] = lines(contour(map, 3, 3, 50));
    expect(others).toEqual([]);
    expect(line!.closed).toBe(true);
    expect(line!.points.map(String).sort()).toEqual(["0.75,1.5", "1.5,0.75", "1.5,2.25", "2.25,1.5"]);
  });

  it("is a circle where the map is a cone", () => {
    const map = field(64, 64, (x, y) => Math.max(0, 255 - 8 * Math.hypot(x - 30, y - 34)));
    const all = lines(contour(map, 64, 64, 255 - 8 * 20));
    expect(all).toHaveLength(1);
    expect(all[0]!.closed).toBe(true);
    for (const [x, y] of all[0]!.points) expect(Math.abs(Math.hypot(x - 30.5, y - 34.5) - 20)).toBeLessThan(0.2);
  });

  it("ends at the picture's edge, and goes round a hole", () => {
    const half = lines(contour(field(6, 4, (x) => (x < 3 ? 255 : 0)), 6, 4, 127.5));
    expect(half).toHaveLength(1);
    expect(half[0]!.closed).toBe(false);
    expect(half[0]!.points.map(([x]) => x)).toEqual(half[0]!.points.map(() => 3));
    expect(half[0]!.points.map(([, y]) => y).sort((a, b) => a - b)).toEqual([0, 0.5, 1.5, 2.5, 3.5, 4]);
    const ring = field(20, 20, (x, y) => (Math.abs(Math.hypot(x - 9.5, y - 9.5) - 6) < 2 ? 255 : 0));
    expect(lines(contour(ring, 20, 20, 100)).map(({ closed }) => closed)).toEqual([true, true]);
  });

  it("parts corners whose mean falls short, and joins those whose mean reaches it", () => {
    const corners = (low: number): Uint8Array => field(4, 4, (x, y) => (x === y && x % 3 !== 0 ? 200 : low));
    expect(lines(contour(corners(0), 4, 4, 150))).toHaveLength(2);
    expect(lines(contour(corners(140), 4, 4, 150))).toHaveLength(1);
  });

  it("is nothing where the map lies all on one side", () => {
    expect(contour(new Uint8Array(12), 4, 3, 1)).toBe("");
    expect(contour(new Uint8Array(12).fill(255), 4, 3, 255)).toBe("");
    expect(contour(Uint8Array.of(7), 1, 1, 7)).toBe("");
  });

  it("visits every place between two sides once", () => {
    const map = field(40, 30, (x, y) => (x * x * 7 + y * y * 13 + x * y * 5) % 256);
    const all = lines(contour(map, 40, 30, 128)).flatMap(({ points }) => points.map(String));
    let crossings = 0;
    const at = (x: number, y: number): boolean => map[40 * y + x]! >= 128;
    for (let y = 0; y < 30; y++) for (let x = 1; x < 40; x++) crossings += Number(at(x, y) !== at(x - 1, y));
    for (let x = 0; x < 40; x++) for (let y = 1; y < 30; y++) crossings += Number(at(x, y) !== at(x, y - 1));
    // What crosses the outermost pixels goes on to the edge.
    for (let x = 1; x < 40; x++) crossings += Number(at(x, 0) !== at(x - 1, 0)) + Number(at(x, 29) !== at(x - 1, 29));
    for (let y = 1; y < 30; y++) crossings += Number(at(0, y) !== at(0, y - 1)) + Number(at(39, y) !== at(39, y - 1));
    expect(all).toHaveLength(crossings);
  });

  it("averages noise, and still says where it is high", () => {
    let seed = 1;
    const noise = field(256, 256, (x) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return x < 128 ? seed >>> 26 : 128 + (seed >>> 25);
    });
    const path = contour(noise, 256, 256, 160);
    expect(path.length).toBeLessThan(400_000);
    const inside = lines(path).flatMap(({ points }) => points).filter(([x]) => x > 120);
    expect(inside.length).toBe(lines(path).flatMap(({ points }) => points).length);
  });
});

describe("the contour over the picture", () => {
  function shown(more: Record<string, unknown> = {}): Shown {
    const saliency = field(WIDTH, HEIGHT, (x) => (x < 2 ? 255 : 0));
    const explanation = { ...(traits()["explanation"] as object), saliency, layer: "stage2" };
    return show(new FakeModel({ ...traits(), contour: 0, explanation, ...more }));
  }

  const toggle = (view: Shown): HTMLElement => view.all(".camwidget-map-style button").find((b) => b.textContent === "contour")!;
  const path = (view: Shown): string => view.one(".camwidget-contours .over").getAttribute("d") ?? "";
  const level = (view: Shown): HTMLInputElement => view.one<HTMLInputElement>(".camwidget-contour-level");

  it("is off at first; the button and c switch it", async () => {
    const view = shown();
    expect([path(view), level(view).hidden]).toEqual(["", true]);
    toggle(view).click();
    await settle();
    expect(view.model.get("contour")).toBe(0.5);
    expect(lines(path(view))[0]!.points.every(([x]) => x === 2)).toBe(true);
    expect(view.one(".camwidget-contours .under").getAttribute("d")).toBe(path(view));
    expect(view.one(".camwidget-contours").getAttribute("viewBox")).toBe("0 0 4 2");
    expect([level(view).hidden, toggle(view).getAttribute("aria-pressed")]).toEqual([false, "true"]);
    view.key("c");
    await settle();
    expect([view.model.get("contour"), path(view), level(view).hidden]).toEqual([0, "", true]);
  });

  it("moves with its level, and comes back at that", async () => {
    const view = shown({ contour: 0.5 });
    level(view).value = "25";
    level(view).dispatchEvent(new Event("input", { bubbles: true }));
    await settle();
    expect(view.model.get("contour")).toBe(0.25);
    expect(view.one(".camwidget-contour-value").textContent).toBe("25\u00a0%");
    expect(lines(path(view))[0]!.points.every(([x]) => x === 2.25)).toBe(true);
    level(view).value = "0";
    level(view).dispatchEvent(new Event("input", { bubbles: true }));
    expect(view.model.get("contour")).toBe(0.01);
    view.model.set("contour", 0.75);
    await settle();
    view.key("c");
    await settle();
    view.key("c");
    expect(view.model.get("contour")).toBe(0.75);
  });

  it("gives the keyboard to the button when its slider goes", async () => {
    const view = shown({ contour: 0.5 });
    level(view).focus();
    view.key("c", ".camwidget-contour-level");
    await settle();
    expect(document.activeElement).toBe(toggle(view));
  });

  it("follows the map, and the preview over it; there is none of an empty one", async () => {
    const cells = new DataView(Float32Array.from([0, 2]).buffer);
    const stage = { name: "stage1", rows: 1, columns: 2, cells };
    const view = shown({ contour: 0.5, layer_maps: { scene: "a", target: 7, method: "gradcam", layers: [stage] } });
    const before = path(view);
    view.key("[");
    await settle();
    expect(path(view)).not.toBe(before);
    expect(path(view)).not.toBe("");
    view.model.set("explanation", { ...(view.model.get("explanation") as object), layer: "stage1", empty: true });
    await settle();
    expect(path(view)).toBe("");
  });
});
