import { beforeEach, describe, expect, it, vi } from "vitest";
import { BinaryBundle } from "../src/page/binaryBundle";
import type { ByteRange } from "../src/page/binaryBundle";
import { pageView } from "../src/page/opening";
import { PageModel } from "../src/page/pageModel";
import type { Payload } from "../src/page/payload";
import type { Values } from "../src/view/model";
import type { SyncedTraits } from "../src/view/syncedTraits";
import { settle } from "./fakeModel";

/** Packs as camwidget/export/binary_bundle.py does. */
class Packer {
  private readonly all: number[] = [];

  bytes(values: Iterable<number>): ByteRange {
    const start = this.all.length;
    this.all.push(...values);
    return [start, this.all.length - start];
  }

  numbers(values: Float32Array | Uint16Array): ByteRange {
    const raw = new Uint8Array(values.buffer);
    const size = values.BYTES_PER_ELEMENT;
    return this.bytes(Array.from(raw, (_, i) => raw[(i % values.length) * size + Math.floor(i / values.length)]!));
  }

  archive(): BinaryBundle {
    return new BinaryBundle(Uint8Array.from(this.all));
  }
}

const HOSTILE = "</script><img src=x onerror=alert(1)>";

/** A page of 4×2 pixels: two classes, CAM at one layer, Grad-CAM at two, saliency at the picture. */
function packed(): { readonly data: Payload; readonly packer: Packer } {
  const packer = new Packer();
  const cells = (...values: number[]): ByteRange => packer.numbers(Float32Array.from(values));
  const curve = (...values: number[]): ByteRange => packer.numbers(Uint16Array.from(values.map((v) => 10_000 * v)));
  const grid = (values: readonly number[], points: readonly number[], columns = values.length) => ({
    rows: values.length / columns, columns, rounded: false, peak: Math.max(...values), knee: null, scale_note: "", cells: cells(...values),
    box: [0, 0, 2, 2], at: [0, 0],
    curves: points.length > 0 ? { "remove black": curve(...points), multiply: curve(0.3, 0.1) } : {},
  });
  const data = {
    quantity: {},
    format: 2, model: "net",
    scene: {
      width: 4, height: 2,
      // Paeth: the first pixel, then no difference.
      picture: packer.bytes([9, 8, 7, ...new Array<number>(21).fill(0)]),
      fills: { black: packer.bytes([0, 0, 0]) },
    },
    classes: [{ index: 7, name: "tabby", unmasked: 0.8 }, { index: 3, name: HOSTILE, unmasked: 0.2 }],
    contrasts: [],
    methods: [
      { name: "cam", label: "CAM", group: "g", tip: "t", everywhere: false },
      { name: "gradcam", label: "Grad-CAM", group: "g", tip: "t", everywhere: false },
      { name: "saliency", label: "Saliency", group: "h", tip: "t", everywhere: true },
    ],
    layers: [{ name: "stage1", shape: [8, 2, 4] }, { name: "stage2", shape: [8, 1, 2] }],
    missing: { cam: { stage1: "not before the pooling" }, gradcam: {} },
    maps: [
      [0, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1], [0, 2, -1, 3],
      [1, 0, 1, 2], [1, 1, 1, 2], [1, 1, 0, 1], [1, 2, -1, 3],
    ],
    grids: [
      grid([4, 1], [0.8, 0.2, 0.4, 0.6, 0.1, 0.9]),
      grid([1, 2, 3, 4, 5, 6, 7, 8], [0.8, 0.2, 0.7, 0.3, 0.1, 0.9], 4),
      grid([0, 2], [0.8, 0.2, 0.8, 0.2, 0.1, 0.9]),
      grid([0, 0, 0, 0, 0, 0, 0, 0], [], 4),
    ],
    steps: 3, modes: ["remove", "multiply"], baselines: ["black"],
    colormaps: { inferno: packer.bytes(Array.from({ length: 768 }, (_, i) => Math.floor(i / 3))) },
    first: { target: 7, stance: { kind: "for", other: -1 }, method: "gradcam", layer: "stage2", mode: "remove", baseline: "black", fraction: 0 },
    archive: "",
  } as const;
  return { data: data as unknown as Payload, packer };
}

function opened(): PageModel {
  const { data, packer } = packed();
  return new PageModel(data, packer.archive());
}

function change(model: PageModel, values: Values<SyncedTraits>): void {
  model.setAll(values);
  model.save_changes();
}

