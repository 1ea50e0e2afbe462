import { afterEach, expect, it } from "vitest";
import { FakeModel, settle, show, traits } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

const NOW = { index: 4, name: "<b>doormat</b>", unmasked: 0.001, masked: 0.21 };

it("names the class that is first now as text, with its numbers, and explains it on a click", async () => {
  const view = show(new FakeModel({ ...traits(), masked: [0.1, 0.1, 0], most_probable: NOW }));
  const row = view.one(".camwidget-most-probable");
  expect(row.classList.contains("camwidget-most-probable-none")).toBe(false);
  expect(view.one(".camwidget-most-probable-name").textContent).toBe(NOW.name);
  expect(row.querySelector(".camwidget-number")?.textContent).toBe("0.00 → 0.21");
  expect(view.one(".camwidget-most-probable-label").textContent).toBe("now first");
  view.one(".camwidget-most-probable-name").click();
  expect(view.model.get("target")).toBe(4);
  view.model.set("most_probable", { ...NOW, was_first: true });
  await settle();
  expect(view.one(".camwidget-most-probable-label").textContent, "of the unmasked picture too").toBe("still first");
  view.model.set("most_probable", {});
  await settle();
  expect(row.classList.contains("camwidget-most-probable-none")).toBe(true);
  expect(row.hidden, "its place is kept").toBe(false);
});

it("has no row where no class can be first", () => {
  const quantities = show(new FakeModel({ ...traits(), quantity: { unit: "kg" } }));
  expect(quantities.one(".camwidget-most-probable").hidden).toBe(true);
  quantities.el.remove();
  const single = show(new FakeModel({ ...traits(), rows: [{ index: 0, name: "cat", unmasked: 1 }] }));
  expect(single.one(".camwidget-most-probable").hidden).toBe(true);
});

it("writes the names of the lines at their places", async () => {
  const view = show(new FakeModel({ ...traits(), curve_names: [{ name: "tabby", color: "#e8710a", place: 0.2 }, { name: 3 }] }));
  const [first, second] = view.all(".camwidget-curve-names > span");
  expect(first?.textContent).toBe("tabby");
  expect(first?.style.getPropertyValue("--camwidget-place")).toBe("0.2");
  expect(second?.textContent).toBe("");
  view.model.set("curve_names", []);
  await settle();
  expect(view.all(".camwidget-curve-names > span")).toHaveLength(0);
});
