import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeModel, FILL, RGB, settle, show, traits } from "./fakeModel";
import type { Shown } from "./fakeModel";
import { mount } from "../src/view/view";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
  document.body.replaceChildren();
});

function cells(...values: number[]): DataView {
  return new DataView(Float32Array.from(values).buffer);
}

function layerMaps(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    scene: "a", target: 7, method: "gradcam",
    layers: [
      { name: "stage1", rows: 1, columns: 2, cells: cells(2, 0) },
      { name: "stage2", rows: 1, columns: 1, cells: cells(3) },
      { name: "stage3", rows: 1, columns: 2, cells: cells(0, 0) },
    ],
    ...more,
  };
}

/** White where the map is 255, the picture where it is 0. */
function scrubbed(more: Record<string, unknown> = {}): Shown {
  return show(new FakeModel({ ...traits(), overlay: true, opacity: 1, layer_maps: layerMaps(), ...more }));
}

const slider = (view: Shown): HTMLInputElement => view.one<HTMLInputElement>(".camwidget-scrubber");
const named = (view: Shown): string => view.one<HTMLSelectElement>(".camwidget-layer select").value;

function press(view: Shown): void {
  slider(view).dispatchEvent(new PointerEvent("pointerdown", { button: 0, bubbles: true }));
}

function move(view: Shown, stop: number): void {
  slider(view).value = String(stop);
  slider(view).dispatchEvent(new Event("input", { bubbles: true }));
}

function release(view: Shown): void {
  window.dispatchEvent(new PointerEvent("pointerup"));
  slider(view).dispatchEvent(new Event("change", { bubbles: true }));
}

function keyTo(view: Shown, stop: number): void {
  view.key(stop > Number(slider(view).value) ? "ArrowRight" : "ArrowLeft", ".camwidget-scrubber");
  move(view, stop);
  slider(view).dispatchEvent(new Event("change", { bubbles: true }));
}

const WHITE = [255, 255, 255, 255];
/** The left pixels of both rows are hot, the right ones are the picture; the shades between are not looked at. */
function isStage1(view: Shown): boolean {
  const pixels = view.painted();
  return [0, 4].every((at) => String(pixels.slice(4 * at, 4 * at + 4)) === String(WHITE)) &&
    [3, 7].every((at) => String(pixels.slice(4 * at, 4 * at + 3)) === String(Array.from(RGB.slice(3 * at, 3 * at + 3))));
}

const isWhite = (view: Shown): boolean => view.painted().every((value) => value === 255);
const tag = (view: Shown): string => (view.one(".camwidget-tag").hidden ? "" : view.one(".camwidget-tag").textContent ?? "");

function mapOf(layer?: string): Record<string, unknown> {
  return { ...(traits()["explanation"] as object), ...(layer === undefined ? {} : { layer }) };
}

