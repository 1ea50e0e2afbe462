/** The pictures of a page with several: one is shown, and its view is built when it is first chosen. */
import { make } from "../view/dom/dom";

/** A picture's name, and how its view is built. */
export interface PagePicture {
  readonly name: string;
  build(): Promise<HTMLElement>;
}

/** Builds the views of the pictures with a row of buttons over them; the view alone where there is one picture. */
export async function pictureViews(pictures: readonly PagePicture[]): Promise<HTMLElement> {
  const first = await pictures[0]!.build();
  if (pictures.length === 1) return first;
  const built: (Promise<HTMLElement> | null)[] = pictures.map((_, at) => (at === 0 ? Promise.resolve(first) : null));
  const place = make("div", "", {}, first);
  let chosen = 0;
  const buttons = pictures.map(({ name }, at) => {
    const made = make("button", "camwidget-button", { type: "button", "aria-pressed": String(at === 0) }, name);
    made.addEventListener("click", () => void show(at));
    return made;
  });
  const show = async (at: number): Promise<void> => {
    chosen = at;
    buttons.forEach((made, k) => made.setAttribute("aria-pressed", String(k === at)));
    const view = await (built[at] ??= pictures[at]!.build());
    // Another one may have been chosen meanwhile.
    if (chosen === at) place.replaceChildren(view);
  };
  const row = make("div", "camwidget-page-pictures camwidget-view", { role: "group", "aria-label": "Pictures" }, ...buttons);
  return make("div", "", {}, row, place);
}
