import { describe, expect, it, vi } from "vitest";
import { baseline } from "../src/core/baselines";
import { classActivation } from "../src/core/classActivation";
import type { Head } from "../src/core/classActivation";
import { Compositor } from "../src/core/compositor";
import { rankLevels } from "../src/core/maskingRule";
import { strongestRegion } from "../src/core/strongestRegion";
import { probabilities } from "../src/core/scores";
import type { LiveModel } from "../src/live/liveModel";
import { maskedInput } from "../src/live/maskedInput";
import { ModelRunner } from "../src/live/modelRunner";
import type { Answer } from "../src/live/modelRunner";
import { LivePicture } from "../src/live/livePicture";
import { corners, Occlusion } from "../src/live/occlusion";
import { Rise } from "../src/live/rise";
import { ScoreCam } from "../src/live/scoreCam";
import { strongestAt } from "../src/live/classGrids";
import type { Subject } from "../src/live/liveMaps";
import { termsOf } from "../src/core/scoreTerms";
import type { Terms } from "../src/core/scoreTerms";
import { write } from "../src/view/model";
import { answer, FakeWorker, HOSTILE, METHOD, opened } from "./livePage";

const input = (mark: number) => () => ({ pixels: Float32Array.of(mark), shape: [1, 1, 1] as const, withFeatures: false });

describe("ModelRunner", () => {
  it("runs the newest position before all else, and drops those before it", async () => {
    const worker = new FakeWorker();
    const runner = new ModelRunner(worker, () => {}, () => {});
    const found: (string | null)[] = [];
    const note = (name: string) => (answer: Answer | null): void => void found.push(answer === null ? `${name} dropped` : name);
    void runner.later(input(1)).then(note("curve 1"));
    void runner.later(input(2)).then(note("curve 2"));
    void runner.later(input(3), () => false).then(note("unwanted"));
    expect(worker.passes).toHaveLength(0); // it is not ready
    worker.say({ kind: "ready", weights: null });
    void runner.latest(input(10)).then(note("10"));
    void runner.latest(input(11)).then(note("11"));
    void runner.latest(input(12)).then(note("12"));
    const ran: number[] = [];
    while (worker.passes.length > ran.length) {
      ran.push(worker.passes.at(-1)!.pixels[0]!);
      worker.pass([0]);
      await Promise.resolve();
    }
    await new Promise((done) => setTimeout(done));
    expect(ran).toEqual([1, 12, 2]);
    expect(found).toEqual(["10 dropped", "11 dropped", "curve 1", "12", "curve 2", "unwanted dropped"]);
  });

  it("says why it failed, and goes on", async () => {
    const worker = new FakeWorker();
    const failed = vi.fn();
    const runner = new ModelRunner(worker, () => {}, failed);
    worker.say({ kind: "ready", weights: null });
    const first = runner.latest(input(1));
    worker.say({ kind: "failed", reason: "out of memory" });
    expect(await first).toBeNull();
    expect(failed).toHaveBeenCalledWith("out of memory");
    const second = runner.latest(input(2));
    worker.pass([5]);
    expect((await second)?.logits[0]).toBe(5);
  });
});

