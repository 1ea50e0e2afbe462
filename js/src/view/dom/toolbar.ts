import { make } from "./dom";

/** Something to be done with the picture: its buttons, and what opens below them. */
export interface Tool {
  readonly buttons: readonly HTMLElement[];
  readonly drawer?: HTMLElement;
}

/** The last line: the tools, what is said beside them, and below them the drawers that they open. */
export function toolbar(tools: readonly Tool[], status: HTMLElement): HTMLElement {
  const line = make("div", "camwidget-tools camwidget-line", { role: "toolbar", "aria-label": "Tools" });
  const drawers = make("div", "camwidget-drawers");
  for (const { buttons, drawer } of tools) {
    line.append(...buttons);
    if (drawer !== undefined) drawers.append(drawer);
  }
  line.hidden = line.children.length === 0;
  return make("div", "camwidget-toolbox", {}, line, status, drawers);
}
