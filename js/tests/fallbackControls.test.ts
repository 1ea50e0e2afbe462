import { afterEach, expect, it } from "vitest";
import { FakeModel, settle, show, traits } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

it("says what a host leaves out, and goes from picture to picture itself", async () => {
  const view = show(new FakeModel({ ...traits(), pictures: ["a.png", "<b>b</b>"], picture: 0 }));
  expect(view.one(".camwidget-fallback").hidden).toBe(true);
  view.model.set("fallback_note", "No <i>thumbnails</i> here.");
  await settle();
  expect(view.one(".camwidget-fallback").hidden).toBe(false);
  expect(view.one(".camwidget-fallback-note").textContent).toBe("No <i>thumbnails</i> here.");
  const [back, on] = view.all(".camwidget-fallback button") as HTMLButtonElement[];
  expect([back?.disabled, on?.disabled]).toEqual([true, false]);
  on?.click();
  await settle();
  expect(view.model.get("picture")).toBe(1);
  expect(view.one(".camwidget-fallback-name").textContent).toBe("<b>b</b> · 2 of 2");
  expect([back?.disabled, on?.disabled]).toEqual([false, true]);
});
