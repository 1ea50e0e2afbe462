/** ``SessionWidgets``: a widget manager for a kernel without a notebook. */
import { MimeModel, type IRenderMime, type IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { ISessionContext } from "@jupyterlab/apputils";
import type { IDisposable } from "@lumino/disposable";
import { Signal } from "@lumino/signaling";

const WIDGET = "application/vnd.jupyter.widget-view+json";

/** Jupyter widgets of one session, which are shown outside a notebook. */
export class SessionWidgets implements IDisposable {
  private manager: IDisposable | undefined;

  constructor(
    private readonly sessionContext: ISessionContext,
    private readonly rendermime: IRenderMimeRegistry,
  ) {}

  /** Listen for the widgets that the kernel makes from now on. */
  async attach(): Promise<void> {
    if (this.manager) return;
    const { registerWidgetManager } = await import("@jupyter-widgets/jupyterlab-manager");
    // The manager expects a notebook's document; it uses only the session, and the metadata of stored widgets.
    const document = {
      sessionContext: this.sessionContext,
      model: { getMetadata: () => undefined, setMetadata: () => undefined, dirty: false },
      saveState: new Signal<object, string>({}),
      disposed: this.sessionContext.disposed,
      path: this.sessionContext.path,
      urlResolver: { resolveUrl: async (url: string) => url, getDownloadUrl: async (url: string) => url },
    };
    await this.sessionContext.ready;
    this.manager = registerWidgetManager(document, this.rendermime, []);
    // It takes its place among the renderers once it has seen that the session is ready.
    await new Promise((resolve) => setTimeout(resolve));
  }

  /** A view of a widget that the session's kernel has displayed. */
  async view(data: { readonly [mime: string]: unknown }): Promise<IRenderMime.IRenderer> {
    const renderer = this.rendermime.createRenderer(WIDGET);
    await renderer.renderModel(new MimeModel({ data: data as IRenderMime.IMimeModel["data"], trusted: true }));
    return renderer;
  }

  get isDisposed(): boolean {
    return this.manager?.isDisposed ?? false;
  }

  dispose(): void {
    this.manager?.dispose();
  }
}
