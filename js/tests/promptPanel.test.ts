import { afterEach, describe, expect, it } from "vitest";
import { FakeModel, settle, show, traits } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

const QUESTION = {
  name: "question", hint: "Ask for a color.", text: "anything red", examples: ["anything red", "anything blue"],
  words: [{ text: "anything", target: -1 }, { text: "red", target: -1 }], captions: [], proposes: false, own: false,
};

const CAPTION = {
  name: "caption", hint: "Name the colors.", text: "a red and blue", examples: ["a green"],
  words: [{ text: "a", target: 1 }, { text: "red", target: 2 }, { text: "and", target: -1 }, { text: "blue", target: 4 }],
  captions: [{ text: "the whole caption", target: 0 }], proposes: true, own: true,
};

function shown(prompt: unknown, more: Record<string, unknown> = {}): Shown {
  return show(new FakeModel({ ...traits(), prompt, text_error: "", ...more }));
}

const field = (view: Shown): HTMLInputElement => view.one<HTMLInputElement>(".camwidget-prompt-text");

describe("the panel of the text", () => {
  it("is there only where the model declares one", async () => {
    const view = show();
    expect(view.one(".camwidget-prompt").hidden).toBe(true);
    view.model.set("prompt", QUESTION);
    await settle();
    expect(view.one(".camwidget-prompt").hidden).toBe(false);
    expect(view.one(".camwidget-prompt-head").textContent).toContain("Question");
    expect(field(view).placeholder).toBe("Ask for a color.");
    expect(view.one(".camwidget-words").hidden).toBe(true);
  });

  it("sends what is written, by Enter and by the button", () => {
    const view = shown(QUESTION);
    expect(field(view).value).toBe("anything red");
    field(view).value = "anything blue";
    expect(view.key("Enter", ".camwidget-prompt-text").defaultPrevented).toBe(true);
    field(view).value = "is there a red square";
    view.all(".camwidget-prompt button").find((b) => b.textContent === "apply")!.click();
    expect(view.model.sent).toEqual([
      { type: "text", text: "anything blue" },
      { type: "text", text: "is there a red square" },
    ]);
  });

  it("takes over how the kernel has what was sent, also with the focus in the field", async () => {
    const view = shown(QUESTION);
    field(view).focus();
    field(view).value = "anything   blue";
    view.key("Enter", ".camwidget-prompt-text");
    view.model.set("prompt", { ...QUESTION, text: "anything blue" });
    await settle();
    expect(field(view).value).toBe("anything blue");
  });

  it("asks an example when it is chosen", () => {
    const view = shown(QUESTION);
    const examples = view.one<HTMLSelectElement>(".camwidget-prompt-examples");
    expect(Array.from(examples.options, (o) => o.value)).toEqual(["", "anything red", "anything blue"]);
    examples.value = "anything blue";
    examples.dispatchEvent(new Event("change"));
    expect(view.model.sent).toEqual([{ type: "text", text: "anything blue" }]);
    expect(field(view).value).toBe("anything blue");
    expect(examples.value).toBe("");
  });

  it("leaves what is being written alone, and takes it back on Escape", async () => {
    const view = shown(QUESTION);
    field(view).focus();
    field(view).value = "anything gr";
    view.model.set("prompt", { ...QUESTION, text: "anything blue" });
    await settle();
    expect(field(view).value).toBe("anything gr");
    view.key("Escape", ".camwidget-prompt-text");
    expect(field(view).value).toBe("anything blue");
    view.model.set("prompt", QUESTION);
    await settle();
    expect(field(view).value).toBe("anything red");
  });

  it("says what is wrong beside the field, and keeps what was written", async () => {
    const view = shown(QUESTION);
    field(view).value = "a zebra";
    view.model.set("text_error", "unknown word: 'zebra'");
    await settle();
    const error = view.one(".camwidget-prompt-error");
    expect(error.textContent).toBe("unknown word: 'zebra' Still shown: “anything red”.");
    expect(error.getAttribute("role")).toBe("alert");
    expect(field(view).getAttribute("aria-invalid")).toBe("true");
    expect(field(view).getAttribute("aria-describedby")).toBe(error.id);
    expect(field(view).value).toBe("a zebra");
    view.model.set("text_error", "");
    await settle();
    expect(error.hidden).toBe(true);
  });

  it("makes words that stand for classes buttons, and marks the chosen one", async () => {
    const view = shown(CAPTION, { target: 2 });
    const words = view.all(".camwidget-word") as HTMLButtonElement[];
    expect(words.map((w) => w.textContent)).toEqual(["the whole caption", "a", "red", "and", "blue"]);
    expect(words.map((w) => w.disabled)).toEqual([false, false, false, true, false]);
    expect(words.map((w) => w.getAttribute("aria-checked"))).toEqual(["false", "false", "true", null, "false"]);
    expect(words.map((w) => w.tabIndex)).toEqual([-1, -1, 0, -1, -1]);
    words[4]!.click();
    await settle();
    expect(view.model.get("target")).toBe(4);
    expect(words[4]!.getAttribute("aria-checked")).toBe("true");
    words[4]!.focus();
    view.key("ArrowDown", ".camwidget-word:last-child");
    expect(document.activeElement).toBe(words[0]);
  });

  it("goes back to the model's own text", async () => {
    const view = shown({ ...CAPTION, own: false });
    const own = view.all(".camwidget-prompt button").find((b) => b.textContent === "model's own") as HTMLButtonElement;
    own.click();
    expect(view.model.sent).toEqual([{ type: "propose" }]);
    view.model.set("prompt", CAPTION);
    await settle();
    expect(own.disabled).toBe(true);
    view.model.set("prompt", QUESTION);
    await settle();
    expect(own.hidden).toBe(true);
  });

  it("shows other people's text as text, and survives nonsense", async () => {
    const bad = '"><img src=x onerror=alert(1)>';
    const view = shown(
      { ...CAPTION, name: bad, hint: bad, text: bad, examples: [bad], words: [{ text: bad, target: 0 }], captions: [] },
      { text_error: bad },
    );
    expect(view.el.querySelector("img")).toBeNull();
    for (const prompt of [null, 3, { name: "x" }, { name: "x", words: [null, { target: "a" }], examples: 3 }]) {
      view.model.set("prompt", prompt);
      await settle();
    }
    expect(view.one(".camwidget-words").hidden).toBe(true);
  });

  it("has a name and a tooltip on every control", () => {
    const view = shown(CAPTION);
    for (const control of view.all(".camwidget-prompt :is(button, input, select)")) {
      expect(control.getAttribute("aria-label") ?? control.textContent).not.toBe("");
      expect(control.title, control.className).not.toBe("");
      expect(control.dataset["lmSuppressShortcuts"]).toBe("true");
    }
  });
});