describe("what the model gets", () => {
  const [width, height] = [6, 4];
  const rgb = Uint8Array.from({ length: 72 }, (_, i) => (i * 37) % 256);
  const saliency = Float32Array.from({ length: 24 }, (_, i) => ((i * 7) % 24) / 24);
  const levels = rankLevels(saliency);
  const fill = Uint8Array.of(9, 80, 200);
  const paint = Int8Array.from({ length: 24 }, (_, i) => (i === 3 ? 1 : i === 17 ? -1 : 0));

  it("is what the screen shows", () => {
    const screen = new Compositor();
    for (const mode of ["remove", "keep"] as const) {
      for (const painted of [null, paint]) {
        for (const fraction of [0, 0.3, 1]) {
          screen.setPicture({ width, height, rgb });
          screen.setHeat({ saliency: new Uint8Array(24), levels, cells: null });
          const shown = screen.paint({ mode, fraction, fill, paint: painted });
          const { pixels, shape } = maskedInput({ width, height, rgb }, { levels, saliency }, { mode, fraction, fill, paint: painted }, 3);
          expect(shape).toEqual([3, 4, 6]);
          const planes = Array.from({ length: 72 }, (_, i) => shown[4 * (i % 24) + Math.floor(i / 24)]! / 255);
          expect(Array.from(pixels)).toEqual(Array.from(Float32Array.from(planes)));
        }
      }
    }
  });

  it("is the picture times its map, but where it is painted", () => {
    const { pixels } = maskedInput({ width, height, rgb }, { levels, saliency }, { mode: "multiply", fraction: 0, fill, paint }, 3);
    expect(pixels[5]).toBe(Math.fround(Math.fround(rgb[15]! / 255) * saliency[5]!));
    expect(pixels[3]).toBe(Math.fround(9 / 255));
    expect(pixels[17]).toBe(Math.fround(rgb[51]! / 255));
  });

  it("has the baselines' colors", () => {
    const flat = { width: 8, height: 8, rgb: new Uint8Array(192).fill(77) };
    expect(new Set(baseline("blur", flat))).toEqual(new Set([77]));
    expect(Array.from(baseline("mean", { width: 2, height: 1, rgb: Uint8Array.of(0, 10, 20, 2, 11, 30) }))).toEqual([1, 11, 25]);
    expect(Array.from(baseline("black", flat))).toEqual([0, 0, 0]);
  });
});

