import { afterEach, describe, expect, it } from "vitest";
import { paintDifference } from "../src/core/difference";
import { FakeModel, FILL, HEIGHT, RGB, sceneOf, settle, show, traits, WIDTH } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

const COUNT = WIDTH * HEIGHT;

/** From blue through white to red, in steps that can be told. */
const COLORS = Uint8Array.from({ length: 768 }, (_, i) => [Math.floor(i / 3), 7, 255 - Math.floor(i / 3)][i % 3]!);

const label = { model: "net", picture: "b.png", target: "tabby", method: "CAM", layer: "stage1" };

/** B: its map is high where A's is first to go last, and its levels run the other way. */
function b(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    scene: "a",
    saliency: Uint8Array.from({ length: COUNT }, (_, i) => 30 * i),
    levels: new Uint8Array(Uint16Array.from({ length: COUNT }, (_, i) => ((COUNT - 1 - i) * 65536) / COUNT).buffer),
    cells: new Uint8Array([255]),
    cells_shape: [1, 1], title: "CAM of tabby", empty: false, note: "", label, substitutions: "", no_difference: "",
    ...more,
  };
}

function comparing(more: Record<string, unknown> = {}): Shown {
  return show(
    new FakeModel({
      ...traits(), pictures: ["a.png", "b.png"], picture: 0, models: ["net"], masked: [0.5, 0.3, 0.2],
      compare: { method: "cam" }, arrangement: "side", divider: 0.25, difference_colors: COLORS,
      compared_explanation: b(), compared_scene: {}, compared_status: {},
      compared_prediction: {
        target: { unmasked: 0.9, masked: 0.125 },
        rows: [{ index: 9, unmasked: 0.01, masked: 0.75 }, { index: 7, unmasked: 0.9, masked: 0.125 }, { index: 3, unmasked: null, masked: null }],
      },
      ...more,
    }),
  );
}

/** What was put on B's canvas last: the fake paper is everyone's, and B's picture is painted after A's. */
async function frames(view: Shown): Promise<number[]> {
  await settle();
  return view.painted();
}

const opaque = (rgb: ArrayLike<number>): number[] =>
  Array.from({ length: rgb.length / 3 }, (_, i) => [rgb[3 * i]!, rgb[3 * i + 1]!, rgb[3 * i + 2]!, 255]).flat();

const hidden = (view: Shown, selector: string): boolean => view.one(selector).hasAttribute("hidden");

