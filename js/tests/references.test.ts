import { afterEach, describe, expect, it } from "vitest";
import { FakeModel, settle, show, traits } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

const item = (name: string, picture = -1, tile = new Uint8Array()): unknown => ({ name, picture, tile });
const HOSTILE = "<img src=x onerror=alert(1)>";
const rowsOf = (...names: string[]): unknown[] => names.map((name, index) => ({ index, name, unmasked: 1 / names.length }));

function texts(names: string[] = ["a cat", HOSTILE], more: Record<string, unknown> = {}): Shown {
  const references = { kind: "texts", hint: names.length === 0 ? "Write a text." : "", items: names.map((name) => item(name)) };
  return show(new FakeModel({ ...traits(), references, rows: rowsOf(...names), class_names: names, target: 0, text_error: "", ...more }));
}

function pictures(chosen: number[] = [1], picture = 0): Shown {
  const names = ["one", "two", "three"];
  const items = chosen.map((at) => item(names[at]!, at, new Uint8Array(4 * 4 * 3).fill(9)));
  const references = { kind: "pictures", hint: "", items };
  const box = document.createElement("div");
  box.className = "camwidget-explorer";
  const strip = document.createElement("div");
  strip.className = "camwidget-thumbnails-scroll";
  Object.defineProperty(strip, "clientWidth", { value: 126 });
  Object.defineProperty(strip, "scrollWidth", { value: 126 });
  document.body.append(box);
  box.append(strip);
  const listed = chosen.map((at) => names[at]!);
  const view = show(new FakeModel({
    ...traits(), references, pictures: names, picture, thumbnails: { first: 0, places: 3 }, rows: rowsOf(...listed),
    class_names: listed, target: 0, text_error: "",
  }));
  box.append(view.el);
  return view;
}

const field = (view: Shown): HTMLInputElement => view.one<HTMLInputElement>(".camwidget-reference-text");
const write = (view: Shown, value: string): void => {
  field(view).value = value;
  view.key("Enter", ".camwidget-reference-text");
};
const marks = (): HTMLElement[] => Array.from(document.querySelectorAll<HTMLElement>(".camwidget-reference-mark"));

describe("texts as classes", () => {
  it("has no field where the model has classes of its own", () => {
    const view = show();
    expect(view.one(".camwidget-references").hidden).toBe(true);
    expect(view.one(".camwidget-reference-rows").hidden).toBe(true);
    expect(view.one(".camwidget-class-search").hidden).toBe(false);
    expect(view.key("r").defaultPrevented && view.model.sent.length > 0).toBe(false);
  });

  it("shows the field with a hint before there is a text", async () => {
    const view = texts([]);
    expect(view.one(".camwidget-reference-hint").textContent).toBe("Write a text.");
    expect(view.one(".camwidget-class-search").hidden).toBe(true);
    write(view, "  a   red fox ");
    expect(view.model.sent).toEqual([{ type: "reference", add: "a red fox" }]);
    // It stays in the field until the kernel has taken it.
    expect(field(view).value).toBe("  a   red fox ");
    view.model.set("references", { kind: "texts", hint: "", items: [item("a red fox")] });
    await settle();
    expect(field(view).value).toBe("");
    expect(view.one(".camwidget-reference-hint").hidden).toBe(true);
  });

  it("writes texts as text", () => {
    const view = texts();
    expect(view.el.querySelector("img")).toBeNull();
    expect(view.all(".camwidget-name").map((name) => name.textContent)).toEqual(["a cat", HOSTILE]);
    expect(view.all(".camwidget-reference-remove")[1]!.title).toBe(`Remove “${HOSTILE}”`);
  });

  it("edits a text in the field, and leaves it by Escape", async () => {
    const view = texts();
    view.all(".camwidget-reference-edit")[0]!.click();
    expect(field(view).value).toBe("a cat");
    expect(document.activeElement).toBe(field(view));
    expect(view.one(".camwidget-reference-line button").textContent).toBe("replace");
    expect(view.key("Escape", ".camwidget-reference-text").defaultPrevented).toBe(true);
    expect(field(view).value).toBe("");
    expect(view.one(".camwidget-reference-line button").textContent).toBe("add");
    view.all(".camwidget-reference-edit")[0]!.click();
    write(view, "a dog");
    expect(view.model.sent).toEqual([{ type: "reference", add: "a dog", remove: "a cat" }]);
    view.model.set("references", { kind: "texts", hint: "", items: [item("a dog"), item(HOSTILE)] });
    await settle();
    expect(field(view).value).toBe("");
    expect(view.one(".camwidget-reference-line button").textContent).toBe("add");
  });

  it("edits a text also while another one is refused", async () => {
    const view = texts();
    write(view, "a cat");
    view.model.set("text_error", "“a cat” is a class already.");
    await settle();
    field(view).value = "something else";
    view.all(".camwidget-reference-edit")[0]!.click();
    await settle();
    expect(field(view).value).toBe("a cat");
    expect(view.one(".camwidget-reference-error").hidden).toBe(true);
  });

  it("removes a text", () => {
    const view = texts();
    view.all(".camwidget-reference-remove")[1]!.click();
    expect(view.model.sent).toEqual([{ type: "reference", remove: HOSTILE }]);
  });

  it("keeps what was refused, with the reason, until it is changed", async () => {
    const view = texts();
    write(view, "a cat");
    view.model.set("text_error", "“a cat” is a class already.");
    await settle();
    expect(view.one(".camwidget-reference-error").textContent).toBe("“a cat” is a class already.");
    expect(field(view).value).toBe("a cat");
    expect(field(view).getAttribute("aria-invalid")).toBe("true");
    field(view).dispatchEvent(new Event("input"));
    await settle();
    expect(view.model.get("text_error")).toBe("");
    expect(view.one(".camwidget-reference-error").hidden).toBe(true);
  });

  it("searches among texts only where not all are listed", async () => {
    const view = texts();
    view.model.set("class_names", ["a cat", HOSTILE, "a dog"]);
    await settle();
    expect(view.one(".camwidget-class-search").hidden).toBe(false);
  });
});

