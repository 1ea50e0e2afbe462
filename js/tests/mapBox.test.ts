import { describe, expect, it } from "vitest";
import { FakeModel, settle, show, traits } from "./fakeModel";
import type { Shown } from "./fakeModel";

const box = { scene: "a", box: [1, 0, 3, 2], peak: [2, 1], hit: "hit", summary: "The box overlaps the true one by 0.50; the peak hits." };

const shown = (more: Record<string, unknown> = {}): Shown =>
  show(new FakeModel({ ...traits(), box, boxes: true, has_ground_truth: true, outlines: false, ...more }));

const paths = (view: Shown, selector: string): (string | null)[] =>
  Array.from(view.el.querySelectorAll(`${selector} path`), (path) => path.getAttribute("d"));

describe("the map's box", () => {
  it("is drawn around the map, and the peak in the middle of its pixel", () => {
    const view = shown();
    expect(paths(view, ".camwidget-box")).toEqual(["M1 0H3V2H1Z", "M1 0H3V2H1Z"]);
    const drawing = view.el.querySelector(".camwidget-box");
    expect(drawing?.getAttribute("viewBox")).toBe("0 0 4 2");
    const peak = view.el.querySelector<SVGElement>(".camwidget-peak");
    expect([peak?.style.left, peak?.style.top, peak?.dataset["hit"]]).toEqual(["62.5%", "75%", "hit"]);
    expect(view.one(".camwidget-ground-truth-summary").textContent).toBe(box.summary);
  });

  it("is off until someone asks, by button or key", async () => {
    const view = shown({ boxes: false });
    expect(view.el.querySelector(".camwidget-box")).toBeNull();
    expect(view.one(".camwidget-ground-truth-summary").textContent).toBe("");
    view.one('[title*="(b)"]').click();
    await settle();
    expect(view.model.get("boxes")).toBe(true);
    expect(view.el.querySelector(".camwidget-box")).not.toBeNull();
    view.key("b");
    await settle();
    expect(view.el.querySelector(".camwidget-box")).toBeNull();
  });

  it("has a threshold that a person sets, while it is drawn", async () => {
    const view = shown({ box_threshold: 0.15 });
    const field = view.one<HTMLInputElement>(".camwidget-box-threshold");
    expect([field.value, field.closest("label")?.hidden]).toEqual(["15", false]);
    field.value = "33";
    field.dispatchEvent(new Event("change"));
    await settle();
    expect(view.model.get("box_threshold")).toBe(0.33);
    expect(view.one('[title*="(b)"]').title).toContain("33 %");
    for (const wrong of ["0", "101", ""]) {
      field.value = wrong;
      field.dispatchEvent(new Event("change"));
      expect([field.value, view.model.get("box_threshold")]).toEqual(["33", 0.33]);
    }
    view.model.set("boxes", false);
    await settle();
    expect(field.closest("label")?.hidden).toBe(true);
  });

  it("marks a hit, a miss and what is not known apart", async () => {
    const view = shown();
    const marks = new Set<string | null | undefined>();
    for (const hit of ["hit", "miss", ""]) {
      view.model.set("box", { ...box, hit });
      await settle();
      marks.add(paths(view, ".camwidget-peak")[0]);
    }
    expect(marks.size).toBe(3);
  });

  it("is drawn over its own picture only, and not where there is none", async () => {
    const view = shown();
    for (const other of [{ ...box, scene: "b" }, {}, { ...box, box: [1, 2] }, { ...box, peak: ["x", 1] }]) {
      view.model.set("box", other);
      await settle();
      expect(view.el.querySelector(".camwidget-boxes")?.children.length).toBe(0);
    }
  });
});
