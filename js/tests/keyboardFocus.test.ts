import { afterEach, expect, it } from "vitest";
import { FakeModel, show, traits } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

it("gives the keyboard the headers of the panels, whenever they come", async () => {
  const view = show(new FakeModel(traits()));
  const box = document.createElement("div");
  box.className = "camwidget-explorer";
  document.body.append(box);
  box.append(view.el);
  await soon();
  const panels = document.createElement("div");
  panels.className = "camwidget-panels";
  panels.innerHTML = '<div class="jupyter-widget-Collapse"><div class="jupyter-widget-Collapse-header">DeepVis</div><img></div>';
  box.append(panels);
  await soon();
  const header = panels.querySelector<HTMLElement>(".jupyter-widget-Collapse-header")!;
  expect([header.tabIndex, header.getAttribute("role"), header.getAttribute("aria-expanded")]).toEqual([0, "button", "false"]);
  expect(panels.querySelector("img")!.alt).toBe("The picture that is drawn");
  let clicks = 0;
  header.addEventListener("click", () => {
    clicks += 1;
    header.parentElement?.classList.toggle("jupyter-widget-Collapse-open");
  });
  for (const key of ["Enter", " ", "a"]) header.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  expect(clicks).toBe(2);
  header.click();
  await soon();
  expect(header.getAttribute("aria-expanded")).toBe("true");
  view.end();
});

it("gives arrow keys to the canvases that act on them, and lets Tab pass by all", async () => {
  const view = show(new FakeModel(traits()));
  const box = document.createElement("div");
  box.className = "camwidget-explorer";
  document.body.append(box);
  box.append(view.el);
  const panels = document.createElement("div");
  panels.className = "camwidget-panels";
  panels.innerHTML = '<canvas class="camwidget-attention-canvas" tabindex="0"></canvas><canvas tabindex="0"></canvas><i class="camwidget-attention-label">Heads</i>';
  box.append(panels);
  await soon();
  await soon();
  const [grid, sheet] = Array.from(panels.querySelectorAll("canvas"));
  expect([grid!.getAttribute("role"), sheet!.getAttribute("role")]).toEqual(["application", null]);
  expect(grid!.getAttribute("aria-label")).toBe("Heads");
  const taken: string[] = [];
  for (const canvas of [grid!, sheet!]) {
    canvas.addEventListener("keydown", ({ key }) => taken.push(key));
    for (const key of ["Tab", "ArrowDown", "d"]) canvas.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  }
  expect(taken).toEqual(["ArrowDown"]);
  for (const canvas of [grid!, sheet!]) canvas.dispatchEvent(new Event("pointerdown", { bubbles: true }));
  expect([grid!.tabIndex, sheet!.hasAttribute("tabindex")]).toEqual([0, false]);
  expect(document.activeElement).toBe(grid);
  view.end();
});
