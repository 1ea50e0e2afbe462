import { afterEach, describe, expect, it } from "vitest";
import { FakeModel, settle, show, traits } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

function slider(view: Shown): HTMLInputElement {
  return view.one<HTMLInputElement>(".camwidget-fraction");
}

function press(view: Shown): void {
  slider(view).dispatchEvent(new PointerEvent("pointerdown", { button: 0, bubbles: true }));
}

function slide(view: Shown, percents: number): void {
  slider(view).value = String(percents);
  slider(view).dispatchEvent(new Event("input", { bubbles: true }));
}

function release(): void {
  window.dispatchEvent(new PointerEvent("pointerup"));
}

describe("the slider", () => {
  it("writes the fraction and paints without waiting for an answer", async () => {
    const view = show();
    await settle();
    press(view);
    slide(view, 50);
    expect(view.model.get("fraction")).toBe(0.5);
    expect(view.model.saves).toBe(1);
    await settle();
    expect(view.painted().slice(0, 3)).toEqual([200, 100, 50]);
    expect(view.one(".camwidget-slider-value").textContent).toBe("50\u00a0%");
    expect(slider(view).getAttribute("aria-valuetext")).toBe("50\u00a0%");
    release();
  });

  it("ignores values from elsewhere while it is held, then has the last word", async () => {
    const view = show();
    press(view);
    slide(view, 50);
    view.model.set("fraction", 0);
    await settle();
    expect(slider(view).value).toBe("50");
    expect(view.painted().slice(0, 3)).toEqual([200, 100, 50]);
    expect(view.one(".camwidget-slider-value").textContent).toBe("50\u00a0%");
    slide(view, 0);
    await settle();
    expect(view.painted().slice(0, 3)).toEqual([0, 10, 20]);
    slide(view, 50);
    view.model.set("fraction", 0.75);
    release();
    expect(view.model.get("fraction")).toBe(0.5);
    view.model.set("fraction", 0.25);
    await settle();
    expect(slider(view).value).toBe("25");
  });

  it("leaves a value between its steps alone when it is only touched", async () => {
    const view = show(new FakeModel({ ...traits(), fraction: 0.123 }));
    expect(view.one(".camwidget-slider-value").textContent).toBe("12.3\u00a0%");
    press(view);
    release();
    expect(view.model.get("fraction")).toBe(0.123);
    press(view);
    view.model.set("fraction", 0.7);
    await settle();
    release();
    expect(view.model.get("fraction")).toBe(0.7);
    expect(slider(view).value).toBe("70");
    expect(view.one(".camwidget-slider-value").textContent).toBe("70\u00a0%");
  });

  it("is off for picture × map, as are the fill and the overlay", async () => {
    const view = show();
    view.all(".camwidget-mask .camwidget-segments button")[2]!.click();
    await settle();
    expect(view.model.get("mode")).toBe("multiply");
    expect(slider(view).disabled).toBe(true);
    expect(view.one<HTMLSelectElement>(".camwidget-fill select").disabled).toBe(true);
    expect(view.one(".camwidget-curve-heading").textContent).toBe("Picture × map");
    view.key("ArrowRight");
    view.key(" ");
    expect(view.model.get("fraction")).toBe(0);
    expect(view.model.get("overlay")).toBe(false);
  });
});