describe("maps from the head's weights", () => {
  // Two channels of 1×2 cells; the class's weights are 2 and -1.
  const features = { values: Float32Array.of(1, 3, 2, 0), channels: 2, rows: 1, columns: 2 };
  const head: Head = {
    weights: Float32Array.of(0, 0, 2, -1), bias: Float32Array.of(0, 0), channels: 2, rectified: false, gated: false, single: false,
    probabilities: (logits) => probabilities(logits, "softmax"),
  };
  const second: Terms = [{ index: 1, sign: 1 }];
  const map = (method: Parameters<typeof classActivation>[3], of: Partial<Head> = {}, terms = second): number[] =>
    Array.from(classActivation(features, { ...head, ...of }, terms, method).cells);

  it("follow their equations", () => {
    expect(map("cam")).toEqual([0, 6]);
    expect(map("gradcam")).toEqual([0, 3]);
    expect(map("hirescam")).toEqual([0, 3]);
    expect(map("layercam")).toEqual([1, 3]);
    expect(map("xgradcam")).toEqual([0, 3]);
    // α = 1 / (2 + 4 · 1), both cells: w = 2 / 6.
    expect(map("gradcam++")[1]).toBeCloseTo(1, 6);
  });

  it("stop at a rectifier, and change sign where one score stands for two classes", () => {
    // The first cell's score is 0 - 0.5 < 0.
    const gated = { gated: true, bias: Float32Array.of(0, -0.5) };
    expect(map("hirescam", gated)).toEqual([0, 3]);
    expect(map("layercam", gated)).toEqual([0, 3]);
    expect(map("gradcam", gated)).toEqual([0, 1.5]);
    const single = { ...head, weights: Float32Array.of(-2, 1), bias: Float32Array.of(0), single: true };
    expect(Array.from(classActivation(features, single, [{ index: 0, sign: 1 }], "cam").cells)).toEqual([0, 6]);
  });

  it("have the box of their largest region", () => {
    const found = strongestRegion(Float32Array.of(0.9, 0, 0, 0, 1, 0, 0, 0.5, 0, 0.2, 0, 0), 4, 0.15);
    expect(found).toEqual({ box: [0, 0, 2, 3], peak: { x: 0, y: 1 } });
    expect(strongestRegion(new Float32Array(4), 2, 0.15)).toBeNull();
  });

  it("of an occlusion are mean drops over the squares", () => {
    const picture = { width: 4, height: 2, rgb: new Uint8Array(24) };
    const data = { method: { ...METHOD, name: "occlusion" }, window: 2 };
    expect(corners(picture, { window: 2, stride: 1 })).toEqual([[0, 0], [0, 2], [0, 1]]);
    const of = new LivePicture("a", "a", picture, []);
    of.logits = Float32Array.of(4);
    const occlusion = new Occlusion(data, [0, 0.5, 1]);
    expect(occlusion.total(of)).toBe(3);
    expect(new Occlusion(data, [0, 0, 0], { stride: 2 }).total(of)).toBe(2);
    expect(new Occlusion(data, [0, 0, 0], { window: 3 }).problem(of)).toMatch(/^A window of 3 and a stride of 1 do not cover a picture of 4×2: /);
    const { pixels } = occlusion.input(of, 1);
    expect(Array.from(pixels.subarray(8, 16))).toEqual([0, 0, 0.5, 0.5, 0, 0, 0.5, 0.5]);
    const logits = [2, 4, 5].map((value) => Float32Array.of(value));
    expect(Array.from(occlusion.map(of, logits, termsOf(0, "for", -1)).cells)).toEqual([2, 0.5, 0, 0, 2, 0.5, 0, 0]);
    expect(Array.from(occlusion.map(of, logits, termsOf(0, "against", -1)).cells)).toEqual([0, 0, 0.5, 0, 0, 0, 0.5, 0]);
  });

  it("against a class, or for it rather than another, follow the same equations", () => {
    const against = termsOf(1, "against", -1);
    expect(map("gradcam", {}, against)).toEqual([0, 0]);
    expect(map("layercam", {}, against)).toEqual([1, 0]);
    const weights = Float32Array.of(1, 1, 2, -1);
    // The weights of the difference are 1 and −2.
    expect(map("hirescam", { weights }, termsOf(1, "rather", 0))).toEqual([0, 1.5]);
  });

  it("by passes without a channel, or with few cells, need no pass", () => {
    // The score is (2·4 − 2) / 2 = 3; without the first channel −1, without the second 4.
    expect(map("ablationcam")).toEqual([4 / 3 - 2 / 3, 4].map(Math.fround));
    // The score with cells around the first is (0.25·0 + 0.125·6) / 2: half of it around the second, 0.75, is what it adds.
    const found = map("recipro-cam", {}, termsOf(1, "rather", 0));
    expect(found).toEqual([0, Math.fround(0.75 - 0.375)]);
  });

  it("of RISE are weighted sums of its masks", () => {
    const rise = new Rise({ ...METHOD, name: "rise" }, { masks: 2, cells: 2, keep: 0.5, seed: 5 }, [0, 0, 0], (logits) => probabilities(logits, "value"));
    const of = new LivePicture("a", "a", { width: 4, height: 4, rgb: new Uint8Array(48).fill(255) }, []);
    const masks = [rise.mask(0, 4, 4), rise.mask(1, 4, 4)];
    expect(Array.from(rise.input(of, 1).pixels.subarray(0, 16))).toEqual(Array.from(masks[1]!));
    const logits = [Float32Array.of(2), Float32Array.of(-1)];
    const sums = Array.from(masks[0]!, (value, at) => 2 * value - masks[1]![at]!);
    const least = Math.min(...sums);
    const { cells } = rise.map(of, logits, termsOf(0, "for", -1));
    expect(Array.from(cells)).toEqual(sums.map((sum) => expect.closeTo(sum - least, 6) as number));
  });

  it("of Score-CAM are weighted by what the score is with each channel's part of the picture", () => {
    const of = new LivePicture("a", "a", { width: 2, height: 1, rgb: new Uint8Array(6).fill(255) }, []);
    // The second channel is constant, the third has the widest range.
    of.features = { values: Float32Array.of(1, 3, 5, 5, 0, 4), channels: 3, rows: 1, columns: 2 };
    const score = new ScoreCam({ ...METHOD, name: "scorecam" }, [0.5, 0.5, 0.5]);
    expect(score.total(of)).toBe(3);
    expect(Array.from(score.input(of, 0).pixels)).toEqual([0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
    expect(Array.from(score.input(of, 1).pixels)).toEqual([0.5, 1, 0.5, 1, 0.5, 1]);
    const logits = [1, 1 + Math.log(2), 1].map((value) => Float32Array.of(value));
    // α = softmax of log 2, 0 and 0.
    const { cells } = score.map(of, logits, termsOf(0, "for", -1));
    expect(Array.from(cells)).toEqual([0.25 + 1.25, 2 + 0.75 + 1.25].map((x) => expect.closeTo(x, 5) as number));
  });
});

it("finds classes at a pixel on the scale of the maps as they are drawn, which may not reach their cells' maximum", () => {
  const of = { picture: { picture: { width: 6, height: 1 }, names: ["a", "b"] } } as unknown as Subject;
  const grids = [[0, 1, 0], [0, 0, 0.5]].map((cells, index) => ({ index, grid: { rows: 1, columns: 3, cells: Float32Array.from(cells) } }));
  expect(strongestAt(grids, of, 3, 0)).toEqual([{ index: 0, name: "a", value: 1 }, { index: 1, name: "b", value: expect.closeTo(1 / 6, 5) as number }]);
});

describe("probabilities", () => {
  it("are the kernel's", () => {
    expect(Array.from(probabilities(Float32Array.of(1000, 1000), "softmax"))).toEqual([0.5, 0.5]);
    expect(Array.from(probabilities(Float32Array.of(0), "softmax"))).toEqual([0.5]);
    expect(Array.from(probabilities(Float32Array.of(0, 0), "log"))).toEqual([1, 1]);
    expect(Array.from(probabilities(Float32Array.of(-3, 7), "value"))).toEqual([-3, 7]);
  });
});

describe("LiveModel", () => {
  const indices = (model: LiveModel): number[] => (model.get("rows") as { index: number }[]).map(({ index }) => index);

  it("computes maps and numbers of any class", async () => {
    const { model, worker } = opened();
    expect(model.get("busy")).toBe(true);
    worker.say({ kind: "ready", weights: Float32Array.of(1, 2, -1) });
    await answer(worker, [0, 1, 2]);
    expect(model.get("busy")).toBe(false);
    expect(model.get("explanation")).toMatchObject({ title: `CAM · last · ${HOSTILE}`, cells_shape: [1, 2], empty: false });
    write(model, { fraction: 0.5 });
    await answer(worker, [0, 0, 0]);
    expect(model.get("masked")).toEqual([1 / 3, 1 / 3]);
    expect(model.get("sentence")).toBe(`Removing the 50 % with the most evidence for ${HOSTILE} lowers it by 0.37 (0.70 → 0.33). Now first: a.`);
    expect(model.get("pending")).toBe(false);
    expect(model.curve()).toHaveLength(2);
    write(model, { target: 2 });
    await answer(worker, [0, 0, 0]);
    expect((model.get("rows") as { index: number }[]).map(({ index }) => index)).toEqual([1, 0, 2]);
    // Its weight is negative: there is no evidence for it.
    expect(model.get("explanation")).toMatchObject({ empty: true, note: "No positive evidence for c at last." });
    expect(model.get("error")).toBe("");
  });

  it("explains what speaks against a class, and for it rather than another", async () => {
    const { model, worker } = opened();
    worker.say({ kind: "ready", weights: Float32Array.of(1, 2, -1) });
    await answer(worker, [0, 1, 2]);
    write(model, { target: 2 });
    expect(model.get("explanation")).toMatchObject({ empty: true });
    write(model, { stance: { kind: "against", other: -1 } });
    // CAM has no such map, and says why.
    expect(model.get("method")).toBe("gradcam");
    expect(model.get("methods")).toMatchObject([{ name: "cam", against: "it is of one class." }, { name: "gradcam", reason: null }, {}, {}, {}]);
    expect(model.get("explanation")).toMatchObject({ title: "Grad-CAM · last · against c", empty: false });
    write(model, { awaits_rival: true });
    write(model, { stance: { kind: "rather", other: 1 } });
    expect(model.get("awaits_rival")).toBe(false);
    expect(model.get("explanation")).toMatchObject({ title: `Grad-CAM · last · c rather than ${HOSTILE}`, empty: true });
    // A click on the other class exchanges the two.
    write(model, { target: 1 });
    expect(model.get("stance")).toEqual({ kind: "rather", other: 2 });
    write(model, { fraction: 0.5 });
    await answer(worker, [0, 0, 0]);
    expect(model.get("sentence")).toBe(
      `Removing the 50 % with the most evidence for ${HOSTILE} rather than c lowers ${HOSTILE} by 0.37 (0.70 → 0.33) and lowers c by 0.34 (0.67 → 0.33). Now first: a.`,
    );
    write(model, { stance: { kind: "rather", other: 1 } });
    expect(model.get("error")).toBe(`“${HOSTILE}” rather than itself says nothing: choose another class.`);
    expect(model.get("stance")).toEqual({ kind: "for", other: -1 });
    expect(model.get("explanation")).toMatchObject({ title: `Grad-CAM · last · ${HOSTILE}` });
  });

  it("compares a map with another one, and a fraction with another one", async () => {
    const { model, worker } = opened();
    worker.say({ kind: "ready", weights: Float32Array.of(1, 2, -1) });
    await answer(worker, [0, 1, 2]);
    write(model, { compare: { method: "gradcam" } });
    expect(model.get("compared_explanation")).toMatchObject({ title: `Grad-CAM · last · ${HOSTILE}`, label: { method: "Grad-CAM", layer: "last" }, no_difference: "" });
    expect(model.get("compared_prediction")).toMatchObject({ target: { unmasked: 0.7, masked: null } });
    write(model, { compare: { target: { against: null } } });
    // CAM says why it has none.
    expect(model.get("compared_status")).toEqual({ error: "CAM does not apply: it is of one class." });
    expect(model.get("compared_explanation")).toEqual({});
    write(model, { compare: { target: "c" } });
    expect(model.get("compared_explanation")).toMatchObject({ title: "CAM · last · c", empty: true });
    write(model, { compare: { fraction: 0.5 } });
    await answer(worker, [0, 0, 0]);
    // A is not masked, B is.
    expect(model.get("masked")).toEqual([]);
    expect(model.get("compared_prediction")).toMatchObject({ target: { unmasked: 0.7, masked: 1 / 3 } });
    write(model, { fraction: 1 });
    const before = worker.passes.length;
    worker.pass([0, 9, 0]);
    await new Promise((done) => setTimeout(done));
    expect(worker.passes.length).toBe(before + 1);
    await answer(worker, [0, 0, 0]);
    expect((model.get("masked") as number[])[0]).toBeGreaterThan(0.9);
    expect(model.get("compared_prediction")).toMatchObject({ target: { masked: 1 / 3 } });
    // Another picture has no difference to this one; of a slow method the progress is shown.
    model.add("own.png", { width: 2, height: 1, rgb: Uint8Array.of(1, 2, 3, 4, 5, 6) });
    await answer(worker, [3, 1, 2]);
    write(model, { compare: { picture: 0, method: "occlusion" } });
    expect(model.get("compared_status")).toMatchObject({ busy: true, note: "Occlusion · a · computing, 0 %" });
    await answer(worker, [1, 0, 0]);
    expect(model.get("compared_status")).toEqual({});
    expect(model.get("compared_explanation")).toMatchObject({
      title: "Occlusion · input · a", no_difference: `No difference: A is of own.png, B of ${HOSTILE}.`, scene: "page",
    });
    expect(model.get("compared_scene")).toMatchObject({ id: "page" });
    write(model, { compare: {} });
    expect([model.get("compared_explanation"), model.get("compared_status")]).toEqual([{}, {}]);
  });

  it("takes other pictures, and computes slow maps until it is told to stop", async () => {
    const { model, worker } = opened();
    worker.say({ kind: "ready", weights: Float32Array.of(1, 2, -1) });
    await answer(worker, [0, 1, 2]);
    model.add("own.png", { width: 2, height: 1, rgb: Uint8Array.of(1, 2, 3, 4, 5, 6) });
    expect(model.get("rows")).toEqual([]);
    await answer(worker, [3, 1, 2]);
    expect((model.get("rows") as { index: number }[]).map(({ index }) => index)).toEqual([0, 2, 1]);
    expect(model.get("target")).toBe(0);
    write(model, { method: "occlusion" });
    expect([model.get("busy"), model.get("can_cancel")]).toEqual([true, true]);
    expect(model.get("sentence")).toBe("The map for a is being computed; the prediction for the masked picture follows.");
    model.send({ type: "cancel" });
    expect([model.get("busy"), model.get("can_cancel"), model.get("method")]).toEqual([false, false, "cam"]);
    write(model, { method: "occlusion" });
    await answer(worker, [1, 0, 0]);
    expect(model.get("explanation")).toMatchObject({ title: "Occlusion · input · a", at_input: true, cells_shape: [1, 2] });
    write(model, { picture: 0 });
    expect(model.get("target")).toBe(1);
    model.fail("out of memory.");
    expect(model.get("error")).toBe("The model does not run here: out of memory.");
  });

  it("shows the class and the stance that a page of several pictures was saved with", async () => {
    const first = { target: 2, stance: { kind: "rather", other: 1 } } as const;
    const state = (model: LiveModel): unknown[] => [model.get("picture"), model.get("target"), model.get("stance"), indices(model)];
    const { model, worker } = opened(first, ["second", "third"]);
    const asSaved = [0, 2, first.stance, [1, 0, 2]];
    expect(model.get("pictures")).toEqual([HOSTILE, "second", "third"]);
    expect(state(model)).toEqual(asSaved);
    // Back from another one before the model has run, and after.
    for (const isReady of [false, true]) {
      if (isReady) {
        worker.say({ kind: "ready", weights: Float32Array.of(1, 2, -1) });
        await answer(worker, [5, 1, 0]);
        expect(state(model)).toEqual(asSaved);
      }
      write(model, { picture: 1 });
      expect(model.get("target")).toBe(isReady ? 0 : -1);
      write(model, { picture: 0 });
      expect(state(model)).toEqual(asSaved);
    }
    // Each picture has had its pass: map B is of one that was never shown.
    write(model, { compare: { picture: 2, method: "occlusion" } });
    await answer(worker, [1, 0, 0]);
    expect(model.get("compared_explanation")).toMatchObject({ label: { picture: "third", method: "Occlusion" } });
    // Where the model never runs, the saved picture is as it was, and another one has no numbers.
    const { model: still } = opened(first, ["second"], false);
    still.fail("no WebAssembly");
    expect([...state(still), still.get("busy")]).toEqual([...asSaved, false]);
    write(still, { picture: 1 });
    expect([still.get("busy"), still.get("error")]).toEqual([false, "The model does not run here: no WebAssembly."]);
    write(still, { picture: 0 });
    expect(state(still)).toEqual(asSaved);
  });

  it("goes back to a quick map when a pass of a slow one fails", async () => {
    const { model, worker } = opened();
    worker.say({ kind: "ready", weights: Float32Array.of(1, 2, -1) });
    await answer(worker, [0, 1, 2]);
    write(model, { method: "occlusion" });
    expect(model.get("can_cancel")).toBe(true);
    worker.say({ kind: "failed", reason: "out of memory" });
    expect([model.get("can_cancel"), model.get("busy"), model.get("method")]).toEqual([false, false, "cam"]);
    expect(model.get("error")).toBe("The model does not run here: out of memory.");
    write(model, { fraction: 0.5 });
    await answer(worker, [0, 0, 0]);
    expect(model.get("masked")).toEqual([1 / 3, 1 / 3]);
    // It can be chosen again.
    write(model, { method: "occlusion" });
    await answer(worker, [1, 0, 0]);
    expect(model.get("explanation")).toMatchObject({ title: `Occlusion · input · ${HOSTILE}` });
    // A slow map B ends with the reason, and is run again when it is chosen again.
    write(model, { method: "cam", compare: { method: "rise" } });
    expect(model.get("compared_status")).toMatchObject({ busy: true });
    worker.say({ kind: "failed", reason: "out of memory" });
    await answer(worker, [1, 0, 0]);
    const failed = { error: "The model does not run here: out of memory." };
    expect(model.get("compared_status")).toEqual(failed);
    write(model, { fraction: 0.6 });
    await answer(worker, [1, 0, 0]);
    expect(model.get("compared_status")).toEqual(failed);
    write(model, { compare: {} });
    write(model, { compare: { method: "rise" } });
    await answer(worker, [1, 0, 0]);
    expect(model.get("compared_explanation")).toMatchObject({ label: { method: "RISE" } });
  });
});
