/** Boxes and areas of the model: drawn, clicked and followed; and a region that is asked about. */
import { describe, expect, it } from "vitest";
import { classAt, findings } from "../src/view/findings";
import { FakeModel, HEIGHT, settle, show, traits, WIDTH } from "./fakeModel";
import type { Shown } from "./fakeModel";

const tabby = { index: 7, name: "tabby", score: 0.97, box: [0, 0, 2, 2], where: "left", lost: false };
const lynx = { index: 9, name: "lynx", score: 0.6, box: [2, 0, 4, 1], where: "upper right", lost: false };
const boxes = { scene: "a", boxes: [tabby, lynx], areas: {}, takes_region: false, note: "" };

function areasOf(...classes: number[]): Record<string, unknown> {
  const raw = Uint16Array.from(classes);
  const labels = [{ index: 7, name: "tabby", x: 0, y: 0 }];
  return { width: WIDTH, height: HEIGHT, classes: new DataView(raw.buffer), labels };
}

const areas = { scene: "a", boxes: [], areas: areasOf(7, 7, 9, 9, 7, 7, 9, 9), takes_region: true, note: "" };

const shown = (more: Record<string, unknown>): Shown => show(new FakeModel({ ...traits(), ...more }));

const labels = (view: Shown): (string | null)[] =>
  Array.from(view.el.querySelectorAll(".camwidget-found-label"), (one) => one.textContent);

const frames = (view: Shown): (string | null)[] =>
  Array.from(view.el.querySelectorAll(".camwidget-found-box path.over"), (path) => path.getAttribute("d"));

describe("what is found at a pixel", () => {
  it("is the smallest box around it, or its area", () => {
    const inner = { ...lynx, index: 3, box: [0, 0, 1, 1] };
    const found = findings({ ...boxes, boxes: [tabby, inner, { ...lynx, lost: true }] });
    expect([classAt(found, { x: 0, y: 0 }), classAt(found, { x: 1, y: 1 }), classAt(found, { x: 3, y: 0 })]).toEqual([3, 7, -1]);
    const parsed = findings(areas);
    expect([classAt(parsed, { x: 1, y: 1 }), classAt(parsed, { x: 2, y: 0 })]).toEqual([7, 9]);
  });

  it("is nothing where the value is malformed", () => {
    for (const wrong of [null, 3, {}, { boxes: [{ box: [1] }], areas: { width: 4, height: 2, classes: new DataView(new ArrayBuffer(3)) } }]) {
      const parsed = findings(wrong);
      expect([parsed.boxes, parsed.areas, classAt(parsed, { x: 0, y: 0 })]).toEqual([[], null, -1]);
    }
  });
});

describe("boxes", () => {
  it("are drawn with names and scores, and named in the list", () => {
    const view = shown({ found: boxes });
    expect(labels(view)).toEqual(["tabby 0.97", "lynx 0.60"]);
    expect(frames(view)).toEqual(["M0 0H2V2H0Z", "M2 0H4V1H2Z"]);
    expect(view.el.querySelectorAll(".camwidget-found-label.camwidget-chosen")).toHaveLength(1);
    const named = Array.from(view.el.querySelectorAll(".camwidget-name"), (one) => one.getAttribute("aria-label"));
    expect(named).toEqual(["tabby, left", null, "lynx, upper right"]);
  });

  it("move in the masked picture, or are lost", async () => {
    const view = shown({ found: boxes });
    view.model.set("found_masked", { ...boxes, boxes: [{ ...tabby, score: 0.5, box: [2, 0, 4, 2] }] });
    await settle();
    expect(labels(view)).toEqual(["tabby 0.50", "lynx lost"]);
    // The chosen one also where it was before.
    expect(frames(view)).toEqual(["M0 0H2V2H0Z", "M2 0H4V2H2Z", "M2 0H4V1H2Z"]);
    expect(view.el.querySelectorAll("svg.camwidget-found-lost")).toHaveLength(1);
  });

  it("are chosen by the marker, unless they are switched off", async () => {
    const view = shown({ found: boxes });
    const frame = view.one(".camwidget-frame");
    const press = (key: string): void => {
      frame.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    };
    for (const key of ["d", "w", "Enter"]) press(key);
    await settle();
    expect([view.model.get("target"), view.model.sent]).toEqual([9, []]);
    view.key("f");
    await settle();
    expect([view.model.get("findings"), labels(view)]).toEqual([false, []]);
    press("Enter");
    expect(view.model.sent).toMatchObject([{ type: "pick" }]);
  });

  it("of another picture are not drawn; a picture without any says so", async () => {
    const view = shown({ found: { ...boxes, scene: "b" } });
    expect(labels(view)).toEqual([]);
    expect(view.one(".camwidget-found-note").hidden).toBe(true);
    view.model.set("found", { boxes: [], areas: {}, note: "Nothing <b>there</b>." });
    await settle();
    expect(view.one(".camwidget-found-note").textContent).toBe("Nothing <b>there</b>.");
    expect(view.one(".camwidget-findings-toggle").hidden).toBe(true);
  });
});