describe("an archive", () => {
  it("is read as the kernel writes it", async () => {
    const archive = await BinaryBundle.read(
      "eNpjZGJmYHBnYHA5wMBsf4CBkeE/A+N/3rzzGiCgC8QLli4FsxYAyaULQOwFIGGgOJgGE0uROABJnxbE",
    );
    expect(Array.from(archive.bytes([0, 3]))).toEqual([1, 2, 3]);
    expect(archive.float32([3, 12])).toEqual(Float32Array.from([1.5, -2, 3e-40]));
    expect(archive.uint16([15, 6])).toEqual(Uint16Array.from([1, 256, 65535]));
    const picture = Uint8Array.from({ length: 60 }, (_, i) => (i * 97 + 13) % 251);
    expect(archive.picture([21, 60], 4)).toEqual(picture);
  });
});

describe("a page's model", () => {
  it("shows what was asked for first", () => {
    const model = opened();
    const map = model.get("explanation") as Record<string, unknown>;
    expect(map["title"]).toBe("Grad-CAM · stage2 · tabby");
    expect(Array.from(map["cells"] as Uint8Array)).toEqual([255, 64]);
    expect(Array.from(map["levels"] as Uint16Array)).toEqual([0, 2, 4, 6, 1, 3, 5, 7].map((rank) => 8192 * rank));
    expect(model.get("masked")).toEqual([]);
    expect(model.get("sentence")).toContain("Nothing is removed yet");
    const scene = model.get("scene") as { picture: Uint8Array };
    expect(Array.from(scene.picture.slice(0, 6))).toEqual([9, 8, 7, 9, 8, 7]);
  });

  it("answers the slider from the curve, on straight lines between its points", () => {
    const model = opened();
    change(model, { fraction: 0.0625 });
    const [tabby, other] = model.get("masked") as number[];
    expect(tabby).toBeCloseTo(0.6, 6);
    expect(other).toBeCloseTo(0.4, 6);
    expect(model.get("sentence")).toBe(
      "Removing the 6.2 % with the most evidence for tabby lowers it by 0.20 (0.80 → 0.60).",
    );
    change(model, { fraction: 1 });
    expect((model.get("masked") as number[])[0]).toBeCloseTo(0.1, 6);
    change(model, { mode: "multiply" });
    expect((model.get("masked") as number[])[0]).toBeCloseTo(0.3, 6);
    expect(model.curve()).toBeNull();
  });

  it("refuses a layer where the method has no map, and stays", () => {
    const model = opened();
    change(model, { method: "cam" });
    change(model, { layer: "stage1" });
    expect(model.get("error")).toBe("CAM does not apply: not before the pooling.");
    expect([model.get("layer"), model.get("method")]).toEqual(["stage2", "cam"]);
    change(model, { method: "gradcam" });
    expect(model.get("error")).toBe("");
    change(model, { layer: "stage1" });
    expect((model.get("explanation") as { title: string }).title).toBe("Grad-CAM · stage1 · tabby");
    const cam = (model.get("methods") as { name: string; reason: string | null }[]).find(({ name }) => name === "cam");
    expect(cam?.reason).toBe("not before the pooling");
  });

  it("says of a map of zeros that it is one", () => {
    const model = opened();
    change(model, { method: "saliency", fraction: 0.5 });
    const map = model.get("explanation") as Record<string, unknown>;
    expect([map["empty"], map["at_input"]]).toEqual([true, true]);
    expect(model.get("sentence")).toBe(
      "No positive evidence for tabby at input. Choose another class, layer or method.",
    );
    expect([model.get("masked"), model.curve()]).toEqual([[], null]);
  });

  it("finds the class with the strongest map at a point", () => {
    const model = opened();
    model.send({ type: "pick", x: 3, y: 0 });
    const probe = model.get("class_probe") as { of: number; classes: { index: number; value: number }[] };
    expect(probe.classes.map(({ index }) => index)).toEqual([3, 7]);
    expect(probe.classes.map(({ value }) => value)).toEqual([0.5, 0.25]);
    expect([probe.of, model.get("target")]).toEqual([2, 3]);
  });
});

