/** ``ExplorerContent``: an explorer of a kernel of its own, or a notice on what is missing for it. */
import type { ISessionContext, SessionContext } from "@jupyterlab/apputils";
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import { Signal, type ISignal } from "@lumino/signaling";
import { Panel, type Widget } from "@lumino/widgets";
import { NoticeBar, type Notice, type Remedy } from "./notice";
import { CODE_CODE, PythonError, run, showCode, STATE_CODE } from "./python";
import { way, type ExplorerRequest } from "./request";
import { SessionWidgets } from "./widgets";

/** Milliseconds without a message of a widget after which the explorer's state is read. */
const QUIET = 800;

/** An explorer with a kernel of its own; a notice in its place while there is none. */
export class ExplorerContent extends Panel {
  private readonly notice = new NoticeBar();
  private readonly sessionWidgets: SessionWidgets;
  private readonly _requestChanged = new Signal<this, ExplorerRequest>(this);
  private view: Widget | undefined;
  /** Counts starts: what an earlier one still waits for is dropped. */
  private turn = 0;
  private isStarting = false;
  private isShown = false;
  private timer: number | undefined;

  constructor(
    private readonly sessionContext: SessionContext,
    rendermime: IRenderMimeRegistry,
    private readonly dialogs: ISessionContext.IDialogs,
    private _request: ExplorerRequest,
  ) {
    super();
    this.addClass("camwidget-lab-content");
    this.addWidget(this.notice);
    this.sessionWidgets = new SessionWidgets(sessionContext, rendermime);
    sessionContext.statusChanged.connect((_, status) => this.kernelIs(status));
    sessionContext.kernelChanged.connect((_, { newValue }) => {
      if (this.isStarting) return;
      if (newValue === null) this.lost("The kernel has been shut down.");
      else if (this.isShared) this.refuse();
      else void this.start();
    });
    sessionContext.iopubMessage.connect((_, message) => this.heard(message));
  }

  /** What is shown, to show it again. */
  get request(): ExplorerRequest {
    return this._request;
  }

  get requestChanged(): ISignal<this, ExplorerRequest> {
    return this._requestChanged;
  }

  /** Whether a notebook or a console uses the kernel too: it is not ended with the tab then. */
  get isShared(): boolean {
    const { session, sessionManager } = this.sessionContext;
    const others = [...sessionManager.running()].filter(({ path }) => path !== session?.path);
    return others.some(({ kernel }) => kernel?.id === session?.kernel?.id);
  }

  /** Show the explorer, in the kernel that there is or in a new one. */
  async start(): Promise<void> {
    const turn = ++this.turn;
    this.isStarting = true;
    this.isShown = false;
    try {
      await this.tryStart(turn);
    } catch (error) {
      if (turn === this.turn) this.failed(error);
    } finally {
      if (turn === this.turn) this.isStarting = false;
    }
  }

  /** End what the kernel holds, and show the same in a new one. */
  async restart(): Promise<void> {
    this.turn += 1;
    this.isStarting = true;
    try {
      this.say({ title: "Restarting the kernel …", waiting: true });
      if (this.sessionContext.session?.kernel) await this.sessionContext.restartKernel();
      else await this.sessionContext.startKernel();
    } catch (error) {
      this.failed(error);
      this.isStarting = false;
      return;
    }
    await this.start();
  }

