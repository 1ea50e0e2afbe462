import { afterEach, describe, expect, it, vi } from "vitest";
import survey from "../src/survey/index";
import type { SurveyTraits } from "../src/survey/syncedTraits";
import { FakeModel, settle } from "./fakeModel";

function show() {
  const model = new FakeModel<SurveyTraits>({ top: 0, reveal: -1, status: "<b>3 pictures</b>" });
  const sheet = document.createElement("div");
  sheet.className = "camwidget-survey-sheet";
  const box = document.createElement("div");
  box.className = "camwidget-survey-scroll";
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  const el = document.createElement("div");
  box.append(canvas);
  sheet.append(box, el);
  document.body.append(sheet);
  const life = new AbortController();
  survey.render({ model, el, signal: life.signal });
  const keys = el.querySelector<HTMLElement>(".camwidget-survey-keys")!;
  const press = (key: string, more: KeyboardEventInit = {}): boolean =>
    !keys.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
  const scroll = (top: number): void => {
    box.scrollTop = top;
    box.dispatchEvent(new Event("scroll"));
  };
  return { model, el, box, canvas, keys, press, scroll, end: () => life.abort() };
}

const frame = (): Promise<unknown> => new Promise((resolve) => requestAnimationFrame(resolve));

describe("the survey's sheet in the page", () => {
  afterEach(() => document.body.replaceChildren());

  it("sends the keys that move and open, and leaves every other one to the page", () => {
    const { model, press } = show();
    const heard = vi.fn();
    document.body.addEventListener("keydown", heard);
    const own = ["ArrowLeft", "ArrowDown", "Home", "End", "Enter"];
    for (const key of own) expect(press(key)).toBe(true);
    expect(heard).not.toHaveBeenCalled();
    for (const key of ["Tab", " ", "a", "PageDown"]) expect(press(key)).toBe(false);
    expect(press("ArrowDown", { metaKey: true })).toBe(false);
    expect(model.sent).toEqual(own.map((key) => ({ type: "key", key })));
  });

  it("reports where the sheet is scrolled to, once a frame", async () => {
    const { model, scroll } = show();
    for (const top of [10, 200.4, 3000.6]) scroll(top);
    await frame();
    expect(model.get("top")).toBe(3001);
    expect(model.saves).toBe(1);
    scroll(3001);
    await frame();
    expect(model.saves).toBe(1);
  });

  it("scrolls to the row that the kernel names, and not where it names none", async () => {
    const { model, box } = show();
    model.set("reveal", 480);
    await settle();
    expect(box.scrollTop).toBe(480);
    model.set("reveal", -1);
    await settle();
    expect(box.scrollTop).toBe(480);
  });

  it("shows the status as text, and leaves nothing behind", () => {
    const { model, el, scroll, end } = show();
    expect(el.querySelector('[role="status"]')!.textContent).toBe("<b>3 pictures</b>");
    end();
    expect(el.childElementCount).toBe(0);
    scroll(50);
    expect(model.get("top")).toBe(0);
  });

  it("takes the focus from the canvas, which would keep Tab", () => {
    const { canvas, keys } = show();
    canvas.focus();
    expect(document.activeElement).toBe(keys);
  });
});
