import { afterEach, describe, expect, it } from "vitest";
import { enlarge, enlargeAt } from "../src/core/interpolation";
import { FakeModel, HEIGHT, sceneOf, settle, show, traits, WIDTH } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

describe("one pixel of an enlarged grid", () => {
  it.each([[7, 9, 64, 48], [12, 5, 9, 31], [5, 5, 2, 3], [1, 1, 4, 4], [40, 30, 30, 40]])(
    "is the very one, %i×%i to %i×%i",
    (rows, columns, width, height) => {
      const cells = Float32Array.from({ length: rows * columns }, (_, i) => Math.fround((i * 37 + 11) % 101) / 101);
      const grid = { rows, columns, cells };
      const all = enlarge(grid, width, height);
      const each = all.map((_, at) => enlargeAt(grid, width, height, at % width, Math.floor(at / width)));
      expect(each).toEqual(all);
    },
  );
});

function floats(...values: number[]): DataView {
  return new DataView(Float32Array.from(values).buffer);
}

function classMaps(more: Record<string, unknown> = {}): Record<string, unknown> {
  const one = (index: number, name: string, left: number, right: number): unknown => ({
    index, name, rows: 1, columns: 2, cells: floats(left, right),
  });
  return {
    scene: "a", method: "gradcam", layer: "stage2", text: "",
    classes: [one(9, "lynx", 0.004, 0.5), one(7, "tabby", 1, 0), one(3, "<b>x</b>", 0.25, 0.75), one(4, "eel", 0.1, 0.1)],
    ...more,
  };
}

/** Saliency 0, 32, 64, … in reading order; the strongest comes last. */
function map(more: Record<string, unknown> = {}): Record<string, unknown> {
  const count = WIDTH * HEIGHT;
  return {
    ...(traits()["explanation"] as object), layer: "stage2",
    saliency: Uint8Array.from({ length: count }, (_, i) => 32 * i),
    levels: new Uint8Array(Uint16Array.from({ length: count }, (_, i) => ((count - 1 - i) * 65536) / count).buffer),
    ...more,
  };
}

function shown(more: Record<string, unknown> = {}): Shown {
  const view = show(new FakeModel({ ...traits(), explanation: map(), class_maps: classMaps(), ...more }));
  view.one(".camwidget-canvas").getBoundingClientRect = () => new DOMRect(0, 0, 10 * WIDTH, 10 * HEIGHT);
  return view;
}

function point(view: Shown, x: number, y: number, pointerType = "mouse"): void {
  view.one("canvas").dispatchEvent(
    new PointerEvent("pointermove", { clientX: 10 * x + 5, clientY: 10 * y + 5, pointerType, bubbles: true }),
  );
}

const facts = (view: Shown): string => view.one(".camwidget-readout-pixel").textContent ?? "";
const about = (view: Shown): string => view.one(".camwidget-readout-caption").textContent ?? "";
const classes = (view: Shown): string[] =>
  view.all(".camwidget-readout-classes > span").map(({ children }) => [...children].map((c) => c.textContent).join(" "));

