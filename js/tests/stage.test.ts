import { afterEach, describe, expect, it } from "vitest";
import { FakeModel, FILL, RGB, sceneOf, settle, show, traits, WIDTH } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

function opaque(rgb: ArrayLike<number>): number[] {
  const out: number[] = [];
  for (let i = 0; i < rgb.length; i += 3) out.push(rgb[i]!, rgb[i + 1]!, rgb[i + 2]!, 255);
  return out;
}

describe("the stage", () => {
  it("shows the picture byte for byte with the overlay off", async () => {
    const view = show();
    await settle();
    expect(view.painted()).toEqual(opaque(RGB));
    expect(view.one<HTMLCanvasElement>("canvas").width).toBe(WIDTH);
  });

  it("follows the traits that decide the pixels", async () => {
    const view = show();
    view.model.set("fraction", 0.5);
    await settle();
    expect(view.painted().slice(0, 16)).toEqual(Array.from({ length: 4 }, () => [...FILL, 255]).flat());
    expect(view.painted().slice(16)).toEqual(opaque(RGB).slice(16));
    view.model.set("baseline", "black");
    await settle();
    expect(view.painted().slice(0, 4)).toEqual([0, 0, 0, 255]);
    view.model.set("mode", "keep");
    await settle();
    expect(view.painted().slice(0, 16)).toEqual(opaque(RGB).slice(0, 16));
    view.model.set("mode", "multiply");
    await settle();
    expect(view.painted()).toEqual(opaque(RGB));
  });

  it("draws the overlay, the cells and another color map at once", async () => {
    const view = show(new FakeModel({ ...traits(), overlay: true, opacity: 1 }));
    await settle();
    expect(view.painted().slice(0, 4)).toEqual([255, 255, 255, 255]);
    view.one<HTMLButtonElement>(".camwidget-map-style [title*='own cells']").click();
    await settle();
    expect(view.model.get("cells")).toBe(true);
    expect(view.painted().slice(0, 8)).toEqual(opaque(RGB).slice(0, 8));
    expect(view.painted().slice(8, 12)).toEqual([255, 255, 255, 255]);
  });

  it("shows a new picture without the old picture's map", async () => {
    const view = show(new FakeModel({ ...traits(), fraction: 0.5, overlay: true }));
    const other = RGB.map((value) => 255 - value);
    view.model.set("scene", sceneOf("b", other));
    await settle();
    expect(view.painted()).toEqual(opaque(other));
  });

  it("survives missing, empty and malformed traits", async () => {
    const broken = [
      {},
      Object.fromEntries(Object.keys(traits()).map((key) => [key, {}])),
      Object.fromEntries(Object.keys(traits()).map((key) => [key, null])),
      { ...traits(), scene: { ...sceneOf("a"), width: 5 } },
      { ...traits(), scene: { ...sceneOf("a"), width: 0, height: 0 } },
    ];
    for (const state of broken) {
      const view = show(new FakeModel(state));
      await settle();
      expect(view.one(".camwidget-empty").hidden).toBe(false);
      expect(view.one(".camwidget-empty").textContent).toBe("No picture yet");
      view.key("m");
      view.key("]");
      view.key("1");
      view.one("canvas").click();
      view.end();
    }
  });

  it("shows the picture when the map does not fit it", async () => {
    const map = { ...(traits()["explanation"] as object), saliency: new Uint8Array(3) };
    const view = show(new FakeModel({ ...traits(), explanation: map, fraction: 1 }));
    await settle();
    expect(view.painted()).toEqual(opaque(RGB));
  });

  it("says what it waits for, and how far it is", async () => {
    const view = show();
    const line = view.one(".camwidget-progress");
    expect(line.hidden).toBe(true);
    view.model.set("busy", true);
    view.model.set("progress", 0.4);
    await settle();
    expect(line.hidden).toBe(false);
    expect(line.getAttribute("aria-valuenow")).toBe("40");
    expect(view.one(".camwidget-frame").getAttribute("aria-busy")).toBe("true");
    view.model.set("progress", -1);
    await settle();
    expect(line.hasAttribute("aria-valuenow")).toBe(false);
  });

  it("gives an empty map words, and masks nothing by it", async () => {
    const map = { ...(traits()["explanation"] as object), empty: true };
    const view = show(new FakeModel({ ...traits(), explanation: map, fraction: 0.5, mode: "keep" }));
    await settle();
    expect(view.painted()).toEqual(opaque(RGB));
    expect(view.one(".camwidget-note").textContent).toContain("No positive evidence");
    view.model.set("explanation", { ...map, note: "No positive evidence for lined at this layer" });
    await settle();
    expect(view.one(".camwidget-note").textContent).toBe("No positive evidence for lined at this layer");
  });
});

describe("asking about a point", () => {
  function click(view: ReturnType<typeof show>, x: number, y: number): void {
    const canvas = view.one<HTMLCanvasElement>("canvas");
    canvas.getBoundingClientRect = () => new DOMRect(100, 50, 400, 200);
    canvas.dispatchEvent(new MouseEvent("click", { clientX: 100 + x, clientY: 50 + y, bubbles: true }));
  }

  it("sends model pixels and marks the point before the answer", () => {
    const view = show();
    click(view, 399.9, 150);
    expect(view.model.sent).toEqual([{ type: "pick", x: 3, y: 1 }]);
    expect(view.one(".camwidget-class-probe-marker").hidden).toBe(false);
    expect(view.one(".camwidget-class-probe").hidden).toBe(true);
  });

  it("lists the answer; a click on an entry chooses the class", async () => {
    const view = show();
    click(view, 0, 0);
    view.model.set("class_probe", {
      x: 0, y: 0, scene: "a",
      classes: [{ index: 5, name: "<b>x</b>", value: 0.9 }, { index: 9, name: "lynx", value: 0.25 }],
    });
    await settle();
    expect(view.one(".camwidget-class-probe").hidden).toBe(false);
    expect(view.all(".camwidget-class-probe-entry").map((entry) => entry.textContent)).toEqual(["<b>x</b>0.90", "lynx0.25"]);
    expect(view.el.querySelector("b")).toBeNull();
    view.all(".camwidget-class-probe-entry")[1]!.click();
    expect(view.model.get("target")).toBe(9);
    expect(view.one(".camwidget-class-probe").hidden).toBe(true);
    expect(view.one(".camwidget-class-probe-marker").hidden).toBe(true);
  });

  it("closes on Escape, and opens again at the same point", async () => {
    const view = show();
    const answer = { x: 0, y: 0, scene: "a", classes: [] };
    click(view, 0, 0);
    view.model.set("class_probe", answer);
    await settle();
    expect(view.one(".camwidget-class-probe-heading").textContent).toBe("No evidence of the top 0");
    view.key("Escape");
    expect(view.one(".camwidget-class-probe").hidden).toBe(true);
    click(view, 0, 0);
    expect(view.one(".camwidget-class-probe").hidden).toBe(false);
  });

  it("drops an answer about another picture", async () => {
    const view = show();
    view.model.set("class_probe", { x: 0, y: 0, scene: "b", classes: [] });
    await settle();
    expect(view.one(".camwidget-class-probe-marker").hidden).toBe(true);
  });
});
