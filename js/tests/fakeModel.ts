import { vi } from "vitest";
import type { Model, Values } from "../src/view/model";
import { Store } from "../src/view/store";
import type { SyncedTraits } from "../src/view/syncedTraits";
import widget from "../src/index";

/** A model with no kernel: it keeps what it is given and notes what it is told to send. */
export class FakeModel<Traits extends object = SyncedTraits> extends Store<Traits> implements Model<Traits> {
  readonly sent: unknown[] = [];
  saves = 0;

  save_changes(): void {
    this.saves += 1;
  }

  send(content: unknown): void {
    this.sent.push(content);
  }
}

export const WIDTH = 4;
export const HEIGHT = 2;

function wire(data: Uint8Array | Uint16Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}

export const RGB = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => 10 * i);
export const FILL = [200, 100, 50] as const;

export function sceneOf(id: string, rgb: Uint8Array = RGB): Record<string, unknown> {
  return {
    id, width: WIDTH, height: HEIGHT, picture: wire(rgb),
    fills: { mean: wire(new Uint8Array(FILL)), black: wire(new Uint8Array(3)) },
  };
}

export function traits(): Values<SyncedTraits> {
  const count = WIDTH * HEIGHT;
  const map = {
    scene: "a",
    saliency: wire(new Uint8Array(count).fill(255)),
    levels: wire(Uint16Array.from({ length: count }, (_, i) => (i * 65536) / count)),
    cells: wire(new Uint8Array([0, 255])),
    cells_shape: [1, 2], title: "Grad-CAM of tabby", empty: false, note: "",
  };
  const method = (name: string, group: string, reason: string | null = null): unknown => ({
    name, label: name.toUpperCase(), group, tip: `about ${name}`, reason,
  });
  return {
    scene: sceneOf("a"), explanation: map, target: 7,
    rows: [
      { index: 7, name: "tabby", unmasked: 0.97 },
      { index: 3, name: "<img src=x onerror=alert(1)>", unmasked: 0.02 },
      { index: 9, name: "lynx", unmasked: 0.01 },
    ],
    masked: [],
    class_names: ["cab", "crab", "scab", "tabby cat", "abacus", "<b>x</b>", "dog", "tabby", "eel", "lynx"],
    methods: [method("cam", "maps", "no pooling layer"), method("gradcam", "maps"), method("rise", "trials")],
    method: "gradcam",
    layers: [{ name: "stage1", shape: [8, 28, 28] }, { name: "stage2", shape: [16, 14, 14] }, { name: "stage3", shape: [32, 7, 7] }],
    layer: "stage2", mode: "remove", baseline: "mean", baselines: ["mean", "black"],
    fraction: 0, opacity: 0.5, overlay: false, cells: false, colormap: "gray",
    colormaps: { gray: wire(Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3))) },
    sentence: "", status: "ready", busy: false, progress: -1, error: "", class_probe: {},
  };
}

export interface Shown {
  readonly model: FakeModel;
  readonly el: HTMLElement;
  /** The pixels of the last frame. */
  readonly painted: () => number[];
  readonly one: <E extends HTMLElement = HTMLElement>(selector: string) => E;
  readonly all: (selector: string) => HTMLElement[];
  readonly key: (key: string, on?: string, more?: KeyboardEventInit) => KeyboardEvent;
  readonly end: () => void;
}

/** Renders into the document, with a canvas that remembers what is put on it. */
export function show(model = new FakeModel(traits())): Shown {
  let last: number[] = [];
  const put = vi.fn((image: { data: Uint8ClampedArray }) => {
    last = Array.from(image.data);
  });
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue({ putImageData: put } as never);
  const el = document.createElement("div");
  document.body.append(el);
  const life = new AbortController();
  widget.render({ model, el, signal: life.signal });
  const one = <E extends HTMLElement>(selector: string): E => {
    const found = el.querySelector<E>(selector);
    if (found === null) throw new Error(`nothing matches ${selector}`);
    return found;
  };
  return {
    model,
    el,
    painted: () => last,
    one,
    all: (selector) => Array.from(el.querySelectorAll<HTMLElement>(selector)),
    key: (key, on = ".camwidget-frame", more = {}) => {
      const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
      one(on).dispatchEvent(event);
      return event;
    },
    end: () => {
      life.abort();
    },
  };
}

/** Lets updates and the next frame happen. */
export async function settle(): Promise<void> {
  await Promise.resolve();
  await new Promise((resolve) => requestAnimationFrame(resolve));
  await Promise.resolve();
}
