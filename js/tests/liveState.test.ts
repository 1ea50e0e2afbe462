import { describe, expect, it } from "vitest";
import { BinaryBundle } from "../src/page/binaryBundle";
import type { LivePayload } from "../src/live/payload";
import { write } from "../src/view/model";
import { answer, HOSTILE, METHOD, OTHER, opened, WINDOW } from "./livePage";

const WEIGHTS = { kind: "ready", weights: Float32Array.of(1, 2, -1) } as const;

describe("a live page's undo and redo", () => {
  const state = ({ model }: ReturnType<typeof opened>): unknown[] =>
    ["picture", "target", "method", "fraction", "mode", "opacity"].map((name) => model.get(name as "picture"));

  it("goes back and forth through what a person changed, with all that followed from it", async () => {
    const page = opened({}, ["second"]);
    const { model, worker } = page;
    worker.say(WEIGHTS);
    await answer(worker, [0, 1, 2]);
    expect([model.get("can_undo"), model.get("can_redo")]).toEqual([false, false]);
    const seen: unknown[][] = [state(page)];
    for (const change of [{ method: "gradcam" }, { fraction: 0.3 }, { mode: "keep" }, { target: 2 }, { opacity: 0.2 }, { picture: 1 }, { method: "cam" }]) {
      write(model, change);
      await answer(worker, [0, 1, 2]);
      seen.push(state(page));
    }
    // Another picture has its own class.
    expect(seen[6]!.slice(0, 2)).toEqual([1, 2]);
    for (const wanted of [...seen].reverse().slice(1)) {
      model.send({ type: "undo" });
      await answer(worker, [0, 1, 2]);
      expect(state(page)).toEqual(wanted);
    }
    expect([model.get("can_undo"), model.get("can_redo")]).toEqual([false, true]);
    expect(model.get("explanation")).toMatchObject({ title: `CAM · last · ${HOSTILE}` });
    for (const wanted of seen.slice(1)) {
      model.send({ type: "redo" });
      await answer(worker, [0, 1, 2]);
      expect(state(page)).toEqual(wanted);
    }
    model.send({ type: "undo" });
    write(model, { fraction: 0.9 });
    expect(model.get("can_redo")).toBe(false);
  });

  it("takes a drag and a stroke as one step, and a map that was canceled as none", async () => {
    const { model, worker } = opened();
    worker.say(WEIGHTS);
    await answer(worker, [0, 1, 2]);
    for (const fraction of [0.1, 0.2, 0.3]) write(model, { fraction });
    for (const runs of [[1, 1], [1, 2]]) write(model, { paint: { scene: "page", runs, stroke: 1, painting: true } });
    write(model, { paint: { scene: "page", runs: [1, 2], stroke: 1, painting: false } });
    await answer(worker, [0, 1, 2]);
    write(model, { method: "occlusion" });
    model.send({ type: "cancel" });
    expect(model.get("method")).toBe("cam");
    model.send({ type: "undo" });
    expect(model.get("paint")).toMatchObject({ scene: "page", painting: false });
    expect(model.get("paint")).not.toHaveProperty("runs");
    expect(model.get("fraction")).toBe(0.3);
    model.send({ type: "undo" });
    expect([model.get("fraction"), model.get("can_undo")]).toEqual([0, false]);
    model.send({ type: "redo" });
    model.send({ type: "redo" });
    expect([model.get("fraction"), (model.get("paint") as { runs: number[] }).runs]).toEqual([0.3, [1, 2]]);
  });

  it("keeps the paint of each picture", async () => {
    const { model, worker } = opened({}, ["second"]);
    worker.say(WEIGHTS);
    await answer(worker, [0, 1, 2]);
    const own = { scene: "page", runs: [1, 1], stroke: 1, painting: false };
    write(model, { paint: own });
    write(model, { picture: 1 });
    expect(model.get("paint")).toEqual({});
    write(model, { picture: 0 });
    expect(model.get("paint")).toEqual(own);
  });
});

describe("settings in a live page", () => {
  it("are those of the methods that run the model many times, and are taken back where they do not fit", async () => {
    const { model, worker } = opened();
    worker.say(WEIGHTS);
    await answer(worker, [0, 1, 2]);
    expect(model.get("methods")).toMatchObject([{ name: "cam", settings: [] }, { name: "gradcam", settings: [] }, { name: "occlusion", settings: [WINDOW] }, {}, {}]);
    write(model, { method: "occlusion" });
    await answer(worker, [1, 0, 0]);
    const before = worker.passes.length;
    write(model, { settings: { occlusion: { window: 2 } } });
    expect(model.get("error")).toMatch(/^A window of 2 and a stride of 1 do not cover a picture of 2×1: /);
    expect(model.get("settings")).toEqual({});
    // A map of other settings has passes of its own, and names them.
    write(model, { method: "rise", settings: { rise: { masks: 3, keep: 0.25 } } });
    await answer(worker, [1, 0, 0]);
    expect(worker.passes.length).toBeGreaterThanOrEqual(before + 3);
    expect(model.get("explanation")).toMatchObject({ title: `RISE (keep 0.25, masks 3) · input · ${HOSTILE}` });
    write(model, { settings: {} });
    await answer(worker, [1, 0, 0]);
    expect(model.get("explanation")).toMatchObject({ title: `RISE · input · ${HOSTILE}` });
  });
});

