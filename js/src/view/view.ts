import { Brush } from "./brush/brush";
import { Comparing } from "./comparison/comparison";
import { Context } from "./context";
import { classList, firstNowRow } from "./controls/classList";
import { Search } from "./controls/classSearch";
import { curveHead, curveNames, errorLine, sentence, status } from "./controls/curveHeading";
import { keepTool } from "./controls/exportTool";
import { Help } from "./controls/helpPanel";
import { Play } from "./controls/layerPlayback";
import { layerPicker } from "./controls/layerSlider";
import { lookTool } from "./controls/mapStyleControls";
import { maskRow } from "./controls/maskSlider";
import { MethodRow } from "./controls/methodChips";
import { PromptPanel } from "./controls/promptPanel";
import { historyTool } from "./controls/undoRedo";
import { make } from "./dom/dom";
import { toolbar } from "./dom/toolbar";
import type { Tool } from "./dom/toolbar";
import { Connection } from "./host/connection";
import { keepFocus, makePanelsAccessible } from "./host/keyboardFocus";
import { largeTool, narrow } from "./host/layout";
import { alone, followPicture } from "./host/pictureNavigation";
import { keyboard } from "./keyboard";
import type { Model } from "./model";
import { HerePopover } from "./picture/classProbe";
import { Contour } from "./picture/contours";
import { truthLine } from "./picture/outlines";
import { waiting } from "./picture/progress";
import { reading } from "./picture/readout";
import { Stage } from "./picture/stage";
import { Zoom } from "./picture/zoom";

/**
 * Builds one view of the model inside `root`; everything it holds on to ends with the signal.
 *
 * @param live whether there is a kernel: what needs one is left out where there is none
 */
export function mount(model: Model, root: HTMLElement, signal: AbortSignal, live = true): void {
  const connection = new Connection(model, root, signal);
  const context = new Context(connection.guarded(), signal, live);
  const stage = new Stage(context);
  const zoom = new Zoom(context, stage);
  const here = new HerePopover(context, stage, zoom);
  const help = new Help(context);
  const classes = classList(context);
  const methods = new MethodRow(context);
  const compare = new Comparing(context, stage, zoom, root);
  const mask = maskRow(context, () => {
    stage.repaint();
    compare.repaint();
  });
  const play = new Play(context);
  const layer = layerPicker(context, play.element, () => stage.focus());
  play.stopOn(layer);
  const contour = new Contour(context, stage);
  const brush = new Brush(context, stage);
  const keep = keepTool(context, stage);
  const truth = truthLine(context);
  const drawing = lookTool(context, contour, truth);
  const large = largeTool(context, root);
  const tools: readonly Tool[] = live
    ? [historyTool(context), brush, compare.tool, drawing, keep, large.tool]
    : [drawing, keep];
  const parts = [
    make(
      "div",
      "camwidget-stage",
      {},
      ...compare.around,
      reading(context, stage, zoom),
    ),
    make("div", "camwidget-classtop", {}, new PromptPanel(context).element, classes.head),
    classes.names,
    classes.numbers,
    ...compare.numbers,
    ...(live ? [firstNowRow(context)] : []),
    new Search(context).element,
    curveHead(context),
    curveNames(context),
    alone(context),
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
    marker: brush.marker(here),
    brush,
    zoom,
    contour,
    play,
    cycleCompare: () => compare.cycle(),
    close: () =>
      help.close() ||
      play.stop() ||
      methods.close() ||
      here.close() ||
      brush.stop() ||
      stage.cancel.press() ||
      large.leave(),
  });
  narrow(root, mask, signal);
  waiting(context, root);
  followPicture(context, root);
  keepFocus(root, stage.frame, signal);
  makePanelsAccessible(root, signal);
  connection.start();
  signal.addEventListener("abort", () => parts.forEach((part) => part.remove()));
}
