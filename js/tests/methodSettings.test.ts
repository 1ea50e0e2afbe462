import { afterEach, describe, expect, it, vi } from "vitest";
import { FakeModel, settle, show, traits } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

const SETTINGS = [
  { name: "masks", default: 4000, integer: true, low: 1, high: null, help: "how many" },
  { name: "keep", default: 0.5, integer: false, low: 0.001, high: 1, help: "share" },
  { name: "window", default: null, integer: true, low: 1, high: null, help: "side" },
];

function shown(more: object = {}): Shown {
  const methods = (traits()["methods"] as { name: string }[]).map((one) => (one.name === "rise" ? { ...one, settings: SETTINGS } : one));
  return show(new FakeModel({ ...traits(), methods, method: "rise", settings: {}, ...more }));
}

const fieldOf = (view: Shown, name: string): HTMLInputElement => view.one(`.camwidget-setting-number[data-name="${name}"]`);

async function enter(view: Shown, name: string, value: string): Promise<void> {
  const input = fieldOf(view, name);
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  input.dispatchEvent(new Event("change", { bubbles: true }));
  await settle();
}

describe("a method's settings", () => {
  it("are folded, and fields of what the method declares", () => {
    const view = shown();
    expect(view.one(".camwidget-settings").hidden).toBe(true);
    view.one(".camwidget-settings-open").click();
    expect(view.one(".camwidget-settings").hidden).toBe(false);
    expect(view.all(".camwidget-setting-name").map(({ textContent }) => textContent)).toEqual(["masks", "keep", "window"]);
    expect(SETTINGS.map(({ name }) => fieldOf(view, name).value)).toEqual(["4000", "0.5", ""]);
    expect(fieldOf(view, "window").placeholder).toBe("auto");
    expect(view.all(".camwidget-setting-range").map(({ hidden }) => hidden)).toEqual([true, false, true]);
    expect(document.activeElement?.closest(".camwidget-settings")).not.toBeNull();
  });

  it("are set for their method alone, and go back to the defaults", async () => {
    const view = shown({ settings: { finercam: { strength: 2 } } });
    await enter(view, "masks", "1000");
    expect(view.model.get("settings")).toEqual({ finercam: { strength: 2 }, rise: { masks: 1000 } });
    await enter(view, "window", "32");
    await enter(view, "masks", "");
    expect(view.model.get("settings")).toEqual({ finercam: { strength: 2 }, rise: { window: 32 } });
    expect(fieldOf(view, "masks").value).toBe("4000");
    view.all(".camwidget-settings > button")[0]!.click();
    await settle();
    expect(view.model.get("settings")).toEqual({ finercam: { strength: 2 } });
    expect(fieldOf(view, "window").value).toBe("");
  });

  it("may be a word, such as the model's own segments", async () => {
    const methods = traits()["methods"] as { name: string }[];
    const parts = { name: "parts", default: 50, integer: true, low: 2, high: 2000, help: "how many", words: ["segments"] };
    const view = shown({ methods: methods.map((one) => (one.name === "rise" ? { ...one, settings: [parts] } : one)) });
    const word = view.one('.camwidget-setting-words > [data-word="segments"]');
    word.click();
    await settle();
    expect(view.model.get("settings")).toEqual({ rise: { parts: "segments" } });
    expect([word.getAttribute("aria-pressed"), fieldOf(view, "parts").value, fieldOf(view, "parts").placeholder]).toEqual(["true", "", ""]);
    word.click();
    await settle();
    expect([view.model.get("settings"), fieldOf(view, "parts").value]).toEqual([{}, "50"]);
  });

  it("say what is wrong in place, and send nothing", async () => {
    const view = shown();
    for (const [name, value, words] of [
      ["masks", "0", "masks is an integer of at least 1."],
      ["masks", "2.5", "masks is an integer of at least 1."],
      ["keep", "2", "keep is a number from 0.001 to 1."],
    ] as const) {
      await enter(view, name, value);
      expect(view.one(".camwidget-settings-message").textContent).toBe(words);
      expect(fieldOf(view, name).getAttribute("aria-invalid")).toBe("true");
      expect(view.model.get("settings")).toEqual({});
    }
    await enter(view, "keep", "0.25");
    expect(view.one(".camwidget-settings-message").textContent).toBe("");
    expect(view.model.get("settings")).toEqual({ rise: { keep: 0.25 } });
  });

  it("have a slider, whose latest value is used once it rests", async () => {
    const view = shown();
    const gamma = { name: "gamma", default: null, integer: false, low: 0, high: null, usual: 1, help: "γ" };
    view.model.set("methods", (traits()["methods"] as { name: string }[]).map((one) => ({ ...one, settings: one.name === "rise" ? [gamma] : [] })));
    await settle();
    const slider = view.one<HTMLInputElement>('.camwidget-setting-range[data-name="gamma"]');
    expect([slider.hidden, slider.min, slider.max, slider.step, slider.value]).toEqual([false, "0", "1", "0.01", "0"]);
    expect(slider.getAttribute("aria-valuetext")).toBe("auto");
    expect(slider.classList.contains("camwidget-setting-nowhere")).toBe(true);
    vi.useFakeTimers();
    const move = (value: string): void => {
      slider.value = value;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    };
    for (const value of ["0.1", "0.2", "0.3"]) {
      move(value);
      vi.advanceTimersByTime(100);
      expect(fieldOf(view, "gamma").value).toBe(value);
      expect(view.model.get("settings")).toEqual({});
    }
    vi.advanceTimersByTime(100);
    expect(view.model.get("settings")).toEqual({ rise: { gamma: 0.3 } });
    expect([slider.hasAttribute("aria-valuetext"), slider.style.getPropertyValue("--camwidget-slider-fill")]).toEqual([false, "0.3"]);
    move("0.35"); // what comes from the kernel meanwhile does not move it back
    view.model.set("methods", [...(view.model.get("methods") as object[])]);
    await vi.advanceTimersByTimeAsync(10);
    expect(slider.value).toBe("0.35");
    move("0.4"); // let go: at once, and once only
    slider.dispatchEvent(new Event("change", { bubbles: true }));
    expect(view.model.get("settings")).toEqual({ rise: { gamma: 0.4 } });
    move("0.5"); // another method is chosen meanwhile
    view.model.set("method", "gradcam");
    await vi.runAllTimersAsync();
    expect(view.model.get("settings")).toEqual({ rise: { gamma: 0.4 } });
    vi.useRealTimers();
  });

  it("have a slider at the default of the model, where an empty field puts it again", async () => {
    const view = shown();
    const gamma = { name: "gamma", default: 0.25, integer: false, low: 0, high: null, usual: 1, help: "γ" };
    view.model.set("methods", (traits()["methods"] as { name: string }[]).map((one) => ({ ...one, settings: one.name === "rise" ? [gamma] : [] })));
    await settle();
    const slider = view.one<HTMLInputElement>('.camwidget-setting-range[data-name="gamma"]');
    const both = (): string[] => [slider.value, fieldOf(view, "gamma").value];
    expect(both()).toEqual(["0.25", "0.25"]);
    await enter(view, "gamma", "0.5");
    expect(both()).toEqual(["0.5", "0.5"]);
    await enter(view, "gamma", "");
    expect(view.model.get("settings")).toEqual({});
    expect(both()).toEqual(["0.25", "0.25"]);
  });

  it("cannot be opened where there are none, and close on Escape", async () => {
    const view = shown();
    view.one(".camwidget-settings-open").click();
    view.key("Escape", '.camwidget-setting-number[data-name="masks"]');
    expect(view.one(".camwidget-settings").hidden).toBe(true);
    view.one(".camwidget-settings-open").click();
    view.model.set("method", "gradcam");
    await settle();
    expect(view.one(".camwidget-settings").hidden).toBe(true);
    expect(view.one<HTMLButtonElement>(".camwidget-settings-open").disabled).toBe(true);
    expect(view.one(".camwidget-settings-open").title).toBe("GRADCAM has no settings");
  });
});