describe("comparing", () => {
  it("has named controls", () => {
    const view = show();
    const labels = view.all(".camwidget-compare select").map((select) => select.getAttribute("aria-label"));
    expect(labels).toEqual(["B differs in", "B is", "B's evidence"]);
    expect(view.one(".camwidget-compare select").title).toBe("How B differs from A; in everything else it follows A");
  });

  it("is nowhere to be seen until it is asked for", async () => {
    const view = show();
    await settle();
    expect(view.el.querySelector(".camwidget-compared-canvas")).toBeNull();
    for (const part of [".camwidget-compare", ".camwidget-compare-line", ".camwidget-compared-frame", ".camwidget-divider", ".camwidget-compared-numbers"]) {
      expect(hidden(view, part), part).toBe(true);
    }
    expect(view.all(".camwidget-numbers > *").length).toBe(3);
    expect(view.el.className).not.toContain("camwidget-comparing");
  });

  it("begins with another usable method, with the second of several models, and ends", async () => {
    const view = show();
    view.one(".camwidget-compare-open").click();
    await settle();
    expect(view.model.get("compare")).toEqual({ method: "rise" });
    expect(hidden(view, ".camwidget-compare")).toBe(false);
    expect(view.el.classList.contains("camwidget-side")).toBe(true);
    view.one(".camwidget-compare-open").click();
    await settle();
    expect(view.model.get("compare")).toEqual({});
    expect(hidden(view, ".camwidget-compare")).toBe(true);
    const two = show(new FakeModel({ ...traits(), models: ["net", "other"] }));
    two.one(".camwidget-compare-open").click();
    expect(two.model.get("compare")).toEqual({ model: 1 });
  });

  it("goes through its arrangements by a key, and off, and on again as it was", async () => {
    const view = comparing({ compare: {} });
    const seen: unknown[] = [];
    for (let i = 0; i < 5; i++) {
      view.key("v");
      await settle();
      seen.push([view.model.get("compare"), view.model.get("arrangement")]);
    }
    const first = { method: "rise" };
    expect(seen).toEqual([[first, "side"], [first, "split"], [first, "difference"], [{}, "difference"], [first, "side"]]);
  });

  it("lets a person choose whether B is for its class, against it, or rather than A's", async () => {
    const view = comparing({ compare: { target: "lynx" } });
    await settle();
    const [, value, kind] = view.all(".camwidget-compare select") as HTMLSelectElement[];
    expect(kind!.hidden).toBe(false);
    const choose = async (select: HTMLSelectElement, to: string): Promise<unknown> => {
      select.value = to;
      select.dispatchEvent(new Event("change"));
      await settle();
      return view.model.get("compare");
    };
    expect(await choose(kind!, "rather")).toEqual({ target: { for: "lynx", rather_than: null } });
    expect(kind!.options[kind!.selectedIndex]!.textContent).toBe("rather than A's class");
    expect(await choose(kind!, "against")).toEqual({ target: { against: "lynx" } });
    const main = Array.from(value!.options).find(({ textContent }) => textContent === "A's class")!;
    expect(await choose(value!, main.value)).toEqual({ target: { against: null } });
    expect(await choose(kind!, "for")).toEqual({ target: "<img src=x onerror=alert(1)>" });
    expect(await choose(value!, "")).toEqual({ target: null });
    expect(kind!.hidden).toBe(true);
  });

  it("lets a person choose in what B differs", async () => {
    const view = comparing();
    await settle();
    const [dimension, value] = view.all(".camwidget-compare select") as [HTMLSelectElement, HTMLSelectElement];
    expect(Array.from(dimension.options, (o) => o.value)).toEqual(["picture", "target", "method", "layer", "fraction"]);
    expect(value.value).toBe("cam");
    const choose = async (select: HTMLSelectElement, to: string): Promise<unknown> => {
      select.value = to;
      select.dispatchEvent(new Event("change"));
      await settle();
      return view.model.get("compare");
    };
    expect(await choose(dimension, "layer")).toEqual({ layer: "stage1" });
    expect(await choose(value, "stage3")).toEqual({ layer: "stage3" });
    expect(await choose(dimension, "picture")).toEqual({ picture: 1 });
    expect(await choose(dimension, "target")).toEqual({ target: "<img src=x onerror=alert(1)>" });
    expect(view.el.querySelector("img")).toBeNull();
    expect(await choose(value, "")).toEqual({ target: null });
    view.model.set("compare", { method: "rise", layer: "stage1" });
    await settle();
    expect(view.one(".camwidget-compare-more").textContent).toBe("and layer");
    expect(await choose(value, "cam")).toEqual({ method: "cam", layer: "stage1" });
  });

  it("masks B by a fraction of its own", async () => {
    const view = comparing({ compare: { fraction: 0.5 }, fraction: 0 });
    await settle();
    const [dimension, value] = view.all(".camwidget-compare select") as [HTMLSelectElement, HTMLSelectElement];
    expect([dimension.value, value.selectedOptions[0]!.textContent]).toEqual(["fraction", "50 %"]);
    expect((await frames(view)).slice(16)).toEqual(Array.from({ length: 4 }, () => [...FILL, 255]).flat());
    const lines = view.all(".camwidget-caption-line .camwidget-caption-title").map((line) => line.textContent);
    expect(lines).toEqual(["a.png · GRADCAM · 0 % · tabby", "b.png · CAM · stage1 · 50 % · tabby"]);
    value.value = "0.8";
    value.dispatchEvent(new Event("change"));
    await settle();
    expect(view.model.get("compare")).toEqual({ fraction: 0.8 });
    view.model.set("compare", { fraction: "much" });
    view.model.set("fraction", 1);
    expect(await frames(view)).toEqual(Array.from({ length: COUNT }, () => [...FILL, 255]).flat());
  });

  it("says what each of the two is, and what differs", async () => {
    const view = comparing({ compare: { method: "cam", layer: "stage1" }, compared_explanation: b({ label: { ...label, picture: "a.png" } }) });
    await settle();
    const lines = view.all(".camwidget-caption-line").map((line) => line.textContent);
    expect(lines).toEqual(["AGRADCAM · tabby0.97 → 0.50", "BCAM · stage1 · tabby0.90 → 0.13"]);
    expect(view.all(".camwidget-compared-numbers .camwidget-number").map((cell) => cell.textContent)).toEqual(["0.90 → 0.13", "–", "0.01 → 0.75"]);
  });
});