describe("the classes' evidence of a page", () => {
  const told = (model: PageModel): Record<string, unknown> => model.get("class_maps") as Record<string, unknown>;

  it("is of one method and layer, on one scale", () => {
    const model = opened();
    const { classes, ...of } = told(model);
    expect(of).toEqual({ scene: "page", method: "gradcam", layer: "stage2", text: "" });
    const cells = (classes as { index: number; cells: Uint8Array }[]).map(({ index, cells: raw }) => [
      index, ...new Float32Array(raw.buffer),
    ]);
    expect(cells).toEqual([[7, 1, 0.25], [3, 0, 0.5]]);
    change(model, { layer: "stage1" });
    expect(told(model)["layer"]).toBe("stage1");
  });

  it("is nobody's where all classes have the same map", () => {
    const model = opened();
    change(model, { method: "saliency" });
    expect(told(model)).toMatchObject({ method: "saliency", layer: "input", classes: [] });
  });
});

describe("a page", () => {
  beforeEach(() => {
    vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue({ putImageData: () => undefined } as never);
  });

  it("draws bars and curve, and picks by them; names stay text", async () => {
    const model = opened();
    const page = pageView(model);
    document.body.replaceChildren(page);
    await settle();
    const widths = (): (string | null)[] =>
      Array.from(page.querySelectorAll(".camwidget-bars rect"), (bar) => bar.getAttribute("width"));
    expect(widths()).toEqual(["100%", "80%", "80%", "100%", "20%", "20%"]);
    page.querySelector(".camwidget-bars")!.dispatchEvent(new MouseEvent("click", { clientY: 40, bubbles: true }));
    await settle();
    expect(model.get("target")).toBe(3);
    change(model, { fraction: 0.25, box_threshold: 0.15 });
    await settle();
    expect(widths().slice(4)).toEqual(["20%", "20%"]);
    const curve = page.querySelector(".camwidget-curve svg")!;
    expect(curve.getAttribute("aria-label")).toContain(`Probability of ${HOSTILE}: 0.20 at 0 %`);
    expect(curve.querySelectorAll("polyline").length).toBe(3 + 1 + 1 + 1);
    expect(page.querySelector("img")).toBeNull();
    expect(page.textContent).toContain(HOSTILE);
    const modes = Array.from(page.querySelectorAll<HTMLElement>(".camwidget-mask [role=radio]"));
    expect(modes.filter(({ hidden }) => !hidden).map((one) => one.textContent)).toEqual(["remove", "× map"]);
  });

  it("draws a quantity's bars from 0, and its curve on an axis of its own", async () => {
    const { data, packer } = packed();
    const curve = packer.numbers(Float32Array.from([58, -29, 20, -29, 20, -29]));
    const [grid, ...rest] = data.grids;
    const model = new PageModel(
      {
        ...data,
        quantity: { unit: "years" },
        classes: data.classes.map((one, at) => ({ ...one, unmasked: [58, -29][at]! })),
        grids: [{ ...grid!, curves: { "remove black": curve } }, ...rest],
        steps: 3,
      },
      packer.archive(),
    );
    const page = pageView(model);
    document.body.replaceChildren(page);
    await settle();
    const bars = Array.from(page.querySelectorAll(".camwidget-bars rect"));
    expect(bars.map((bar) => Math.round(parseFloat(bar.getAttribute("width")!)))).toEqual([100, 67, 67, 100, 33, 33]);
    expect(page.textContent).toContain("Value (years) as evidence is removed");
    expect(bars.map((bar) => Math.round(parseFloat(bar.getAttribute("x")!)))).toEqual([0, 33, 33, 0, 0, 0]);
    const chart = page.querySelector(".camwidget-curve svg")!;
    expect(chart.getAttribute("aria-label")).toMatch(/ in years: 58\.0 at 0 %/);
    const heights = Array.from(chart.querySelectorAll("polyline"), (line) =>
      line.getAttribute("points")!.split(" ").map((point) => Number(point.split(",")[1])),
    ).flat();
    expect(Math.min(...heights)).toBeGreaterThanOrEqual(9);
    expect(Math.max(...heights)).toBeLessThanOrEqual(151);
    change(model, { fraction: 0.5 });
    expect(model.get("sentence")).toContain("from 58.0 to 20.0 years.");
  });

  it("has no tool and no key that needs a kernel", async () => {
    const page = pageView(opened());
    document.body.replaceChildren(page);
    await settle();
    const tools = Array.from(page.querySelectorAll(".camwidget-tools button"), (one) => one.textContent);
    expect(tools).toEqual(["style", "PNG"]);
    const frame = page.querySelector<HTMLElement>(".camwidget-frame")!;
    for (const key of ["v", "p", "x", "}"]) {
      frame.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    }
    const undo = new KeyboardEvent("keydown", { key: "z", ctrlKey: true, bubbles: true, cancelable: true });
    frame.dispatchEvent(undo);
    await settle();
    expect(undo.defaultPrevented).toBe(false);
    expect(page.querySelector(".camwidget-comparing, .camwidget-painting")).toBeNull();
    const keys = Array.from(page.querySelectorAll(".camwidget-keys dt"), (one) => one.textContent);
    expect(keys).toContain("+ − 0");
    for (const key of ["v", "p", "x", "ctrl z"]) expect(keys).not.toContain(key);
  });
});

