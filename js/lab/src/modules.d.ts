declare module "*.css";

/** What the widget manager of JupyterLab exports; its package is heavy, and only this one function of it is used. */
declare module "@jupyter-widgets/jupyterlab-manager" {
  import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
  import type { IDisposable } from "@lumino/disposable";

  export function registerWidgetManager(context: object, rendermime: IRenderMimeRegistry, renderers: Iterable<object>): IDisposable;
}
