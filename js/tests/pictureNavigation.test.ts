import { afterEach, describe, expect, it } from "vitest";
import { Context } from "../src/view/context";
import { followThumbnails } from "../src/view/host/pictureNavigation";
import { FakeModel, settle, traits } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

function strip(width: number): HTMLElement {
  const explorer = document.body.appendChild(document.createElement("div"));
  explorer.className = "camwidget-explorer";
  explorer.innerHTML = '<div class="camwidget-thumbnails-scroll"><canvas></canvas></div><div class="root"></div>';
  const thumbs = explorer.firstElementChild as HTMLElement;
  Object.defineProperty(thumbs, "clientWidth", { value: 300 });
  Object.defineProperty(thumbs, "scrollWidth", { value: width, configurable: true });
  return thumbs;
}

describe("the strip of thumbnails", () => {
  it("brings the chosen picture into sight, also where it is drawn after it was chosen", async () => {
    const thumbs = strip(64);
    const gone = new AbortController();
    const model = new FakeModel({
      ...traits(), pictures: Array(30).fill("picture"), picture: 25, thumbnails: { first: 0, places: 30 },
    });
    followThumbnails(new Context(model, gone.signal), document.querySelector<HTMLElement>(".root")!);
    await settle();
    expect(thumbs.scrollLeft).toBe(0);

    Object.defineProperty(thumbs, "scrollWidth", { value: 1920 });
    thumbs.querySelector("canvas")!.setAttribute("width", "3840");
    await settle();
    expect(thumbs.scrollLeft).toBe(25.5 * 64 - 150);

    gone.abort();
    thumbs.scrollLeft = 0;
    thumbs.querySelector("canvas")!.setAttribute("width", "3841");
    await settle();
    expect(thumbs.scrollLeft).toBe(0);
  });

  it("of very many pictures has some, and brings the chosen one of these into sight", async () => {
    const thumbs = strip(16_000);
    const gone = new AbortController();
    const model = new FakeModel({
      ...traits(), pictures: Array(10_000).fill("picture"), picture: 1010, thumbnails: { first: 1000, places: 250 },
    });
    followThumbnails(new Context(model, gone.signal), document.querySelector<HTMLElement>(".root")!);
    await settle();
    expect(thumbs.scrollLeft).toBe(10.5 * 64 - 150);
    gone.abort();
  });

  it("tells nothing before the kernel has said how many thumbnails there are", async () => {
    strip(42);
    const gone = new AbortController();
    const model = new FakeModel({ ...traits(), pictures: Array(10_000).fill("picture"), picture: 0, thumbnails: {} });
    followThumbnails(new Context(model, gone.signal), document.querySelector<HTMLElement>(".root")!);
    await settle();
    expect(model.sent).toEqual([]);
    gone.abort();
  });

  it("tells the kernel which thumbnails are seen, and those beside them, once for each place", async () => {
    const thumbs = strip(6400);
    const gone = new AbortController();
    const model = new FakeModel({
      ...traits(), pictures: Array(100).fill("picture"), picture: 0, thumbnails: { first: 0, places: 100 },
    });
    followThumbnails(new Context(model, gone.signal), document.querySelector<HTMLElement>(".root")!);
    await settle();
    await settle();
    expect(model.sent).toEqual([{ type: "thumbnails", first: 0, last: 7 }]);

    thumbs.scrollLeft = 3200;
    thumbs.dispatchEvent(new Event("scroll"));
    thumbs.dispatchEvent(new Event("scroll"));
    await settle();
    expect(model.sent.slice(1)).toEqual([{ type: "thumbnails", first: 47, last: 57 }]);

    thumbs.dispatchEvent(new Event("scroll"));
    await settle();
    expect(model.sent).toHaveLength(2);

    gone.abort();
    thumbs.scrollLeft = 0;
    thumbs.dispatchEvent(new Event("scroll"));
    await settle();
    expect(model.sent).toHaveLength(2);
  });
});
