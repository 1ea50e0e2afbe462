/** The plugin: registers the commands. Everything else is loaded when the first explorer is opened. */
import { ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette, ISessionContextDialogs, WidgetTracker } from "@jupyterlab/apputils";
import { IFileBrowserFactory } from "@jupyterlab/filebrowser";
import { ILauncher } from "@jupyterlab/launcher";
import { INotebookTracker } from "@jupyterlab/notebook";
import { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import { explorerIcon } from "./icon";
import { fromArguments, toArguments } from "./request";
import type { LabServices } from "./open";
import type { ExplorerTab } from "./tab";

const OPEN = "camwidget:open";
const EXPLORE = "camwidget:explore-files";
const SEND = "camwidget:send-to-notebook";
const RESTART = "camwidget:restart";
const MOVE = "camwidget:move";

/** Files that are pictures although the server knows no MIME type for them, by their endings. */
const PICTURE = /\.(avif|bmp|gif|jfif|jp2|jpe?g|pbm|pgm|png|ppm|tga|tiff?|webp)$/i;

const plugin: JupyterFrontEndPlugin<void> = {
  id: "camwidget:plugin",
  description: "Explorers of image models in tabs of their own.",
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [ILabShell, IFileBrowserFactory, ILauncher, ICommandPalette, INotebookTracker, ILayoutRestorer, ISessionContextDialogs],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    lab: ILabShell | null,
    browsers: IFileBrowserFactory | null,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
    notebooks: INotebookTracker | null,
    restorer: ILayoutRestorer | null,
    dialogs: LabServices["dialogs"],
  ) => {
    const { commands } = app;
    const tabs = new WidgetTracker<ExplorerTab>({ namespace: "camwidget" });
    const around: LabServices = { app, lab, rendermime, notebooks, dialogs, tabs };
    const isTab = () => tabs.currentWidget !== null;
    const selected = () => [...(browsers?.tracker.currentWidget?.selectedItems() ?? [])];
    const folder = () => app.serviceManager.contents.localPath(browsers?.tracker.currentWidget?.model.path ?? "");

    commands.addCommand(OPEN, {
      label: "camwidget Explorer",
      caption: "Explore the embedded image model",
      icon: explorerIcon,
      execute: async (args) => {
        const { openTab } = await import("./open");
        return openTab(around, fromArguments(args));
      },
    });
    commands.addCommand(EXPLORE, {
      label: "Explore with camwidget",
      caption: "Show what an image model has evidence for in the selected pictures and folders",
      icon: explorerIcon,
      isVisible: () => {
        const items = selected();
        return items.length > 0 && items.every(({ type, mimetype, name }) => type === "directory" || mimetype?.startsWith("image/") || PICTURE.test(name));
      },
      execute: () => commands.execute(OPEN, { folder: folder(), names: selected().map(({ name }) => name) }),
    });
    commands.addCommand(SEND, {
      label: "Send Explorer to Notebook",
      isEnabled: isTab,
      execute: async () => {
        const tab = tabs.currentWidget;
        if (tab) await (await import("./open")).send(around, tab);
      },
    });
    commands.addCommand(RESTART, {
      label: "Restart the Explorer's Kernel",
      isEnabled: isTab,
      execute: () => tabs.currentWidget?.content.restart(),
    });
    commands.addCommand(MOVE, {
      label: "Move Explorer to the Side Panel or Back",
      isVisible: () => lab !== null,
      isEnabled: isTab,
      execute: async () => {
        const tab = tabs.currentWidget;
        if (tab) (await import("./open")).move(around, tab);
      },
    });

    app.contextMenu.addItem({ command: EXPLORE, selector: ".jp-DirListing-item", rank: 3 });
    launcher?.add({ command: OPEN, category: "Other", rank: 2 });
    for (const command of [OPEN, EXPLORE, SEND, RESTART, MOVE]) palette?.addItem({ command, category: "camwidget" });
    void restorer?.restore(tabs, {
      command: OPEN,
      args: ({ request }) => toArguments(request),
      name: ({ request }) => request.session,
    });
  },
};

export default plugin;
