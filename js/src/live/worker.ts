/** The worker of a live page: runs the model, one pass after the other. */
import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";
import type { FromWorker, Pass, ToWorker } from "./messages";

interface Scope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
}

const scope = globalThis as unknown as Scope;

/** Characters that are decoded at once: a multiple of four, so that each part is base64 of its own. */
const PART = 4 << 18;

/** Bytes from base64 of gzip. */
async function unpacked(text: string): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < text.length; at += PART) {
    const decoded = atob(text.slice(at, at + PART));
    const part = new Uint8Array(decoded.length);
    for (let i = 0; i < part.length; i++) part[i] = decoded.charCodeAt(i);
    parts.push(part);
  }
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

let session: InferenceSession | null = null;

async function load({ runtime, model, weights }: Extract<ToWorker, { kind: "load" }>): Promise<void> {
  env.wasm.wasmBinary = await unpacked(runtime);
  // More threads need headers that only a server can send.
  env.wasm.numThreads = 1;
  env.logLevel = "error";
  const bytes = await unpacked(model);
  let own: Float32Array | null = null;
  if (weights !== null) {
    own = new Float32Array(bytes.slice(weights.offset, weights.offset + 4 * weights.count).buffer);
  }
  session = await InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  scope.postMessage({ kind: "ready", weights: own });
}

async function pass({ id, pixels, shape, withFeatures }: Pass): Promise<void> {
  if (session === null) throw new Error("the model is not loaded");
  const input = new Tensor("float32", pixels, [1, ...shape]);
  const outputs = await session.run({ pixels: input }, session.outputNames.filter((name) => withFeatures || name !== "features"));
  const { logits, features, ...found } = outputs;
  scope.postMessage({
    kind: "passed",
    id,
    // A detector's are those of its boxes.
    logits: Float32Array.from((logits?.data ?? []) as Float32Array),
    features: features === undefined ? null : { values: Float32Array.from(features.data as Float32Array), shape: features.dims },
    found: Object.fromEntries(Object.entries(found).map(([name, { data }]) => [
      name, name === "areas" ? Uint16Array.from(data as Int32Array) : Float32Array.from(data as Float32Array),
    ])),
  });
}

/** Messages are answered in their order. */
let last = Promise.resolve();

scope.onmessage = ({ data }) => {
  last = last
    .then(() => (data.kind === "load" ? load(data) : pass(data)))
    .catch((error: unknown) => scope.postMessage({ kind: "failed", reason: error instanceof Error ? error.message : String(error) }));
};
