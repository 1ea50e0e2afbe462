/** ``LiveComparison``: the map B that the one shown, A, is compared with, and its numbers. */
import { fields, number, text } from "../core/parse";
import { compared, comparedFraction, isComparing } from "../view/comparison/comparedTraits";
import type { Model } from "../view/model";
import type { Stance } from "../view/traits";
import type { FoundMap, LiveMaps, Subject } from "./liveMaps";
import { keyOf } from "./liveMaps";
import type { LivePicture } from "./livePicture";
import { explainedLabel, explanationTrait, layerOf, methodLabel } from "./mapTraits";
import type { InputMask } from "./maskedInput";
import type { Answer, Input, ModelRunner } from "./modelRunner";
import type { LivePayload } from "./payload";
import type { Settings } from "./reruns";
import { SlowMap } from "./slowMap";

const FOR: Stance = { kind: "for", other: -1 };

/** What the comparison needs of the page's model. */
export interface Main {
  /** The map shown; null while there is none, or it is computed. */
  readonly map: FoundMap | null;
  readonly isComputing: boolean;
  readonly pictures: readonly LivePicture[];
  readonly runner: ModelRunner | null;
  /** The listed classes. */
  readonly rows: readonly number[];
  /** The mask of a picture: the present one, with paint only where it is A's. */
  mask(picture: LivePicture): InputMask;
  /** Whether a mask by a map hides nothing. */
  isUnmasked(map: FoundMap, mask: InputMask): boolean;
  input(picture: LivePicture, map: FoundMap, mask: InputMask): Input;
  logits(picture: LivePicture, answer: Answer): Float32Array;
  read(picture: LivePicture, answer: Answer): Float64Array;
  /** Whether each picture has classes of its own. */
  readonly hasOwnClasses: boolean;
  /** The settings of a method that differ from its defaults. */
  settings(method: string): Settings;
}

/** Why there is no B, in words. */
class NoMap extends Error {}

export class LiveComparison {
  private shown: FoundMap | null = null;
  private requested = "";
  private slow: SlowMap | null = null;
  /** The number of the last request for numbers. */
  private asked = 0;

  constructor(
    private readonly model: Model & { setAll(values: Record<string, unknown>): void },
    private readonly data: LivePayload,
    private readonly maps: LiveMaps,
  ) {}

  /** Follows A, and what is compared with it. */
  update(main: Main): void {
    if (!isComparing(this.model)) {
      if (this.requested !== "") this.clear({});
      return;
    }
    const { map } = main;
    if (map === null || main.isComputing) {
      this.clear(main.isComputing ? { busy: true } : { note: "There is no map A to compare with." });
      this.requested = "waiting";
      return;
    }
    try {
      this.follow(main, this.resolve(map.of, main));
    } catch (error) {
      if (!(error instanceof NoMap)) throw error;
      this.clear({ error: error.message });
      this.requested = "failed";
    }
  }

  /** Ends a slow map, one of whose passes may have failed; it is not tried again before another map is chosen. */
  fail(error: string): void {
    if (this.slow === null) return;
    const { requested } = this;
    this.clear({ error });
    this.requested = requested;
  }

  private clear(status: Record<string, unknown>): void {
    this.asked++;
    this.slow?.stop();
    this.slow = this.shown = null;
    this.requested = "";
    this.model.setAll({ compared_explanation: {}, compared_scene: {}, compared_prediction: {}, compared_status: status });
  }

  private follow(main: Main, of: Subject): void {
    const key = [keyOf(main.map!.of), keyOf(of), ...main.rows].join("\n");
    if (key !== this.requested) {
      const found = this.maps.find(of);
      const rerun = found === null ? this.maps.rerun(of) : null;
      this.slow?.stop();
      this.slow = null;
      this.asked++;
      if (found !== null) this.show(main, found);
      else if (rerun !== null && of.picture.logits !== null && main.runner !== null) this.compute(main, new SlowMap(of, rerun), main.runner);
      else if (of.picture.logits === null) this.clear({ busy: true });
      else throw new NoMap(`This page has no map ${explainedLabel(of)} by this method here.`);
      this.requested = found === null && rerun === null ? "waiting" : key;
    }
    this.updateNumbers(main);
  }

