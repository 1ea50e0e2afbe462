import { afterEach, describe, expect, it } from "vitest";
import type { ScoreTableTraits } from "../src/table/syncedTraits";
import type { Values } from "../src/view/model";
import { FakeModel, settle } from "./fakeModel";
import table from "../src/table/index";

const NASTY = "<img src=x onerror=alert(1)>";

const cell = (value: number | null, more: Record<string, unknown> = {}): unknown => ({
  value, text: value === null ? "–" : value.toFixed(3), note: "", best: false, waits: false, ...more,
});

const row = (name: string, ...cells: unknown[]): unknown => ({ name, label: name.toUpperCase(), color: "#123456", cells });

function traits(): Values<ScoreTableTraits> {
  const choice = (name: string, group: string, reason: string | null = null): unknown => ({
    name, label: `${name} ${NASTY}`, group, tip: `about ${name}`, reason, slow: name === "rise",
  });
  return {
    methods: [choice("cam", "maps", "no pooling"), choice("gradcam", "maps"), choice("rise", "trials")],
    chosen_methods: ["cam", "gradcam"],
    metrics: [choice("drop", "faithfulness"), choice("pointing", "truth", "no truth")],
    chosen_metrics: ["drop"],
    ready: true, running: false, progress: 0, message: NASTY, wrong: false,
    caption: `${NASTY} · stage4`, stale: false,
    columns: [
      { name: "drop", label: "Drop", tip: "about drop", better: "lower" },
      { name: "insertion", label: NASTY, tip: "about it", better: "higher" },
    ],
    rows: [
      row("a", cell(0.5), cell(0.1)),
      row("b", cell(0.2, { best: true }), cell(0.4)),
      row("c", cell(null, { note: "constant map" }), cell(0.9)),
    ],
    order: { column: "", reverse: false }, method: "b",
  };
}

interface Shown {
  readonly model: FakeModel<ScoreTableTraits>;
  readonly el: HTMLElement;
  readonly one: <E extends HTMLElement = HTMLElement>(selector: string) => E;
  readonly all: (selector: string) => HTMLElement[];
  readonly names: () => string[];
  readonly end: () => void;
}

function show(changes: Values<ScoreTableTraits> = {}): Shown {
  const model = new FakeModel<ScoreTableTraits>({ ...traits(), ...changes });
  const el = document.createElement("div");
  document.body.append(el);
  const end = table.render({ model, el });
  const all = (selector: string): HTMLElement[] => Array.from(el.querySelectorAll<HTMLElement>(selector));
  const one = <E extends HTMLElement>(selector: string): E => {
    const found = el.querySelector<E>(selector);
    if (found === null) throw new Error(`nothing matches ${selector}`);
    return found;
  };
  return { model, el, one, all, end, names: () => all("tbody tr").map((line) => line.dataset["name"] ?? "") };
}

afterEach(() => document.body.replaceChildren());

