import { afterEach, describe, expect, it } from "vitest";
import { GRAY } from "../src/core/colormap";
import { Compositor } from "../src/core/compositor";
import { area, border, covered, decode, draw, encode, unpackBits } from "../src/core/userMask";
import { FakeModel, FILL, HEIGHT, RGB, sceneOf, settle, show, traits, WIDTH } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

const SIZE = WIDTH * HEIGHT;

function opaque(rgb: ArrayLike<number>): number[] {
  const out: number[] = [];
  for (let i = 0; i < rgb.length; i += 3) out.push(rgb[i]!, rgb[i + 1]!, rgb[i + 2]!, 255);
  return out;
}

function pixel(rgba: ArrayLike<number>, at: number): number[] {
  return Array.from(rgba).slice(4 * at, 4 * at + 4);
}

describe("paint in runs", () => {
  // tests/masking/test_user_mask.py has the same.
  const KNOWN: readonly (readonly [number[], number[]])[] = [
    [[0, 0, 0, 0, 0, 0], []],
    [[1, 1, 1, 1, 1, 1], [1, 6]],
    [[0, 1, 1, -1, 0, 0], [0, 1, 1, 2, -1, 1]],
    [[-1, 0, 0, 0, 0, 1], [-1, 1, 0, 4, 1, 1]],
  ];

  it("is written and read as the kernel does", () => {
    for (const [paint, runs] of KNOWN) {
      expect(encode(Int8Array.from(paint))).toEqual(runs);
      expect(Array.from(decode(runs, 6)!)).toEqual(paint);
    }
  });

  it("is refused where it is malformed", () => {
    for (const wrong of [[1], [2, 1], [1, 0], [1, 7], [1, 2.5], ["1", 2], [1, 3, 0, 4], [null, 1]]) {
      expect(decode(wrong, 6)).toBeNull();
    }
  });
});

