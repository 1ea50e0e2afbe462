/** A live page for tests, and the worker that it asks. */
import type { FoundTensors, FromWorker, ToWorker } from "../src/live/messages";
import { LiveModel } from "../src/live/liveModel";
import { ModelRunner } from "../src/live/modelRunner";
import type { WorkerLike } from "../src/live/modelRunner";
import type { LivePayload } from "../src/live/payload";
import { BinaryBundle } from "../src/page/binaryBundle";

/** A worker that answers when it is told to. */
export class FakeWorker implements WorkerLike {
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  readonly got: ToWorker[] = [];

  postMessage(message: ToWorker): void {
    this.got.push(message);
  }

  say(data: FromWorker): void {
    this.onmessage?.({ data } as MessageEvent<FromWorker>);
  }

  /** Answers the last pass. */
  pass(logits: readonly number[], features: readonly number[] | null = null, found: FoundTensors = {}): void {
    const last = this.got.at(-1);
    if (last?.kind !== "pass") throw new Error("no pass");
    const maps = features === null ? null : { values: Float32Array.from(features), shape: [1, 1, 1, 2] };
    this.say({ kind: "passed", id: last.id, logits: Float32Array.from(logits), features: maps, found });
  }

  get passes(): readonly Extract<ToWorker, { kind: "pass" }>[] {
    return this.got.filter((one) => one.kind === "pass");
  }
}

export const METHOD = {
  name: "cam", label: "CAM", settings: "", group: "", tip: "", against: null, rather: null, everywhere: false,
};

export const WINDOW = { name: "window", default: null, integer: true, low: 1, high: null, usual: null, help: "" };

export const HOSTILE = "</script><img src=x onerror=alert(1)>";
export const OTHER = { width: 2, height: 1, rgb: Uint8Array.of(1, 2, 3, 4, 5, 6) };

/** A page of 2×1 pixels: of three classes two are listed; CAM has no map in the file, and is computed. */
export function opened(
  first: Partial<LivePayload["first"]> = {}, others: readonly string[] = [], isStarted = true, live: Partial<LivePayload["live"]> = {},
  more: Partial<LivePayload> = {},
): { readonly model: LiveModel; readonly worker: FakeWorker } {
  const grad = { ...METHOD, name: "gradcam", label: "Grad-CAM" };
  const method = { ...METHOD, against: "it is of one class.", rather: "it is of one class." };
  const bias = [0, 12] as const;
  const data = {
    format: 2, model: "net", name: HOSTILE, quantity: {}, contrasts: [], missing: {}, maps: [], grids: [], steps: 2, modes: [],
    baselines: ["black"], colormaps: {}, archive: "",
    scene: { width: 2, height: 1, picture: [12, 6], fills: { black: [18, 3] } },
    classes: [{ index: 1, name: HOSTILE, unmasked: 0.7 }, { index: 0, name: "a", unmasked: 0.2 }],
    methods: [method, grad], layers: [{ name: "last", shape: [1, 1, 2] }],
    first: {
      target: 1, stance: { kind: "for", other: -1 }, method: "cam", layer: "last", mode: "remove", baseline: "black", fraction: 0,
      box_threshold: 0.15, ...first,
    },
    live: {
      names: ["a", HOSTILE, "c"], scores: "softmax", ordered: true, channels: 3, difference: 0, pictures: 1,
      preprocess: { size: [1, 2], resize: [1, 2], filter: "bilinear" },
      head: { layer: 0, methods: ["cam", "gradcam"], further: [], scorecam: { ...METHOD, name: "scorecam" }, offset: 0, rows: 3, channels: 1, bias, rectified: false, gated: false },
      mean: [0, 0, 0], difference_colors: [0, 3],
      occlusion: { method: { ...METHOD, name: "occlusion", label: "Occlusion", everywhere: true }, fields: [WINDOW], window: 1 },
      rise: { method: { ...METHOD, name: "rise", label: "RISE", everywhere: true }, fields: [], defaults: { masks: 1, cells: 1, keep: 0.5, seed: 0 } },
      finds: null, competes: true, ...live,
    },
    ...more,
  } as unknown as LivePayload;
  const bytes = new Uint8Array(21);
  bytes.set([200, 100, 50, 0, 0, 0], 12);
  const model = new LiveModel(data, new BinaryBundle(bytes));
  for (const name of others) model.list(name, OTHER);
  const worker = new FakeWorker();
  const runner = new ModelRunner(worker, (weights) => model.ready(weights), (reason) => model.fail(reason));
  if (isStarted) model.start(runner);
  return { model, worker };
}

/** Answers all passes that are asked for. */
export async function answer(worker: FakeWorker, logits: readonly number[], found: FoundTensors = {}): Promise<void> {
  for (let answered = -1; answered !== worker.passes.length; ) {
    answered = worker.passes.length;
    worker.pass(logits, [1, 2], found);
    await new Promise((done) => setTimeout(done));
  }
}
