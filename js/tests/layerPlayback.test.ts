import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeModel, settle, show, traits } from "./fakeModel";
import type { Shown } from "./fakeModel";

let wantsLess = false;

beforeEach(() => {
  wantsLess = false;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  vi.spyOn(window, "matchMedia").mockImplementation(() => ({ matches: wantsLess }) as MediaQueryList);
});

afterEach(() => {
  vi.useRealTimers();
  document.body.replaceChildren();
});

function layerMaps(...names: string[]): Record<string, unknown> {
  const cells = new DataView(Float32Array.from([2, 0]).buffer);
  return {
    scene: "a", target: 7, method: "gradcam",
    layers: names.map((name) => ({ name, rows: 1, columns: 2, cells })),
  };
}

function shown(more: Record<string, unknown> = {}): Shown {
  const explanation = { ...(traits()["explanation"] as object), layer: "stage2" };
  return show(new FakeModel({ ...traits(), explanation, layer_maps: layerMaps("stage3", "stage1", "stage2"), ...more }));
}

const button = (view: Shown): HTMLElement => view.one(".camwidget-play");
const label = (view: Shown): string => button(view).getAttribute("aria-label") ?? "";
const front = (view: Shown): string => view.one<HTMLSelectElement>(".camwidget-layer select").value;
const tag = (view: Shown): string => view.one(".camwidget-tag").textContent ?? "";
const isPlaying = (view: Shown): boolean => label(view).startsWith("Stop");

/** The layers in front from now on, one each half second. */
function seen(view: Shown, count: number): string[] {
  return Array.from({ length: count }, () => {
    const now = front(view);
    vi.advanceTimersByTime(500);
    return now;
  });
}

describe("playing through the layers", () => {
  it("goes from shallow to deep and begins again, and asks for nothing", () => {
    const view = shown();
    button(view).click();
    expect(tag(view)).toBe("stage3 · preview");
    expect(seen(view, 5)).toEqual(["stage3", "stage1", "stage2", "stage3", "stage1"]);
    expect([view.model.saves, view.model.get("layer"), view.model.sent]).toEqual([0, "stage2", []]);
    expect(view.one<HTMLInputElement>(".camwidget-scrubber").value).toBe("1");
  });

  it("asks for the layer in front when it is stopped", () => {
    const view = shown();
    view.key("y");
    expect(isPlaying(view)).toBe(true);
    button(view).click();
    expect([view.model.saves, view.model.get("layer")]).toEqual([1, "stage3"]);
    vi.advanceTimersByTime(5000);
    expect([front(view), view.model.saves, isPlaying(view)]).toEqual(["stage3", 1, false]);
  });

  it("asks for nothing when it is stopped at the layer that is there", () => {
    const view = shown();
    view.key("y");
    vi.advanceTimersByTime(1000);
    expect(front(view)).toBe("stage2");
    view.key("y");
    expect([view.model.saves, tag(view)]).toEqual([0, ""]);
  });

  it("is stopped by Esc, and nothing else then", () => {
    const view = shown();
    view.key("d");
    view.key("y");
    for (const on of [".camwidget-frame", ".camwidget-scrubber"]) {
      if (!isPlaying(view)) button(view).click();
      view.key("Escape", on);
      expect(isPlaying(view)).toBe(false);
      expect(view.one(".camwidget-class-probe-marker").hidden).toBe(false);
    }
  });

  it.each([
    ["a pointer", (view: Shown) => view.one(".camwidget-scrubber").dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }))],
    ["a key", (view: Shown) => view.key("x", ".camwidget-scrubber")],
    ["a key on its own button", (view: Shown) => view.key("ArrowLeft", ".camwidget-play")],
  ])("is stopped by %s on the row", (_, act) => {
    const view = shown();
    button(view).click();
    act(view);
    expect([isPlaying(view), view.model.get("layer")]).toEqual([false, "stage3"]);
  });

  it("is not stopped by what only passes, nor twice by its own button", () => {
    const view = shown();
    button(view).click();
    view.key("Tab", ".camwidget-scrubber");
    view.key(" ", ".camwidget-play");
    button(view).dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
    expect(isPlaying(view)).toBe(true);
  });

  it("gives way to a layer that is chosen elsewhere", () => {
    const view = shown();
    button(view).click();
    view.key("[");
    expect([view.model.get("layer"), view.model.saves, isPlaying(view)]).toEqual(["stage2", 1, false]);
    const next = shown();
    button(next).click();
    vi.advanceTimersByTime(500);
    next.key("[");
    expect([front(next), isPlaying(next)]).toEqual(["stage1", true]);
  });

  it("ends when another class is explained, at the layer that is asked for", async () => {
    const view = shown();
    button(view).click();
    view.key("2");
    await settle();
    vi.advanceTimersByTime(500);
    expect([isPlaying(view), front(view), view.model.get("target"), view.model.get("layer")]).toEqual([false, "stage2", 3, "stage2"]);
  });

  it("goes through once where less motion is wanted, from the first", () => {
    wantsLess = true;
    const view = shown({ layer: "stage1" });
    button(view).click();
    expect(seen(view, 4)).toEqual(["stage1", "stage2", "stage3", "stage3"]);
    expect([isPlaying(view), view.model.get("layer")]).toEqual([false, "stage3"]);
  });

  it.each([
    ["no maps", { layer_maps: {} }],
    ["one", { layer_maps: layerMaps("stage1") }],
    ["another method's", { method: "rise" }],
    ["none of a layer", { explanation: { ...(traits()["explanation"] as object), at_input: true } }],
  ])("cannot begin with %s", (_, more) => {
    const view = shown(more);
    expect(button(view).getAttribute("aria-disabled")).toBe("true");
    expect(button(view).title).toContain("no maps of several layers");
    button(view).click();
    view.key("y");
    expect(isPlaying(view)).toBe(false);
  });

  it("can when the maps come, and ends with the view", async () => {
    const view = shown({ layer_maps: {} });
    view.model.set("layer_maps", layerMaps("stage1", "stage2"));
    await settle();
    expect(button(view).getAttribute("aria-disabled")).toBe("false");
    button(view).click();
    view.end();
    vi.advanceTimersByTime(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
