/** Entry point: loads the plugin if the application has the services that it requires; Voila has no file browser. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";

const loader: JupyterFrontEndPlugin<void> = {
  id: "camwidget:loader",
  description: "Loads camwidget's commands in JupyterLab and Jupyter Notebook.",
  autoStart: true,
  activate: async (app: JupyterFrontEnd) => {
    const loaded = await import("./plugin").catch((error: unknown) => {
      console.debug("camwidget adds no commands to this application:", error);
      return null;
    });
    if (loaded === null) return;
    app.registerPlugin(loaded.default);
    await app.activatePlugin(loaded.default.id);
  },
};

export default loader;