describe("B's picture", () => {
  it("is masked by its own map, in the frame in which the slider moves", async () => {
    const view = comparing();
    expect(await frames(view)).toEqual(opaque(RGB));
    view.model.set("fraction", 0.5);
    const painted = await frames(view);
    expect(painted.slice(0, 16)).toEqual(opaque(RGB).slice(0, 16));
    expect(painted.slice(16)).toEqual(Array.from({ length: 4 }, () => [...FILL, 255]).flat());
    const slider = view.one<HTMLInputElement>(".camwidget-fraction");
    slider.dispatchEvent(new PointerEvent("pointerdown", { button: 0 }));
    slider.value = "100";
    slider.dispatchEvent(new Event("input"));
    await new Promise((resolve) => requestAnimationFrame(resolve));
    expect(view.painted()).toEqual(Array.from({ length: COUNT }, () => [...FILL, 255]).flat());
  });

  it("is its own where it differs from A's", async () => {
    const own = { ...sceneOf("b", new Uint8Array(3 * 4).fill(9)), width: 2, height: 2 };
    const view = comparing({
      compared_scene: own,
      compared_explanation: b({ scene: "b", saliency: new Uint8Array(4), levels: new Uint8Array(8) }),
    });
    expect(await frames(view)).toEqual(opaque(new Uint8Array(12).fill(9)));
    expect(view.one<HTMLCanvasElement>(".camwidget-compared-canvas").width).toBe(2);
    // A square in A's frame of 2 : 1, in its middle.
    const { width, left, height } = view.one(".camwidget-compared-inner").style;
    expect([width, left, height]).toEqual(["50%", "25%", "100%"]);
    expect(view.one(".camwidget-compare-message").textContent).toBe("");
    view.model.set("paint", { scene: "a", runs: [1, 3], stroke: 1, painting: false });
    await settle();
    expect(view.one(".camwidget-compare-message").textContent).toContain("not on B");
    view.model.set("compared_explanation", b());
    await settle();
    expect(view.one(".camwidget-compare-message").textContent).toBe("");
  });

  it("says in its place why there is none", async () => {
    const view = comparing({ compared_explanation: {}, compared_status: { error: "CAM does not apply: <b>no</b>" } });
    await settle();
    expect(view.one(".camwidget-compared-message").textContent).toBe("B: CAM does not apply: <b>no</b>");
    expect(view.el.querySelector(".camwidget-compared-canvas")).toBeNull();
    view.model.set("arrangement", "split");
    await settle();
    expect(view.one(".camwidget-compare-message").textContent).toBe("B: CAM does not apply: <b>no</b>");
    expect(hidden(view, ".camwidget-divider")).toBe(true);
  });

  it("stays while another is on its way, and says how far that is", async () => {
    const view = comparing();
    await settle();
    view.model.set("compared_status", { busy: true, note: "RISE · tabby · computing, 20 %" });
    view.model.set("scene", sceneOf("c"));
    await settle();
    expect(view.one(".camwidget-compared-sheet").getAttribute("aria-busy")).toBe("true");
    expect(view.one(".camwidget-compare-message").textContent).toBe("RISE · tabby · computing, 20 %");
    view.model.set("compared_status", {});
    await settle();
    expect(view.el.querySelector(".camwidget-compared-sheet")).toBeNull();
  });

  it("survives malformed traits", async () => {
    for (const wrong of [null, 3, "x", [], { model: {} }]) {
      const all = ["compare", "arrangement", "divider", "compared_explanation", "compared_scene", "compared_status", "compared_prediction", "models", "difference_colors"];
      const view = comparing(Object.fromEntries(all.map((key) => [key, wrong])));
      for (const shown of ["side", "split", "difference"]) {
        view.model.set("compare", { method: wrong });
        view.model.set("arrangement", shown);
        await settle();
      }
      view.key("v");
      view.end();
      expect(view.model.listening).toBe(0);
    }
  });
});

