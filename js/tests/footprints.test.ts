import { afterEach, describe, expect, it, vi } from "vitest";
import type { FootprintTraits } from "../src/footprints/syncedTraits";
import { FakeModel, settle } from "./fakeModel";
import footprints from "../src/footprints/index";

function show() {
  const model = new FakeModel<FootprintTraits>({ status: "<b>A1</b>" });
  const box = document.createElement("div");
  box.className = "camwidget-footprints-box";
  const el = document.createElement("div");
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  box.append(el, canvas);
  const life = new AbortController();
  // As in a notebook, where the view is built before its box is in the page.
  footprints.render({ model, el, signal: life.signal });
  document.body.append(box);
  const keys = el.querySelector<HTMLElement>(".camwidget-footprints-keys")!;
  const press = (key: string, more: KeyboardEventInit = {}): KeyboardEvent => {
    const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
    keys.dispatchEvent(event);
    return event;
  };
  return { model, el, canvas, keys, press, end: () => life.abort() };
}

describe("the footprint example's keyboard", () => {
  afterEach(() => document.body.replaceChildren());

  it("sends the keys that move and fill, and keeps them from the notebook", () => {
    const { model, press } = show();
    const heard = vi.fn();
    document.body.addEventListener("keydown", heard);
    for (const key of ["ArrowLeft", "ArrowDown", " ", "Enter", "3"]) expect(press(key).defaultPrevented).toBe(true);
    expect(heard).not.toHaveBeenCalled();
    expect(model.sent).toEqual(["ArrowLeft", "ArrowDown", " ", "Enter", "3"].map((key) => ({ type: "key", key })));
  });

  it("leaves every other key to the page, Tab first of all", () => {
    const { model, press } = show();
    for (const key of ["Tab", "Escape", "0", "a"]) expect(press(key).defaultPrevented).toBe(false);
    expect(press("ArrowLeft", { ctrlKey: true }).defaultPrevented).toBe(false);
    expect(model.sent).toEqual([]);
  });

  it("shows the status as text", async () => {
    const { model, el } = show();
    const status = el.querySelector('[role="status"]')!;
    expect(status.textContent).toBe("<b>A1</b>");
    model.set("status", "A2");
    await settle();
    expect(status.textContent).toBe("A2");
  });

  it("takes the focus from the canvas, which would keep Tab", async () => {
    const { model, canvas, keys } = show();
    canvas.focus();
    expect(document.activeElement).toBe(keys);
    expect(canvas.hasAttribute("tabindex")).toBe(false);
    expect(model.sent).toEqual([{ type: "focus" }]);
    keys.blur();
    expect(model.sent).toEqual([{ type: "focus" }, { type: "blur" }]);
    canvas.click();
    await new Promise((done) => setTimeout(done));
    expect(document.activeElement).toBe(keys);
  });

  it("leaves canvases of other widgets alone, and all of them once it has ended", () => {
    const { canvas, keys, end } = show();
    const other = document.createElement("canvas");
    other.tabIndex = 0;
    document.body.append(other);
    other.focus();
    expect(document.activeElement).toBe(other);
    end();
    expect(keys.isConnected).toBe(false);
    canvas.focus();
    expect(document.activeElement).toBe(canvas);
  });
});
