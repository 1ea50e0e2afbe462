import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { pictureName, safeName, scaleOf } from "../src/view/picture/pngExport";
import { FakeModel, settle, show, traits } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

function possible(can_undo: boolean, can_redo: boolean): ReturnType<typeof show> {
  return show(new FakeModel({ ...traits(), can_undo, can_redo, code: "import camwidget as cw\n" }));
}

describe("back and forth", () => {
  it("sends what was clicked, and nothing where there is nothing to go to", async () => {
    const view = possible(true, false);
    const [undo, redo] = view.all(".camwidget-history");
    expect([undo!, redo!].map((made) => made.getAttribute("aria-disabled"))).toEqual(["false", "true"]);
    undo!.click();
    redo!.click();
    expect(view.model.sent).toEqual([{ type: "undo" }]);
    view.model.set("can_undo", false);
    view.model.set("can_redo", true);
    await settle();
    expect([undo!, redo!].map((made) => made.getAttribute("aria-disabled"))).toEqual(["true", "false"]);
    redo!.click();
    expect(view.model.sent).toEqual([{ type: "undo" }, { type: "redo" }]);
  });

  it.each([
    ["z", { ctrlKey: true }, "undo"],
    ["z", { metaKey: true }, "undo"],
    ["Z", { ctrlKey: true, shiftKey: true }, "redo"],
    ["Z", { metaKey: true, shiftKey: true }, "redo"],
    ["y", { ctrlKey: true }, "redo"],
  ])("has the key %s with %o", (key, keys, step) => {
    const view = possible(true, true);
    const event = view.key(key, ".camwidget-frame", keys);
    expect(view.model.sent).toEqual([{ type: step }]);
    expect(event.defaultPrevented).toBe(true);
  });

  it("keeps the notebook from undoing where there is nothing to undo", () => {
    const view = possible(false, false);
    const heard = vi.fn();
    document.body.addEventListener("keydown", heard);
    view.key("z", ".camwidget-frame", { ctrlKey: true });
    expect(view.model.sent).toEqual([]);
    expect(heard).not.toHaveBeenCalled();
    document.body.removeEventListener("keydown", heard);
  });

  it("leaves text its own undo, and other shortcuts to the page", () => {
    const view = possible(true, true);
    expect(view.key("z", ".camwidget-search", { ctrlKey: true }).defaultPrevented).toBe(false);
    expect(view.key("z", ".camwidget-frame", {}).defaultPrevented).toBe(false);
    expect(view.key("z", ".camwidget-frame", { ctrlKey: true, altKey: true }).defaultPrevented).toBe(false);
    expect(view.key("c", ".camwidget-frame", { ctrlKey: true }).defaultPrevented).toBe(false);
    expect(view.model.sent).toEqual([]);
  });
});

describe("copy as code", () => {
  let written: string[] = [];
  let refuses = false;

  beforeEach(() => {
    written = [];
    refuses = false;
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const writeText = async (value: string): Promise<void> => {
      if (refuses) throw new DOMException("no", "NotAllowedError");
      written.push(value);
    };
    vi.stubGlobal("navigator", { clipboard: { writeText } });
  });

  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("puts the kernel's code on the clipboard, and says so for a while", async () => {
    const view = possible(false, false);
    view.one(".camwidget-code").click();
    await settle();
    expect(written).toEqual(["import camwidget as cw\n"]);
    expect(view.one(".camwidget-export-feedback").textContent).toBe("copied");
    expect(view.one(".camwidget-code-drawer").hidden).toBe(true);
    vi.advanceTimersByTime(2500);
    expect(view.one(".camwidget-export-feedback").textContent).toBe("");
  });

  it("opens a field to copy from where the clipboard is refused, kept up to date", async () => {
    const view = possible(false, false);
    refuses = true;
    view.one(".camwidget-code").click();
    await settle();
    const field = view.one<HTMLTextAreaElement>(".camwidget-code-text");
    expect(view.one(".camwidget-code-drawer").hidden).toBe(false);
    expect(field.value).toBe("import camwidget as cw\n");
    expect(document.activeElement).toBe(field);
    expect([field.selectionStart, field.selectionEnd]).toEqual([0, field.value.length]);
    expect(view.one(".camwidget-export-feedback").textContent).toBe("");
    view.model.set("code", "other");
    await settle();
    expect(field.value).toBe("other");
    view.key("Escape", ".camwidget-code-text");
    expect(view.one(".camwidget-code-drawer").hidden).toBe(true);
    expect(document.activeElement).toBe(view.one(".camwidget-code"));
  });

  it("opens the field where there is no clipboard at all", async () => {
    vi.stubGlobal("navigator", {});
    const view = possible(false, false);
    view.one(".camwidget-code").click();
    await settle();
    expect(view.one(".camwidget-code-drawer").hidden).toBe(false);
  });
});

describe("the saved picture", () => {
  it("is named by what is shown", () => {
    const model = new FakeModel({ ...traits(), pictures: ["../a b.JPG", "x"], picture: 0 });
    model.set("explanation", { ...(traits()["explanation"] as object), title: "Grad-CAM++ · layer4.1 · <img src=x>/é" });
    expect(pictureName(model)).toBe("a_b-Grad-CAM++-layer4.1-img_src_x_é.png");
    model.set("explanation", {});
    expect(pictureName(model)).toBe("a_b.png");
    expect(pictureName(new FakeModel())).toBe("picture.png");
  });

  it("has no more letters than file systems take, and none that they refuse", () => {
    expect(safeName(["a".repeat(300)])).toHaveLength(120);
    expect(safeName(["con:aux|?*\\\"", "..", "\n"])).toBe("con_aux");
    expect(safeName([])).toBe("picture");
  });

  it("is enlarged by a whole number to a thousand pixels or more", () => {
    expect(scaleOf(224, 224)).toBe(5);
    expect(scaleOf(192, 100)).toBe(6);
    expect(scaleOf(1000, 20)).toBe(1);
    expect(scaleOf(3000, 20)).toBe(1);
  });
});
