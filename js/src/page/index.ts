/** Entry point of the offline page: reads the payload, and builds the view with its charts. */
import { make } from "../view/dom/dom";
import { write } from "../view/model";
import { rows } from "../view/traits";
import { mount } from "../view/view";
import { bars } from "./barChart";
import { BinaryBundle } from "./binaryBundle";
import { curveChart } from "./curveChart";
import { PageModel } from "./pageModel";
import { FORMAT } from "./payload";
import type { Payload } from "./payload";

/** Builds the page from the data in the same document. */
async function open(): Promise<void> {
  const main = document.getElementById("camwidget-page");
  const source = document.getElementById("camwidget-data");
  if (main === null || source === null) return;
  try {
    const data = JSON.parse(source.textContent ?? "") as Payload;
    if (data.format !== FORMAT) throw new Error(`the data is of format ${data.format}, the script of ${FORMAT}`);
    const model = new PageModel(data, await BinaryBundle.read(data.archive));
    main.replaceChildren(pageView(model));
    performance.mark("camwidget-shown");
  } catch (error) {
    main.replaceChildren(make("p", "camwidget-page-error", { role: "alert" }, `This page cannot be shown: ${String(error)}`));
  }
}


/** Builds the view with its charts, which are other widgets in a notebook. */
export function pageView(model: PageModel): HTMLElement {
  // The page ends with its window.
  const { signal } = new AbortController();
  const root = make("div", "");
  const explorer = make("div", "camwidget-explorer camwidget-page");
  const pick = (at: number): void => {
    const row = rows(model.get("rows"))[at];
    if (row !== undefined) write(model, { target: row.index });
  };
  explorer.append(root, bars(model, pick, signal), curveChart(model, () => model.curve(), signal));
  mount(model, root, signal, false);
  return explorer;
}

void open();
