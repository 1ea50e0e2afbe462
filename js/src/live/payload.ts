/** The part of a page's payload that its model needs, as camwidget/export/live_payload.py writes it. */
import type { ClosedForm } from "../core/classActivation";
import type { Geometry } from "../core/resampling";
import type { Scores } from "../core/scores";
import type { ByteRange } from "../page/binaryBundle";
import type { MethodData, Payload } from "../page/payload";
import type { OcclusionData } from "./occlusion";
import type { RiseData } from "./rise";

export interface LivePayload extends Payload {
  readonly live: {
    /** Of all classes. */
    readonly names: readonly string[];
    readonly scores: Scores;
    /** Whether classes are listed by their probability; else in the model's order. */
    readonly ordered: boolean;
    readonly channels: number;
    readonly finds: FindsData | null;
    /** Whether classes compete, so that one of them is the most probable. */
    readonly competes: boolean;
    /** The largest difference from PyTorch's probabilities, on so many pictures. */
    readonly difference: number;
    readonly pictures: number;
    /** Why a picture of one's own cannot be prepared, where it cannot. */
    readonly preprocess: Geometry | { readonly reason: string };
    readonly head: HeadData | null;
    readonly difference_colors: ByteRange;
    /** By channel the color that is zero once the model has normalized it, from 0 to 1. */
    readonly mean: readonly number[];
    /** The methods that run the model many times, for any picture and class; `head` has another one. */
    readonly occlusion: OcclusionData;
    readonly rise: RiseData;
  };
}

/** What a model finds in a picture: boxes, of which detections are followed, or areas. */
export type FindsData =
  | {
    readonly kind: "boxes";
    readonly model: string;
    readonly labels: readonly string[];
    /** The least score of a picture's own detections. */
    readonly least: number;
    /** Whether each picture has its own; else the page's are followed in all. */
    readonly own: boolean;
  }
  | {
    readonly kind: "areas";
    /** A byte for each pixel, 1 where the model is asked; null for the whole picture. */
    readonly region: ByteRange | null;
  };

export interface HeadData {
  /** The place of the layer before the pooling in the list of layers. */
  readonly layer: number;
  /** The methods whose maps are computed from the weights. */
  readonly methods: readonly ClosedForm[];
  /** Those of them that the page has whatever methods were chosen for it. */
  readonly further: readonly MethodData[];
  readonly scorecam: MethodData;
  /** Where the weights are in the model's bytes. */
  readonly offset: number;
  readonly rows: number;
  readonly channels: number;
  readonly bias: ByteRange;
  readonly rectified: boolean;
  readonly gated: boolean;
}
