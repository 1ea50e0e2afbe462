import { expect, it, vi } from "vitest";
import { settle } from "./fakeModel";

it("numbers the sheet of answers anew after a restart, and clears everything for the next person", async () => {
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
  const sheet = async (): Promise<Record<string, unknown>> => {
    await click("#camwidget-answers button");
    return JSON.parse(await saved.at(-1)!.text()) as Record<string, unknown>;
  };
  const save = async (): Promise<unknown> => (await sheet())["id"];
  const status = (): string => document.querySelector(".camwidget-lesson-status")!.textContent;
  const field = document.querySelector("textarea")!;
  const type = (words: string): void => {
    field.value = words;
    field.dispatchEvent(new Event("input"));
  };
  const press = async (label: string): Promise<void> => {
    [...document.querySelectorAll("button")].find((one) => one.textContent === label)!.click();
    await settle();
  };
  // A digit answers where it is not written, while the options are seen.
  const digit = (on: Element): void => {
    on.dispatchEvent(new KeyboardEvent("keydown", { key: "1", bubbles: true, cancelable: true }));
  };
  const chosen = (): number => document.querySelectorAll('.camwidget-quiz-option[aria-pressed="true"]').length;
  const options = document.querySelector<HTMLElement>(".camwidget-quiz-options")!;
  options.getBoundingClientRect = () => new DOMRect(0, innerHeight - 20, 100, 40);
  digit(document.body);
  options.getBoundingClientRect = () => new DOMRect(0, 10, 100, 40);
  digit(field);
  await settle();
  expect(chosen()).toBe(0);
  digit(document.body);
  await settle();
  expect(chosen()).toBe(1);
  const first = await save();
  expect(document.querySelector(".camwidget-quiz-saved")!.textContent).toBe("Saved as answers.json in your downloads. Send this file to your teacher.");
  expect(first).toMatch(/^[0-9a-f]{32}$/);
  await click("#camwidget-quiz .camwidget-quiz-next");
  expect(await save(), "a copy").toBe(first);
  await click("#camwidget-quiz .camwidget-quiz-next");
  await click(".camwidget-quiz-option");
  const second = await save();
  expect(second).toMatch(/^[0-9a-f]{32}$/);
  expect(second).not.toBe(first);
  // The quiz alone begins again: the tasks stay, which is said.
  type("It falls.");
  expect(document.querySelector(".camwidget-quiz-saved")!.textContent, "the file is older").toBe("");
  await click("#camwidget-quiz .camwidget-quiz-next");
  await press("Play again");
  expect(status()).toMatch(/^The quiz has begun again; the answers to the tasks are still there/);
  expect(field.value).toBe("It falls.");
  // What is not saved is cleared after a second click only.
  await press("Start again");
  expect(status()).toMatch(/^Some answers are not saved/);
  await press("Keep them");
  expect([field.value, status()]).toEqual(["It falls.", ""]);
  const { id, tasks } = await sheet();
  expect(tasks).toEqual([{ task: "Look.", answer: "It falls." }]);
  document.querySelector<HTMLInputElement>("#camwidget-answers input")!.value = "Ada";
  await click(".camwidget-quiz-option");
  await press("Start again");
  await press("Clear them");
  expect([field.value, status()]).toEqual(["", "All answers are cleared: the next person can begin."]);
  expect(document.querySelector<HTMLInputElement>("#camwidget-answers input")!.value).toBe("");
  expect(document.querySelector(".camwidget-quiz-place")!.textContent).toBe("Question 1 of 1");
  type("Another one.");
  const next = await sheet();
  expect(next["tasks"]).toEqual([{ task: "Look.", answer: "Another one." }]);
  expect(next).not.toHaveProperty("name");
  expect([first, second, id]).not.toContain(next["id"]);
  // All is saved, and a quiz that begins again has nothing to save: one click is enough.
  await click(".camwidget-quiz-option");
  await sheet();
  await click("#camwidget-quiz .camwidget-quiz-next");
  await press("Play again");
  await press("Start again");
  expect(field.value).toBe("");
});
