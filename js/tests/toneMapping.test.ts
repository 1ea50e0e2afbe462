import { afterEach, describe, expect, it } from "vitest";
import { fromTone, toneBytes, toneMapped } from "../src/core/toneMapping";
import { FakeModel, HEIGHT, show, traits, WIDTH } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

describe("tone mapping", () => {
  it("is two lines that meet at the knee, as camwidget/attribution/tone_mapping.py has it", () => {
    const drawn = [0, 0.05, 0.1, 0.55, 1].map((value) => toneMapped(value, 0.1));
    for (const [at, expected] of [0, 0.45, 0.9, 0.95, 1].entries()) expect(drawn[at]).toBeCloseTo(expected);
    expect([0, 0.3, 1].map((value) => toneMapped(value, null))).toEqual([0, 0.3, 1]);
    expect(toneMapped(0, 0)).toBe(0);
    expect(toneMapped(0.5, 0)).toBeCloseTo(0.95);
  });

  it("is undone", () => {
    for (const knee of [0.02, 0.5, null]) {
      for (const value of [0, 0.01, 0.3, 0.91, 1]) expect(fromTone(toneMapped(value, knee), knee)).toBeCloseTo(value);
    }
  });

  it("is of a map's own maximum", () => {
    expect(Array.from(toneBytes(Float32Array.of(0, 0.2, 2), 0.1))).toEqual([0, 230, 255]);
    expect(Array.from(toneBytes(new Float32Array(2), 0.1))).toEqual([0, 0]);
  });
});

describe("the scale of a tone-mapped map", () => {
  const note = "90 % of the colors show the values up to 10 % of the maximum";
  const map = { ...(traits()["explanation"] as object), drawn: new Uint8Array(WIDTH * HEIGHT).fill(9), knee: 0.1, scale_note: note };

  it("says that it is not linear, and how", () => {
    const view = show(new FakeModel({ ...traits(), explanation: map }));
    const said = view.one<HTMLElement>(".camwidget-legend-note");
    expect(said.hidden).toBe(false);
    expect(said.title).toContain(note);
  });

  it("is silent of a map that is drawn in proportion", () => {
    expect(show(new FakeModel(traits())).one<HTMLElement>(".camwidget-legend-note").hidden).toBe(true);
  });

  it("has the part of the maximum beside the contour, not that of the colors", () => {
    const view = show(new FakeModel({ ...traits(), explanation: map, contour: 0.45 }));
    expect(view.one(".camwidget-contour-value").textContent).toMatch(/^5\s%$/);
  });
});