describe("the layer scrubber", () => {
  it("has one stop a layer, with a tick and words", async () => {
    const view = scrubbed();
    expect([slider(view).min, slider(view).max, slider(view).value]).toEqual(["0", "2", "1"]);
    expect(slider(view).getAttribute("aria-valuetext")).toBe("stage2 · 14×14");
    expect(view.all(".camwidget-ticks > i")).toHaveLength(3);
    view.model.set("layers", Array.from({ length: 40 }, (_, i) => ({ name: `block${i}`, shape: [1, 7, 7] })));
    await settle();
    expect(slider(view).max).toBe("39");
    expect(view.all(".camwidget-ticks > i")).toHaveLength(0);
  });

  it("keeps its place but is hidden where there is nothing to choose", async () => {
    const view = scrubbed();
    for (const few of [[], [{ name: "only", shape: [1, 2, 3] }], null, "x"]) {
      view.model.set("layers", few);
      await settle();
      expect(slider(view).hidden).toBe(true);
      expect(view.one(".camwidget-stops").hidden).toBe(false);
    }
  });

  it("says why there is one layer only, in a page that runs the model", async () => {
    const root = document.createElement("div");
    const model = new FakeModel({ ...traits(), layers: [{ name: "only", shape: [1, 2, 3] }] });
    mount(model, root, new AbortController().signal, "model");
    await settle();
    const [note, row] = [".camwidget-only-layer", ".camwidget-layer"].map((one) => root.querySelector<HTMLElement>(one)!);
    expect([note!.hidden, note!.textContent]).toEqual([false, "only layer"]);
    expect(row!.title).toMatch(/^This page has maps of this class at this layer only/);
    expect(row!.querySelector("select")!.title).toBe(row!.title);
    model.set("layers", [{ name: "one", shape: [1, 2, 3] }, { name: "two", shape: [1, 2, 3] }]);
    await settle();
    expect([note!.hidden, row!.title, row!.querySelector("select")!.title]).toEqual([true, "", "The layer the map is taken from, shallow to deep"]);
  });

  it("names a layer that is not in the list, and stays at its last stop", () => {
    const view = scrubbed({ layer: "stage3.relu" });
    expect(named(view)).toBe("stage3.relu");
    expect(slider(view).value).toBe("2");
    expect(slider(view).getAttribute("aria-valuetext")).toBe("stage3.relu");
  });

  it("shows the layer under the hand at once, and sends nothing", async () => {
    const view = scrubbed({ fraction: 0.5 });
    await settle();
    press(view);
    move(view, 0);
    await settle();
    expect(isStage1(view)).toBe(true);
    expect(tag(view)).toBe("stage1 · preview");
    expect(named(view)).toBe("stage1");
    expect(slider(view).getAttribute("aria-valuetext")).toBe("stage1 · 28×28");
    expect(view.el.classList).toContain("camwidget-waiting");
    expect([view.model.get("layer"), view.model.saves, view.model.sent]).toEqual(["stage2", 0, []]);
    move(view, 2);
    await settle();
    expect(view.one(".camwidget-note").textContent).toContain("No positive evidence");
    expect(view.painted().slice(0, 3)).toEqual(Array.from(RGB.slice(0, 3)));
  });

  it("shows the previewed layer's own cells, and its product with the picture", async () => {
    const view = scrubbed({ cells: true });
    press(view);
    move(view, 0);
    await settle();
    expect(view.painted().slice(0, 12)).toEqual([...WHITE, ...WHITE, ...Array.from(RGB.slice(6, 9)), 255]);
    view.model.set("mode", "multiply");
    await settle();
    expect(view.painted().slice(0, 3)).toEqual(Array.from(RGB.slice(0, 3)));
    expect(view.painted().slice(12, 15)).toEqual([0, 0, 0]);
  });

  it("asks once when it is let go, and keeps the preview until the map is there", async () => {
    const view = scrubbed();
    press(view);
    move(view, 2);
    move(view, 0);
    release(view);
    expect([view.model.get("layer"), view.model.saves]).toEqual(["stage1", 1]);
    view.model.set("busy", true);
    await settle();
    expect(isStage1(view)).toBe(true);
    expect(view.one(".camwidget-frame").classList).toContain("camwidget-previewing");
    view.model.set("layer_maps", {});
    view.model.set("explanation", mapOf("stage2"));
    await settle();
    expect(isStage1(view)).toBe(true);
    view.model.set("explanation", mapOf("stage1"));
    view.model.set("busy", false);
    await settle();
    expect(tag(view)).toBe("");
    expect(isWhite(view)).toBe(true);
    expect(view.el.classList).not.toContain("camwidget-waiting");
  });

  it("takes any new map for the answer where the kernel does not name its layer", async () => {
    const view = scrubbed();
    press(view);
    move(view, 0);
    release(view);
    await settle();
    view.model.set("explanation", mapOf());
    await settle();
    expect(tag(view)).toBe("");
  });

  it("asks for nothing when it comes back to where it was", async () => {
    const view = scrubbed({ fraction: 0.5 });
    press(view);
    move(view, 0);
    move(view, 1);
    window.dispatchEvent(new PointerEvent("pointerup"));
    await settle();
    expect(view.model.saves).toBe(0);
    expect(tag(view)).toBe("");
    expect(view.painted().slice(0, 3)).toEqual([...FILL]);
  });

  it("asks once for several key steps, after a pause", async () => {
    const view = scrubbed();
    keyTo(view, 2);
    vi.advanceTimersByTime(300);
    keyTo(view, 1);
    vi.advanceTimersByTime(300);
    keyTo(view, 0);
    vi.advanceTimersByTime(399);
    expect(view.model.saves).toBe(0);
    vi.advanceTimersByTime(1);
    expect([view.model.get("layer"), view.model.saves]).toEqual(["stage1", 1]);
    vi.advanceTimersByTime(5000);
    slider(view).dispatchEvent(new Event("blur"));
    expect(view.model.saves).toBe(1);
  });

  it("asks when the focus leaves before the pause is over, and not when the view goes", () => {
    const view = scrubbed();
    keyTo(view, 0);
    slider(view).dispatchEvent(new Event("blur"));
    expect(view.model.get("layer")).toBe("stage1");
    keyTo(view, 2);
    view.end();
    vi.advanceTimersByTime(1000);
    expect(view.model.get("layer")).toBe("stage1");
  });

  it("keeps its arrows from the mask and from the notebook", () => {
    const view = scrubbed();
    const reached: string[] = [];
    document.body.addEventListener("keydown", (event) => reached.push(event.key));
    expect(view.key("ArrowRight", ".camwidget-scrubber").defaultPrevented).toBe(false);
    expect(reached).toEqual([]);
    expect(view.model.get("fraction")).toBe(0);
  });

  it.each([
    ["no stages", {}],
    ["another scene's", layerMaps({ scene: "b" })],
    ["another class's", layerMaps({ target: 3 })],
    ["another method's", layerMaps({ method: "rise" })],
    ["malformed", layerMaps({ layers: [{ name: "stage1", rows: 2, columns: 2, cells: cells(1) }, 5, null] })],
    ["no numbers", layerMaps({ layers: [{ name: "stage1", rows: 1, columns: 1, cells: cells(Number.NaN) }] })],
    ["nothing", null],
  ])("only names the layer with %s", async (_, of) => {
    const view = scrubbed({ layer_maps: of });
    await settle();
    press(view);
    move(view, 0);
    await settle();
    expect(named(view)).toBe("stage1");
    expect(tag(view)).toBe("");
    expect(isWhite(view)).toBe(true);
    release(view);
    expect(view.model.get("layer")).toBe("stage1");
  });

  it("shows what arrives while it is held", async () => {
    const view = scrubbed({ layer_maps: {} });
    press(view);
    move(view, 0);
    view.model.set("layer_maps", layerMaps());
    await settle();
    expect(isStage1(view)).toBe(true);
  });
});

