/** ``MaskedPrediction``: what the model says of the masked picture: its numbers, its findings, a sentence, and the curve. */
import { LOST_BELOW } from "../core/detections";
import { number, text } from "../core/parse";
import { covered, HIDDEN } from "../core/userMask";
import { fractionAt } from "../page/curve";
import { lostSentence } from "../page/findingSentences";
import { evidenceOf, sentence } from "../page/sentences";
import { quantity, targetLabel } from "../view/traits";
import type { Stance } from "../view/traits";
import { LiveCurve } from "./liveCurve";
import type { Finder } from "./findings";
import type { LiveModel } from "./liveModel";
import type { FoundMap } from "./liveMaps";
import type { LivePicture } from "./livePicture";
import type { InputMask } from "./maskedInput";
import type { Answer, Input, ModelRunner } from "./modelRunner";
import type { LivePayload } from "./payload";

/** What is masked now. */
export interface Masked {
  readonly picture: LivePicture;
  /** Null while there is none: paint masks alone. */
  readonly map: FoundMap | null;
  /** A text that two requests have in common if they are of the same map. */
  readonly key: string;
  readonly target: number;
  readonly stance: Stance;
  readonly rows: readonly number[];
  readonly mask: InputMask;
  readonly isComputing: boolean;
  /** Why there is no map; "" while there is one. */
  readonly whyNone: string;
  readonly runner: ModelRunner | null;
}

/** What answers it. */
export interface Answers {
  now(): Masked;
  input(picture: LivePicture, map: FoundMap | null, mask: InputMask): Input;
  read(picture: LivePicture, answer: Answer): Float64Array;
}

export class MaskedPrediction {
  /** The number of the last request for numbers, and the last one whose answer is not wanted any more. */
  private asked = 0;
  private unwanted = 0;
  private drawn: LiveCurve | null = null;
  /** The sentence without what the curve says. */
  private said = "";

  constructor(
    private readonly model: LiveModel,
    private readonly data: LivePayload,
    private readonly finder: Finder,
    private readonly answers: Answers,
  ) {}

  /** The answers that are awaited come too late. */
  drop(): void {
    this.unwanted = this.asked;
  }

  /** Asks for the numbers of the masked picture; a newer request replaces one whose turn has not come. */
  update(): void {
    const now = this.answers.now();
    const { picture, map, mask } = now;
    if (now.target < 0 || picture.unmasked === null || now.isComputing) return;
    this.updateCurve(now);
    if (!isMasked(map, mask)) {
      this.drop();
      this.model.setAll({ masked: [], found_masked: {}, most_probable: {}, pending: false });
      this.say(this.sentence(now, null, null));
      return;
    }
    const request = ++this.asked;
    this.model.setAll({ pending: true });
    void now.runner?.latest(() => this.answers.input(picture, map, mask)).then((answer) => {
      const then = this.answers.now();
      if (answer === null || request <= this.unwanted || picture !== then.picture) return;
      const values = this.answers.read(picture, answer);
      const found = this.finder.found(picture, answer);
      const first = this.data.live.competes ? mostProbable(values) : -1;
      this.model.setAll({
        masked: then.rows.map((index) => values[index]!),
        found_masked: found === null ? {} : this.finder.drawn(picture, found),
        most_probable: first < 0 ? {} : { index: first, name: picture.names[first]!, unmasked: picture.numberOf(first), masked: values[first]!, was_first: first === mostProbable(picture.unmasked!) },
        pending: request < this.asked,
      });
      if (map !== then.map) return;
      const change = found === null || picture.found === null ? "" : ` ${this.finder.change(then.target, picture.found, found)}`;
      this.say(`${this.sentence({ ...then, mask }, values, first)}${change}`);
    });
  }

  /** The curve of the map shown, of every listed class at every step; null while there is none. */
  curve(): number[][] | null {
    return this.drawn?.values(this.answers.now().rows) ?? null;
  }

  /** @param first the most probable class of the masked picture; -1 where they do not compete */
  private sentence(now: Masked, values: Float64Array | null, first: number | null): string {
    const { picture, map, target, mask, stance: { kind, other } } = now;
    if (map === null && values === null) return now.whyNone;
    const { names } = picture;
    const painted = mask.paint === null ? { hidden: 0, kept: 0 } : covered(mask.paint);
    const rival = kind !== "rather" ? null : { name: names[other]!, before: picture.numberOf(other), after: values?.[other] ?? null };
    const isOther = first !== null && first >= 0 && first !== mostProbable(picture.unmasked!);
    return sentence({
      name: names[target]!, evidence: evidenceOf(names[target]!, kind, targetLabel(this.model)), rival, method: map?.of.method ?? "",
      layer: map === null || map.atInput ? "input" : map.of.layer,
      mode: map === null ? "remove" : mask.mode, baseline: text(this.model.state.baseline), fraction: map === null ? 0 : mask.fraction,
      before: picture.numberOf(target), after: values?.[target] ?? null, first: isOther ? names[first]! : null, evident: map?.map.evident ?? 1,
      quantity: quantity(this.data.quantity), alone: names.length === 1, painted,
    });
  }

  private say(said: string): void {
    this.said = said;
    this.model.setAll({ sentence: [said, this.lost()].filter((one) => one !== "").join(" ") });
  }

  /** Where on the curve a followed detection is lost; "" where none is followed, or there is no curve. */
  private lost(): string {
    const { picture, target, mask } = this.answers.now();
    const boxes = picture.found?.boxes ?? [];
    const values = boxes.length > 0 ? this.drawn?.values([target]) : null;
    if (values == null) return "";
    const points = values.map(([value], at) => [fractionAt(at, values.length), value!] as const);
    return lostSentence(points, mask.mode, boxes[target]?.least ?? LOST_BELOW);
  }

  /** Computes the curve after all that the slider needs; not while the brush is down, when each point would delay it. */
  private updateCurve({ picture, map, mask, key, runner }: Masked): void {
    const painted = this.model.state.paint as { readonly stroke?: unknown; readonly painting?: unknown };
    if (map === null || map.isEmpty || mask.mode === "multiply") {
      this.drawn?.stop();
      this.drawn = null;
      return;
    }
    if (painted.painting === true) return;
    const stroke = mask.paint === null ? -1 : number(painted.stroke, 0);
    const wanted = [key, mask.mode, text(this.model.state.baseline), stroke].join("\n");
    if (this.drawn?.key === wanted) return;
    this.drawn?.stop();
    const curve = new LiveCurve(wanted, this.data.steps);
    this.drawn = curve;
    if (runner === null) return;
    const input = (fraction: number): Input => this.answers.input(picture, map, { ...mask, fraction });
    curve.run(runner, input, (answer) => this.answers.read(picture, answer), () => {
      if (this.lost() !== "" && text(this.model.state.sentence).startsWith(this.said)) this.say(this.said);
      // The chart is drawn anew; it draws what `curve` has.
      this.model.emit("change:masked");
    });
  }
}

/** Whether a mask by a map, and by paint, hides anything. */
export function isMasked(map: FoundMap | null, { mode: of, fraction, paint: painted }: InputMask): boolean {
  const isAtEnd = (of === "remove" && fraction === 0) || (of === "keep" && fraction === 1);
  return (map !== null && !map.isEmpty && !isAtEnd) || painted?.includes(HIDDEN) === true;
}

function mostProbable(values: Float64Array): number {
  return values.indexOf(values.reduce((a, b) => Math.max(a, b), -Infinity));
}
