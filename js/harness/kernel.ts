import { DEFAULTS } from "../src/view/syncedTraits";
import type { Model, Values } from "../src/view/model";
import { Store } from "../src/view/store";
import type { SyncedTraits } from "../src/view/syncedTraits";
import { classes, explanation, LAYERS, NAMES, ramp, scene, layerMaps } from "./data";
import { isAtInput, METHODS } from "./methods";

/** Milliseconds until a map is there: a quick one, and one that reruns the model. */
const QUICK = 250;
const SLOW = 6000;
const STEP = 300;

interface Request {
  readonly target: number;
  readonly method: string;
  readonly layer: string;
}

/** A model that answers itself, a little late, as a kernel would. It refuses layers called "stem". */
export class FakeKernel extends Store implements Model {
  private shown: Request;
  private requested: Request;
  private timer = 0;

  constructor(state: Values<SyncedTraits>) {
    super(state);
    this.shown = this.requested = this.controls;
  }

  save_changes(): void {
    window.setTimeout(() => this.answer(), 60);
  }

  send(content: unknown): void {
    const { type, x, y } = content as { type: string; x: number; y: number };
    window.setTimeout(() => (type === "cancel" ? this.giveUp("Canceled") : this.pick(x, y)), 60);
  }

  private get controls(): Request {
    const { target, method, layer } = this.state as unknown as Request;
    return { target, method, layer };
  }

  private pick(x: number, y: number): void {
    const classes = [0, 2, 5].map((index, at) => ({ index, name: NAMES[index], value: 0.94 - 0.31 * at }));
    this.set("class_probe", { x, y, scene: "a", classes, of: 20 });
  }

  private answer(): void {
    const now = this.controls;
    const { requested } = this;
    if (now.target !== requested.target || now.method !== requested.method || now.layer !== requested.layer) this.compute(now);
    this.answerMask();
  }

  private compute(requested: Request): void {
    this.requested = requested;
    window.clearInterval(this.timer);
    const slow = METHODS.find(({ name }) => name === requested.method)?.slow ?? false;
    this.setAll({ busy: true, progress: slow ? 0 : -1, can_cancel: slow, partial: false, error: "" });
    const start = performance.now();
    this.timer = window.setInterval(() => {
      const part = (performance.now() - start) / (slow ? SLOW : QUICK);
      if (requested.layer === "stem") this.giveUp("Grad-CAM does not apply: stem is too shallow");
      else if (part >= 1) this.finish(requested);
      else if (slow) this.setAll({ explanation: this.map(requested), partial: true, progress: part });
    }, slow ? STEP : QUICK);
  }

  private finish(requested: Request): void {
    window.clearInterval(this.timer);
    this.shown = requested;
    const status = `${requested.method} · ${requested.layer} · ${NAMES[requested.target]} · cpu`;
    this.setAll({ explanation: this.map(requested), busy: false, can_cancel: false, partial: false, progress: -1, status });
    this.setAll({
      layer_maps: layerMaps("a", requested.target, requested.method),
      class_maps: classes("a", requested.method, requested.layer),
    });
  }

  private giveUp(error: string): void {
    window.clearInterval(this.timer);
    this.requested = this.shown;
    const explanation = this.map(this.shown);
    this.setAll({ ...this.shown, explanation, busy: false, can_cancel: false, partial: false, progress: -1, error });
  }

  private map({ target, method, layer }: Request): Record<string, unknown> {
    const { width, height } = this.state.scene as { width: number; height: number };
    const known = METHODS.find(({ name }) => name === method);
    const atInput = known !== undefined && isAtInput(known);
    return explanation({ of: "a", width, height, target, layer, label: known?.label ?? method, atInput });
  }

  private answerMask(): void {
    const target = this.state.target as number;
    const fraction = this.state.fraction as number;
    const rows = this.state.rows as { name: string; unmasked: number }[];
    const masked = rows.map(({ unmasked }, at) => (at === 0 ? unmasked * (1 - fraction) ** 2 : unmasked + fraction * 0.3 / at));
    this.set("masked", fraction === 0 ? [] : masked);
    const [from = 0, to = 0] = [rows[0]?.unmasked, masked[0]];
    const part = `${Math.round(100 * fraction)}\u00a0%`;
    this.set(
      "sentence",
      `Removing the ${part} with the most evidence for ${NAMES[target]} lowers it by ` +
        `${(from - to).toFixed(2)} (${from.toFixed(2)} → ${to.toFixed(2)}).`,
    );
  }
}

export function traits(width: number, height: number): Values<SyncedTraits> {
  const layer = "layer4.1";
  return {
    ...DEFAULTS,
    scene: scene("a", width, height),
    explanation: explanation({ of: "a", width, height, target: 0, layer, label: "Grad-CAM", atInput: false }),
    target: 0,
    rows: [0.97, 0.02, 0.01, 0.004, 0.001].map((unmasked, index) => ({ index, name: NAMES[index], unmasked })),
    class_names: [...NAMES, ...Array.from({ length: 992 }, (_, i) => `class number ${i + 8}`)],
    methods: METHODS,
    method: "grad-cam",
    layers: LAYERS.map(([name, channels, side]) => ({ name, shape: [channels, side, side] })),
    layer, baselines: ["blur", "mean", "black"],
    layer_maps: layerMaps("a", 0, "grad-cam"),
    class_maps: classes("a", "grad-cam", layer),
    colormaps: {
      inferno: ramp([0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]),
      viridis: ramp([68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]),
    },
    status: "Grad-CAM · layer4.1 · honeycombed · 12×12 · 9 ms · cpu",
  };
}
