/** ``mount``: builds the parts of the explorer's view and connects them. */
import { Brush } from "./brush/brush";
import { Comparison } from "./comparison/comparison";
import { Context } from "./context";
import type { Host } from "./context";
import { classList, mostProbableRow, nothingFound } from "./controls/classList";
import { ClassSearch } from "./controls/classSearch";
import { detectionQuestion } from "./controls/detectionQuestion";
import { curveHeading, curveNames, errorLine, sentence, status } from "./controls/curveHeading";
import { exportTool } from "./controls/exportTool";
import { HelpPanel } from "./controls/helpPanel";
import { LayerPlayback } from "./controls/layerPlayback";
import { layerPicker } from "./controls/layerSlider";
import { mapStyleTool } from "./controls/mapStyleControls";
import { maskRow } from "./controls/maskSlider";
import { MethodRow } from "./controls/methodChips";
import { MethodSettings } from "./controls/methodSettings";
import { PromptPanel } from "./controls/promptPanel";
import { ReferenceEditor } from "./controls/referenceEditor";
import { referenceRows } from "./controls/referenceRows";
import { StanceControl } from "./controls/stanceControl";
import { historyTool } from "./controls/undoRedo";
import { make, toolbar } from "./dom/dom";
import type { Tool } from "./dom/dom";
import { KernelConnection } from "./host/kernelConnection";
import { keepFocus, makePanelsAccessible } from "./host/keyboardFocus";
import { largeTool, observeWidth } from "./host/layout";
import { fallbackControls, followThumbnails } from "./host/pictureNavigation";
import { ReferenceMarks } from "./host/referenceMarks";
import { keyboard } from "./keyboard";
import type { Model } from "./model";
import { ClassProbePopover } from "./picture/classProbePopover";
import { Contours } from "./picture/contours";
import { groundTruthLine } from "./picture/outlines";
import { frameControl } from "./picture/frames";
import { readout } from "./picture/readout";
import { Stage } from "./picture/stage";
import { Zoom } from "./picture/zoom";
import { markPending } from "./picture/progress";

/**
 * Builds one view of the model inside `root`; everything it holds on to ends with the signal.
 *
 * @param host what answers the view: what it cannot do is left out
 */
export function mount(model: Model, root: HTMLElement, signal: AbortSignal, host: Host = "kernel"): void {
  const connection = new KernelConnection(model, root, signal);
  const context = new Context(connection.guarded(), signal, host);
  const { live, runsModel } = context;
  const stage = new Stage(context);
  const zoom = new Zoom(context, stage);
  const probe = new ClassProbePopover(context, stage, zoom);
  const help = new HelpPanel(context);
  const stance = new StanceControl(context);
  const classes = classList(context, stance.element);
  const methods = new MethodRow(context);
  const compare = new Comparison(context, stage, zoom, root);
  const mask = maskRow(context, () => {
    stage.repaint();
    compare.repaint();
  });
  const play = new LayerPlayback(context);
  const layer = layerPicker(context, play.element, () => stage.focus());
  play.stopOn(layer);
  const contour = new Contours(context, stage);
  const brush = new Brush(context, stage);
  const keep = exportTool(context, stage);
  const truth = groundTruthLine(context);
  const drawing = mapStyleTool(context, contour, truth);
  const large = largeTool(context, root);
  const tools: readonly Tool[] = live
    ? [historyTool(context), brush, compare.tool, new MethodSettings(context).tool, drawing, keep, large.tool]
    : runsModel ? [historyTool(context), brush, compare.tool, new MethodSettings(context).tool, drawing, keep] : [drawing, keep];
  const editor = new ReferenceEditor(context);
  // In the line of the search, so that the widget is no higher; where there is none, over the list.
  const question = detectionQuestion(context);
  const parts = [
    make(
      "div",
      "camwidget-stage",
      {},
      ...compare.around,
      frameControl(context, stage.frames),
      readout(context, stage, zoom),
    ),
    make("div", "camwidget-class-header", {}, new PromptPanel(context).element, classes.head, ...(live ? [] : [question])),
    classes.names,
    classes.numbers,
    ...compare.numbers,
    ...(runsModel ? [mostProbableRow(context)] : []),
    referenceRows(context, classes.names, (name) => editor.edit(name)),
    make("div", "camwidget-find", { "data-needs": "model" }, nothingFound(context), make("div", "camwidget-find-line", {}, ...(live ? [question] : []), new ClassSearch(context).element), editor.element),
    curveHeading(context),
    curveNames(context),
    fallbackControls(context),
    mask,
    sentence(context),
    make("div", "camwidget-choices", {}, methods.element, layer),
    toolbar(tools, status(context, help.element)),
    errorLine(context),
    connection.element,
  ];
  root.classList.add("camwidget-view");
  root.append(...parts);
  keyboard(context, {
    root,
    frame: stage.frame,
    toggleHelp: () => help.toggle(),
    marker: brush.marker(probe),
    brush,
    zoom,
    contour,
    play,
    frames: stage.frames,
    cycleComparison: () => compare.cycle(),
    close: () =>
      help.close() ||
      play.stop() ||
      stage.frames.stop() ||
      methods.close() ||
      stance.cancel() ||
      probe.close() ||
      brush.stop() ||
      stage.cancel.press() ||
      large.leave(),
  });
  observeWidth(root, mask, signal);
  markPending(context, root);
  const marks = live ? new ReferenceMarks(context) : null;
  followThumbnails(context, root, (strip) => marks?.place(strip));
  keepFocus(root, stage.frame, signal);
  makePanelsAccessible(root, signal);
  connection.start();
  signal.addEventListener("abort", () => parts.forEach((part) => part.remove()));
}