describe("the question about a box", () => {
  const asked = { ...boxes, questions: ["score", "class", "left", "right"], finds_for_itself: true };
  const select = (view: Shown): HTMLSelectElement => view.one<HTMLSelectElement>(".camwidget-question");

  it("is chosen, by the keyboard too, and the edge is drawn", async () => {
    const view = shown({ found: asked, about: "score" });
    expect(Array.from(select(view).options, ({ text }) => text)).toEqual(["why this score", "why this class", "why its left edge", "why its right edge"]);
    expect(view.all(".camwidget-asked-edge")).toEqual([]);
    select(view).value = "right";
    select(view).dispatchEvent(new Event("change"));
    await settle();
    expect(view.model.get("about")).toBe("right");
    expect(view.el.querySelector(".over.camwidget-asked-edge")?.getAttribute("d")).toBe("M2 0V2");
    view.key("q");
    await settle();
    expect([view.model.get("about"), select(view).value]).toEqual(["score", "score"]);
  });

  it("comes with the least score of the boxes, which is a number from 0 to 1", async () => {
    const view = shown({ found: asked, least_score: 0.5 });
    const field = view.one<HTMLInputElement>(".camwidget-least-score");
    for (const [text, expected] of [["0.25", 0.25], ["1.5", 0.25], ["", 0.25]] as const) {
      field.value = text;
      field.dispatchEvent(new Event("change"));
      await settle();
      expect([view.model.get("least_score"), field.value]).toEqual([expected, String(expected)]);
    }
    view.model.set("found", { ...asked, finds_for_itself: false });
    await settle();
    expect(field.closest("label")?.hidden).toBe(true);
    view.model.set("found", areas);
    await settle();
    expect(view.one(".camwidget-detection-question").hidden).toBe(true);
  });
});

describe("areas", () => {
  it("are outlined, the chosen one apart, and change with the mask", async () => {
    const view = shown({ found: areas });
    expect(labels(view)).toEqual(["tabby"]);
    const chosen = (): string | null | undefined => view.el.querySelector(".camwidget-found-areas .over.camwidget-chosen")?.getAttribute("d");
    const all = view.el.querySelector(".camwidget-found-areas .over:not(.camwidget-chosen)");
    expect(all?.getAttribute("d")).toBe("M2 0V2");
    const before = chosen();
    expect(before).not.toBeUndefined();
    view.model.set("found_masked", { ...areas, areas: areasOf(7, 9, 9, 9, 7, 9, 9, 9) });
    await settle();
    expect(chosen()).not.toBe(before);
    view.model.set("found_masked", { ...areas, areas: areasOf(9, 9, 9, 9, 9, 9, 9, 9) });
    await settle();
    expect(chosen()).toBeUndefined();
  });

  it("let the brush mark a region, and nothing else does", async () => {
    const view = shown({ found: areas });
    const purposes = view.one(".camwidget-purposes").closest<HTMLElement>(".camwidget-line");
    expect(purposes?.hidden).toBe(false);
    const frame = view.one(".camwidget-frame");
    view.key("p");
    frame.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    await settle();
    const region = view.model.get("region") as { scene: string; runs: number[]; painting: boolean };
    expect([region.scene, region.painting, region.runs.includes(1)]).toEqual(["a", false, true]);
    expect(view.model.get("paint")).toBeUndefined();
    const clear = Array.from(view.el.querySelectorAll<HTMLButtonElement>(".camwidget-paint button")).find((one) => one.textContent === "clear");
    expect(clear?.disabled).toBe(false);
    clear?.click();
    await settle();
    expect((view.model.get("region") as { runs: number[] }).runs).toEqual([]);
    view.model.set("found", boxes);
    await settle();
    expect(purposes?.hidden).toBe(true);
  });
});
