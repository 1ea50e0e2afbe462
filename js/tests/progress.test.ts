import { afterEach, describe, expect, it } from "vitest";
import { FakeModel, settle, show, traits } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

function busy(more: Record<string, unknown> = {}): Shown {
  return show(new FakeModel({ ...traits(), busy: true, progress: 0.354, can_cancel: true, ...more }));
}

const cancel = (view: Shown): HTMLElement => view.one(".camwidget-cancel");
const tag = (view: Shown): HTMLElement => view.one(".camwidget-tag");

describe("progress", () => {
  it("is a line as long as what is done, or one that runs", async () => {
    const view = busy();
    const line = view.one(".camwidget-progress");
    expect(view.one(".camwidget-progress-done").style.width).toBe("35.4%");
    expect(line.getAttribute("aria-valuenow")).toBe("35");
    expect(line.classList).not.toContain("camwidget-indeterminate");
    for (const unknown of [-1, Number.NaN, null, "0.5", undefined]) {
      view.model.set("progress", unknown);
      await settle();
      expect(line.classList).toContain("camwidget-indeterminate");
      expect(line.hasAttribute("aria-valuenow")).toBe(false);
    }
    view.model.set("progress", 7);
    await settle();
    expect(line.getAttribute("aria-valuenow")).toBe("100");
  });
});

describe("canceling", () => {
  it("is offered only while something that can be canceled is computed", async () => {
    const view = busy();
    expect(cancel(view).hidden).toBe(false);
    for (const state of [{ busy: false }, { busy: true, can_cancel: false }, { can_cancel: 1 }, { can_cancel: undefined }]) {
      view.model.setAll(state);
      await settle();
      expect(cancel(view).hidden, JSON.stringify(state)).toBe(true);
      view.key("Escape");
    }
    expect(view.model.sent).toEqual([]);
  });

  it("tells the kernel, says so, and can be said again", async () => {
    const view = busy();
    cancel(view).click();
    expect(view.model.sent).toEqual([{ type: "cancel" }]);
    expect(cancel(view).textContent).toBe("Canceling…");
    view.model.set("progress", 0.5);
    await settle();
    expect(cancel(view).textContent).toBe("Canceling…");
    cancel(view).click();
    expect(view.model.sent).toHaveLength(2);
    view.model.set("method", "rise");
    await settle();
    expect(cancel(view).textContent).toBe("Cancel");
  });

  it("is what Escape does when nothing is open, wherever the focus is", () => {
    const view = busy();
    expect(view.key("Escape", ".camwidget-fraction").defaultPrevented).toBe(true);
    view.key("Escape", ".camwidget-layer select");
    view.key("Escape", ".camwidget-search");
    expect(view.model.sent).toHaveLength(3);
    view.key("?");
    view.key("Escape", ".camwidget-help button");
    expect(view.model.sent).toHaveLength(3);
    const search = view.one<HTMLInputElement>(".camwidget-search");
    search.value = "tab";
    search.dispatchEvent(new Event("input"));
    view.key("Escape", ".camwidget-search");
    expect(search.value).toBe("");
    expect(view.model.sent).toHaveLength(3);
  });

  it("gives the focus to the picture when it goes", async () => {
    const view = busy();
    cancel(view).focus();
    view.model.set("busy", false);
    await settle();
    expect(document.activeElement).toBe(view.one(".camwidget-frame"));
  });
});

describe("a partial map", () => {
  it("is shown as the newest there is, with a word, while the numbers wait", async () => {
    const view = busy({ partial: true });
    expect(tag(view).textContent).toBe("partial map · 35\u00a0%");
    expect(view.one(".camwidget-frame").classList).toContain("camwidget-partial");
    expect(view.el.classList).toContain("camwidget-waiting");
    expect(view.el.classList).toContain("camwidget-unfinished");
    view.model.set("progress", -1);
    await settle();
    expect(tag(view).textContent).toBe("partial map");
    view.model.set("partial", false);
    await settle();
    expect(tag(view).hidden).toBe(true);
    expect(view.one(".camwidget-frame").classList).not.toContain("camwidget-partial");
    expect(view.el.classList).not.toContain("camwidget-unfinished");
  });

  it("needs a true word for it", () => {
    for (const partial of [undefined, null, 1, "yes", {}]) {
      const view = busy({ partial });
      expect(tag(view).hidden).toBe(true);
      view.end();
    }
  });
});
