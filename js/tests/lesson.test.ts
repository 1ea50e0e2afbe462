import { expect, it, vi } from "vitest";
import { settle } from "./fakeModel";

it("numbers the sheet of answers anew after a restart", async () => {
  const saved: Blob[] = [];
  vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => `blob:${saved.push(blob as Blob)}`);
  const card = { prompt: "Which?", pictures: [], options: ["cat", "dog"], right: [0], values: null, reveal: "", error: "" };
  const content = { title: "A page", tasks: ["Look."], quiz: { cards: [card], title: "A quiz", source: "", scale: "" } };
  const source = document.createElement("script");
  source.type = "application/json";
  source.id = "camwidget-lesson";
  source.textContent = JSON.stringify(content);
  document.body.append(source);
  for (const id of ["camwidget-tasks", "camwidget-quiz", "camwidget-answers"]) {
    const section = document.createElement("section");
    section.id = id;
    document.body.append(section);
  }
  await import("../src/lesson/index");
  const click = async (selector: string): Promise<void> => {
    const found = document.querySelector<HTMLElement>(selector);
    expect(found, selector).not.toBeNull();
    found!.click();
    await settle();
  };
  const save = async (): Promise<unknown> => {
    await click("#camwidget-answers button");
    return (JSON.parse(await saved.at(-1)!.text()) as Record<string, unknown>)["id"];
  };
  await click(".camwidget-quiz-option");
  const first = await save();
  expect(first).toMatch(/^[0-9a-f]{32}$/);
  await click("#camwidget-quiz .camwidget-quiz-next");
  expect(await save(), "a copy").toBe(first);
  await click("#camwidget-quiz .camwidget-quiz-next");
  await click(".camwidget-quiz-option");
  const second = await save();
  expect(second).toMatch(/^[0-9a-f]{32}$/);
  expect(second).not.toBe(first);
});
