import { afterEach, describe, expect, it } from "vitest";
import { FakeModel, settle, show, traits } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

interface Given {
  readonly name: string;
  readonly group: string;
  readonly reason: string | null;
  readonly slow: boolean;
}

const FAMILIES = ["Class activation", "Scores", "Gradients", "Control"];

/** m0 … m11, three a family; m1 cannot be used, and every m3, m4, m5 is slow. */
const MANY: readonly (Given & { label: string; tip: string })[] = Array.from({ length: 12 }, (_, i) => ({
  name: `m${i}`, label: `M${i}`, tip: `about m${i}`, group: FAMILIES[Math.floor(i / 3)]!,
  reason: i === 1 ? "no pooling layer" : null, slow: i >= 3 && i < 6,
}));

function many(method = "m0", more: Record<string, unknown> = {}): Shown {
  return show(new FakeModel({ ...traits(), methods: MANY, method, ...more }));
}

const names = (view: Shown, inside: string): (string | undefined)[] =>
  view.all(`${inside} [role="radio"]`).map((radio) => radio.dataset["name"]);

const opener = (view: Shown): HTMLElement => view.one(".camwidget-more");
const panel = (view: Shown): HTMLElement => view.one(".camwidget-more-panel");
const radio = (view: Shown, name: string): HTMLElement => view.one(`[role="radio"][data-name="${name}"]`);

describe("many methods", () => {
  it("are a few quick ones, and the rest by family, each once", () => {
    const view = many();
    expect(names(view, ".camwidget-chips")).toEqual(["m0", "m1", "m2", "m6"]);
    expect(names(view, ".camwidget-more-panel")).toEqual(["m3", "m4", "m5", "m7", "m8", "m9", "m10", "m11"]);
    expect(view.all(".camwidget-family-name").map((name) => name.textContent)).toEqual(["Scores", "Gradients", "Control"]);
    expect(panel(view).hidden).toBe(true);
    expect(opener(view).textContent).toBe("more");
  });

  it("need no list of the rest when they are few", () => {
    const view = many("m0", { methods: MANY.slice(0, 8) });
    expect(names(view, ".camwidget-chips")).toHaveLength(8);
    expect(opener(view).hidden).toBe(true);
  });

  it("keep their places when some cannot be used any more", async () => {
    const view = many();
    const before = view.all(".camwidget-chips > *");
    before[3]!.focus();
    view.model.set("methods", MANY.map((method) => ({ ...method, reason: "not here" })));
    await settle();
    expect(view.all(".camwidget-chips > *")).toEqual(before);
    expect(names(view, ".camwidget-chips")).toEqual(["m0", "m1", "m2", "m6"]);
    expect(before[3]!.title).toBe("Not available: not here");
    expect(document.activeElement).toBe(before[3]);
  });

  it("mark the slow ones, with words", () => {
    const view = many();
    expect(radio(view, "m4").querySelector<HTMLElement>(".camwidget-slow")?.title).toBe("reruns the model many times");
    expect(radio(view, "m4").title).toBe("about m4 – reruns the model many times");
    expect(radio(view, "m8").querySelector(".camwidget-slow")).toBeNull();
  });

  it("show the chosen one of the rest as a chip", async () => {
    const view = many("m4");
    expect(opener(view).textContent).toBe("M4");
    expect(opener(view).dataset["chosen"]).toBe("true");
    expect(opener(view).querySelector(".camwidget-slow")).not.toBeNull();
    expect(view.all('.camwidget-chips [aria-checked="true"]')).toHaveLength(0);
    view.model.set("method", "m2");
    await settle();
    expect(opener(view).textContent).toBe("more");
    expect(opener(view).dataset["chosen"]).toBe("false");
    expect(radio(view, "m2").getAttribute("aria-checked")).toBe("true");
  });

  it("survive what is missing and malformed", async () => {
    const view = many();
    for (const methods of [null, [], [null, 5, "x", {}], [{ name: "a", slow: "yes" }], "methods"]) {
      view.model.set("methods", methods);
      await settle();
      view.key("m");
    }
    expect(opener(view).hidden).toBe(true);
  });
});

describe("the list of the rest", () => {
  it("opens on the chosen one, is walked with the arrows, and closes on a choice", async () => {
    const view = many("m4");
    opener(view).click();
    expect(panel(view).hidden).toBe(false);
    expect(opener(view).getAttribute("aria-expanded")).toBe("true");
    expect(document.activeElement).toBe(radio(view, "m4"));
    view.key("ArrowDown", '[data-name="m4"]');
    view.key("ArrowDown", '[data-name="m5"]');
    expect(document.activeElement).toBe(radio(view, "m7"));
    view.key("ArrowDown", '[data-name="m7"]');
    expect(view.all('.camwidget-more-panel [tabindex="0"]')).toHaveLength(1);
    radio(view, "m8").click();
    await settle();
    expect(view.model.get("method")).toBe("m8");
    expect(panel(view).hidden).toBe(true);
    expect(document.activeElement).toBe(opener(view));
    expect(opener(view).textContent).toBe("M8");
  });

  it("stays open when what is clicked cannot be used", async () => {
    const view = many("m0", { methods: MANY.map((m) => (m.name === "m9" ? { ...m, reason: "no" } : m)) });
    opener(view).click();
    radio(view, "m9").click();
    expect(panel(view).hidden).toBe(false);
    expect(view.model.get("method")).toBe("m0");
  });

  it("closes on Escape, before anything else does, and gives the focus back", () => {
    const view = many("m0", { busy: true, can_cancel: true });
    opener(view).click();
    view.key("Escape", '[data-name="m3"]');
    expect(panel(view).hidden).toBe(true);
    expect(document.activeElement).toBe(opener(view));
    expect(view.model.sent).toEqual([]);
    view.key("Escape", ".camwidget-more");
    expect(view.model.sent).toEqual([{ type: "cancel" }]);
  });

  it("closes when the pointer or the focus goes elsewhere", () => {
    const view = many();
    opener(view).click();
    view.one(".camwidget-heading").dispatchEvent(new Event("pointerdown", { bubbles: true }));
    expect(panel(view).hidden).toBe(true);
    opener(view).click();
    view.one(".camwidget-frame").focus();
    expect(panel(view).hidden).toBe(true);
    expect(document.activeElement).toBe(view.one(".camwidget-frame"));
  });
});

describe("the next method", () => {
  it("is the next quick one that can be used", () => {
    const view = many();
    const visited = Array.from({ length: 8 }, () => {
      view.key("m");
      return view.model.get("method");
    });
    expect(visited).toEqual(["m2", "m6", "m7", "m8", "m9", "m10", "m11", "m0"]);
  });

  it("leaves a slow one for the quick one after it", () => {
    const view = many("m4");
    view.key("m");
    expect(view.model.get("method")).toBe("m6");
  });

  it("is none when there is no other", () => {
    const view = many("m4", { methods: MANY.slice(3, 6) });
    view.key("m");
    expect(view.model.saves).toBe(0);
  });

  it("is the first when none is chosen", () => {
    const view = many("");
    view.key("m");
    expect(view.model.get("method")).toBe("m0");
  });
});
