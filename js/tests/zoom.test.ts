import { afterEach, describe, expect, it } from "vitest";
import { moved, revealing, seen, FULL_VIEW, zoomed } from "../src/core/viewport";
import { FakeModel, sceneOf, settle, show, traits } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

describe("a lens", () => {
  const CLOSE = { scale: 4, left: 1, top: 2 };

  it("keeps what is at the spot, and covers the frame", () => {
    const spot = { x: 0.25, y: 0.75 };
    const close = zoomed(FULL_VIEW, 3, spot);
    expect(seen(close, spot)).toEqual(spot);
    const back = zoomed(close, 1 / 3, { x: 0.9, y: 0.1 });
    expect([back.scale, back.left, back.top].map((value) => Math.abs(value))).toEqual([1, 0, 0]);
    expect(zoomed(close, 100, spot).scale).toBe(16);
    expect(zoomed(close, 0.001, spot)).toEqual(FULL_VIEW);
  });

  it("moves with the hand as far as the picture goes", () => {
    expect(moved(CLOSE, 0.5, -0.5)).toEqual({ scale: 4, left: 0.5, top: 2.5 });
    expect(moved(CLOSE, 9, -9)).toEqual({ scale: 4, left: 0, top: 3 });
    expect(moved(FULL_VIEW, 0.5, 0.5)).toEqual(FULL_VIEW);
  });

  it("moves no further than it must to show a place", () => {
    expect(revealing(CLOSE, { x: 0.4, y: 0.6 })).toEqual(CLOSE);
    expect(seen(revealing(CLOSE, { x: 0.9, y: 0.6 }), { x: 0.9, y: 0.6 }).x).toBeCloseTo(0.9);
    expect(revealing(CLOSE, { x: 0, y: 0 })).toEqual({ scale: 4, left: 0, top: 0 });
  });
});

/** Shown 400 × 200 at (100, 50). */
function shown(more: Record<string, unknown> = {}): Shown {
  const view = show(new FakeModel({ ...traits(), ...more }));
  for (const name of [".camwidget-clip", ".camwidget-canvas"]) {
    view.one(name).getBoundingClientRect = () => new DOMRect(100, 50, 400, 200);
  }
  return view;
}

/** Width, left and top of the plane in percent of the frame. */
function plane(view: Shown): number[] {
  const { width, left, top } = view.one(".camwidget-plane").style;
  return [width || "100%", left || "0%", top || "0%"].map((value) => Math.round(100 * Number.parseFloat(value)) / 100);
}

const NOTCH = Math.exp(0.24);

interface Turn {
  readonly on?: string;
  readonly at?: number;
  readonly by?: number;
  readonly more?: WheelEventInit;
}

/** True if the page does not scroll. */
function turn(view: Shown, { on = ".camwidget-canvas", at = 1000, by = -120, more = {} }: Turn): boolean {
  const event = new Event("wheel", { bubbles: true, cancelable: true });
  const said = { deltaX: 0, deltaY: by, deltaMode: 0, ctrlKey: false, clientX: 200, clientY: 150, timeStamp: at, ...more };
  for (const [name, value] of Object.entries(said)) Object.defineProperty(event, name, { value });
  view.one(on).dispatchEvent(event);
  return event.defaultPrevented;
}