describe("the reading", () => {
  it("has 1 where the strongest map of the picture is, though its cells are higher", () => {
    // Over four pixels the middle one of three cells is met by none.
    const cells = { index: 7, name: "tabby", rows: 1, columns: 3, cells: floats(0, 1, 0) };
    const view = shown({ class_maps: classMaps({ classes: [cells] }) });
    point(view, 1, 0);
    expect(classes(view)).toEqual(["tabby 1.00"]);
  });

  it("says what the pointer does while it paints", () => {
    const view = shown();
    view.key("p");
    expect(facts(view)).toContain("drag:\u00a0paint");
    view.key("p");
    expect(facts(view)).toContain("drag:\u00a0pan");
  });

  it("says how strong the map is, by which fraction it is reached, and which classes are there", () => {
    const view = shown();
    expect(facts(view)).toContain("point:\u00a0values");
    point(view, 3, 1);
    expect(facts(view)).toBe("saliency 0.88 · top 0.1\u00a0%");
    point(view, 0, 0);
    expect(facts(view)).toBe("saliency 0.00 · top 87.6\u00a0%");
    expect([about(view), classes(view)]).toEqual(["evidence", ["tabby 1.00", "<b>x</b> 0.25", "eel 0.10"]]);
    expect(view.el.querySelector(".camwidget-chosen")?.textContent).toContain("tabby");
    point(view, 3, 0);
    expect(classes(view)).toEqual(["<b>x</b> 0.75", "lynx 0.50", "eel 0.10"]);
    view.one(".camwidget-clip").dispatchEvent(new PointerEvent("pointerleave"));
    expect([facts(view).includes("point:\u00a0values"), classes(view)]).toEqual([true, []]);
    expect(view.one(".camwidget-readout").closest("[aria-live]")).toBeNull();
  });

  it("says what is removed, exactly", async () => {
    const view = shown({ fraction: 0.25 });
    const removed = (): boolean[] =>
      [0, 1, 2, 3].map((x) => {
        point(view, x, 1);
        return facts(view).endsWith("removed");
      });
    expect(removed()).toEqual([false, false, true, true]);
    view.model.set("mode", "keep");
    await settle();
    expect(removed()).toEqual([true, true, false, false]);
    view.model.set("mode", "multiply");
    await settle();
    expect(removed()).toEqual([false, false, false, false]);
  });

  it("reaches a pixel at the fraction that it names", async () => {
    const view = shown();
    point(view, 2, 1);
    const named = Number(/top ([\d.]+)/.exec(facts(view))![1]) / 100;
    view.model.set("fraction", named);
    await settle();
    expect(facts(view)).toContain("removed");
    view.model.set("fraction", named - 0.001);
    await settle();
    expect(facts(view)).not.toContain("removed");
  });

  it("follows the marker of the keyboard, until that is closed", () => {
    const view = shown();
    view.key("d");
    expect(facts(view)).toBe("saliency 0.88 · top 0.1\u00a0%");
    view.key("w");
    expect(facts(view)).toContain("saliency 0.38");
    view.key("Escape");
    expect(facts(view)).toContain("point:\u00a0values");
  });

  it("leaves fingers alone", () => {
    const view = shown();
    point(view, 0, 0, "touch");
    expect(facts(view)).toContain("point:\u00a0values");
  });

  it("follows the map under a pointer that rests", async () => {
    const view = shown();
    point(view, 3, 1);
    view.model.set("explanation", map({ saliency: new Uint8Array(8).fill(255) }));
    await settle();
    expect(facts(view)).toContain("saliency 1.00");
    view.model.set("explanation", map({ empty: true }));
    await settle();
    expect(facts(view)).toBe("saliency 0.00");
    expect(about(view)).toBe("evidence");
  });

  it.each([
    ["another picture's", { class_maps: classMaps({ scene: "b" }) }],
    ["another method's", { class_maps: classMaps({ method: "cam" }) }],
    ["another layer's", { class_maps: classMaps({ layer: "stage3" }) }],
    ["another text's", { class_maps: classMaps({ text: "is it" }) }],
    ["nothing", { class_maps: {} }],
    ["malformed", { class_maps: classMaps({ classes: [{ index: 1, name: "x", rows: 2, columns: 2, cells: floats(1) }, 5] }) }],
  ])("names no class with %s evidence", (_, more) => {
    const view = shown(more);
    point(view, 0, 0);
    expect(facts(view)).toContain("saliency");
    expect([about(view), classes(view)]).toEqual(["", []]);
  });

  it("says so where no class listed has evidence", () => {
    const none = { index: 7, name: "tabby", rows: 1, columns: 1, cells: floats(0) };
    const view = shown({ class_maps: classMaps({ classes: [none] }) });
    point(view, 0, 0);
    expect([about(view), classes(view)]).toEqual(["no evidence for the classes listed", []]);
  });

  it("knows the text that is in force", async () => {
    const view = shown({ prompt: { name: "question", text: "is it" }, class_maps: classMaps({ text: "is it" }) });
    point(view, 0, 0);
    expect(classes(view)).toHaveLength(3);
    view.model.set("prompt", { name: "question", text: "what is it" });
    await settle();
    expect(classes(view)).toEqual([]);
  });

  it("of a preview reads the map alone", async () => {
    const stage = { name: "stage1", rows: 1, columns: 2, cells: floats(2, 0) };
    const view = shown({ layer_maps: { scene: "a", target: 7, method: "gradcam", layers: [stage] }, fraction: 1 });
    point(view, 0, 0);
    view.key("[");
    await settle();
    expect([facts(view), classes(view)]).toEqual(["saliency 1.00", []]);
  });

  it("goes with the picture", async () => {
    const view = shown();
    point(view, 0, 0);
    view.model.set("scene", sceneOf("b"));
    await settle();
    expect([facts(view), classes(view)]).toEqual(["saliency 0.00", []]);
  });
});
