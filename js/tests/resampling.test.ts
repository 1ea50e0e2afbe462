import { describe, expect, it } from "vitest";
import { centerCropped, grayed, isFilter, prepared } from "../src/core/resampling";
import type { Bytes, Geometry } from "../src/core/resampling";
import cases from "./kernel/resampling.json";

const bytes = (text: string): Uint8Array => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

describe("pictures as the model gets them", () => {
  it("are those of PIL and torchvision, byte for byte", () => {
    expect(cases.length).toBeGreaterThan(30);
    for (const { width, height, picture, channels, geometry, result } of cases) {
      const given: Bytes = { width, height, channels: 3, data: bytes(picture) };
      expect(isFilter(geometry.filter)).toBe(true);
      const found = prepared(channels === 1 ? grayed(given) : given, geometry as unknown as Geometry);
      expect([found.height, found.width]).toEqual(geometry.size);
      expect(Array.from(found.data), JSON.stringify(geometry)).toEqual(Array.from(bytes(result)));
    }
  });

  it("are left alone where they have their size", () => {
    const picture: Bytes = { width: 2, height: 2, channels: 1, data: Uint8Array.of(1, 2, 3, 4) };
    const found = prepared(picture, { size: [2, 2], resize: 2, filter: "lanczos" });
    expect(Array.from(found.data)).toEqual([1, 2, 3, 4]);
    expect(Array.from(centerCropped(picture, 4, 3).data)).toEqual([0, 1, 2, 0, 0, 3, 4, 0, 0, 0, 0, 0]);
  });
});