describe("the wheel", () => {
  it("zooms about the pointer", () => {
    const view = shown();
    expect(turn(view, {})).toBe(true);
    const [width, left, top] = plane(view);
    expect(width).toBeCloseTo(100 * NOTCH, 1);
    expect(left).toBeCloseTo(-25 * (NOTCH - 1), 1);
    expect(top).toBeCloseTo(-50 * (NOTCH - 1), 1);
    expect(view.one(".camwidget-zoomed").textContent).toContain("×1.3");
    expect(view.model.saves).toBe(0);
  });

  it("counts lines as well as pixels, and no event for too much", () => {
    const lines = shown();
    turn(lines, { by: -3, more: { deltaMode: 1 } });
    expect(plane(lines)[0]).toBeCloseTo(100 * Math.exp(0.096), 1);
    const far = shown();
    turn(far, { by: -9000 });
    expect(plane(far)[0]).toBeCloseTo(100 * Math.exp(0.3), 1);
  });

  it("leaves the page what it cannot do, and what goes sideways", () => {
    const view = shown();
    expect(turn(view, { by: 120 })).toBe(false);
    expect(turn(view, { at: 2000, more: { deltaX: -300 } })).toBe(false);
    expect(plane(view)).toEqual([100, 0, 0]);
  });

  it("goes on scrolling the page when the picture comes under the pointer", () => {
    const view = shown();
    turn(view, { on: ".camwidget-class-header", at: 1000 });
    expect(turn(view, { at: 1250 })).toBe(false);
    expect(turn(view, { at: 1500 })).toBe(false);
    expect(plane(view)).toEqual([100, 0, 0]);
    expect(turn(view, { at: 1900 })).toBe(true);
    // So does what the page was given here.
    turn(view, { at: 3000, by: 9000 });
    expect(turn(view, { at: 4000, by: 120 })).toBe(false);
    expect(turn(view, { at: 4100 })).toBe(false);
  });

  it("does not throw the page down at the end of a zoom, nor hold it for long", () => {
    const view = shown();
    turn(view, { at: 1000 });
    expect(turn(view, { at: 1100, by: 120 })).toBe(true);
    expect(plane(view)).toEqual([100, 0, 0]);
    expect([1200, 1350].map((at) => turn(view, { at, by: 120 }))).toEqual([true, true]);
    expect([1450, 1550].map((at) => turn(view, { at, by: 120 }))).toEqual([false, false]);
  });

  it("always zooms with ctrl, and never the page", () => {
    const view = shown();
    turn(view, { on: ".camwidget-class-header", at: 1000 });
    const more = { ctrlKey: true };
    expect(turn(view, { at: 1010, by: -10, more })).toBe(true);
    expect(plane(view)[0]).toBeCloseTo(100 * Math.exp(0.1), 1);
    expect([1, 2].map((i) => turn(view, { at: 1010 + i, by: 100, more }))).toEqual([true, true]);
    expect(plane(view)).toEqual([100, 0, 0]);
  });
});

describe("keys and badge", () => {
  it("zoom about the middle, and back", () => {
    const view = shown();
    view.key("+");
    view.key("=");
    expect(plane(view)).toEqual([225, -62.5, -62.5]);
    view.key("-");
    expect(plane(view)).toEqual([150, -25, -25]);
    expect(view.one(".camwidget-zoomed").getAttribute("aria-label")).toBe("Enlarged 1.5 times: show the whole picture again");
    view.key("0");
    expect(plane(view)).toEqual([100, 0, 0]);
    expect(view.one(".camwidget-zoomed").hidden).toBe(true);
  });

  it("gives the keyboard back to the picture when the badge goes", () => {
    const view = shown();
    view.key("+");
    const badge = view.one<HTMLButtonElement>(".camwidget-zoomed");
    badge.focus();
    badge.click();
    expect(plane(view)).toEqual([100, 0, 0]);
    expect(document.activeElement).toBe(view.one(".camwidget-frame"));
  });

  it("follows the marker", () => {
    const view = shown();
    for (let i = 0; i < 4; i++) view.key("+");
    for (let i = 0; i < 3; i++) view.key("a");
    // A tenth of the frame is left beside it.
    const [width, left] = plane(view);
    expect(0.125 * width! + left!).toBeCloseTo(10, 1);
  });

  it("keeps to its place in pictures of the same size, and starts anew in others", async () => {
    const view = shown();
    view.key("+");
    view.model.set("scene", sceneOf("b"));
    view.model.set("explanation", {});
    await settle();
    expect(plane(view)[0]).toBe(150);
    // One that has just been opened is seen whole.
    view.model.set("pictures", ["a", "a new one"]);
    view.model.set("scene", sceneOf("d"));
    await settle();
    expect(plane(view)).toEqual([100, 0, 0]);
    view.key("+");
    view.model.set("scene", { ...sceneOf("c"), width: 2, height: 4 });
    await settle();
    expect(plane(view)).toEqual([100, 0, 0]);
    view.key("+");
    view.model.set("scene", {});
    await settle();
    view.key("+");
    expect(plane(view)).toEqual([100, 0, 0]);
  });

  it("shows pixels as pixels only where they are large", () => {
    const view = shown();
    let wide = 10;
    Object.defineProperty(view.one(".camwidget-clip"), "clientWidth", { get: () => wide });
    view.key("+");
    expect(view.one("canvas").classList).toContain("camwidget-crisp");
    wide = 4;
    view.key("-");
    view.key("+");
    expect(view.one("canvas").classList).not.toContain("camwidget-crisp");
  });
});