describe("the keys", () => {
  it("go from picture to picture, and stop at the ends", () => {
    const view = show(new FakeModel({ ...traits(), pictures: ["a.png", "b.png"], picture: 0 }));
    view.key(",");
    expect(view.model.get("picture")).toBe(0);
    view.key(".");
    view.key(".");
    expect(view.model.get("picture")).toBe(1);
  });

  it("point into the picture and ask there", async () => {
    const view = show();
    view.key("d");
    view.key("w");
    await settle();
    expect(view.one(".camwidget-class-probe-marker").hidden).toBe(false);
    view.key("Enter");
    expect(view.model.sent).toEqual([{ type: "pick", x: 3, y: 0 }]);
    view.key("d", ".camwidget-fraction");
    view.key("Enter");
    expect(view.model.sent).toHaveLength(2);
    expect(view.model.sent[1]).toEqual({ type: "pick", x: 3, y: 0 });
  });

  it("move the slider by one and by ten, between the ends", () => {
    const view = show();
    const fraction = (): unknown => view.model.get("fraction");
    view.key("ArrowRight");
    expect(fraction()).toBe(0.01);
    view.key("ArrowRight", ".camwidget-fraction", { shiftKey: true });
    expect(fraction()).toBe(0.11);
    view.key("ArrowLeft", ".camwidget-name", { shiftKey: true });
    view.key("ArrowLeft");
    view.key("ArrowLeft");
    expect(fraction()).toBe(0);
  });

  it("pick classes, methods and layers", () => {
    const view = show();
    view.key("2");
    expect(view.model.get("target")).toBe(3);
    view.key("9");
    expect(view.model.get("target")).toBe(3);
    view.key("m");
    expect(view.model.get("method")).toBe("rise");
    view.key("m");
    expect(view.model.get("method")).toBe("gradcam");
    view.key("]");
    expect(view.model.get("layer")).toBe("stage3");
    view.key("[");
    expect(view.model.get("layer")).toBe("stage2");
  });

  it("toggle the overlay on the picture only", () => {
    const view = show();
    expect(view.key(" ").defaultPrevented).toBe(true);
    expect(view.model.get("overlay")).toBe(true);
    expect(view.key(" ", ".camwidget-name").defaultPrevented).toBe(false);
    expect(view.model.get("overlay")).toBe(true);
  });

  it("open and close the help, and give the focus back", () => {
    const view = show();
    view.one(".camwidget-frame").focus();
    view.key("?");
    expect(view.one(".camwidget-help").hidden).toBe(false);
    expect(view.one(".camwidget-help").contains(document.activeElement)).toBe(true);
    view.key("Escape", ".camwidget-help button");
    expect(view.one(".camwidget-help").hidden).toBe(true);
    expect(document.activeElement).toBe(view.one(".camwidget-frame"));
  });

  it("are text in the search field, and the select's own in a select", () => {
    const view = show();
    for (const key of ["1", "m", "[", "?", " ", "ArrowLeft"]) {
      expect(view.key(key, ".camwidget-search").defaultPrevented).toBe(false);
    }
    for (const key of ["ArrowRight", "m", "2"]) {
      expect(view.key(key, ".camwidget-layer select").defaultPrevented).toBe(false);
    }
    expect(view.key("ArrowRight", ".camwidget-opacity").defaultPrevented).toBe(false);
    expect(view.model.saves).toBe(0);
  });

  it("do not reach the notebook, but its own shortcuts do", () => {
    const view = show();
    const reached: string[] = [];
    document.body.addEventListener("keydown", (event) => reached.push(event.key));
    view.key("ArrowRight");
    view.key("a", ".camwidget-fraction");
    view.key("d", ".camwidget-fraction");
    view.key("Escape");
    view.key("Tab");
    view.key("s", ".camwidget-frame", { ctrlKey: true });
    view.key("m", ".camwidget-frame", { metaKey: true });
    expect(reached).toEqual(["Escape", "Tab", "s", "m"]);
    expect(view.model.get("method")).toBe("gradcam");
  });
});

describe("waiting", () => {
  it("is shown while a map or an answer is on its way", async () => {
    const view = show();
    const waits = (): boolean => view.el.classList.contains("camwidget-waiting");
    expect(waits()).toBe(false);
    view.model.set("pending", true);
    await settle();
    expect(waits()).toBe(true);
    view.model.set("pending", false);
    await settle();
    expect(waits()).toBe(false);
  });
});

describe("the focus", () => {
  it("stays in the view after a click on what cannot have it", async () => {
    const view = show();
    view.one(".camwidget-class-heading").click();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(document.activeElement).toBe(view.one(".camwidget-frame"));
    const search = view.one<HTMLInputElement>(".camwidget-search");
    search.focus();
    search.click();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(document.activeElement).toBe(search);
  });

  it("is left to the controls of the panels below, but not to a canvas there", async () => {
    const view = show();
    const box = document.createElement("div");
    box.className = "camwidget-explorer";
    const panels = document.createElement("div");
    panels.className = "camwidget-panels";
    const [press, canvas] = [document.createElement("button"), document.createElement("canvas")];
    canvas.tabIndex = 0;
    panels.append(press, canvas);
    view.el.replaceWith(box);
    box.append(view.el, panels);
    press.focus();
    press.click();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(document.activeElement).toBe(press);
    canvas.focus();
    canvas.dispatchEvent(new Event("pointerdown", { bubbles: true }));
    expect(canvas.hasAttribute("tabindex"), "no focus, for which the page would scroll").toBe(false);
    canvas.click();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(document.activeElement).toBe(view.one(".camwidget-frame"));
  });
});

describe("views of one model", () => {
  it("stay in step, and each keeps its own hand", async () => {
    const model = new FakeModel(traits());
    const [first, second] = [show(model), show(model)];
    press(first);
    slide(first, 40);
    await settle();
    expect(slider(second).value).toBe("40");
    slide(second, 10);
    await settle();
    expect(slider(first).value).toBe("40");
    release();
    await settle();
    expect([slider(first).value, slider(second).value]).toEqual(["40", "40"]);
    const ids = Array.from(document.querySelectorAll("[id]"), ({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("show the same when rendered again", async () => {
    const first = show();
    first.all(".camwidget-name")[2]!.click();
    first.key("ArrowRight", ".camwidget-frame", { shiftKey: true });
    const again = show(first.model);
    expect(again.all(".camwidget-name")[2]!.getAttribute("aria-pressed")).toBe("true");
    expect(slider(again).value).toBe("10");
  });

  it("leave nothing behind", async () => {
    const view = show();
    view.model.set("fraction", 0.2);
    const { el, model } = view;
    const frame = view.one(".camwidget-frame");
    expect(model.listening).toBeGreaterThan(0);
    view.end();
    expect(model.listening).toBe(0);
    expect(el.children).toHaveLength(0);
    frame.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    await settle();
    expect(model.get("fraction")).toBe(0.2);
  });
});
