import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeModel, HEIGHT, sceneOf, show, traits } from "./fakeModel";
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

/** A clip of two frames, each one row high. */
function clip(more: Record<string, unknown> = {}): Shown {
  return show(new FakeModel({ ...traits(), scene: { ...sceneOf("a"), frames: HEIGHT }, ...more }));
}

const line = (view: Shown): HTMLElement => view.one(".camwidget-frame-control");
const slider = (view: Shown): HTMLInputElement => view.one<HTMLInputElement>(".camwidget-frames");
const play = (view: Shown): HTMLElement => view.one(".camwidget-play-frames");
const number = (view: Shown): string => view.one(".camwidget-frame-number").textContent ?? "";
const plane = (view: Shown): CSSStyleDeclaration => view.one(".camwidget-plane").style;

describe("the frames of a clip", () => {
  it("are not spoken of where the picture is none", () => {
    const view = show(new FakeModel(traits()));
    expect(line(view).hidden).toBe(true);
    view.key(">");
    view.key("k");
    expect(view.model.saves).toBe(0);
    expect(plane(view).height).toBe("100%");
  });

  it("are seen one at a time", () => {
    const view = clip();
    expect([line(view).hidden, number(view), slider(view).max]).toEqual([false, "1 / 2", "1"]);
    expect([plane(view).height, plane(view).top]).toEqual(["200%", "0%"]);
    slider(view).value = "1";
    slider(view).dispatchEvent(new Event("input"));
    expect([view.model.get("frame"), number(view), plane(view).top]).toEqual([1, "2 / 2", "-100%"]);
    expect(slider(view).getAttribute("aria-valuetext")).toBe("2 of 2");
  });

  it("go on and back by keys, and end at the last", () => {
    const view = clip();
    for (const key of [">", ">", ">"]) view.key(key);
    expect(view.model.get("frame")).toBe(1);
    view.key("<");
    expect(view.model.get("frame")).toBe(0);
  });

  it("play until they are paused, and tell the kernel then", () => {
    const view = clip();
    play(view).click();
    expect(play(view).getAttribute("aria-label")).toBe("Pause the clip");
    const seen = Array.from({ length: 4 }, () => {
      vi.advanceTimersByTime(200);
      return number(view);
    });
    expect(seen).toEqual(["2 / 2", "1 / 2", "2 / 2", "1 / 2"]);
    expect(view.model.saves).toBe(0);
    vi.advanceTimersByTime(200);
    view.key("k");
    expect([view.model.get("frame"), play(view).getAttribute("aria-label")]).toEqual([1, "Play the clip"]);
    vi.advanceTimersByTime(1000);
    expect(number(view)).toBe("2 / 2");
  });

  it("play once with reduced motion, from the first", () => {
    wantsLess = true;
    const view = clip({ frame: 1 });
    view.key("k");
    expect(number(view)).toBe("1 / 2");
    vi.advanceTimersByTime(1000);
    expect([number(view), play(view).getAttribute("aria-label")]).toEqual(["2 / 2", "Play the clip"]);
  });

  it("stop where the picture is touched", () => {
    const view = clip();
    view.key("k");
    view.one(".camwidget-canvas").dispatchEvent(new Event("pointerdown"));
    expect(play(view).getAttribute("aria-label")).toBe("Play the clip");
  });

  it("stay within the clip, whatever the kernel says", () => {
    expect(number(clip({ frame: 9 }))).toBe("2 / 2");
    const odd = show(new FakeModel({ ...traits(), scene: { ...sceneOf("a"), frames: 3 } }));
    expect(line(odd).hidden).toBe(true);
  });
});
