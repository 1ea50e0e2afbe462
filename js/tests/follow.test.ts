import { afterEach, describe, expect, it } from "vitest";
import { Context } from "../src/view/context";
import { followPicture } from "../src/view/follow";
import { FakeModel, settle, traits } from "./fake";

afterEach(() => document.body.replaceChildren());

function strip(width: number): HTMLElement {
  const explorer = document.body.appendChild(document.createElement("div"));
  explorer.className = "camwidget-explorer";
  explorer.innerHTML = '<div class="camwidget-thumbs"><canvas></canvas></div><div class="root"></div>';
  const thumbs = explorer.firstElementChild as HTMLElement;
  Object.defineProperty(thumbs, "clientWidth", { value: 300 });
  Object.defineProperty(thumbs, "scrollWidth", { value: width, configurable: true });
  return thumbs;
}

describe("the strip of thumbnails", () => {
  it("brings the chosen picture into sight, also where it is drawn after it was chosen", async () => {
    const thumbs = strip(64);
    const gone = new AbortController();
    const model = new FakeModel({ ...traits(), pictures: Array(30).fill("picture"), picture: 25 });
    followPicture(new Context(model, gone.signal), document.querySelector<HTMLElement>(".root")!);
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
});