  /**
   * The Python code that shows the explorer again. Paths in it start at a folder, given below the server's root.
   */
  async code(folder: string): Promise<string> {
    const kernel = this.sessionContext.session?.kernel;
    if (!kernel || !this.isShown) throw new Error("There is no explorer in this tab yet.");
    const { code = "", folder: absolute = "" } = await run(kernel, CODE_CODE);
    const text = code.replaceAll(`"${absolute}/`, `"${way(folder, this._request.folder)}`);
    // The explorer that it shows has the second part, the same without the widget, behind its button "code".
    return text.split(/^# The same without the widget/m)[0]!.trimEnd();
  }

  private async tryStart(turn: number): Promise<void> {
    const { sessionContext } = this;
    if (!sessionContext.session?.kernel) {
      this.say({ title: "Starting a kernel …", waiting: true });
      await (sessionContext.isReady ? sessionContext.startKernel() : sessionContext.initialize());
      if (turn !== this.turn) return;
    }
    await sessionContext.specsManager.ready;
    const specs = sessionContext.specsManager.specs?.kernelspecs;
    const kernel = sessionContext.session?.kernel;
    if (!kernel) {
      const wanted = specs?.[this._request.kernel ?? ""];
      if (wanted) {
        this.say({
          title: `${wanted.display_name} did not start.`,
          text: ["The server's log says why. Choose another kernel, or try again."],
          remedies: [this.chooseKernel, this.tryAgain],
        });
        return;
      }
      this.say({
        title: "There is no kernel for Python here.",
        text: [
          "An explorer runs in a Python kernel. Choose one; if none is listed, install one in the environment that has camwidget, and reload this page:",
        ],
        code: "python -m pip install ipykernel\npython -m ipykernel install --user",
        remedies: [this.chooseKernel],
      });
      return;
    }
    const spec = specs?.[kernel.name];
    const language = spec?.language ?? "python";
    if (language.toLowerCase() !== "python") {
      this.say({
        title: `${spec?.display_name ?? kernel.name} is not a Python kernel.`,
        text: ["Choose a Python kernel whose environment has camwidget."],
        remedies: [this.chooseKernel],
      });
      return;
    }
    this.say({ title: `Loading camwidget in ${spec?.display_name ?? kernel.name} …`, waiting: true });
    this.remember({ kernel: kernel.name });
    try {
      await this.sessionWidgets.attach();
    } catch (error) {
      console.error(error);
      this.say({
        title: "There is no widget manager here.",
        text: ["Explorers are Jupyter widgets. Install their manager in the environment that this application runs in, and start it again:"],
        code: "python -m pip install jupyterlab_widgets",
      });
      return;
    }
    if (turn !== this.turn) return;
    const answer = await run(kernel, showCode(this._request.names, this._request.state));
    if (turn !== this.turn) return;
    if (answer.python !== undefined) {
      this.say({
        title: `There is no camwidget in the environment of ${spec?.display_name ?? kernel.name}.`,
        text: ["Choose a kernel that has it, or install it there and try again:"],
        code: `${answer.python} -m pip install camwidget`,
        remedies: [this.chooseKernel, this.tryAgain],
      });
      return;
    }
    if (answer.refused !== undefined) {
      this.say({ title: "There is nothing to explore.", text: [answer.refused], remedies: [this.tryAgain] });
      return;
    }
    if (answer.widget) await this.place(answer.widget, turn);
    if (turn !== this.turn) return;
    this.isShown = true;
    if (answer.unrestored === undefined) this.notice.hide();
    else {
      this.say({
        title: "The explorer is new: what it showed before could not be restored.",
        text: [answer.unrestored],
        remedies: [{ label: "Close this message", run: () => this.notice.hide() }],
      });
    }
  }

  private async place(data: { readonly [mime: string]: unknown }, turn: number): Promise<void> {
    const view = await this.sessionWidgets.view(data);
    if (turn !== this.turn) return view.dispose();
    this.view?.dispose();
    this.view = view;
    view.addClass("camwidget-lab-view");
    this.addWidget(view);
  }

  private say(notice: Notice): void {
    this.notice.say(notice);
    // What a kernel has left can still be looked at; while another is on its way, it is about to be replaced.
    if (this.view) this.view.node.inert = notice.waiting ?? false;
    this.node.scrollTop = 0;
  }

  /** Another's kernel has variables of its own, and shows widgets in its own document only. */
  private refuse(): void {
    this.turn += 1;
    this.isShown = false;
    this.say({
      title: "This kernel belongs to a notebook or a console.",
      text: ["An explorer has a kernel of its own. Choose one under “Start Kernel”, or show an explorer in the notebook itself, in a cell:"],
      code: "import camwidget as cw\ncw.Explorer()",
      remedies: [this.chooseKernel],
    });
  }

  private failed(error: unknown): void {
    const { message } = error as Error;
    if (error instanceof PythonError) {
      this.say({
        title: "Python could not make the explorer.",
        text: [`${error.kind}: ${message}`],
        code: error.traceback,
        remedies: [this.tryAgain, this.chooseKernel],
      });
    } else {
      this.say({ title: "The explorer could not be shown.", text: [message], remedies: [this.tryAgain, this.chooseKernel] });
    }
  }

  private lost(title: string, again: () => unknown = () => this.restart()): void {
    this.turn += 1;
    this.isStarting = this.isShown = false;
    this.say({
      title,
      text: ["You can still mask and view the picture below. Restart the kernel to go on from where it was last."],
      remedies: [{ label: "Restart", run: again }, this.chooseKernel],
    });
  }

  private kernelIs(status: Kernel.Status): void {
    const died = "The kernel died. Perhaps it ran out of memory.";
    if (status === "dead") this.lost(died);
    else if (status === "autorestarting") {
      // The server is starting another by itself.
      this.lost(died, () => this.start());
    } else if (status === "restarting" && !this.isStarting) {
      this.lost("The kernel has been restarted.");
    }
  }

  private heard(message: KernelMessage.IIOPubMessage): void {
    if (message.header.msg_type !== "comm_msg" || !this.isShown) return;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.readState(), QUIET);
  }

  private async readState(): Promise<void> {
    const kernel = this.sessionContext.session?.kernel;
    if (!kernel || !this.isShown) return;
    try {
      const { state } = await run(kernel, STATE_CODE);
      if (state !== undefined) this.remember({ state });
    } catch {
      // The kernel went away meanwhile: the state that was read before stands.
    }
  }

  private remember(news: Partial<ExplorerRequest>): void {
    this._request = { ...this._request, ...news };
    this._requestChanged.emit(this._request);
  }

  private readonly chooseKernel: Remedy = {
    label: "Choose a kernel …",
    run: () => this.dialogs.selectKernel(this.sessionContext),
  };

  private readonly tryAgain: Remedy = { label: "Try again", run: () => this.start() };

  override dispose(): void {
    if (this.isDisposed) return;
    this.turn += 1;
    window.clearTimeout(this.timer);
    this.sessionWidgets.dispose();
    Signal.clearData(this);
    super.dispose();
  }
}
