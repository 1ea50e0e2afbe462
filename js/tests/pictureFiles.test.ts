import { afterEach, describe, expect, it, vi } from "vitest";
import type { LiveModel } from "../src/live/liveModel";
import { pictureLine } from "../src/live/pictureFiles";
import { Store } from "../src/view/store";

/** A model that has only the list of pictures. */
class Pictures extends Store {
  save_changes(): void {}

  send(): void {}

  add(name: string): void {
    this.list(name);
    this.setAll({ picture: this.names.length - 1 });
  }

  list(name: string): void {
    this.setAll({ pictures: [...this.names, name] });
  }

  get names(): string[] {
    return this.get("pictures") as string[];
  }
}

describe("pictures of one's own", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it("shows the file that was opened last, whichever is read first", async () => {
    const decoded = new Map<string, () => void>();
    vi.stubGlobal("createImageBitmap", (file: File) => new Promise((done) => {
      decoded.set(file.name, () => done({ width: 8, height: 8, close: () => {} }));
    }));
    const context = { fillRect: () => {}, drawImage: () => {}, getImageData: () => ({ data: new Uint8ClampedArray(256) }) };
    vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(context as never);
    const model = new Pictures({ pictures: ["saved"], picture: 0 });
    const geometry = { size: [8, 8], resize: [8, 8], filter: "bilinear" } as const;
    const end = new AbortController();
    const line = pictureLine(model as unknown as LiveModel, geometry, 3, end.signal);
    const field = line.querySelector<HTMLInputElement>("input[type=file]")!;
    for (const name of ["slow.png", "fast.png"]) {
      Object.defineProperty(field, "files", { configurable: true, value: [new File([], name)] });
      field.dispatchEvent(new Event("change"));
    }
    for (const name of ["fast.png", "slow.png"]) {
      decoded.get(name)!();
      await vi.waitFor(() => expect(model.names).toContain(name));
    }
    expect(model.names[model.get("picture") as number]).toBe("fast.png");
    expect(model.get("error")).toBe("");
    end.abort();
  });
});