describe("a closer look", () => {
  const CLIPS = ".camwidget-clip, .camwidget-compared-clip";
  const part = (view: Shown, name: string): string[] => {
    const { width, height, left, top } = view.one(name).style;
    return [width, height, left, top];
  };

  function side(): Shown {
    const view = comparing();
    for (const [at, clip] of view.all(CLIPS).entries()) {
      clip.getBoundingClientRect = () => new DOMRect(500 * at, 0, 400, 200);
    }
    return view;
  }

  it("is of the same part of both, whichever is enlarged or moved", async () => {
    const view = side();
    await settle();
    view.key("+");
    expect(part(view, ".camwidget-compared-plane")).toEqual(["150%", "150%", "-25%", "-25%"]);
    const over = view.one(".camwidget-compared-canvas");
    const wheel = new Event("wheel", { bubbles: true, cancelable: true });
    over.dispatchEvent(Object.assign(wheel, { deltaX: 0, deltaY: -60, deltaMode: 0, ctrlKey: false, clientX: 500, clientY: 0 }));
    const press = { pointerId: 1, button: 0, buttons: 1, bubbles: true, clientY: 100 };
    over.dispatchEvent(new PointerEvent("pointerdown", { ...press, clientX: 700 }));
    over.dispatchEvent(new PointerEvent("pointermove", { ...press, clientX: 660 }));
    expect(view.all(".camwidget-dragging")).toEqual([view.one(".camwidget-compared-clip")]);
    document.body.dispatchEvent(new PointerEvent("pointerup", { ...press, clientX: 660 }));
    expect(view.all(".camwidget-dragging")).toEqual([]);
    const [width, , left] = part(view, ".camwidget-compared-plane");
    expect(Number.parseFloat(width!)).toBeCloseTo(150 * Math.exp(0.12), 3);
    expect(Number.parseFloat(left!)).toBeCloseTo(-25 * Math.exp(0.12) - 10, 3);
    expect(part(view, ".camwidget-plane")).toEqual(part(view, ".camwidget-compared-plane"));
    view.key("0");
    expect(part(view, ".camwidget-compared-plane")).toEqual(["100%", "100%", "0%", "0%"]);
    expect(view.model.sent).toEqual([]);
  });
});

describe("split", () => {
  it("shows B right of a line that keys and the hand move", async () => {
    const view = comparing({ arrangement: "split" });
    await settle();
    const sheet = view.one(".camwidget-compared-sheet");
    const divider = view.one(".camwidget-divider");
    expect(sheet.parentElement).toBe(view.one(".camwidget-plane"));
    expect(sheet.style.clipPath).toBe("inset(0 0 0 25%)");
    expect(divider.getAttribute("aria-valuenow")).toBe("25");
    expect(view.key("ArrowRight", ".camwidget-divider").defaultPrevented).toBe(true);
    expect([view.model.get("divider"), view.model.get("fraction")]).toEqual([0.27, 0]);
    view.key("Home", ".camwidget-divider");
    expect([view.model.get("divider"), sheet.style.clipPath]).toEqual([0, "inset(0 0 0 0%)"]);
    view.one(".camwidget-frame").getBoundingClientRect = () => new DOMRect(100, 0, 400, 400);
    divider.dispatchEvent(new PointerEvent("pointerdown", { button: 0, clientX: 100, bubbles: true }));
    divider.dispatchEvent(new PointerEvent("pointermove", { clientX: 400, bubbles: true }));
    expect([view.model.get("divider"), sheet.style.clipPath]).toEqual([0, "inset(0 0 0 75%)"]);
    divider.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
    divider.dispatchEvent(new PointerEvent("pointermove", { clientX: 100, bubbles: true }));
    expect(view.model.get("divider")).toBe(0.75);
    expect(view.model.sent).toEqual([]);
  });

  it("keeps the line in the frame when the picture is enlarged", async () => {
    const view = comparing({ arrangement: "split", divider: 0.5 });
    await settle();
    view.one(".camwidget-frame").getBoundingClientRect = () => new DOMRect(0, 0, 400, 400);
    view.one(".camwidget-plane").getBoundingClientRect = () => new DOMRect(-400, 0, 800, 800);
    view.key("+");
    expect(view.one(".camwidget-compared-sheet").style.clipPath).toBe("inset(0 0 0 75%)");
  });
});

