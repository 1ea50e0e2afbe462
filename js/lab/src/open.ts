/** Commands on open tabs. A chunk of its own, loaded when the first explorer is opened. */
import type { ILabShell, JupyterFrontEnd } from "@jupyterlab/application";
import { Notification, SessionContextDialogs, type ISessionContext, type WidgetTracker } from "@jupyterlab/apputils";
import type { INotebookTracker } from "@jupyterlab/notebook";
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import { UUID } from "@lumino/coreutils";
import { TabPanel } from "@lumino/widgets";
import { sendToNotebook } from "./notebook";
import { join, type ExplorerRequest } from "./request";
import { createTab, type ExplorerTab } from "./tab";

/** Services of the application that tabs need. */
export interface LabServices {
  readonly app: JupyterFrontEnd;
  /** Lab's shell; null in Notebook. */
  readonly lab: ILabShell | null;
  readonly rendermime: IRenderMimeRegistry;
  readonly notebooks: INotebookTracker | null;
  readonly dialogs: ISessionContext.IDialogs | null;
  readonly tabs: WidgetTracker<ExplorerTab>;
}

/** Open an explorer. */
export async function openTab(around: LabServices, wanted: Partial<ExplorerRequest>): Promise<ExplorerTab> {
  const { app, rendermime, tabs } = around;
  const folder = wanted.folder ?? "";
  await app.serviceManager.kernelspecs.ready;
  const kernel = wanted.kernel ?? kernelFor(around);
  const request: ExplorerRequest = {
    names: [],
    session: join(folder, `camwidget-${UUID.uuid4()}`),
    ...(kernel === undefined ? {} : { kernel }),
    ...wanted,
    folder,
  };
  const tab = createTab(app.serviceManager, rendermime, around.dialogs ?? new SessionContextDialogs(), request, {
    send: (from) => send(around, from),
    move: around.lab ? (moved) => move(around, moved) : undefined,
  });
  tab.content.requestChanged.connect(() => void tabs.save(tab));
  await tabs.add(tab);
  place(app, tab);
  return tab;
}

/** Insert an explorer's code into a notebook, and say why where that fails. */
export async function send(around: LabServices, tab: ExplorerTab): Promise<void> {
  try {
    await sendToNotebook(around.app, around.notebooks, tab);
  } catch (error) {
    Notification.error(`Not sent to a notebook: ${(error as Error).message}`);
  }
}

/** Move a tab between the main area of Lab and its side panel. */
export function move({ lab }: LabServices, tab: ExplorerTab): void {
  if (!lab) return;
  const inMain = [...lab.widgets("main")].includes(tab);
  lab.add(tab, inMain ? "right" : "main");
  lab.activateById(tab.id);
}

/** The kernel of the notebook that was last active if it speaks Python, otherwise the default or the first that does. */
function kernelFor({ app, notebooks }: LabServices): string | undefined {
  const specs = app.serviceManager.kernelspecs.specs;
  const speaks = (name: string | undefined): name is string => specs?.kernelspecs[name ?? ""]?.language.toLowerCase() === "python";
  const names = [notebooks?.currentWidget?.sessionContext.session?.kernel?.name, specs?.default, ...Object.keys(specs?.kernelspecs ?? {})];
  return names.find(speaks);
}

/** Lab's main area takes tabs; of Notebook 7 the tree has tabs, and a notebook's page only side panels. */
function place(app: JupyterFrontEnd, tab: ExplorerTab): void {
  const { shell } = app;
  const tree = [...shell.widgets("main")].find((widget) => widget instanceof TabPanel);
  if (tree) {
    tree.addWidget(tab);
    tree.currentWidget = tab;
    tree.tabBar.tabCloseRequested.connect(closeTab);
    return;
  }
  shell.add(tab, "main");
  if (!tab.isAttached) shell.add(tab, "right");
  shell.activateById(tab.id);
}

function closeTab(_: object, { title }: { title: { owner: unknown } }): void {
  (title.owner as ExplorerTab).close();
}
