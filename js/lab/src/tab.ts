/** ``ExplorerTab``: an explorer in a tab of the main area or the side panel. */
import { MainAreaWidget, SessionContext, Toolbar as SessionToolbar, type ISessionContext } from "@jupyterlab/apputils";
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { ServiceManager } from "@jupyterlab/services";
import { notebookIcon, refreshIcon, Toolbar, ToolbarButton } from "@jupyterlab/ui-components";
import { UUID } from "@lumino/coreutils";
import { ExplorerContent } from "./content";
import { explorerIcon } from "./icon";
import { join, titleOf, type ExplorerRequest } from "./request";
import "../style/tab.css";

/** What a tab's buttons do outside of it. */
export interface TabActions {
  /** Insert the explorer's code into a notebook. */
  readonly send: (tab: ExplorerTab) => Promise<void>;
  /** Move the tab to the side panel, or back; undefined where an application has one place only. */
  readonly move: ((tab: ExplorerTab) => void) | undefined;
}

/** An explorer in a tab of its own. */
export class ExplorerTab extends MainAreaWidget<ExplorerContent> {
  constructor(
    content: ExplorerContent,
    readonly sessionContext: SessionContext,
    dialogs: ISessionContext.IDialogs,
    actions: TabActions,
  ) {
    super({ content });
    this.id = `camwidget-${UUID.uuid4()}`;
    this.addClass("camwidget-lab-tab");
    const { title } = this;
    title.icon = explorerIcon;
    title.label = titleOf(content.request);
    title.closable = true;
    title.caption = content.request.names.map((name) => join(content.request.folder, name)).join("\n") || "Explorer of the embedded model";
    this.toolbar.addItem(
      "send",
      new ToolbarButton({ icon: notebookIcon, label: "Send to notebook", tooltip: "Insert the code of what is shown into the notebook that was last active", onClick: () => void actions.send(this) }),
    );
    const { move } = actions;
    if (move) {
      this.toolbar.addItem("move", new ToolbarButton({ label: "Side panel", tooltip: "Move this explorer to the side panel, or back", onClick: () => move(this) }));
    }
    this.toolbar.addItem("spacer", Toolbar.createSpacerItem());
    this.toolbar.addItem("restart", new ToolbarButton({ icon: refreshIcon, tooltip: "Restart the kernel, and show the same again", onClick: () => void content.restart() }));
    this.toolbar.addItem("kernel", SessionToolbar.createKernelNameItem(sessionContext, dialogs));
    this.toolbar.addItem("status", SessionToolbar.createKernelStatusItem(sessionContext));
  }

  get request(): ExplorerRequest {
    return this.content.request;
  }

  override dispose(): void {
    if (this.isDisposed) return;
    if (this.sessionContext.session && !this.content.isShared) void this.sessionContext.shutdown();
    super.dispose();
    this.sessionContext.dispose();
  }
}

/** Make a tab, and start what it shows. */
export function createTab(
  manager: ServiceManager.IManager,
  rendermime: IRenderMimeRegistry,
  dialogs: ISessionContext.IDialogs,
  request: ExplorerRequest,
  actions: TabActions,
): ExplorerTab {
  const sessionContext = new SessionContext({
    kernelManager: manager.kernels,
    sessionManager: manager.sessions,
    specsManager: manager.kernelspecs,
    path: request.session,
    type: "camwidget",
    name: titleOf(request),
    kernelPreference: {
      language: "python",
      ...(request.kernel === undefined ? {} : { name: request.kernel }),
    },
  });
  const content = new ExplorerContent(sessionContext, rendermime.clone(), dialogs, request);
  const tab = new ExplorerTab(content, sessionContext, dialogs, actions);
  void content.start();
  return tab;
}
