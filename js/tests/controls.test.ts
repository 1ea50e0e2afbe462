import { afterEach, describe, expect, it } from "vitest";
import { FakeModel, settle, show, traits } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

describe("the class list", () => {
  it("chooses a class by click, and marks it", async () => {
    const view = show();
    const names = view.all(".camwidget-name");
    expect(names.map((name) => name.getAttribute("aria-pressed"))).toEqual(["true", "false", "false"]);
    names[2]!.click();
    await settle();
    expect(view.model.get("target")).toBe(9);
    expect(view.model.saves).toBe(1);
    expect(names.map((name) => name.getAttribute("aria-pressed"))).toEqual(["false", "false", "true"]);
  });

  it("shows one number, then two, with the direction of the change", async () => {
    const view = show();
    const cells = view.all(".camwidget-numbers > *");
    expect(cells[0]!.textContent).toBe("0.97");
    view.model.set("masked", [0.31, 0.4, 0.012]);
    await settle();
    expect(cells.map((cell) => cell.textContent)).toEqual(["0.97 → 0.31", "0.02 → 0.40", "0.01 → 0.01"]);
    expect(cells.map((cell) => cell.dataset["change"])).toEqual(["down", "up", "same"]);
    expect(view.one(".camwidget-caption").textContent).toBe("unmasked → masked");
  });

  it("shows quantities with the digits that count, and their unit", async () => {
    const view = show(new FakeModel({ ...traits(), quantity: { unit: "years" }, rows: [{ index: 0, name: "age", unmasked: 58.23 }] }));
    const cell = view.one(".camwidget-number");
    expect(cell.textContent).toBe("58.2");
    view.model.set("masked", [41]);
    await settle();
    expect(cell.textContent).toBe("58.2 → 41.0");
    expect(cell.dataset["change"]).toBe("down");
    expect(view.one(".camwidget-caption").textContent).toBe("unmasked → masked, years");
  });

  it("follows rows that change in number, and keeps its buttons", async () => {
    const view = show();
    const first = view.all(".camwidget-name")[0]!;
    view.model.set("rows", Array.from({ length: 1000 }, (_, index) => ({ index, name: `c${index}`, unmasked: 0.001 })));
    await settle();
    expect(view.all(".camwidget-name")).toHaveLength(1000);
    view.model.set("rows", [{ index: 4, name: "only", unmasked: 1 }]);
    await settle();
    expect(view.all(".camwidget-name")).toEqual([first]);
    expect(view.all(".camwidget-numbers > *")).toHaveLength(1);
    first.click();
    expect(view.model.get("target")).toBe(4);
  });
});

describe("other people's text", () => {
  it("stays text everywhere", async () => {
    const bad = '"><img src=x onerror=alert(1)><script>1</script>';
    const view = show(
      new FakeModel({
        ...traits(),
        rows: [{ index: 0, name: bad, unmasked: 1 }],
        class_names: [bad],
        methods: [{ name: bad, label: bad, group: bad, tip: bad, reason: bad }],
        layers: [{ name: bad, shape: [1, 2, 3] }],
        layer: bad,
        baselines: [bad],
        colormaps: { [bad]: new Uint8Array(768) },
        explanation: { ...(traits()["explanation"] as object), title: bad, note: bad },
        class_probe: { x: 0, y: 0, scene: "a", classes: [{ index: 0, name: bad, value: 1 }] },
        sentence: bad, status: bad, error: bad,
      }),
    );
    const field = view.one<HTMLInputElement>(".camwidget-search");
    field.value = "img";
    field.dispatchEvent(new Event("input"));
    await settle();
    expect(view.el.querySelector("img, script")).toBeNull();
    for (const place of ["name", "error-text", "status-text", "mask-sentence", "note", "match", "class-probe-name"]) {
      expect(view.one(`.camwidget-${place}`).textContent).toBe(bad);
    }
  });
});

