import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { QuizTraits } from "../src/quiz/syncedTraits";
import type { Values } from "../src/view/model";
import { FakeModel, settle } from "./fakeModel";
import quiz from "../src/quiz/index";

const NASTY = "<img src=x onerror=alert(1)>";

interface Given {
  readonly right?: readonly number[];
  readonly values?: readonly number[] | null;
  readonly options?: readonly string[];
  readonly error?: string;
}

function card({ right = [0], values = null, options = ["cat", NASTY], error = "" }: Given = {}): Record<string, unknown> {
  const outline = (name: string): unknown => ({ name, path: "M0 0 1 0 1 1Z", width: 4, height: 2, x: 0.5, y: 0.25 });
  const picture = (caption: string): unknown => ({
    type: "image/png", data: new DataView(new ArrayBuffer(3)), width: 4, height: 2, caption,
    outlines: [outline("cat"), outline(NASTY)],
  });
  return {
    prompt: `Which? ${NASTY}`, pictures: [picture("the picture"), picture(NASTY)], options, right, values,
    reveal: `Because ${NASTY}.`, error,
  };
}

function state(cards: readonly unknown[], more: Values<QuizTraits> = {}): Values<QuizTraits> {
  const total = cards.length;
  return {
    cards, total, number: 0, answers: Array.from({ length: total }, () => null), title: NASTY, source: "", scale: "", ...more,
  };
}

function play(model: FakeModel<QuizTraits>) {
  const el = document.createElement("div");
  document.body.append(el);
  const life = new AbortController();
  quiz.render({ model, el, signal: life.signal });
  const all = (selector: string): HTMLElement[] => Array.from(el.querySelectorAll<HTMLElement>(selector));
  const one = (selector: string): HTMLElement => {
    const [found] = all(selector);
    if (found === undefined) throw new Error(`nothing matches ${selector}`);
    return found;
  };
  return {
    model, el, all, one,
    text: (selector: string) => one(selector).textContent,
    /** A key where the keyboard is. */
    key: async (key: string, more: KeyboardEventInit = {}) => {
      const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
      (document.activeElement ?? document.body).dispatchEvent(event);
      await settle();
      return event;
    },
    click: async (selector: string, at = 0) => {
      all(selector)[at]?.click();
      await settle();
    },
    end: () => life.abort(),
  };
}

beforeEach(() => {
  let made = 0;
  vi.spyOn(URL, "createObjectURL").mockImplementation(() => `blob:${++made}`);
  vi.spyOn(URL, "revokeObjectURL").mockImplementation(() => undefined);
});
afterEach(() => document.body.replaceChildren());

describe("a question", () => {
  it("is asked without a hint of what is right, all of it text", () => {
    const shown = play(new FakeModel(state([card()])));
    expect(shown.text(".camwidget-quiz-prompt")).toBe(`Which? ${NASTY}`);
    expect(shown.all(".camwidget-quiz-name").map((name) => name.textContent)).toEqual(["cat", NASTY]);
    expect(shown.all("img").map((image) => image.getAttribute("src"))).toEqual(["blob:1", "blob:2"]);
    expect(shown.all("[onerror], svg, .camwidget-quiz-tag")).toEqual([]);
    expect(shown.one(".camwidget-quiz-next").hidden).toBe(true);
    expect(shown.text(".camwidget-quiz-feedback")).toBe(" Press 1 or 2, or click.");
    expect(shown.text(".camwidget-quiz-place")).toBe("Question 1 of 1");
  });

  it("says in words what was right, and draws where it is", async () => {
    const shown = play(new FakeModel(state([card(), card()])));
    await shown.click(".camwidget-quiz-option", 1);
    expect(shown.model.get("answers")).toEqual([1, null]);
    expect(shown.model.saves).toBe(1);
    expect(shown.text(".camwidget-quiz-feedback")).toBe(`✗ Wrong. It is cat. Because ${NASTY}.`);
    expect(shown.all(".camwidget-quiz-option").map((option) => option.dataset["state"])).toEqual(["right", "wrong"]);
    expect(shown.all(".camwidget-quiz-key").map((key) => key.textContent)).toEqual(["✓", "✗"]);
    expect(shown.all("svg")).toHaveLength(4);
    expect(shown.all(".camwidget-quiz-tag").map((tag) => tag.textContent)).toEqual([NASTY, "cat"]);
    expect(shown.text(".camwidget-quiz-mark")).toBe("✗");
    await shown.click(".camwidget-quiz-option", 0);
    expect(shown.model.get("answers"), "an answer stays").toEqual([1, null]);
    expect(shown.all("[onerror]")).toEqual([]);
  });

  it("has a middle that is neither right nor wrong, and may have nothing right", async () => {
    const options = ["A", "equal", "B"];
    const shown = play(new FakeModel(state([
      card({ options, right: [2], values: [-1, 0, 1] }), card({ options, right: [] }),
    ])));
    await shown.click(".camwidget-quiz-option", 1);
    expect(shown.text(".camwidget-quiz-verdict")).toBe("– Undecided.");
    expect(shown.all(".camwidget-quiz-option").map((option) => option.dataset["state"])).toEqual(["other", "undecided", "right"]);
    await shown.click(".camwidget-quiz-next");
    await shown.click(".camwidget-quiz-option", 1);
    expect(shown.text(".camwidget-quiz-verdict")).toBe("• Noted.");
  });

  it("is waited for, and then there", async () => {
    const shown = play(new FakeModel(state([], { total: 2, answers: [null, null] })));
    expect(shown.text("[role=status]")).toBe("Preparing question 1 …");
    shown.model.set("cards", [card()]);
    await settle();
    expect(shown.all(".camwidget-quiz-option")).toHaveLength(2);
    const [image] = shown.all("img");
    shown.model.set("cards", [card(), card()]);
    await settle();
    expect(shown.all("img")[0], "more questions do not disturb the one shown").toBe(image);
  });

  it("that could not be made says why, and lets one go on", async () => {
    const shown = play(new FakeModel(state([card({ error: NASTY, options: [] }), card()])));
    expect(shown.text("[role=alert]")).toBe(`This question could not be made. ${NASTY}`);
    shown.one(".camwidget-quiz-card").focus();
    await shown.key("Enter");
    expect(shown.model.get("number")).toBe(1);
    await shown.click(".camwidget-quiz-option");
    await shown.click(".camwidget-quiz-next");
    expect(shown.text(".camwidget-quiz-score")).toBe("1 of 1 right");
  });
});