describe("the scores", () => {
  it("are a table with its best, its gaps and its present row", () => {
    const { all, one } = show();
    expect(all("thead th").map((head) => head.textContent)).toEqual(["Method", "Drop↓", `${NASTY}↑`]);
    expect(all("tbody tr").map((line) => Array.from(line.children, (c) => c.textContent))).toEqual([
      ["A", "0.500", "0.100"],
      ["B", "0.200", "0.400"],
      ["C", "–", "0.900"],
    ]);
    expect(all('td[data-best="true"]').map((td) => td.textContent)).toEqual(["0.200"]);
    expect(one('td[data-none="true"]').title).toBe("constant map");
    expect(one('td[data-best="true"]').title).toBe("0.2, the best of this column");
    expect(all('tr[aria-current="true"]').map((line) => line.dataset["name"])).toEqual(["b"]);
  });

  it("are sorted by a head: the best first, then the worst; what has no number stays last", async () => {
    const { all, model, names } = show();
    const [method, drop, insertion] = all(".camwidget-table-head");
    drop?.click();
    await settle();
    expect(names()).toEqual(["b", "a", "c"]);
    expect(all("th[aria-sort]").map((head) => head.getAttribute("aria-sort")).slice(0, 3)).toEqual(["none", "ascending", "none"]);
    drop?.click();
    await settle();
    expect(names()).toEqual(["a", "b", "c"]);
    expect(model.get("order")).toEqual({ column: "drop", reverse: true });
    insertion?.click();
    await settle();
    expect(names()).toEqual(["c", "b", "a"]);
    expect(all("thead th")[2]?.getAttribute("aria-sort")).toBe("descending");
    method?.click();
    await settle();
    expect(names()).toEqual(["a", "b", "c"]);
    expect(model.saves).toBe(4);
  });

  it("pick a method by a click anywhere in its row", () => {
    const { all, model, one } = show();
    all("tbody td")[4]?.click();
    one('tr[data-name="a"] button').click();
    expect(model.sent).toEqual([{ type: "pick", method: "c" }, { type: "pick", method: "a" }]);
  });

  it("say that they are of another picture, and wait without moving", async () => {
    const { all, model, one } = show();
    expect(one(".camwidget-table-caption").textContent).toBe(`Scores of ${NASTY} · stage4`);
    model.set("stale", true);
    const before = all("tbody tr");
    model.set("rows", [row("a", cell(null, { waits: true }), cell(0.1)), row("b", cell(0.2), cell(0.4)), row("c", cell(0.1), cell(0.2))]);
    await settle();
    expect(one(".camwidget-table-stale").textContent).toBe("the explorer shows another map now; press Start to evaluate it");
    expect(all("tbody tr")).toEqual(before);
    expect(one("tbody td").textContent).toBe("…");
    model.set("running", true);
    await settle();
    expect(one(".camwidget-table-stale").textContent, "there is no Start to press").toBe("the explorer shows another map now");
  });

  it("are not there before there are any", () => {
    const { one } = show({ columns: [], rows: [] });
    expect(one(".camwidget-table-result").hidden).toBe(true);
    expect(one(".camwidget-table-caption").hidden).toBe(true);
  });

  it("survive traits that are missing or malformed", () => {
    for (const value of [undefined, null, 3, "x", [null, 1], {}]) {
      const broken = Object.fromEntries(Object.keys(traits()).map((key) => [key, value]));
      expect(() => show(broken)).not.toThrow();
    }
  });
});

describe("the choices", () => {
  it("name what is chosen and can be had", () => {
    const { all } = show();
    expect(all(".camwidget-table-count").map((c) => c.textContent)).toEqual(["1 of 2", "1 of 1"]);
    expect(all(".camwidget-table-names")[0]?.textContent).toBe(`gradcam ${NASTY}`);
    expect(all(".camwidget-table-family").map((f) => f.textContent)).toEqual(["maps", "trials", "faithfulness", "truth"]);
  });

  it("are changed by clicks, but for what cannot be had", async () => {
    const { model, one } = show();
    const cam = one('[data-name="cam"]');
    expect(cam.title).toBe("Not available: no pooling");
    cam.click();
    expect(model.get("chosen_methods")).toEqual(["cam", "gradcam"]);
    one('[data-name="rise"]').click();
    await settle();
    expect(model.get("chosen_methods")).toEqual(["cam", "gradcam", "rise"]);
    expect(one('[data-name="rise"]').getAttribute("aria-pressed")).toBe("true");
    one('[data-name="gradcam"]').click();
    expect(model.get("chosen_methods")).toEqual(["cam", "rise"]);
  });
});

describe("the button", () => {
  it("starts, then cancels, and shows how far it is", async () => {
    const { model, one } = show();
    const press = one<HTMLButtonElement>(".camwidget-table-button");
    press.click();
    model.set("running", true);
    model.set("progress", 0.4);
    await settle();
    expect(press.textContent).toBe("Cancel");
    expect(one('[role="progressbar"]').getAttribute("aria-valuenow")).toBe("40");
    expect(one(".camwidget-table-done").style.width).toBe("40%");
    press.click();
    expect(model.sent).toEqual([{ type: "start" }, { type: "cancel" }]);
  });

  it("waits for a map, and errors are text", () => {
    const { el, one } = show({ ready: false, wrong: true });
    expect(one<HTMLButtonElement>(".camwidget-table-button").disabled).toBe(true);
    expect(one(".camwidget-table-message").textContent).toBe(NASTY);
    expect(one(".camwidget-table-message").dataset["wrong"]).toBe("true");
    expect(el.querySelector("img")).toBeNull();
  });
});

it("keeps the notebook from acting on its keys, and leaves nothing behind", () => {
  const { el, end, model, one } = show();
  let heard = 0;
  const listen = (): number => (heard += 1);
  document.body.addEventListener("keydown", listen);
  one("button").dispatchEvent(new KeyboardEvent("keydown", { key: "m", bubbles: true }));
  one("button").dispatchEvent(new KeyboardEvent("keydown", { key: "Tab", bubbles: true }));
  document.body.removeEventListener("keydown", listen);
  expect(heard).toBe(1);
  end();
  expect(el.children.length).toBe(0);
  expect(model.listening).toBe(0);
});
