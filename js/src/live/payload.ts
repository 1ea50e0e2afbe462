/** The part of a page's payload that its model needs, as camwidget/export/live_payload.py writes it. */
import type { ClosedForm } from "../core/classActivation";
import type { Geometry } from "../core/resampling";
import type { Scores } from "../core/scores";
import type { ByteRange } from "../page/binaryBundle";
import type { Payload } from "../page/payload";
import type { OcclusionData } from "./occlusion";

export interface LivePayload extends Payload {
  readonly live: {
    /** Of all classes. */
    readonly names: readonly string[];
    readonly scores: Scores;
    /** Whether classes are listed by their probability; else in the model's order. */
    readonly ordered: boolean;
    readonly channels: number;
    /** The largest difference from PyTorch's probabilities, on so many pictures. */
    readonly difference: number;
    readonly pictures: number;
    /** Why a picture of one's own cannot be prepared, where it cannot. */
    readonly preprocess: Geometry | { readonly reason: string };
    readonly head: HeadData | null;
    /** Further pictures, as the model gets them. */
    readonly others: readonly OtherPicture[];
    /** The method that runs the model many times, for any picture and class. */
    readonly occlusion: OcclusionData;
  };
}

export interface OtherPicture {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly picture: ByteRange;
  readonly archive: string;
}

export interface HeadData {
  /** The place of the layer before the pooling in the list of layers. */
  readonly layer: number;
  /** The methods whose maps are computed from the weights. */
  readonly methods: readonly ClosedForm[];
  /** Where the weights are in the model's bytes. */
  readonly offset: number;
  readonly rows: number;
  readonly channels: number;
  readonly bias: ByteRange;
  readonly rectified: boolean;
  readonly gated: boolean;
}