describe("difference", () => {
  it("is A's map minus B's in two colors over the gray picture", async () => {
    const view = comparing({ arrangement: "difference", overlay: true, opacity: 1, compared_explanation: b({ saliency: Uint8Array.from([255, 0, ...new Array<number>(COUNT - 2).fill(255)]) }) });
    const painted = await frames(view);
    // Equal: the picture's gray. All in A: the last color.
    const gray = (77 * 0 + 150 * 10 + 29 * 20 + 128) >> 8;
    expect(painted.slice(0, 4)).toEqual([gray, gray, gray, 255]);
    expect(painted.slice(4, 8)).toEqual([255, 7, 0, 255]);
    expect(hidden(view, ".camwidget-compare-legend")).toBe(false);
    view.model.set("overlay", false);
    expect((await frames(view)).slice(4, 7)).toEqual(new Array(3).fill((77 * 30 + 150 * 40 + 29 * 50 + 128) >> 8));
  });

  it("goes to the first color where all is in B", () => {
    const out = new Uint32Array(1);
    paintDifference(out, { rgb: new Uint8Array(3), a: new Uint8Array([0]), b: new Uint8Array([255]) }, COLORS, 1);
    expect(Array.from(new Uint8Array(out.buffer))).toEqual([0, 7, 255, 255]);
  });

  it("says why there is none", async () => {
    const view = comparing({ arrangement: "difference", compared_explanation: b({ no_difference: "No difference: another picture." }) });
    await settle();
    expect(view.one(".camwidget-compare-message").textContent).toBe("No difference: another picture.");
    expect(hidden(view, ".camwidget-compare-legend")).toBe(true);
    expect(view.el.querySelector(".camwidget-compared-canvas")).toBeNull();
  });
});

describe("the pointer", () => {
  it("is marked in the other picture, with both numbers", async () => {
    const view = comparing();
    await settle();
    const a = view.one<HTMLCanvasElement>(".camwidget-canvas");
    const other = view.one<HTMLCanvasElement>(".camwidget-compared-canvas");
    for (const canvas of [a, other]) canvas.getBoundingClientRect = () => new DOMRect(0, 0, 400, 200);
    a.dispatchEvent(new PointerEvent("pointermove", { clientX: 150, clientY: 150, bubbles: true }));
    const [inA, inB] = [view.one(".camwidget-plane > .camwidget-cross"), view.one(".camwidget-compared-inner > .camwidget-cross")];
    expect([inA.hidden, inB.hidden, inB.style.left, inB.style.top]).toEqual([true, false, "37.5%", "75%"]);
    expect(view.one(".camwidget-compare-readout").textContent).toBe("A 1.00 · B 0.59");
    other.dispatchEvent(new PointerEvent("pointermove", { clientX: 399, clientY: 0 }));
    expect([inA.hidden, inB.hidden, inA.style.left, inA.style.top]).toEqual([false, true, "87.5%", "25%"]);
    other.dispatchEvent(new PointerEvent("pointerleave"));
    expect([inA.hidden, inB.hidden, view.one(".camwidget-compare-readout").textContent]).toEqual([true, true, ""]);
  });
});
