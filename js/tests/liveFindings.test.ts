import { describe, expect, it } from "vitest";
import { detections, followed, uniqueNames } from "../src/core/detections";
import type { FoundBoxes } from "../src/core/detections";
import { Finder } from "../src/live/findings";
import { LivePicture } from "../src/live/livePicture";
import type { FoundTensors } from "../src/live/messages";
import type { Answer } from "../src/live/modelRunner";
import { lostSentence } from "../src/page/findingSentences";
import cases from "./kernel/findings.json";

const bytes = (text: string): Uint8Array => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const floats = (text: string): Float32Array => new Float32Array(bytes(text).buffer as ArrayBuffer);
const answer = (found: FoundTensors): Answer => ({ kind: "passed", id: 0, logits: new Float32Array(), features: null, found });

const { width, height } = cases;
const BOXES = { kind: "boxes", model: "net", labels: cases.labels, least: 0.3, own: true } as const;
const empty = (names: readonly string[]): LivePicture => new LivePicture("a", "a", { width, height, rgb: new Uint8Array(3 * width * height) }, names, {});

/** The picture's boxes, as the kernel has them. */
function tensors({ boxes, scores, labels }: { readonly boxes: string; readonly scores: string; readonly labels: string | null }): FoundBoxes {
  return { boxes: floats(boxes), scores: floats(scores), labels: labels === null ? null : floats(labels) };
}

const asFound = ({ labels, ...of }: FoundBoxes): FoundTensors => (labels === null ? of : { ...of, labels });

describe("what a live page finds in a picture", () => {
  it.each(cases.boxes)("are the kernel's detections, followed by score and overlap", ({ before, after, names, chosen, products, drawn, notes }) => {
    const [first, second] = [tensors(before), tensors(after)];
    const finder = new Finder(BOXES, null);
    const picture = empty([]);
    finder.meet(picture, answer(asFound(first)));
    expect(picture.names).toEqual(names);
    const expected = chosen.map((one) => ({ ...one, score: expect.closeTo(one.score, 5) as number }));
    expect(picture.detections).toEqual(expected);
    expect(detections(first, 0.3)).toEqual(expected);
    const masked = answer(asFound(second));
    chosen.forEach((one, at) => {
      const { score, overlap } = followed(second, one as never) ?? { score: 0, overlap: 0 };
      expect(score * overlap).toBeCloseTo(products[at]!, 5);
    });
    const logits = finder.logits(picture, masked);
    products.forEach((product, at) => {
      expect(1 / (1 + Math.exp(-logits[at]!))).toBeCloseTo(Math.min(1 - 1e-6, Math.max(1e-6, product)), 5);
    });
    const [unmasked, now] = [finder.found(picture, answer(asFound(first)))!, finder.found(picture, masked)!];
    const shown = finder.drawn(picture, now)["boxes"] as { readonly score: number }[];
    expect(shown).toEqual(drawn.map((one) => ({ ...one, score: expect.closeTo(one.score, 5) as number })));
    expect(names.map((_, at) => finder.change(at, unmasked, now))).toEqual(notes);
  });

  it.each(cases.areas)("are the kernel's areas, and their share of the region", ({ region, given, shares, labels, notes }) => {
    const finder = new Finder({ kind: "areas", region: null }, region === null ? null : bytes(region));
    const picture = empty(cases.labels);
    const [before, after] = given.map(({ areas, means }) => {
      const classes = new Uint16Array(bytes(areas).buffer as ArrayBuffer);
      return finder.found(picture, answer({ areas: classes, means: Float32Array.from(means) }))!;
    });
    expect(after!.shares).toEqual(shares.map((one) => expect.closeTo(one, 5) as number));
    expect(finder.drawn(picture, after!)["areas"]).toMatchObject({ width, height, labels });
    expect(cases.labels.map((_, at) => finder.change(at, before!, after!))).toEqual(notes);
  });

  it("says at which fraction a detection is lost, in the kernel's words", () => {
    const said = cases.lost.map(({ mode, points, least }) => lostSentence(points as unknown as (readonly [number, number])[], mode as "remove" | "keep", least));
    expect(said).toEqual(cases.lost.map((one) => one.said));
    expect(new Set(said).size).toBeGreaterThan(5);
  });

  it("says that nothing is found, and names equal classes by their places", () => {
    const finder = new Finder(BOXES, null);
    const picture = empty([]);
    const nothing = answer({ boxes: new Float32Array(), scores: new Float32Array() });
    finder.meet(picture, nothing);
    expect(finder.whyNothing(picture)).toBe("");
    picture.answer(finder.logits(picture, nothing), new Float64Array(), null, true);
    expect(finder.whyNothing(picture)).toBe("net detects nothing in this picture with a score of 0.3 or more. Choose another picture.");
    expect(uniqueNames(["a", "b", "a"])).toEqual(["a #0", "b", "a #2"]);
    expect(uniqueNames(["a", "a", "a #0"])).toEqual(["a #0", "a #1", "a #0 #2"]);
  });
});
