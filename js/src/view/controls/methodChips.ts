/** The row of methods: common ones as chips, all others in a panel. */
import type { Context } from "../context";
import { make } from "../dom/dom";
import { makeRoving } from "../dom/radioGroup";
import { trait } from "../model";
import { methodsHere } from "../traits";
import type { Method } from "../traits";
import { fillRadios, MethodPanel } from "./methodPanel";

/** Up to MOST methods are all chips; of more, FEW are, and the rest are in the panel. */
const MOST = 8;
const FEW = 4;

/** The row of methods: common ones as chips, all others by family in the panel "more". */
export class MethodRow {
  readonly element: HTMLElement;
  private readonly panel: MethodPanel;

  constructor(context: Context) {
    const { model, signal } = context;
    const label = make("span", "camwidget-label", { id: context.id("method") }, "Method");
    const chips = make("div", "camwidget-chips", {
      role: "radiogroup",
      "aria-labelledby": context.id("method"),
    });
    makeRoving(chips, signal);
    this.panel = new MethodPanel(context);
    this.element = make(
      "div",
      "camwidget-methods camwidget-line",
      {},
      label,
      make("div", "camwidget-methodgroups", {}, chips, this.panel.opener),
      this.panel.panel,
    );
    context.watch(["methods", "method", "stance"], () => {
      const { few, rest } = split(methodsHere(model));
      const name = trait(model, "method");
      fillRadios(context, chips, few, name);
      this.panel.show(rest, name);
    });
  }

  /** Closes the panel; false when it was not open. */
  close(): boolean {
    return this.panel.close();
  }
}

/** Splits methods into chips and the rest, independent of the layer, so that chips keep their positions. */
function split(all: readonly Method[]): { few: readonly Method[]; rest: readonly Method[] } {
  if (all.length <= MOST) return { few: all, rest: [] };
  const few = all.filter(({ slow }) => !slow).slice(0, FEW);
  return { few, rest: all.filter((method) => !few.includes(method)) };
}
