/** The control that chooses methods or metrics to evaluate. */
import { texts } from "../core/parse";
import { fillLabel, SLOW } from "../view/controls/methodPanel";
import { button, fit, make, setAttribute, setText } from "../view/dom/dom";
import { OWN_KEYS } from "../view/host/compat";
import { watch, write } from "../view/model";
import { methods } from "../view/traits";
import type { Method } from "../view/traits";
import type { TableModel } from "./traits";

/** A line with the chosen methods or metrics, which unfolds to buttons for all of them, in groups. */
export class Chooser {
  readonly element: HTMLElement;
  private readonly count = make("span", "camwidget-table-count");
  private readonly names = make("span", "camwidget-table-names");
  private readonly groups: HTMLElement;

  /**
   * @param all the trait that lists all methods or metrics
   * @param chosen the trait with the names of the chosen ones
   */
  constructor(
    private readonly model: TableModel,
    signal: AbortSignal,
    title: string,
    private readonly all: "methods" | "metrics",
    private readonly chosen: "chosen_methods" | "chosen_metrics",
  ) {
    this.groups = make("div", "camwidget-table-groups", { role: "group", "aria-label": title });
    this.element = make(
      "details",
      "camwidget-table-chooser",
      {},
      make(
        "summary",
        "camwidget-table-summary",
        { title: `Choose ${title.toLowerCase()}`, ...OWN_KEYS },
        make("span", "camwidget-table-title", {}, title),
        this.count,
        this.names,
      ),
      this.groups,
    );
    this.groups.addEventListener("click", (event) => this.clicked(event), { signal });
    watch(model, [all, chosen], signal, () => this.update());
  }

  private update(): void {
    const all = methods(this.model.get(this.all));
    const chosen = new Set(texts(this.model.get(this.chosen)));
    const usable = all.filter(({ reason }) => reason === null);
    const taken = usable.filter(({ name }) => chosen.has(name));
    setText(this.count, `${taken.length} of ${usable.length}`);
    setText(this.names, taken.map(({ label }) => label).join(", "));
    const groups = [...new Set(all.map(({ group }) => group))];
    const lines = fit(this.groups, groups.length, () =>
      make("div", "camwidget-table-group", {}, make("span", "camwidget-table-family"), make("div", "camwidget-table-chips")),
    );
    groups.forEach((group, at) => {
      const [family, chips] = Array.from(lines[at]?.children ?? []);
      if (family === undefined || chips === undefined) return;
      setText(family, group);
      const mine = all.filter((choice) => choice.group === group);
      const made = fit(chips, mine.length, () => button("camwidget-table-chip", {}));
      mine.forEach((choice, k) => show(made[k], choice, chosen.has(choice.name)));
    });
  }

  private clicked(event: Event): void {
    const chip = event.target instanceof Element ? event.target.closest<HTMLElement>(".camwidget-table-chip") : null;
    const name = chip?.dataset["name"];
    if (chip === null || name === undefined || chip.getAttribute("aria-disabled") === "true") return;
    const before = texts(this.model.get(this.chosen));
    const after = before.includes(name) ? before.filter((one) => one !== name) : [...before, name];
    write(this.model, { [this.chosen]: after });
  }
}

function show(chip: HTMLElement | undefined, { name, label, tip, reason, slow }: Method, chosen: boolean): void {
  if (chip === undefined) return;
  chip.dataset["name"] = name;
  chip.title = reason !== null ? `Not available: ${reason}` : slow ? `${tip} – ${SLOW}` : tip;
  setAttribute(chip, "aria-pressed", String(chosen && reason === null));
  setAttribute(chip, "aria-disabled", String(reason !== null));
  fillLabel(chip, label, slow);
}
