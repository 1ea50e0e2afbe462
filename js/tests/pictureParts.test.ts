/** Parts of the picture: drawn, described, and hidden by a click. */
import { describe, expect, it } from "vitest";
import { partAt, pictureParts } from "../src/view/pictureParts";
import { FakeModel, HEIGHT, settle, show, traits, WIDTH } from "./fakeModel";
import type { Shown } from "./fakeModel";

const LABELS = Uint16Array.from([0, 0, 1, 1, 0, 0, 2, 2]);

const partsOf = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  scene: "a", width: WIDTH, height: HEIGHT, count: 3, labels: new DataView(LABELS.buffer), of_map: true, ...more,
});

function shown(more: Record<string, unknown>): Shown {
  const values = traits();
  const parts = { values: [0.5, -0.25, 0], errors: [0.125, 0, null] };
  const explanation = { ...(values.explanation as object), parts };
  const view = show(new FakeModel({ ...values, explanation, ...more }));
  const canvas = view.one("canvas");
  canvas.getBoundingClientRect = () => new DOMRect(0, 0, 10 * WIDTH, 10 * HEIGHT);
  return view;
}

const at = (x: number, y: number) => ({ clientX: 10 * x + 5, clientY: 10 * y + 5, bubbles: true });

const click = (view: Shown, x: number, y: number): void => {
  view.one("canvas").dispatchEvent(new MouseEvent("click", at(x, y)));
};

const drawn = (view: Shown): string | null => view.el.querySelector(".camwidget-parts .over")?.getAttribute("d") ?? null;

const runs = (view: Shown): unknown => (view.model.get("paint") as { runs?: unknown } | undefined)?.runs;

describe("parts", () => {
  it("are nothing where the value is malformed", () => {
    for (const wrong of [null, 3, {}, partsOf({ width: 3 }), partsOf({ labels: "0011" })]) expect(pictureParts(wrong)).toBeNull();
    expect(partAt(pictureParts(partsOf())!, { x: 2, y: 1 })).toBe(2);
  });

  it("are drawn where the map has them, unless switched off; others where switched on", async () => {
    const view = shown({ picture_parts: partsOf() });
    const toggle = view.one(".camwidget-parts-toggle");
    expect([drawn(view), toggle.getAttribute("aria-pressed")]).toEqual(["M2 1H4M2 0V2", "true"]);
    view.key("h");
    await settle();
    expect([drawn(view), view.model.get("parts"), toggle.getAttribute("aria-pressed")]).toEqual([null, "off", "false"]);
    toggle.click();
    await settle();
    expect(view.model.get("parts")).toBe("auto");
    view.model.set("picture_parts", partsOf({ of_map: false }));
    await settle();
    expect(drawn(view)).toBeNull();
    view.key("h");
    await settle();
    expect([drawn(view), view.model.get("parts")]).toEqual(["M2 1H4M2 0V2", "on"]);
    view.model.set("picture_parts", partsOf({ scene: "b" }));
    await settle();
    expect(drawn(view), "of another picture").toBeNull();
  });

  it("are hidden by a click, and shown again by the next", async () => {
    const view = shown({ picture_parts: partsOf() });
    click(view, 2, 1);
    expect(runs(view)).toEqual([0, 6, 1, 2]);
    click(view, 0, 0);
    expect(runs(view)).toEqual([1, 2, 0, 2, 1, 4]);
    click(view, 3, 1);
    expect(runs(view)).toEqual([1, 2, 0, 2, 1, 2]);
    expect(view.model.sent, "no classes are asked for").toEqual([]);
    await settle();
  });

  it("are painted with the brush while that is active, and left to the page where nothing runs the model", () => {
    const view = shown({ picture_parts: partsOf() });
    view.key("p");
    click(view, 2, 1);
    expect(runs(view)).toBeUndefined();
  });

  it("say their values under the pointer, which outlines them", async () => {
    const view = shown({ picture_parts: partsOf() });
    const clip = view.one(".camwidget-clip");
    const say = async (x: number, y: number): Promise<string> => {
      clip.dispatchEvent(new MouseEvent("pointermove", at(x, y)));
      await settle();
      return view.one(".camwidget-readout-pixel").textContent ?? "";
    };
    expect(await say(1, 1)).toContain("part 1 of 3: +0.50 ± 0.13");
    expect(view.one(".camwidget-parts .pointed").getAttribute("d")).toBe("M0 0H2M0 2H2M0 0V2M2 0V2");
    expect(await say(2, 0)).toContain("part 2 of 3: −0.25 ·");
    expect(await say(2, 1)).toContain("part 3 of 3: +0.00 ·");
  });
});
