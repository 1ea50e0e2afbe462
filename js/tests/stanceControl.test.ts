import { afterEach, describe, expect, it } from "vitest";
import { FakeModel, settle, show, traits } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

const NO_CAM = { against: "of one class.", rather: "of one class." };

function shown(values: object = {}): Shown {
  return show(new FakeModel({ ...traits(), ...values }));
}

function checked(view: Shown): (string | undefined)[] {
  return view.all(".camwidget-stances [aria-checked='true']").map((radio) => radio.dataset["name"]);
}

describe("for, against, rather than", () => {
  it("chooses the stance towards the class", async () => {
    const view = shown();
    expect(checked(view)).toEqual(["for"]);
    view.one('.camwidget-stances [data-name="against"]').click();
    await settle();
    expect(view.model.get("stance")).toEqual({ kind: "against", other: -1 });
    expect(checked(view)).toEqual(["against"]);
  });

  it("takes the next class as the other one, wherever it is chosen", async () => {
    const view = shown({ sentence: "Nothing is removed yet." });
    view.one('.camwidget-stances [data-name="rather"]').click();
    await settle();
    expect(view.model.get("awaits_rival")).toBe(true);
    expect(view.one(".camwidget-mask-sentence").textContent).toBe(
      "What speaks for tabby rather than which class? Choose it in the list, or find it by its name.",
    );
    view.key("3");
    await settle();
    expect(view.model.get("target")).toBe(7);
    expect(view.model.get("stance")).toEqual({ kind: "rather", other: 9 });
    view.model.set("awaits_rival", false);
    await settle();
    expect(view.one(".camwidget-mask-sentence").textContent).toBe("Nothing is removed yet.");
    expect(view.all(".camwidget-name").map((name) => name.dataset["rival"])).toEqual(["false", "false", "true"]);
  });

  it("waits no more after Escape, or a second press", async () => {
    const view = shown({ stance: { kind: "against", other: -1 } });
    const rather = view.one('.camwidget-stances [data-name="rather"]');
    rather.click();
    await settle();
    expect(checked(view)).toEqual(["rather"]);
    view.key("Escape");
    await settle();
    expect(view.model.get("awaits_rival")).toBe(false);
    expect(checked(view)).toEqual(["against"]);
    rather.click();
    rather.click();
    expect(view.model.get("awaits_rival")).toBe(false);
  });

  it("says why a method has no such map, on either side", async () => {
    const methods = (traits()["methods"] as object[]).map((one, at) => (at === 1 ? { ...one, ...NO_CAM } : one));
    const view = shown({ methods });
    const against = view.one('.camwidget-stances [data-name="against"]');
    expect(against.getAttribute("aria-disabled")).toBe("true");
    expect(against.title).toBe("Not available: of one class.");
    against.click();
    await settle();
    expect(checked(view)).toEqual(["for"]);
    view.model.set("method", "rise");
    view.model.set("stance", { kind: "against", other: -1 });
    await settle();
    const gradcam = view.one('.camwidget-methods [data-name="gradcam"]');
    expect(gradcam.getAttribute("aria-disabled")).toBe("true");
    expect(gradcam.title).toBe("Not available: of one class.");
  });

  it("is one tab stop", () => {
    const view = shown();
    expect(view.all(".camwidget-stances [tabindex='0']")).toHaveLength(1);
  });
});
