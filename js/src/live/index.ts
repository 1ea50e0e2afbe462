/** Entry point of a live page: reads the payload, builds the view, and starts the model. */
import { BinaryBundle } from "../page/binaryBundle";
import { openPage, pageView } from "../page/opening";
import { make } from "../view/dom/dom";
import { LiveModel } from "./liveModel";
import { ModelRunner, unsupported } from "./modelRunner";
import type { WorkerLike } from "./modelRunner";
import type { LivePayload } from "./payload";
import { pictureLine } from "./pictureFiles";

/** The text of an element with data, which is not needed a second time. */
function takeText(id: string): string {
  const element = document.getElementById(id);
  const text = element?.textContent ?? "";
  element?.remove();
  if (text === "") throw new Error(`its part ${id} is missing: the file is not complete`);
  return text;
}

/** Starts the model in a worker of its own, so that no move of the slider waits for it. */
function start(model: LiveModel, data: LivePayload): void {
  const reason = unsupported();
  if (reason !== null) {
    model.fail(`${reason}. Open this file in a current browser`);
    return;
  }
  const { head } = data.live;
  try {
    const source = URL.createObjectURL(new Blob([takeText("camwidget-worker")], { type: "text/javascript" }));
    const worker = new Worker(source) as WorkerLike;
    const ready = (weights: Float32Array | null): void => {
      URL.revokeObjectURL(source);
      model.ready(weights);
      performance.mark("camwidget-model-ready");
    };
    const runner = new ModelRunner(worker, ready, (why) => model.fail(why));
    const files = { runtime: takeText("camwidget-runtime"), model: takeText("camwidget-model") };
    runner.load(files, head === null ? null : { offset: head.offset, count: head.rows * head.channels });
    model.start(runner);
  } catch (error) {
    model.fail(error instanceof Error ? error.message : String(error));
  }
}

void openPage<LivePayload>(async (data) => {
  const model = new LiveModel(data, await BinaryBundle.read(data.archive));
  for (const other of data.others ?? []) model.addSaved(other, await BinaryBundle.read(other.archive));
  // The page ends with its window.
  const { signal } = new AbortController();
  const line = pictureLine(model, data.live.preprocess, data.live.channels, signal);
  const view = make("div", "camwidget-live", {}, line, pageView(model, "model"));
  // After the page is drawn: reading the model's text takes a moment.
  setTimeout(() => start(model, data));
  return view;
});
