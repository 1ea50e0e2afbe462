/** ``KernelConnection``: shows whether the kernel is connected, and disables what needs a lost kernel. */
import { make, setText } from "../dom/dom";
import type { Model } from "../model";
import { OFFLINE } from "../syncedTraits";
import { HostKernel } from "./compat";
import type { KernelLink } from "./compat";

const MESSAGE: Readonly<Record<KernelLink, string>> = {
  live: "",
  waiting: "Waiting for the connection to the kernel…",
  lost: "Disconnected from the kernel: run the cell again. You can still mask and view the picture.",
};

/** Controls that do nothing without a kernel; the charts and panels around the view are dimmed by CSS. */
const NEED_KERNEL = [
  ".camwidget-history", ".camwidget-compare-open", ".camwidget-class-header", ".camwidget-class-names", ".camwidget-most-probable", ".camwidget-class-search",
  ".camwidget-methods", ".camwidget-settings", ".camwidget-settings-open", ".camwidget-layer", ".camwidget-fallback",
];

export class KernelConnection {
  /** The line with the message. */
  readonly element = make("div", "camwidget-connection", { role: "status" });
  private link: KernelLink = "live";
  private readonly kernel: HostKernel;

  constructor(
    private readonly model: Model,
    private readonly root: HTMLElement,
    private readonly signal: AbortSignal,
  ) {
    this.kernel = new HostKernel(model, root);
  }

  /** Starts observing the kernel. To be called once the view is built, since its controls may be disabled at once. */
  start(): void {
    this.kernel.observe((isGone) => this.update(isGone), this.signal);
    this.update(false);
  }

  /** The widget's model, which ignores what needs a kernel once it is lost: no control shows a value for which no map will come. */
  guarded(): Model {
    const { model } = this;
    return {
      get: (name) => model.get(name),
      set: (name, value) => {
        if (this.link !== "lost" || OFFLINE.has(name)) model.set(name, value);
      },
      save_changes: () => {
        if (this.link !== "lost") model.save_changes();
      },
      on: (event, callback) => model.on(event, callback),
      off: (event, callback) => model.off(event, callback),
      send: (content) => {
        if (this.link !== "lost") model.send(content);
      },
    };
  }

  private update(isGone: boolean): void {
    if (this.signal.aborted) return;
    // A lost kernel stays lost: a new one knows nothing of this view.
    this.link = isGone || this.link === "lost" ? "lost" : this.kernel.link;
    const isLost = this.link === "lost";
    setText(this.element, MESSAGE[this.link]);
    this.element.hidden = this.link === "live";
    this.root.classList.toggle("camwidget-disconnected", isLost);
    if (!isLost) return;
    for (const part of this.root.querySelectorAll(NEED_KERNEL.join())) part.toggleAttribute("inert", true);
    // No computation that was under way will finish.
    for (const name of ["busy", "pending", "can_cancel"] as const) this.model.set(name, false);
  }
}