describe("pictures as classes", () => {
  it("makes the picture shown a reference by the button and by its key", () => {
    const view = pictures();
    expect(view.one(".camwidget-reference-line").hidden).toBe(true);
    const shown = view.one(".camwidget-reference-shown");
    expect(shown.getAttribute("aria-pressed")).toBe("false");
    shown.click();
    view.key("r");
    expect(view.model.sent.filter((sent) => (sent as { type: string }).type === "reference")).toEqual([
      { type: "reference", add: 0 }, { type: "reference", add: 0 },
    ]);
  });

  it("shows the thumbnail beside the name, and no pen", () => {
    const view = pictures();
    const tile = view.one<HTMLCanvasElement>(".camwidget-reference-tile");
    expect([tile.width, tile.height, tile.hidden]).toEqual([4, 4, false]);
    expect(view.one(".camwidget-reference-edit").hidden).toBe(true);
    view.one(".camwidget-reference-remove").click();
    expect(view.model.sent).toContainEqual({ type: "reference", remove: "two" });
  });

  it("has a toggle on each thumbnail in sight, one tab stop, with keys", async () => {
    const view = pictures();
    view.model.set("scene", { ...(traits().scene as object), id: "b" });
    await settle();
    expect(marks().map((mark) => mark.getAttribute("aria-pressed"))).toEqual(["false", "true", "false"]);
    expect(marks().map((mark) => mark.tabIndex)).toEqual([0, -1, -1]);
    expect(marks().map((mark) => mark.getAttribute("aria-label"))).toEqual(["Reference: one", "Reference: two", "Reference: three"]);
    marks()[0]!.focus();
    marks()[0]!.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true, cancelable: true }));
    expect(document.activeElement).toBe(marks()[1]);
    marks()[1]!.click();
    marks()[2]!.click();
    expect(view.model.sent.filter((sent) => (sent as { type: string }).type === "reference")).toEqual([
      { type: "reference", remove: "two" }, { type: "reference", add: 2 },
    ]);
    view.end();
    expect(marks()).toEqual([]);
  });

  it("begins to compare with the reference, compared with the picture", async () => {
    const view = pictures();
    view.one(".camwidget-compare-open").click();
    await settle();
    expect(view.model.get("compare")).toEqual({ picture: "reference" });
    const choices = Array.from(view.one('[aria-label="B is"]').children).map((option) => option.textContent);
    expect(choices).toEqual(["the reference, compared with A", "one", "two", "three"]);
  });
});