  /** What B is of; in everything that is not compared it follows A. */
  private resolve(a: Subject, main: Main): Subject {
    const compare = compared(this.model);
    const picture = "picture" in compare ? (main.pictures[number(compare.picture, 0)] ?? a.picture) : a.picture;
    const method = text(compare.method, a.method);
    const layer = text(compare.layer, a.layer);
    const of: Subject = { ...a, ...this.target(compare, a, picture, main), picture, method, settings: main.settings(method), layer };
    const known = this.maps.method(method);
    const label = known?.label ?? method;
    const reason = this.maps.reason(of);
    if (reason !== null) {
      const layers = this.maps.layers(of);
      const here = layers.some((one) => one.name === layer) ? layer : this.maps.headLayer;
      const other = here === null || here === layer ? null : { ...of, layer: here };
      // The saved picture has maps at layers where no other picture has any.
      if (other !== null && !("layer" in compare) && this.maps.reason(other) === null) return other;
      throw new NoMap(`${label} does not apply: ${reason.replace(/\.$/, "")}.`);
    }
    return of;
  }

  /** B's class and stance, as camwidget/widget/control/compared_target.py has them. */
  private target(compare: ReturnType<typeof compared>, a: Subject, picture: LivePicture, main: Main): Pick<Subject, "target" | "stance"> {
    // Another picture has classes of its own where they are its detections.
    const isStrange = main.hasOwnClasses && picture !== a.picture;
    if (!("target" in compare) && !isStrange) return { target: a.target, stance: a.stance };
    const { target = null } = compare;
    if (target === null || isStrange) {
      const { unmasked } = picture;
      if (unmasked?.length === 0) throw new NoMap(`Nothing is found in ${picture.name}: choose another picture of B.`);
      const first = unmasked === null ? a.target : unmasked.indexOf(unmasked.reduce((one, other) => Math.max(one, other), -Infinity));
      return { target: first, stance: FOR };
    }
    const from = fields(target);
    const indexOf = (name: unknown): number => {
      const found = typeof name === "string" ? picture.names.indexOf(name) : -1;
      return found < 0 ? a.target : found;
    };
    if ("against" in from) return { target: indexOf(from["against"]), stance: { kind: "against", other: -1 } };
    if (!("rather_than" in from)) return { target: indexOf(target), stance: FOR };
    const [own, other] = [indexOf(from["for"]), indexOf(from["rather_than"])];
    if (own === other) {
      throw new NoMap(`B is for “${picture.names[own]!}” rather than A's class, which is the same: choose another class of B.`);
    }
    return { target: own, stance: { kind: "rather", other } };
  }

  private compute(main: Main, slow: SlowMap, runner: ModelRunner): void {
    this.slow = slow;
    this.shown = null;
    const label = methodLabel(this.maps.method(slow.of.method)!, slow.of.settings);
    const look = (): void => {
      const note = `${label} · ${explainedLabel(slow.of)} · computing, ${Math.round(100 * slow.progress)} %`;
      this.model.setAll({ compared_status: { busy: true, progress: slow.progress, note } });
    };
    look();
    slow.run(runner, (answer) => main.logits(slow.of.picture, answer), look, () => {
      if (this.slow !== slow) return;
      this.slow = null;
      const found = this.maps.find(slow.of);
      if (found === null) return;
      this.show(main, found);
      this.updateNumbers(main);
    });
  }

  private show(main: Main, found: FoundMap): void {
    this.shown = found;
    const { of } = found;
    const method = this.maps.method(of.method)!;
    const a = main.map!.of.picture;
    this.model.setAll({
      compared_scene: of.picture === a ? {} : of.picture.scene,
      compared_explanation: {
        ...explanationTrait(found, method),
        label: { model: this.data.model, picture: of.picture.name, target: explainedLabel(of), method: methodLabel(method, of.settings), layer: layerOf(found) },
        substitutions: "",
        no_difference: of.picture === a ? "" : `No difference: A is of ${a.name}, B of ${of.picture.name}.`,
      },
      compared_status: {},
      compared_prediction: this.numbers(main, found, null),
    });
  }

  /** Asks for B's numbers of the masked picture; a newer request replaces one whose turn has not come. */
  private updateNumbers(main: Main): void {
    const { shown } = this;
    if (shown === null) return;
    const { picture } = shown.of;
    const present = main.mask(picture);
    const mask = { ...present, fraction: comparedFraction(this.model) ?? present.fraction };
    const request = ++this.asked;
    if (main.isUnmasked(shown, mask)) {
      this.model.setAll({ compared_prediction: this.numbers(main, shown, null) });
      return;
    }
    void main.runner?.latest(() => main.input(picture, shown, mask), "B").then((answer) => {
      if (answer === null || request !== this.asked) return;
      this.model.setAll({ compared_prediction: this.numbers(main, shown, main.read(picture, answer)) });
    });
  }

  private numbers(main: Main, { of: { picture, target } }: FoundMap, masked: Float64Array | null): Record<string, unknown> {
    const pair = (index: number): Record<string, unknown> => ({ unmasked: picture.numberOf(index), masked: masked?.[index] ?? null });
    return { quantity: this.data.quantity, target: pair(target), rows: main.rows.map((index) => ({ index, ...pair(index) })) };
  }
}
