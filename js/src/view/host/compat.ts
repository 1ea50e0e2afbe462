/**
 * Undocumented details of JupyterLab, ipywidgets and ipycanvas that the view relies on: CSS classes, attributes, and the
 * widget manager's kernel. Only this module and css/hosts.css name them. Where a detail is no longer as expected, the
 * console names it and the view does without.
 */
import type { Model } from "../model";

const reported = new Set<string>();

/**
 * Report once in the console that a host is no longer as expected.
 *
 * @param detail what has changed, with the host's name
 * @param effect what the view does without
 */
export function reportChange(detail: string, effect: string): void {
  if (reported.has(detail)) return;
  reported.add(detail);
  console.error(`camwidget: ${detail} has changed. ${effect} Please report this with the versions of JupyterLab and ipywidgets.`);
}

/** Attributes of an element whose keys are its own: JupyterLab would take arrows and letters for its shortcuts. */
export const OWN_KEYS = { "data-lm-suppress-shortcuts": "true" } as const;

// ipywidgets: the mark of a dead comm.

/** Emitted by ipywidgets' models when their comm dies, or lives again. */
const COMM_EVENT = "comm_live_update";

/** Set by ipywidgets on every view whose comm is dead: after a restart, and in a notebook opened again. */
const DEAD_COMM = ".jupyter-widgets-disconnected";

// JupyterLab and Notebook: the kernel behind a widget.

/** Statuses of a kernel whose process is replaced or gone. JupyterLab marks no view then. */
const GONE: ReadonlySet<unknown> = new Set(["starting", "restarting", "autorestarting", "terminating", "dead"]);

const NO_KERNEL_CHECK = "A lost kernel may go unnoticed, and its controls stay enabled.";

type Slot = (sender: unknown, value: unknown) => void;

/** A Lumino signal. */
interface Signal {
  connect(slot: Slot): unknown;
  disconnect(slot: Slot): unknown;
}

interface Kernel {
  readonly id?: unknown;
  readonly connectionStatus?: unknown;
}

/** The parts of JupyterLab's widget manager that are used here. Other hosts lack them, and report a lost kernel themselves. */
interface Manager {
  readonly kernel?: (Kernel & Readonly<Record<string, unknown>>) | null;
  readonly context?: { readonly sessionContext?: Readonly<Record<string, unknown>> };
}

/** "waiting" while the connection may come back by itself, "lost" when nothing will answer until the cell is run again. */
export type KernelLink = "live" | "waiting" | "lost";

/** The kernel behind a view, as far as its host lets the page see it. */
export class HostKernel {
  private readonly manager: Manager | undefined;
  private readonly firstId: unknown;

  constructor(
    private readonly model: Model,
    private readonly root: HTMLElement,
  ) {
    this.manager = (model as { widget_manager?: Manager }).widget_manager;
    this.firstId = this.manager?.kernel?.id;
  }

  /** The present state of the connection; "live" in hosts that do not tell. */
  get link(): KernelLink {
    if (this.root.closest(DEAD_COMM) !== null) return "lost";
    if (this.manager === undefined || this.firstId === undefined) return "live";
    const { kernel } = this.manager;
    if (kernel == null || kernel.id !== this.firstId) return "lost";
    const { connectionStatus } = kernel;
    if (typeof connectionStatus !== "string") reportChange("JupyterLab's kernel.connectionStatus", NO_KERNEL_CHECK);
    return connectionStatus === "connecting" || connectionStatus === "disconnected" ? "waiting" : "live";
  }

  /**
   * Call `update` after whatever may change the link, until `signal` aborts.
   *
   * @param update gets true where the host says that the kernel's process is gone
   */
  observe(update: (isGone: boolean) => void, signal: AbortSignal): void {
    // After the host's own view has marked itself.
    const later = (): void => queueMicrotask(() => update(false));
    this.model.on(COMM_EVENT, later);
    signal.addEventListener("abort", () => this.model.off(COMM_EVENT, later));
    this.connect("kernelChanged", () => update(false), signal);
    this.connect("connectionStatusChanged", () => update(false), signal);
    this.connect("statusChanged", (_, status) => update(GONE.has(status)), signal);
  }

  /** Connect to a signal of the notebook's session, which outlives its kernels, or of the kernel where there is no session. */
  private connect(name: string, slot: Slot, signal: AbortSignal): void {
    const session = this.manager?.context?.sessionContext;
    const emitter = (session ?? this.manager?.kernel)?.[name] as Signal | undefined;
    if (typeof emitter?.connect !== "function") {
      if (session !== undefined) reportChange(`JupyterLab's sessionContext.${name}`, NO_KERNEL_CHECK);
      return;
    }
    emitter.connect(slot);
    signal.addEventListener("abort", () => emitter.disconnect(slot));
  }
}

// ipywidgets: the accordion of the panels below the view.

const ACCORDION = ".jupyter-widget-Accordion, .widget-accordion";
const HEADER = ".jupyter-widget-Collapse-header";
const OPEN = ".jupyter-widget-Collapse-open";

/** The headers of ipywidgets' accordions in an element. They take no key, and have no role. */
export function accordionHeaders(element: Element): readonly HTMLElement[] {
  const headers = Array.from(element.querySelectorAll<HTMLElement>(HEADER));
  const accordion = element.matches(ACCORDION) ? element : element.querySelector(ACCORDION);
  const hasTitles = accordion?.firstElementChild != null;
  if (headers.length > 0 || !hasTitles) return headers;
  reportChange(`ipywidgets' ${HEADER}`, "The panels can only be opened with the mouse.");
  return Array.from(element.querySelectorAll<HTMLElement>('[class*="Collapse-header"]'));
}

export function isOpen(header: Element): boolean {
  return header.closest(OPEN) !== null;
}

/** Images of ipywidgets without an alternative text: the Image widget has no trait for it, and a tooltip breaks it. */
export function unnamedImages(element: Element): readonly Element[] {
  return Array.from(element.querySelectorAll("img:not([alt])"));
}

// ipycanvas.

/** Keep a canvas of ipycanvas from taking the focus: the page would scroll before the canvas looks where the click was. */
export function keepFromFocus(target: EventTarget | null): void {
  if (target instanceof HTMLCanvasElement) target.removeAttribute("tabindex");
}