describe("the end of a preview", () => {
  async function asked(): Promise<Shown> {
    const view = scrubbed();
    press(view);
    move(view, 0);
    release(view);
    await settle();
    expect(tag(view)).toBe("stage1 · preview");
    return view;
  }

  it("comes when the kernel refuses the layer", async () => {
    const view = await asked();
    view.model.set("layer", "stage2");
    view.model.set("error", "no map there");
    await settle();
    expect(tag(view)).toBe("");
    expect(isWhite(view)).toBe(true);
    expect([slider(view).value, named(view)]).toEqual(["1", "stage2"]);
  });

  it("comes when the kernel gives up, but not when it ends something older", async () => {
    const view = scrubbed({ busy: true });
    press(view);
    move(view, 0);
    release(view);
    await settle();
    view.model.set("busy", false);
    await settle();
    expect(tag(view)).toBe("stage1 · preview");
    view.model.set("busy", true);
    await settle();
    view.model.set("busy", false);
    await settle();
    expect(tag(view)).toBe("");
  });

  it("comes with another class", async () => {
    const view = await asked();
    view.model.set("target", 3);
    await settle();
    expect(tag(view)).toBe("");
  });
});

describe("stepping through the layers", () => {
  it("writes at once and shows the preview at once, also back to the map on show", async () => {
    const view = scrubbed();
    view.key("[");
    await settle();
    expect([view.model.get("layer"), view.model.saves]).toEqual(["stage1", 1]);
    expect(isStage1(view)).toBe(true);
    expect(slider(view).value).toBe("0");
    view.all(".camwidget-step")[1]!.click();
    await settle();
    expect([view.model.get("layer"), view.model.saves]).toEqual(["stage2", 2]);
    expect(tag(view)).toBe("");
    expect(isWhite(view)).toBe(true);
  });

  it("goes on from where the hand is", () => {
    const view = scrubbed();
    keyTo(view, 2);
    view.key("[", ".camwidget-scrubber");
    expect([view.model.get("layer"), view.model.saves]).toEqual(["stage2", 1]);
    vi.advanceTimersByTime(1000);
    expect(view.model.saves).toBe(1);
  });
});

describe("a map of the picture itself", () => {
  it("leaves no layer to choose, and says why", async () => {
    const view = scrubbed();
    slider(view).focus();
    view.model.set("explanation", { ...mapOf("input"), at_input: true });
    await settle();
    const row = view.one(".camwidget-layer");
    expect(row.getAttribute("aria-disabled")).toBe("true");
    expect(row.title).toBe("This method explains the picture itself, at no layer");
    expect(slider(view).disabled).toBe(true);
    expect(document.activeElement).toBe(view.one(".camwidget-frame"));
    view.key("[");
    view.all(".camwidget-step")[0]!.click();
    expect(view.model.saves).toBe(0);
    view.model.set("explanation", mapOf("stage2"));
    await settle();
    expect(row.getAttribute("aria-disabled")).toBe("false");
    expect(row.title).toBe("");
    expect(slider(view).disabled).toBe(false);
  });
});
