import { afterEach, expect, it } from "vitest";
import { show } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

it("fills the window, and leaves on Escape or when it is pressed again", () => {
  const view = show();
  const opener = view.one(".camwidget-large-open");
  opener.click();
  expect(view.el.classList.contains("camwidget-large")).toBe(true);
  expect(opener.getAttribute("aria-pressed")).toBe("true");
  view.key("Escape");
  expect(view.el.classList.contains("camwidget-large")).toBe(false);
  expect(view.el.hasAttribute("popover")).toBe(false);
  opener.click();
  opener.click();
  expect(view.el.classList.contains("camwidget-large")).toBe(false);
});

it("is left when the view ends", () => {
  const view = show();
  view.one(".camwidget-large-open").click();
  view.end();
  expect(view.el.classList.contains("camwidget-large")).toBe(false);
});

it("shows how the map is drawn on demand", () => {
  const view = show();
  const opener = view.one(".camwidget-map-style-open");
  const drawer = view.one(".camwidget-map-style");
  expect(drawer.hidden).toBe(true);
  opener.click();
  expect(drawer.hidden).toBe(false);
  expect(opener.getAttribute("aria-expanded")).toBe("true");
  view.key("Escape", ".camwidget-opacity");
  expect(drawer.hidden).toBe(true);
  expect(document.activeElement).toBe(opener);
});