describe("a page with contrasts", () => {
  const contrast = { target: 7, kind: "rather", other: 3 } as const;

  /** Grad-CAM of tabby rather than the other class, first; CAM says why it has none. */
  function withContrast(): PageModel {
    const { data, packer } = packed();
    return new PageModel(
      {
        ...data,
        contrasts: [contrast],
        methods: data.methods.map((one) => ({ ...one, against: null, rather: one.name === "cam" ? "of one class." : null })),
        maps: [...data.maps, [2, 1, 1, 2]],
        first: { ...data.first, stance: { kind: "rather", other: 3 } },
      },
      packer.archive(),
    );
  }

  it("shows one first, and its sentence has both classes", () => {
    const model = withContrast();
    expect(model.get("explanation")).toMatchObject({ title: `Grad-CAM · stage2 · tabby rather than ${HOSTILE}` });
    change(model, { fraction: 0.25, box_threshold: 0.15 });
    expect(model.get("sentence")).toBe(
      `Removing the 25 % with the most evidence for tabby rather than ${HOSTILE} leaves tabby at 0.80 and leaves ${HOSTILE} at 0.20.`,
    );
  });

  it("goes to the map for a class and back", () => {
    const model = withContrast();
    change(model, { stance: { kind: "for", other: -1 } });
    expect(model.get("explanation")).toMatchObject({ title: "Grad-CAM · stage2 · tabby" });
    change(model, { stance: contrast });
    expect(model.get("explanation")).toMatchObject({ title: `Grad-CAM · stage2 · tabby rather than ${HOSTILE}` });
    change(model, { target: 3 });
    expect(model.get("stance")).toEqual({ kind: "for", other: -1 });
    expect(model.get("explanation")).toMatchObject({ title: `Grad-CAM · stage2 · ${HOSTILE}` });
  });

  it("says why a method has none, and stays where it was", () => {
    const model = withContrast();
    change(model, { method: "cam" });
    expect(model.get("error")).toBe("CAM does not apply: of one class.");
    expect(model.get("method")).toBe("gradcam");
    expect(model.get("stance")).toEqual({ kind: "rather", other: 3 });
  });
});

describe("a page of a clip", () => {
  /** Two frames, one row each; the class's cells are one row for each frame. */
  function clip(): PageModel {
    const { data, packer } = packed();
    const scene = { ...data.scene, frames: 2 };
    const layers = data.layers.map((layer) => ({ ...layer, frames: 1 }));
    const grids = data.grids.map((grid) => (grid.rows === 1 ? { ...grid, rows: 2, columns: 1 } : grid));
    return new PageModel({ ...data, scene, layers, grids, first: { ...data.first, frame: 1 }, channels: "channels 1 to 3 of 4 shown" }, packer.archive());
  }

  it("has its frames, and a map that does not run from one into the other", () => {
    const model = clip();
    expect([model.get("frame"), (model.get("scene") as { frames: number }).frames]).toEqual([1, 2]);
    const { saliency } = model.get("explanation") as { saliency: Uint8Array };
    expect(Array.from(saliency)).toEqual([255, 255, 255, 255, 64, 64, 64, 64]);
    expect(model.get("status")).toBe("net · Grad-CAM · stage2 1×1 in 1 frames · tabby");
    expect((model.get("explanation") as { title: string }).title).toBe("Grad-CAM · stage2 · tabby · channels 1 to 3 of 4 shown");
  });

  it("has no previews of other classes and layers, as in a notebook", () => {
    const model = clip();
    expect((model.get("class_maps") as { classes: unknown[] }).classes).toEqual([]);
    expect(model.get("layer_maps")).toEqual({});
  });
});