describe("the search", () => {
  function type(view: Shown, value: string): HTMLInputElement {
    const field = view.one<HTMLInputElement>(".camwidget-search");
    field.focus();
    field.value = value;
    field.dispatchEvent(new Event("input"));
    return field;
  }
  const matches = (view: Shown): (string | null)[] => view.all(".camwidget-match").map((match) => match.textContent);

  it("finds parts of names, those that start so first", () => {
    const view = show();
    type(view, "AB");
    expect(matches(view)).toEqual(["abacus", "cab", "crab", "scab", "tabby cat", "tabby"]);
    expect(view.one(".camwidget-search").getAttribute("aria-expanded")).toBe("true");
  });

  it("is used with the arrows and Enter", () => {
    const view = show();
    const field = type(view, "tab");
    view.key("ArrowDown", ".camwidget-search");
    const active = field.getAttribute("aria-activedescendant");
    expect(view.el.querySelector(`[id="${active}"]`)?.textContent).toBe("tabby");
    view.key("Enter", ".camwidget-search");
    expect(view.model.get("target")).toBe(7);
    expect(field.value).toBe("");
    expect(view.one(".camwidget-matches").hidden).toBe(true);
  });

  it("is used with the pointer", () => {
    const view = show();
    type(view, "eel");
    view.one(".camwidget-match").dispatchEvent(new Event("pointerdown", { bubbles: true }));
    expect(view.model.get("target")).toBe(8);
  });

  it("closes on Escape, and says when nothing matches", () => {
    const view = show();
    type(view, "zebra");
    expect(matches(view)).toEqual([]);
    expect(view.one(".camwidget-matches").classList).toContain("camwidget-no-match");
    type(view, "dog");
    view.key("Escape", ".camwidget-search");
    expect(view.one(".camwidget-matches").hidden).toBe(true);
  });

  it("stays quick and short with 20 000 names", () => {
    const fastest = (count: number): number => {
      const names = Array.from({ length: count }, (_, i) => `class ${i}`);
      const view = show(new FakeModel({ ...traits(), class_names: names }));
      const times = ["9", "91", "9", "91", "9"].map((text) => {
        const start = performance.now();
        type(view, text);
        return performance.now() - start;
      });
      expect(matches(view)).toHaveLength(12);
      return Math.min(...times);
    };
    // A search that compares each name once takes ten times as long for ten times as many; one that compares pairs, a hundred.
    expect(fastest(20_000)).toBeLessThan(40 * fastest(2_000));
  });
});

describe("methods and layers", () => {
  it("keeps what cannot be used in sight, with the reason", () => {
    const view = show();
    const [cam, gradcam, rise] = view.all('.camwidget-methods [role="radio"]');
    expect(cam!.getAttribute("aria-disabled")).toBe("true");
    expect(cam!.title).toContain("no pooling layer");
    cam!.click();
    expect(view.model.get("method")).toBe("gradcam");
    rise!.click();
    expect(view.model.get("method")).toBe("rise");
    expect(gradcam!.getAttribute("aria-disabled")).toBeNull();
  });

  it("is one tab stop, moved with up and down", () => {
    const view = show();
    const radios = view.all('.camwidget-methods [role="radio"]');
    expect(radios.map((radio) => radio.tabIndex)).toEqual([-1, 0, -1]);
    radios[1]!.focus();
    radios[1]!.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true, cancelable: true }));
    expect(document.activeElement).toBe(radios[0]);
    expect(radios.map((radio) => radio.tabIndex)).toEqual([0, -1, -1]);
    expect(view.model.get("method")).toBe("gradcam");
  });

  it("steps through the layers and stops at the ends", async () => {
    const view = show();
    const [shallower, deeper] = view.all(".camwidget-step");
    expect(view.all(".camwidget-layer option").map((option) => option.textContent)).toEqual([
      "stage1 · 28×28", "stage2 · 14×14", "stage3 · 7×7",
    ]);
    deeper!.click();
    await settle();
    expect(view.model.get("layer")).toBe("stage3");
    expect(deeper!.getAttribute("aria-disabled")).toBe("true");
    deeper!.click();
    expect(view.model.get("layer")).toBe("stage3");
    shallower!.click();
    expect(view.model.get("layer")).toBe("stage2");
  });
});

describe("what is said", () => {
  it("shows the error until it is dismissed", async () => {
    const view = show();
    const line = view.one(".camwidget-error");
    expect(line.hidden).toBe(true);
    view.model.set("error", "RuntimeError: out of memory");
    await settle();
    expect(line.hidden).toBe(false);
    expect(line.getAttribute("role")).toBe("alert");
    view.one(".camwidget-error button").click();
    await settle();
    expect(view.model.get("error")).toBe("");
    expect(line.hidden).toBe(true);
  });

  it("has a name and a tooltip on every control", () => {
    const view = show();
    for (const control of view.all("button, input, select")) {
      const named = control.getAttribute("aria-label") ?? control.closest("label")?.textContent ?? control.textContent;
      expect(named, control.className).not.toBe("");
      if (!control.closest("[hidden]")) expect(control.title, control.className).not.toBe("");
      expect(control.dataset["lmSuppressShortcuts"], control.className).toBe("true");
    }
  });
});
