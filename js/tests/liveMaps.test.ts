import { describe, expect, it } from "vitest";
import { classActivation, CLOSED_FORMS } from "../src/core/classActivation";
import type { ClosedForm, Head } from "../src/core/classActivation";
import { probabilities } from "../src/core/scores";
import type { Terms } from "../src/core/scoreTerms";
import { LivePicture } from "../src/live/livePicture";
import { Occlusion } from "../src/live/occlusion";
import type { Rerun } from "../src/live/reruns";
import { Rise } from "../src/live/rise";
import { ScoreCam } from "../src/live/scoreCam";
import cases from "./kernel/live_maps.json";

const bytes = (text: string): Uint8Array => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const floats = (text: string): Float32Array => new Float32Array(bytes(text).buffer as ArrayBuffer);

const { width, height, mean, std } = cases;
const [rows, columns] = [height / 2, width / 2];
const area = rows * columns;
const [conv, weights, bias] = [floats(cases.conv), floats(cases.weights), floats(cases.bias)];
const channels = conv.length / 12;
const softmax = (logits: Float32Array): Float64Array => probabilities(logits, "softmax");
const METHOD = { label: "", settings: "", group: "", tip: "", against: null, rather: null, everywhere: false };

/** The maps of the kernel's small model: a convolution of 2×2 pixels, two apart. */
function features(pixels: Float32Array): Float32Array {
  return Float32Array.from({ length: channels * area }, (_, at) => {
    const [k, y, x] = [Math.floor(at / area), Math.floor((at % area) / columns), at % columns];
    let sum = 0;
    for (let i = 0; i < 12; i++) {
      const [c, dy, dx] = [Math.floor(i / 4), Math.floor(i / 2) % 2, i % 2];
      sum += (conv[12 * k + i]! * (pixels[(c * height + 2 * y + dy) * width + 2 * x + dx]! - mean[c]!)) / std[c]!;
    }
    return sum;
  });
}

function logits(pixels: Float32Array): Float32Array {
  const maps = features(pixels);
  const pooled = Array.from({ length: channels }, (_, k) => maps.subarray(k * area, (k + 1) * area).reduce((a, b) => a + b, 0) / area);
  return bias.map((value, c) => pooled.reduce((sum, one, k) => sum + weights[c * channels + k]! * one, value));
}

describe("a live page's maps", () => {
  const rgb = bytes(cases.rgb);
  const picture = new LivePicture("a", "a", { width, height, rgb }, []);
  const pixels = Float32Array.from({ length: rgb.length }, (_, at) => rgb[3 * (at % (width * height)) + Math.floor(at / (width * height))]! / 255);
  picture.logits = logits(pixels);
  picture.features = { values: features(pixels), channels, rows, columns };
  const head: Head = { weights, bias, channels, rectified: false, gated: false, single: false, probabilities: softmax };
  const reruns: readonly Rerun[] = [
    new Occlusion({ ...cases.occlusion, method: { ...METHOD, name: "occlusion" } }, mean),
    new Rise({ ...METHOD, name: "rise" }, cases.rise, mean, softmax),
    new ScoreCam({ ...METHOD, name: "scorecam" }, mean),
  ];

  const found = (method: string, terms: Terms): Float32Array => {
    const rerun = reruns.find((one) => one.method.name === method);
    if (rerun === undefined) return classActivation(picture.features!, head, terms, method as ClosedForm).cells;
    const passes = Array.from({ length: rerun.total(picture) }, (_, at) => logits(rerun.input(picture, at).pixels));
    return rerun.map(picture, passes, terms).cells;
  };

  it.each(cases.maps.map((one) => ({ ...one, name: `${one.method} of ${JSON.stringify(one.terms)}` })))("are the kernel's: $name", ({ method, terms, cells }) => {
    const wanted = floats(cells);
    const most = wanted.reduce((a, b) => Math.max(a, b), 0);
    const mine = found(method, terms as Terms);
    expect(mine).toHaveLength(wanted.length);
    const apart = mine.reduce((worst, value, at) => Math.max(worst, Math.abs(value - wanted[at]!)), 0);
    expect(apart).toBeLessThanOrEqual(1e-5 * most);
  });

  it("are of every method that the page computes", () => {
    const names = new Set(cases.maps.map(({ method }) => method));
    expect([...CLOSED_FORMS, ...reruns.map(({ method }) => method.name)].filter((name) => !names.has(name))).toEqual([]);
  });
});
