/** Opening of a saved page: its data, its view with the charts, and the message where it cannot be shown. */
import type { Host } from "../view/context";
import { make } from "../view/dom/dom";
import { write } from "../view/model";
import type { Model } from "../view/model";
import { rows } from "../view/traits";
import { mount } from "../view/view";
import { bars } from "./barChart";
import { curveChart } from "./curveChart";
import type { Curve } from "./curveChart";
import { FORMAT } from "./payload";
import type { Payload } from "./payload";

/** A model that has the curve of the map shown. */
export interface ChartedModel extends Model {
  curve(): Curve;
}

/** Builds the page from the data in the same document. */
export async function openPage<Data extends Payload>(build: (data: Data) => Promise<HTMLElement>): Promise<void> {
  const main = document.getElementById("camwidget-page");
  const source = document.getElementById("camwidget-data");
  if (main === null || source === null) return;
  try {
    const data = JSON.parse(source.textContent ?? "") as Data;
    if (data.format !== FORMAT) throw new Error(`the data is of format ${data.format}, the script of ${FORMAT}`);
    main.replaceChildren(await build(data));
    performance.mark("camwidget-shown");
  } catch (error) {
    main.replaceChildren(make("p", "camwidget-page-error", { role: "alert" }, `This page cannot be shown: ${error instanceof Error ? error.message : String(error)}`));
  }
}

/** Builds the view with its charts, which are other widgets in a notebook. */
export function pageView(model: ChartedModel, host: Host = "page"): HTMLElement {
  // Never aborted: the view lives as long as the page.
  const { signal } = new AbortController();
  const root = make("div", "");
  const explorer = make("div", "camwidget-explorer camwidget-page");
  const pick = (at: number): void => {
    const row = rows(model.get("rows"))[at];
    if (row !== undefined) write(model, { target: row.index });
  };
  explorer.append(root, bars(model, pick, signal), curveChart(model, () => model.curve(), signal));
  mount(model, root, signal, host);
  return explorer;
}