describe("by keyboard", () => {
  it("numbers choose and enter goes on, to the score", async () => {
    const shown = play(new FakeModel(state([card(), card()])));
    shown.one(".camwidget-quiz-card").focus();
    expect((await shown.key("1")).defaultPrevented).toBe(true);
    expect(document.activeElement).toBe(shown.one(".camwidget-quiz-next"));
    await shown.click(".camwidget-quiz-next"); // as enter on a button does
    expect(document.activeElement).toBe(shown.one(".camwidget-quiz-card"));
    await shown.key("Enter");
    expect(shown.model.get("number"), "not before it is answered").toBe(1);
    await shown.key("7");
    await shown.key("2", { ctrlKey: true });
    await shown.key("2", { repeat: true });
    expect(shown.model.get("answers")).toEqual([0, null]);
    await shown.key("2");
    expect(shown.text(".camwidget-quiz-next")).toBe("See the score");
    shown.one(".camwidget-quiz-option").focus();
    await shown.key("Enter"); // an option that can no longer be pressed
    expect(shown.text(".camwidget-quiz-score")).toBe("1 of 2 right");
  });
});

describe("the score", () => {
  const cards = [card(), card({ right: [1], values: [-2, 2] }), card({ values: [1, -1] })];

  it("shows every answer, the mean and what others did", async () => {
    const shown = play(new FakeModel(state(cards, { answers: [1, 0, 0], number: 3, source: NASTY, scale: "from a to b" })));
    expect(shown.text(".camwidget-quiz-score")).toBe("1 of 3 right");
    expect(shown.text(".camwidget-quiz-mean")).toBe("Your mean: −0.50, from a to b.");
    expect(shown.text(".camwidget-quiz-source")).toBe(NASTY);
    expect(shown.all(".camwidget-quiz-answer").map((row) => row.textContent)).toEqual([
      `✗ WrongYour answer: ${NASTY}Right: cat`, `✗ WrongYour answer: catRight: ${NASTY}`, "✓ RightYour answer: cat",
    ]);
    await shown.click(".camwidget-quiz-row", 1);
    expect(shown.text(".camwidget-quiz-place")).toBe("Question 2 of 3");
    expect(shown.all(".camwidget-quiz-outline").length, "with what was right").toBeGreaterThan(0);
    await shown.click(".camwidget-quiz-button"); // back
    expect(shown.text(".camwidget-quiz-score")).toBe("1 of 3 right");
    await shown.click(".camwidget-quiz-next");
    expect(shown.model.get("answers")).toEqual([null, null, null]);
    expect(shown.text(".camwidget-quiz-place")).toBe("Question 1 of 3");
    expect(shown.all("svg")).toEqual([]);
  });

  it("has no mean without a scale, and no count without right answers", () => {
    const shown = play(new FakeModel(state([card({ right: [] })], { answers: [0], number: 1 })));
    expect(shown.all(".camwidget-quiz-mean")).toEqual([]);
    expect(shown.text(".camwidget-quiz-score")).toBe("That was the last question.");
  });
});

