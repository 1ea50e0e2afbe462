import { alone } from "./alone";
import { classList } from "./classes";
import { Connection } from "./connection";
import { Context } from "./context";
import { make } from "./dom";
import { followPicture } from "./follow";
import { Help } from "./help";
import { HerePopover } from "./here";
import { holdFocus } from "./hold";
import { keyboard } from "./keyboard";
import { layerPicker } from "./layer";
import { look } from "./look";
import { maskRow } from "./mask";
import { MethodRow } from "./methods";
import type { Model } from "./model";
import { narrow } from "./narrow";
import { curveHead, errorLine, sentence, status } from "./say";
import { panelKeys } from "./panels";
import { PromptPanel } from "./prompt";
import { Search } from "./search";
import { Stage } from "./stage";
import { toolbar } from "./tools";
import type { Tool } from "./tools";
import { truthLine } from "./truth";
import { waiting } from "./waiting";

/** Builds one view of the model inside `root`; everything it holds on to ends with the signal. */
export function mount(model: Model, root: HTMLElement, signal: AbortSignal): void {
  const connection = new Connection(model, root, signal);
  const context = new Context(connection.guarded(), signal);
  const stage = new Stage(context);
  const here = new HerePopover(context, stage);
  const help = new Help(context);
  const classes = classList(context);
  const methods = new MethodRow(context);
  const mask = maskRow(context, () => stage.repaint());
  const tools: readonly Tool[] = [];
  const parts = [
    make("div", "camwidget-stage", {}, stage.frame, toolbar(tools), look(context), truthLine(context)),
    make("div", "camwidget-classtop", {}, new PromptPanel(context).element, classes.head),
    classes.names,
    classes.numbers,
    new Search(context).element,
    curveHead(context),
    alone(context),
    methods.element,
    layerPicker(context, () => stage.focus()),
    mask,
    sentence(context),
    status(context, help.element),
    errorLine(context),
    connection.element,
  ];
  root.classList.add("camwidget-view");
  root.append(...parts);
  keyboard(context, {
    root,
    frame: stage.frame,
    toggleHelp: () => help.toggle(),
    marker: here,
    close: () => help.close() || methods.close() || here.close() || stage.cancel.press(),
  });
  narrow(root, mask, signal);
  waiting(context, root);
  followPicture(context, root);
  holdFocus(root, stage.frame, signal);
  panelKeys(root, signal);
  connection.begin();
  signal.addEventListener("abort", () => parts.forEach((part) => part.remove()));
}
