import { make } from "../view/dom/dom";
import { Archive } from "./archive";
import { FORMAT } from "./data";
import type { Data } from "./data";
import { PageModel } from "./model";
import { pageView } from "./pageView";

/** Builds the page from the data beside this script. */
async function open(): Promise<void> {
  const main = document.getElementById("camwidget-page");
  const source = document.getElementById("camwidget-data");
  if (main === null || source === null) return;
  try {
    const data = JSON.parse(source.textContent ?? "") as Data;
    if (data.format !== FORMAT) throw new Error(`the data is of format ${data.format}, the script of ${FORMAT}`);
    const model = new PageModel(data, await Archive.read(data.archive));
    main.replaceChildren(pageView(model));
    performance.mark("camwidget-shown");
  } catch (error) {
    main.replaceChildren(make("p", "camwidget-page-error", { role: "alert" }, `This page cannot be shown: ${String(error)}`));
  }
}

void open();