describe("the truth", () => {
  const truth = { scene: "a", objects: ["M0 0L1 0L1 1L0 1Z", "M2 0L3 0L3 1Z"], evidence: "M2 0L3 0L3 1Z", summary: "In the object: 83 % of saliency." };
  const paths = (view: Shown): (string | null)[] =>
    Array.from(view.el.querySelectorAll(".camwidget-outlines path:not(.under)"), (p) => p.getAttribute("class"));

  it("is silent where no picture has any", () => {
    const view = show();
    expect(view.one(".camwidget-ground-truth").hidden).toBe(true);
    view.key("o");
    expect(view.model.get("outlines")).toBeUndefined();
  });

  it("is drawn when asked for, over its own picture only", async () => {
    const view = show(new FakeModel({ ...traits(), ground_truth: truth, has_ground_truth: true, outlines: false }));
    expect(view.one(".camwidget-ground-truth").hidden).toBe(false);
    expect(view.one(".camwidget-ground-truth-summary").textContent).toBe("");
    expect(paths(view)).toEqual([]);
    view.one(".camwidget-ground-truth-toggle").click();
    await settle();
    expect(view.model.get("outlines")).toBe(true);
    expect(view.one(".camwidget-ground-truth-toggle").getAttribute("aria-pressed")).toBe("true");
    expect(view.one(".camwidget-ground-truth-summary").textContent).toBe(truth.summary);
    expect(paths(view)).toEqual(["object", "object", "evidence"]);
    expect(view.one(".camwidget-outlines").getAttribute("viewBox")).toBe("0 0 4 2");
    view.model.set("ground_truth", { ...truth, scene: "b" });
    await settle();
    expect(paths(view)).toEqual([]);
    view.model.set("ground_truth", {});
    await settle();
    expect(view.one(".camwidget-ground-truth-summary").textContent).toBe("Not known for this picture.");
    view.key("o");
    expect(view.model.get("outlines")).toBe(false);
  });
});