describe("a view", () => {
  it("survives missing and malformed traits", async () => {
    for (const broken of [
      {}, ...[{}, null, 3, "x", [null], [{}]].map((value) => ({ ...state([card()]), cards: value, answers: value })),
      { ...state([card()]), total: Number.NaN, number: -1 }, { ...state([card()]), number: 99 },
    ]) {
      const shown = play(new FakeModel(broken));
      await shown.key("1");
      expect(shown.all(".camwidget-quiz-card")).toHaveLength(1);
      shown.end();
    }
  });

  it("leaves nothing behind", () => {
    const shown = play(new FakeModel(state([card()])));
    shown.end();
    expect(shown.el.childElementCount).toBe(0);
    expect(shown.model.listening).toBe(0);
    expect(URL.revokeObjectURL).toHaveBeenCalledTimes(2);
  });
});

describe("answers as a file", () => {
  const mapped = (): Record<string, unknown> => ({
    ...card({ options: [], right: [] }),
    maps: [{ name: NASTY, cells: [1, 0, 0, 0, 0, 0, 0, 0] }, { name: "flat", cells: [1, 1, 1, 1, 1, 1, 1, 1] }],
  });

  it("counts by method where there are several", async () => {
    const cards = [{ ...card(), method: "A" }, { ...card(), method: NASTY }, { ...card(), method: NASTY }];
    const shown = play(new FakeModel(state(cards, { answers: [0, 0, 1], number: 3 })));
    expect(shown.all(".camwidget-quiz-tally tr").map((row) => row.textContent)).toEqual(["A1 of 1 right", `${NASTY}1 of 2 right`]);
    expect(shown.all("[onerror]")).toEqual([]);
  });

  it("takes marks on the picture, and compares them with the maps", async () => {
    const shown = play(new FakeModel(state([mapped(), card()])));
    const done = shown.one(".camwidget-quiz-done") as HTMLButtonElement;
    expect(done.disabled).toBe(true);
    shown.one(".camwidget-quiz-marks-layer").dispatchEvent(new KeyboardEvent("keydown", { key: " ", bubbles: true }));
    expect(done.disabled).toBe(false);
    await shown.click(".camwidget-quiz-done");
    const [runs] = shown.model.get("answers") as [number[]];
    expect(runs.reduce((sum, value, k) => sum + (k % 2 === 1 ? value : 0), 0)).toBeGreaterThan(0);
    expect(shown.all(".camwidget-quiz-correlations tr").map((row) => row.textContent)).toEqual([`${NASTY}−0.14`, "flat–"]);
    expect(shown.text(".camwidget-quiz-feedback")).toContain("share the average of their ranks");
    expect(shown.model.get("attempt")).toMatch(/^[0-9a-f]{32}$/);
    await shown.click(".camwidget-quiz-buttons .camwidget-quiz-next");
    expect(shown.text(".camwidget-quiz-place")).toBe("Question 2 of 2");
    await shown.click(".camwidget-quiz-option");
    expect((shown.model.get("answers") as unknown[])[0], "marks stay").toEqual(runs);
  });

  it("is saved with the name only if one is given", async () => {
    const saved: Blob[] = [];
    vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => `blob:${saved.push(blob as Blob)}`);
    const shown = play(new FakeModel(state([{ ...card(), method: "A", study: "which class", faithfulness: 0.5 }], { answers: [1], number: 1, attempt: "ab" })));
    const before = saved.length;
    await shown.click(".camwidget-quiz-save button");
    const field = shown.one(".camwidget-quiz-name-field") as HTMLInputElement;
    field.value = " Ada ";
    await shown.click(".camwidget-quiz-save button");
    const [first, second] = await Promise.all(saved.slice(before).map(async (blob) => JSON.parse(await blob.text()) as Record<string, unknown>));
    expect(first).not.toHaveProperty("name");
    expect(second).toMatchObject({
      format: "camwidget answers", version: 1, id: "ab", name: "Ada", tasks: [],
      questions: [{ study: "which class", method: "A", chosen: 1, right: [0], faithfulness: 0.5, marked: 0, correlations: {} }],
    });
    await shown.click(".camwidget-quiz-next");
    expect(shown.model.get("attempt"), "another attempt is another sheet").toBe("");
  });
});