describe("a live page of several pictures", () => {
  it("has the precomputed maps of each", async () => {
    const { model, worker } = opened({ method: "saliency" }, [], true, { head: null }, maps(1));
    const second = {
      ...data(model), name: "second", first: { ...data(model).first, target: 2 }, ...maps(2),
    };
    model.addSaved(second, new BinaryBundle(bytes()));
    worker.say({ kind: "ready", weights: null });
    await answer(worker, [0, 1, 2]);
    expect(model.get("explanation")).toMatchObject({ title: `Saliency · input · ${HOSTILE}`, scene: "page" });
    const before = (model.get("explanation") as { levels: Uint16Array }).levels;
    write(model, { picture: 1 });
    await answer(worker, [0, 1, 2]);
    expect(model.get("explanation")).toMatchObject({ title: "Saliency · input · c", scene: "saved-1" });
    expect((model.get("explanation") as { levels: Uint16Array }).levels).not.toEqual(before);
    expect(model.get("error")).toBe("");
    expect(model.get("rows")).toEqual([{ index: 2, name: "c", unmasked: 0.7 }]);
    // A picture of one's own has none, which is said.
    model.add("own.png", OTHER);
    await answer(worker, [0, 1, 2]);
    expect(model.get("method")).toBe("");
    expect(model.get("sentence")).toMatch(/^This page has no quick map of the evidence for c in this picture: choose Occlusion, which takes some seconds/);
    // The class became known later than the picture, which is one step.
    model.send({ type: "undo" });
    expect([model.get("picture"), model.get("target")]).toEqual([1, 2]);
    model.send({ type: "redo" });
    expect([model.get("picture"), model.get("target")]).toEqual([2, 2]);
    model.send({ type: "undo" });
    write(model, { stance: { kind: "against", other: -1 } });
    expect(model.get("sentence")).toMatch(/^This page has no quick map of the evidence against c in this picture/);
  });

  /** A map of two pixels in the file, for one class. */
  function maps(index: 1 | 2): Partial<LivePayload> {
    const method = { ...METHOD, name: "saliency", label: "Saliency", everywhere: true };
    return {
      methods: [method], maps: [[0, 0, -1, 0]], classes: [{ index, name: index === 1 ? HOSTILE : "c", unmasked: 0.7 }],
      grids: [{ rows: 1, columns: 2, rounded: true, peak: 1, knee: null, scale_note: "", cells: index === 1 ? [0, 4] : [4, 4], box: null, at: null, curves: {} }],
    };
  }

  function bytes(): Uint8Array {
    const made = new Uint8Array(21);
    // Low bytes, then high bytes, of two cells.
    made.set([200, 100, 0, 0, 50, 250, 0, 0], 0);
    return made;
  }

  function data(model: ReturnType<typeof opened>["model"]): LivePayload {
    return (model as unknown as { readonly data: LivePayload }).data;
  }
});

describe("a live page of a detector", () => {
  const finds = { kind: "boxes", model: "net", labels: ["cat", "dog"], least: 0.5, own: true } as const;
  const cat = { box: [0, 0, 1, 1], label: 0, score: 0.9, name: "cat" } as const;
  const more: Partial<LivePayload> = { detections: [cat], classes: [{ index: 0, name: "cat", unmasked: 0.9 }] };
  const found = (scores: readonly number[]) => ({
    boxes: Float32Array.of(0, 0, 1, 1, 1, 0, 2, 1), scores: Float32Array.from(scores), labels: Float32Array.of(0, 1),
  });

  it("follows each picture's own detections, and says when one is lost", async () => {
    const { model, worker } = opened({ target: 0, method: "occlusion" }, [], true, { finds, head: null, names: ["cat"], scores: "sigmoid", competes: false }, more);
    worker.say({ kind: "ready", weights: null });
    await answer(worker, [], found([0.9, 0.2]));
    write(model, { paint: { scene: "page", runs: [1, 1], stroke: 1, painting: false } });
    write(model, { fraction: 0.5 });
    await answer(worker, [], found([0.8, 0.2]));
    expect((model.get("masked") as number[])[0]).toBeCloseTo(0.8, 5);
    expect(model.get("found_masked")).toMatchObject({ scene: "page", boxes: [{ name: "cat", box: [0, 0, 1, 1], lost: false }] });
    expect(model.get("sentence")).toMatch(/ Its box now: score 0\.80, overlap with its old place 1\.00; score × overlap 0\.80\./);
    expect(model.get("most_probable")).toEqual({});
    write(model, { fraction: 0.6 });
    await answer(worker, [], found([0.1, 0.2]));
    expect(model.get("found_masked")).toMatchObject({ boxes: [{ name: "cat", lost: true }] });
    expect(model.get("sentence")).toMatch(/ It is lost\./);
    // Another picture has detections of its own, or none, which is said.
    model.add("own.png", OTHER);
    expect(model.get("class_names")).toEqual([]);
    await answer(worker, [], found([0.6, 0.7]));
    expect(model.get("class_names")).toEqual(["dog", "cat"]);
    expect(model.get("found")).toMatchObject({ boxes: [{ name: "dog" }, { name: "cat" }], note: "" });
    model.add("empty.png", OTHER);
    await answer(worker, [], found([0.1, 0.1]));
    expect([model.get("target"), model.get("rows")]).toEqual([-1, []]);
    expect(model.get("found")).toMatchObject({ note: "net detects nothing in this picture with a score of 0.5 or more. Choose another picture." });
    write(model, { picture: 0 });
    expect(model.get("class_names")).toEqual(["cat"]);
  });
});
