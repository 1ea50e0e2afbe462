import { make } from "../view/dom";
import { mount } from "../view/view";
import { Archive } from "./archive";
import { bars } from "./bars";
import { curveChart } from "./curve";
import { FORMAT } from "./data";
import type { Data } from "./data";
import { PageModel } from "./model";

/** Builds the page from the data beside this script. */
async function open(): Promise<void> {
  const main = document.getElementById("camwidget-page");
  const source = document.getElementById("camwidget-data");
  if (main === null || source === null) return;
  try {
    const data = JSON.parse(source.textContent ?? "") as Data;
    if (data.format !== FORMAT) throw new Error(`the data is of format ${data.format}, the script of ${FORMAT}`);
    const model = new PageModel(data, await Archive.read(data.archive));
    main.replaceChildren(view(model));
    performance.mark("camwidget-shown");
  } catch (error) {
    main.replaceChildren(make("p", "camwidget-page-error", { role: "alert" }, `This page cannot be shown: ${String(error)}`));
  }
}

function view(model: PageModel): HTMLElement {
  // The page ends with its window.
  const { signal } = new AbortController();
  const root = make("div", "");
  const explorer = make("div", "camwidget-explorer camwidget-page");
  const pick = (at: number): void => {
    const row = (model.get("rows") as Data["classes"])[at];
    if (row === undefined) return;
    model.set("target", row.index);
    model.save_changes();
  };
  explorer.append(root, bars(model, pick, signal), curveChart(model, () => model.curve(), signal));
  mount(model, root, signal);
  return explorer;
}

void open();