describe("a drag", () => {
  function pointer(view: Shown, type: string, x: number, y: number, pointerId = 1): void {
    const to = type === "pointerup" ? document.body : view.one("canvas");
    to.dispatchEvent(new PointerEvent(type, { clientX: 100 + x, clientY: 50 + y, pointerId, button: 0, bubbles: true }));
  }

  function click(view: Shown): void {
    view.one("canvas").dispatchEvent(new MouseEvent("click", { clientX: 150, clientY: 80, bubbles: true }));
  }

  function dragged(view: Shown, right: number): void {
    pointer(view, "pointerdown", 200, 100);
    pointer(view, "pointermove", 200 + right / 2, 100);
    pointer(view, "pointermove", 200 + right, 100);
    pointer(view, "pointerup", 200 + right, 100);
    click(view);
  }

  it("moves the picture, and is no click", () => {
    const view = shown();
    view.key("+");
    view.key("+");
    dragged(view, 40);
    expect(plane(view)).toEqual([225, -52.5, -62.5]);
    expect(view.model.sent).toEqual([]);
    click(view);
    expect(view.model.sent).toEqual([]);
    dragged(view, 2);
    expect(plane(view)).toEqual([225, -52.5, -62.5]);
    expect(view.model.sent).toHaveLength(1);
  });

  it("is no click of the whole picture either, which stays", () => {
    const view = shown();
    dragged(view, 40);
    expect([plane(view), view.model.sent]).toEqual([[100, 0, 0], []]);
  });

  it("ends with the button, wherever it is let go", () => {
    const view = shown();
    view.key("+");
    dragged(view, 40);
    const before = plane(view);
    pointer(view, "pointermove", 300, 100);
    expect(plane(view)).toEqual(before);
  });

  it("ends when the button was let go outside of the window", () => {
    const view = shown();
    view.key("+");
    pointer(view, "pointerdown", 200, 100);
    pointer(view, "pointermove", 220, 100);
    const before = plane(view);
    const back = { clientX: 400, clientY: 150, pointerId: 1, pointerType: "mouse", buttons: 0, bubbles: true };
    view.one("canvas").dispatchEvent(new PointerEvent("pointermove", back));
    pointer(view, "pointermove", 310, 100);
    expect(plane(view)).toEqual(before);
  });

  it("by two fingers zooms about what is between them, and is no click", () => {
    const view = shown();
    pointer(view, "pointerdown", 150, 100, 1);
    pointer(view, "pointerdown", 250, 100, 2);
    pointer(view, "pointermove", 100, 100, 1);
    pointer(view, "pointermove", 300, 100, 2);
    expect(plane(view)).toEqual([200, -50, -50]);
    pointer(view, "pointermove", 320, 100, 2);
    pointer(view, "pointermove", 120, 100, 1);
    expect(plane(view)[0]).toBe(200);
    expect(plane(view)[1]).toBeCloseTo(-45, 5);
    pointer(view, "pointerup", 120, 100, 1);
    pointer(view, "pointerup", 320, 100, 2);
    click(view);
    expect(view.model.sent).toEqual([]);
  });
});

describe("the popover beside a point", () => {
  it("stays beside it, and in the frame", async () => {
    const view = shown();
    // What the fake browser does not understand it does not keep.
    const style: Record<string, string> = {};
    Object.defineProperty(view.one(".camwidget-class-probe"), "style", { value: style });
    view.model.set("class_probe", { x: 0, y: 1, scene: "a", classes: [] });
    await settle();
    expect(style).toEqual({
      left: "clamp(0px, 12.5% + 14px, 100% - 188px)", right: "",
      top: "", bottom: "clamp(0px, 25%, 100% - 0px)",
    });
    view.key("+");
    view.key("+");
    expect(style["left"]).toBe("clamp(0px, -34.375% + 14px, 100% - 188px)");
    expect(view.one(".camwidget-class-probe-marker").style.left).toBe("12.5%");
  });
});
