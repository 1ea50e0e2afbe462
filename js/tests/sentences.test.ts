import { describe, expect, it } from "vitest";
import { fixed, readings, signed } from "../src/core/numberFormat";
import { note, probeSentence, sentence } from "../src/page/sentences";
import type { MaskedResult } from "../src/page/sentences";
import said from "./kernel/sentences.json";

describe("the page's sentences", () => {
  it("are the kernel's", () => {
    const all = said as unknown as readonly { readonly of: MaskedResult; readonly said: string }[];
    expect(all.length).toBeGreaterThan(200);
    expect(all.map(({ of }) => sentence(of))).toEqual(all.map((one) => one.said));
  });

  it("say that a box is lost whose edge is asked about, as the kernel does", () => {
    const { of } = (said as unknown as readonly { readonly of: MaskedResult }[])[0]!;
    const edge = { ...of, name: "lynx", evidence: "for lynx", rival: null, mode: "remove", method: "layercam", fraction: 0.5, before: 32, after: Number.NaN, evident: 1, quantity: { unit: "px" } } as const;
    expect(sentence(edge)).toBe("Removing the 50 % with the most evidence for lynx leaves no box that it could be.");
  });

  it("name what a click found", () => {
    expect(probeSentence("lynx")).toBe("The strongest evidence there is for lynx.");
    expect(probeSentence(null)).toBe("None of the most probable classes has positive evidence there.");
    expect(note("for lynx", "stage4")).toBe("No positive evidence for lynx at stage4.");
  });

  it("round exact halves to even, and nothing else", () => {
    expect([0.125, 0.375, 0.5, 0.145, 0.155, 1].map((x) => fixed(x, 2))).toEqual(
      ["0.12", "0.38", "0.50", "0.14", "0.15", "1.00"],
    );
    expect([0.5, 1.5, 2.5, 2.4999].map((x) => fixed(x, 0))).toEqual(["0", "2", "2", "2"]);
    expect([0.25, 0.75, 12.5].map((x) => fixed(x, 1))).toEqual(["0.2", "0.8", "12.5"]);
  });
});

describe("quantities", () => {
  it("have three digits that count, and a dash where nothing is known", () => {
    const years = { unit: "years" };
    expect(readings([58.23, 4.1], years)).toEqual(["58.2", "4.1"]);
    expect(readings([1234.5, Number.NaN], years)).toEqual(["1234", "–"]);
    expect(readings([-0.004, 0.02], years)).toEqual(["-0.0040", "0.0200"]);
    expect(readings([0.97, 0.5], null)).toEqual(["0.97", "0.50"]);
    expect(signed(-0.04, 1)).toBe("0.0");
  });
});
