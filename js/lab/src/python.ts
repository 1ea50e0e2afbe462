/** Python code that a tab runs in its kernel, and the results that it displays. */
import type { Kernel, KernelMessage } from "@jupyterlab/services";

// Only public names of camwidget: the version in the kernel's environment may be older or newer than this extension.

/** MIME type of the results of the code below; notebooks do not show it. */
const ANSWER = "application/vnd.camwidget.answer+json";
const WIDGET = "application/vnd.jupyter.widget-view+json";

/** A Python literal: what JSON writes of a string is one. */
const literal = (text: string): string => JSON.stringify(text);

const answer = (expression: string): string => `__import__("IPython").display.display({${literal(ANSWER)}: ${expression}}, raw=True)`;

/** Returns code that shows the kernel's explorer, and makes it if there is none. Paths are absolute, for the code sent to a notebook. */
export function showCode(names: readonly string[], state: string | undefined): string {
  const images = names.length === 1 ? `_paths[0]` : names.length ? "_paths" : "None";
  return `
try:
    import camwidget as cw
except ModuleNotFoundError as _error:
    if _error.name != "camwidget":
        raise
    ${answer('{"python": __import__("sys").executable}')}
else:
    try:
        if not isinstance(globals().get("ex"), cw.Explorer) or ex.comm is None:
            _paths = [__import__("os").path.abspath(_name) for _name in [${names.map(literal).join(", ")}]]
            ex = cw.Explorer(images=${images})
            _state = ${state === undefined ? "None" : `__import__("json").loads(${literal(state)})`}
            if _state is not None:
                try:
                    ex.state = _state
                except cw.CamwidgetError as _error:
                    ${answer('{"unrestored": str(_error)}')}
        __import__("IPython").display.display(ex)
    except cw.CamwidgetError as _error:
        ${answer('{"refused": str(_error)}')}
`;
}

/** The state of the explorer as JSON. */
export const STATE_CODE = answer('{"state": __import__("json").dumps(ex.state)}');

/** The code of the explorer, and the folder of its kernel. */
export const CODE_CODE = answer('{"code": ex.code, "folder": __import__("os").getcwd()}');

export interface PythonResult {
  /** The interpreter of a kernel without camwidget. */
  readonly python?: string;
  /** camwidget's error message, if there is no explorer; it names the remedy. */
  readonly refused?: string;
  /** Why the state of the request could not be restored. */
  readonly unrestored?: string;
  readonly state?: string;
  readonly code?: string;
  readonly folder?: string;
  /** The widget that was shown: data by MIME type. */
  readonly widget?: { readonly [mime: string]: unknown };
}

/** Python raised something. */
export class PythonError extends Error {
  constructor(
    readonly kind: string,
    message: string,
    readonly traceback: string,
  ) {
    super(message);
  }
}

/** Run code in a kernel, beside what its user counts as inputs, and return what it displayed. */
export async function run(kernel: Kernel.IKernelConnection, code: string): Promise<PythonResult> {
  const future = kernel.requestExecute({ code, store_history: false, stop_on_error: false });
  let found: PythonResult = {};
  future.onIOPub = (message) => {
    if (message.header.msg_type !== "display_data") return;
    const { data } = message.content as KernelMessage.IDisplayDataMsg["content"];
    if (ANSWER in data) found = { ...found, ...(data[ANSWER] as PythonResult) };
    if (WIDGET in data) found = { ...found, widget: { [WIDGET]: data[WIDGET] } };
  };
  const { content } = await future.done;
  if (content.status === "error") {
    // Terminals' colors are no text.
    throw new PythonError(content.ename, content.evalue, content.traceback.join("\n").replace(/\u001b\[[\d;]*m/g, ""));
  }
  if (content.status !== "ok") throw new PythonError("aborted", "The kernel gave up before it was done.", "");
  return found;
}