describe("the brush", () => {
  const drawn = (width: number, height: number, ...rest: [number, number, number, number, number]): string[] => {
    const [x0, y0, x1, y1, diameter] = rest;
    const paint = new Int8Array(width * height);
    draw(paint, width, { x: x0, y: y0 }, { x: x1, y: y1 }, diameter, 1);
    return Array.from({ length: height }, (_, y) =>
      Array.from(paint.slice(y * width, (y + 1) * width), (one) => (one === 0 ? "." : "#")).join(""),
    );
  };

  it("is round, and as large as it says", () => {
    expect(drawn(7, 5, 3.5, 2.5, 3.5, 2.5, 3)).toEqual([".......", "..###..", "..###..", "..###..", "......."]);
    expect(drawn(7, 5, 3.5, 2.5, 3.5, 2.5, 4)).toEqual(["...#...", "..###..", ".#####.", "..###..", "...#..."]);
    expect(drawn(3, 3, 1.9, 1.1, 1.9, 1.1, 1)).toEqual(["...", ".#.", "..."]);
  });

  it("leaves no gap between two places, and goes over the edge", () => {
    expect(drawn(6, 3, 0.5, 1.5, 5.5, 1.5, 1)).toEqual(["......", "######", "......"]);
    expect(drawn(4, 2, -3, 0.5, 9, 0.5, 1)).toEqual(["####", "...."]);
    expect(drawn(4, 2, -30, -5, -20, -5, 8)).toEqual(["....", "...."]);
  });

  it("says whether anything has changed, and erases", () => {
    const paint = new Int8Array(9);
    const at = { x: 1.5, y: 1.5 };
    expect(draw(paint, 3, at, at, 1, -1)).toBe(true);
    expect(draw(paint, 3, at, at, 1, -1)).toBe(false);
    expect(covered(paint)).toEqual({ hidden: 0, kept: 1 / 9 });
    draw(paint, 3, at, at, 1, 0);
    expect(covered(paint).kept).toBe(0);
  });

  it("is outlined along the pixels' edges", () => {
    const paint = Int8Array.from([0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
    expect(border(paint, 4, 1)).toBe("M1 1H3M1 2H3M1 1V2M3 1V2");
    expect(area(paint, 4, 1)).toBe("M1 1h2v1h-2z");
    expect(border(paint, 4, -1)).toBe("");
  });
});

describe("the rule with paint", () => {
  const paint = Int8Array.from([1, 1, -1, -1, 0, 0, 1, -1]);
  const levels = Uint16Array.from({ length: SIZE }, (_, i) => (i * 65536) / SIZE);
  const saliency = new Uint8Array(SIZE).fill(51);
  const plain = { overlay: false, opacity: 1, cells: false, colors: GRAY };

  function compositor(heat = true): Compositor {
    const made = new Compositor();
    made.setPicture({ width: WIDTH, height: HEIGHT, rgb: RGB });
    made.setHeat(heat ? { saliency, levels, cells: null } : null);
    made.setStyle(plain);
    return made;
  }

  it("first masks by rank, then hides and keeps what is painted", () => {
    const made = compositor();
    for (const mode of ["remove", "keep"] as const) {
      for (const fraction of [0, 0.5, 1]) {
        const pixels = made.paint({ mode, fraction, fill: new Uint8Array(FILL), paint });
        for (let i = 0; i < SIZE; i++) {
          const ranked = i < fraction * SIZE === (mode === "remove");
          const hidden = paint[i] === 0 ? ranked : paint[i] === 1;
          expect(pixel(pixels, i)).toEqual(hidden ? [...FILL, 255] : pixel(opaque(RGB), i));
        }
      }
    }
  });

  it("goes over the picture times its map, and needs no map at all", () => {
    const product = compositor().paint({ mode: "multiply", fraction: 1, fill: null, paint });
    expect(pixel(product, 0)).toEqual([0, 0, 0, 255]);
    expect(pixel(product, 2)).toEqual(pixel(opaque(RGB), 2));
    expect(pixel(product, 4)).toEqual([24, 26, 28, 255]);
    const alone = compositor(false).paint({ mode: "keep", fraction: 0.1, fill: null, paint });
    expect(pixel(alone, 1)).toEqual([0, 0, 0, 255]);
    expect(pixel(alone, 4)).toEqual(pixel(opaque(RGB), 4));
  });

  it("hatches a fill that was made for other pixels", () => {
    const made = compositor();
    const fill = new Uint8Array(3 * SIZE).fill(200);
    const hole = Uint8Array.from(paint, (value) => Number(value === 1));
    const mask = { mode: "remove", fraction: 0, fill, paint } as const;
    made.paint({ ...mask, hole });
    expect(made.provisional).toBe(false);
    expect(pixel(made.pixels, 0)).toEqual([200, 200, 200, 255]);
    made.paint({ ...mask, hole: new Uint8Array(SIZE) });
    expect(made.provisional).toBe(true);
    expect(pixel(made.pixels, 0)).toEqual([100, 100, 100, 255]);
    expect(pixel(made.pixels, 4)).toEqual(pixel(opaque(RGB), 4));
    made.paint(mask);
    expect(made.provisional).toBe(false);
  });

  it("reads bits as numpy packs them", () => {
    expect(Array.from(unpackBits(new Uint8Array([0b10100000, 0b01000000]), 10)!)).toEqual([1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
    expect(unpackBits(new Uint8Array(1), 10)).toBeNull();
  });
});

describe("painting", () => {
  /** The canvas lies at 100, 50 and shows each pixel 100 × 100. */
  function started(state: Record<string, unknown> = {}): Shown {
    const view = show(new FakeModel({ ...traits(), baselines: ["mean", "black", "inpaint"], ...state }));
    const canvas = view.one<HTMLCanvasElement>("canvas");
    canvas.getBoundingClientRect = () => new DOMRect(100, 50, 400, 200);
    canvas.setPointerCapture = () => undefined;
    view.one(".camwidget-paint-toggle").click();
    view.one<HTMLInputElement>(".camwidget-brush-size").value = "1";
    return view;
  }

  function pointer(view: Shown, type: string, x: number, y: number, more: PointerEventInit = {}): void {
    const event = new PointerEvent(type, {
      clientX: 100 + 100 * x, clientY: 50 + 100 * y, button: 0, pointerId: 1, bubbles: true, cancelable: true, ...more,
    });
    view.one("canvas").dispatchEvent(event);
  }

  function stroke(view: Shown, ...spots: [number, number][]): void {
    spots.forEach(([x, y], at) => pointer(view, at === 0 ? "pointerdown" : "pointermove", x, y));
    pointer(view, "pointerup", ...spots[spots.length - 1]!);
  }

  const painted = (view: Shown): Record<string, unknown> => view.model.get("paint") as Record<string, unknown>;

  it("shows at once what the model will get, and tells the kernel", async () => {
    const view = started();
    pointer(view, "pointerdown", 0.5, 0.5);
    pointer(view, "pointermove", 2.5, 0.5);
    await settle();
    expect(view.painted().slice(0, 12)).toEqual([...FILL, 255, ...FILL, 255, ...FILL, 255]);
    expect(view.painted().slice(12)).toEqual(opaque(RGB).slice(12));
    expect(painted(view)).toEqual({ scene: "a", runs: [1, 3], stroke: 1, painting: true });
    pointer(view, "pointerup", 2.5, 0.5);
    expect(painted(view)).toEqual({ scene: "a", runs: [1, 3], stroke: 1, painting: false });
    stroke(view, [3.5, 1.5]);
    expect(painted(view)["stroke"]).toBe(2);
    expect(view.model.sent).toEqual([]);
    expect(view.one("canvas").getAttribute("aria-label")).toContain("painted: 50\u00a0% hidden");
  });

  it("keeps, erases, and clears", async () => {
    const view = started({ fraction: 1 });
    view.all(".camwidget-shades button")[1]!.click();
    stroke(view, [0.5, 0.5], [1.5, 0.5]);
    await settle();
    expect(view.painted().slice(0, 8)).toEqual(opaque(RGB).slice(0, 8));
    expect(view.painted().slice(8, 12)).toEqual([...FILL, 255]);
    expect(view.one(".camwidget-paint-outlines").querySelectorAll(".kept").length).toBe(2);
    view.key("x");
    stroke(view, [0.5, 0.5]);
    expect(painted(view)["runs"]).toEqual([0, 1, -1, 1]);
    view.all(".camwidget-paint .camwidget-button").find((one) => one.textContent === "clear")!.click();
    expect(painted(view)).toMatchObject({ runs: [], stroke: 3, painting: false });
  });

  it("asks nothing, and paints nothing, for the wrong hand", () => {
    const view = started();
    view.one("canvas").dispatchEvent(new MouseEvent("click", { clientX: 150, clientY: 100, bubbles: true }));
    pointer(view, "pointerdown", 0.5, 0.5, { button: 2 });
    pointer(view, "pointermove", 1.5, 0.5);
    expect(view.model.sent).toEqual([]);
    expect(view.model.get("paint")).toBeUndefined();
    view.key("Escape");
    expect(view.one(".camwidget-paint").hidden).toBe(true);
    stroke(view, [0.5, 0.5]);
    expect(view.model.get("paint")).toBeUndefined();
    view.one("canvas").dispatchEvent(new MouseEvent("click", { clientX: 150, clientY: 100, bubbles: true }));
    expect(view.model.sent).toEqual([{ type: "pick", x: 0, y: 0 }]);
  });

  it("goes without a pointer, and in straight lines", () => {
    const view = started();
    view.key("w");
    view.key("Enter");
    expect(painted(view)["runs"]).toEqual([0, 2, 1, 1]);
    view.key("a");
    view.key("a");
    view.key("Enter");
    expect(painted(view)["runs"]).toEqual([1, 1, 0, 1, 1, 1]);
    expect(view.model.sent).toEqual([]);
    view.key("}");
    expect(view.one<HTMLInputElement>(".camwidget-brush-size").value).toBe("2");
    view.key("{");
    pointer(view, "pointerdown", 3.5, 0.5, { shiftKey: true });
    pointer(view, "pointerup", 3.5, 0.5);
    expect(painted(view)["runs"]).toEqual([1, 4]);
    view.key("p");
    expect(view.one(".camwidget-paint-toggle").getAttribute("aria-pressed")).toBe("false");
  });

  it("takes what the kernel sets, but not while the hand is at it, nor of another picture", async () => {
    const view = started();
    view.model.set("paint", { scene: "a", runs: [0, 4, 1, 4], stroke: 5 });
    await settle();
    expect(view.painted().slice(16, 20)).toEqual([...FILL, 255]);
    pointer(view, "pointerdown", 0.5, 0.5);
    view.model.set("paint", { scene: "a", runs: [], stroke: 6 });
    await settle();
    pointer(view, "pointerup", 0.5, 0.5);
    expect(painted(view)).toMatchObject({ runs: [1, 1, 0, 3, 1, 4], stroke: 6 });
    view.model.set("paint", { scene: "b", runs: [1, 8], stroke: 8 });
    await settle();
    expect(view.painted().slice(4, 8)).toEqual(opaque(RGB).slice(4, 8));
    view.model.set("scene", sceneOf("b"));
    await settle();
    expect(view.painted().slice(0, 4)).toEqual([...FILL, 255]);
    view.model.set("scene", sceneOf("c"));
    await settle();
    expect(view.painted()).toEqual(opaque(RGB));
    for (const odd of [null, 5, { scene: "c", runs: [1, 99] }, { scene: "c", runs: "x" }]) {
      view.model.set("paint", odd);
      await settle();
      expect(view.painted()).toEqual(opaque(RGB));
    }
  });

  it("shows the kernel's fill once it is that of these very pixels, and is provisional until then", async () => {
    const view = started({ baseline: "inpaint" });
    stroke(view, [0.5, 0.5], [1.5, 0.5]);
    await settle();
    const frame = view.one(".camwidget-frame");
    expect(frame.classList.contains("camwidget-provisional")).toBe(true);
    expect(view.painted().slice(0, 4)).toEqual([100, 50, 25, 255]);
    const rgb = new Uint8Array([1, 2, 3, 4, 5, 6]);
    view.model.set("baseline_fill", { scene: "a", baseline: "inpaint", hole: new Uint8Array([0b11000000]), rgb });
    await settle();
    expect(frame.classList.contains("camwidget-provisional")).toBe(false);
    expect(view.painted().slice(0, 8)).toEqual([1, 2, 3, 255, 4, 5, 6, 255]);
    stroke(view, [2.5, 0.5]);
    await settle();
    expect(frame.classList.contains("camwidget-provisional")).toBe(true);
    view.model.set("baseline", "mean");
    await settle();
    expect(frame.classList.contains("camwidget-provisional")).toBe(false);
    expect(view.painted().slice(0, 4)).toEqual([...FILL, 255]);
  });

  it("shows no sign of paint with the map's overlay off, but while someone paints", async () => {
    const view = started({ overlay: true });
    stroke(view, [0.5, 0.5]);
    await settle();
    const signs = view.el.querySelector<SVGElement>(".camwidget-paint-outlines")!;
    view.model.set("overlay", false);
    await settle();
    expect(signs.style.display).toBe("");
    view.key("p");
    expect(signs.style.display).toBe("none");
    view.model.set("overlay", true);
    await settle();
    expect(signs.style.display).toBe("");
    view.model.set("opacity", 0);
    await settle();
    expect(signs.style.display).toBe("none");
  });
});
