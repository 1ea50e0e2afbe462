import { make, setText } from "./dom/dom";
import type { Model } from "./model";
import { OFFLINE } from "./syncedTraits";

/**
 * Whether there is a kernel behind the view: "waiting" while the connection may come back by itself, "lost" when
 * nothing will answer until the cell is run again.
 */
export type Link = "live" | "waiting" | "lost";

const SAID: Readonly<Record<Link, string>> = {
  live: "",
  waiting: "Waiting for the connection to the kernel…",
  lost: "Disconnected from the kernel: run the cell again. The picture can still be masked and looked at.",
};

/** Controls of which none does anything without a kernel; the charts and panels beside the view are dimmed by CSS. */
const KERNELS = [
  ".camwidget-history", ".camwidget-compare-open", ".camwidget-classtop", ".camwidget-names", ".camwidget-first", ".camwidget-find",
  ".camwidget-methods", ".camwidget-layer", ".camwidget-alone",
];

/** What a kernel's status says when another process takes its place, or none; nobody marks the views then. */
const GONE: ReadonlySet<unknown> = new Set(["starting", "restarting", "autorestarting", "terminating", "dead"]);

type Slot = (sender: unknown, now: unknown) => void;

interface Signal {
  connect(slot: Slot): unknown;
  disconnect(slot: Slot): unknown;
}

interface Kernel {
  readonly id?: unknown;
  readonly connectionStatus?: unknown;
}

/** Of a Jupyter host, whatever there is of these; other hosts have none of them, and say it themselves. */
interface Manager {
  readonly kernel?: (Kernel & Readonly<Record<string, unknown>>) | null;
  readonly context?: { readonly sessionContext?: Readonly<Record<string, unknown>> };
}

export class Connection {
  /** The line that says it. */
  readonly element = make("div", "camwidget-connection", { role: "status" });
  private link: Link = "live";
  private readonly manager: Manager | undefined;
  private readonly first: unknown;

  constructor(
    private readonly model: Model,
    private readonly root: HTMLElement,
    private readonly signal: AbortSignal,
  ) {
    this.manager = (model as { widget_manager?: Manager }).widget_manager;
    this.first = this.manager?.kernel?.id;
  }

  /** Once the view is built: what this takes away must be there. */
  begin(): void {
    const update = (): void => this.update();
    // After the host's own view has marked itself.
    const later = (): void => queueMicrotask(update);
    this.model.on("comm_live_update", later);
    this.signal.addEventListener("abort", () => this.model.off("comm_live_update", later));
    this.listen("kernelChanged", update);
    this.listen("connectionStatusChanged", update);
    this.listen("statusChanged", (_, status) => this.update(GONE.has(status)));
    this.update();
  }

  /** The model, deaf to what needs a kernel while there is none: a control must not show what nobody answers. */
  guarded(): Model {
    const { model } = this;
    return {
      get: (key) => model.get(key),
      set: (key, value) => {
        if (this.link !== "lost" || OFFLINE.has(key)) model.set(key, value);
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

  /** Of the notebook where there is one, for it outlives its kernels; else of the kernel. */
  private listen(name: string, slot: Slot): void {
    const signal = (this.manager?.context?.sessionContext ?? this.manager?.kernel)?.[name] as Signal | undefined;
    if (typeof signal?.connect !== "function") return;
    signal.connect(slot);
    this.signal.addEventListener("abort", () => signal.disconnect(slot));
  }

  private now(): Link {
    // ipywidgets marks every view whose comm is dead: after a restart, and in a notebook opened again.
    if (this.root.closest(".jupyter-widgets-disconnected") !== null) return "lost";
    if (this.manager === undefined || this.first === undefined) return "live";
    const { kernel } = this.manager;
    if (kernel == null || kernel.id !== this.first) return "lost";
    const { connectionStatus } = kernel;
    return connectionStatus === "connecting" || connectionStatus === "disconnected" ? "waiting" : "live";
  }

  private update(gone = false): void {
    if (this.signal.aborted) return;
    // What was lost stays lost: the new kernel knows nothing of this view.
    this.link = gone || this.link === "lost" ? "lost" : this.now();
    const lost = this.link === "lost";
    setText(this.element, SAID[this.link]);
    this.element.hidden = this.link === "live";
    this.root.classList.toggle("camwidget-disconnected", lost);
    if (!lost) return;
    for (const part of this.root.querySelectorAll(KERNELS.join())) part.toggleAttribute("inert", true);
    // What was under way will not come to its end.
    for (const key of ["busy", "pending", "cancellable"] as const) this.model.set(key, false);
  }
}
