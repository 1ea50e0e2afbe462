/** Sending an explorer's code to a notebook. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";
import type { ExplorerTab } from "./tab";

/** The folder of a path, both below the server's root. */
export function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

/** Insert the code of an explorer, in a cell, below the active cell of the notebook that was last active, or into a new one. */
export async function sendToNotebook(app: JupyterFrontEnd, tracker: INotebookTracker | null, tab: ExplorerTab): Promise<void> {
  const panel = tracker?.currentWidget;
  const contents = app.serviceManager.contents;
  if (panel) {
    insert(panel, await tab.content.code(folderOf(contents.localPath(panel.context.path))));
    app.shell.activateById(panel.id);
    return;
  }
  const { folder, kernel } = tab.request;
  const source = await tab.content.code(folder);
  const created = await contents.newUntitled({ path: folder, type: "notebook" });
  const spec = app.serviceManager.kernelspecs.specs?.kernelspecs[kernel ?? ""];
  await contents.save(created.path, {
    type: "notebook",
    format: "json",
    content: {
      cells: [{ cell_type: "code", id: "explorer", execution_count: null, metadata: {}, outputs: [], source }],
      metadata: spec ? { kernelspec: { name: spec.name, display_name: spec.display_name, language: spec.language } } : {},
      nbformat: 4,
      nbformat_minor: 5,
    },
  });
  await app.commands.execute("docmanager:open", { path: created.path });
}

function insert(panel: NotebookPanel, source: string): void {
  const { content } = panel;
  const model = content.model?.sharedModel;
  if (!model) throw new Error("The notebook is not loaded yet.");
  const index = Math.min(content.activeCellIndex + 1, model.cells.length);
  model.insertCell(index, { cell_type: "code", source });
  content.activeCellIndex = index;
  content.deselectAll();
  void content.scrollToItem(index);
}
