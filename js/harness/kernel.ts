import type { Model } from "../src/view/model";
import { explanation, NAMES, ramp, scene } from "./data";

/** A model that answers itself, a little late, as a kernel would. */
export class FakeKernel implements Model {
  private readonly listeners = new Map<string, Set<() => void>>();

  constructor(private readonly state: Record<string, unknown>) {}

  get(key: string): unknown {
    return this.state[key];
  }

  set(key: string, value: unknown): void {
    if (Object.is(this.state[key], value)) return;
    this.state[key] = value;
    for (const listener of [...(this.listeners.get(`change:${key}`) ?? [])]) listener();
  }

  save_changes(): void {
    window.setTimeout(() => this.answer(), 60);
  }

  on(event: string, callback: () => void): void {
    const known = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, known.add(callback));
  }

  off(event: string, callback: () => void): void {
    this.listeners.get(event)?.delete(callback);
  }

  send(content: unknown): void {
    const { x, y } = content as { x: number; y: number };
    window.setTimeout(() => {
      const entries = [0, 2, 5].map((index, at) => ({ index, name: NAMES[index], value: 0.94 - 0.31 * at }));
      this.set("here", { x, y, scene: "a", entries });
    }, 60);
  }

  private answer(): void {
    const target = this.state["target"] as number;
    const fraction = this.state["fraction"] as number;
    const { width, height } = this.state["scene"] as { width: number; height: number };
    if ((this.state["explanation"] as { title?: string }).title !== `Grad-CAM of ${NAMES[target]}`) {
      this.set("explanation", explanation("a", width, height, target));
    }
    const rows = this.state["rows"] as { name: string; whole: number }[];
    const masked = rows.map(({ whole }, at) => (at === 0 ? whole * (1 - fraction) ** 2 : whole + fraction * 0.3 / at));
    this.set("masked", fraction === 0 ? [] : masked);
    const [from = 0, to = 0] = [rows[0]?.whole, masked[0]];
    const part = `${Math.round(100 * fraction)}\u00a0%`;
    this.set(
      "sentence",
      `Removing the ${part} with the most evidence for ${NAMES[target]} lowers it by ` +
        `${(from - to).toFixed(2)} (${from.toFixed(2)} → ${to.toFixed(2)}).`,
    );
  }
}

export function traits(width: number, height: number): Record<string, unknown> {
  const method = (name: string, group: string, reason: string | null = null): Record<string, unknown> => ({
    name, label: name, group, tip: `${name}: what it does in one sentence.`, reason,
  });
  return {
    scene: scene("a", width, height),
    explanation: explanation("a", width, height, 0),
    target: 0,
    rows: [0.97, 0.02, 0.01, 0.004, 0.001].map((whole, index) => ({ index, name: NAMES[index], whole })),
    masked: [],
    class_names: [...NAMES, ...Array.from({ length: 992 }, (_, i) => `class number ${i + 8}`)],
    methods: [
      method("CAM", "activations", "the model has no global average pooling before its last layer"),
      method("Grad-CAM", "activations"), method("Grad-CAM++", "activations"), method("Layer-CAM", "activations"),
      method("Gradient", "pixels"), method("SmoothGrad", "pixels"),
      method("Occlusion", "perturbation"), method("RISE", "perturbation"),
      method("random", "control"),
    ],
    method: "Grad-CAM",
    layers: [
      { name: "stage1", shape: [16, 56, 56] }, { name: "stage2", shape: [32, 28, 28] },
      { name: "stage3", shape: [64, 14, 14] }, { name: "stage4", shape: [128, 12, 12] },
    ],
    layer: "stage4", mode: "remove", baseline: "blur", baselines: ["blur", "mean", "black"],
    fraction: 0, opacity: 0.6, overlay: true, cells: false, colormap: "inferno",
    colormaps: {
      inferno: ramp([0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]),
      viridis: ramp([68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]),
    },
    sentence: "", status: "Grad-CAM · stage4 · honeycombed · 12×12 · 9 ms · cpu",
    busy: false, progress: -1, error: "", here: {},
  };
}
