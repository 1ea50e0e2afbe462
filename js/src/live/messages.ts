/** Messages between the page and the worker that runs its model. */

/** The first message: the compressed runtime and model, as base64 of gzip. */
export interface Load {
  readonly runtime: string;
  readonly model: string;
}

/** Pixels (C, H, W) in [0, 1] for one pass. */
export interface Pass {
  readonly id: number;
  readonly pixels: Float32Array;
  readonly shape: readonly [channels: number, height: number, width: number];
  /** Whether the maps before the pooling are sent too. */
  readonly withFeatures: boolean;
}

/** Where the head's weights are in the model's bytes. */
export interface WeightsPlace {
  readonly offset: number;
  readonly count: number;
}

export interface FeatureMaps {
  readonly values: Float32Array;
  /** (1, K, h, w) */
  readonly shape: readonly number[];
}

/** What the graph says besides the logits, of a model that finds its classes in the picture. */
export interface FoundTensors {
  /** Boxes (K, 4), scores (K, classes), or (K) with labels (K). */
  readonly boxes?: Float32Array;
  readonly scores?: Float32Array;
  readonly labels?: Float32Array;
  /** The most probable class of every pixel, and the mean probability of each class. */
  readonly areas?: Uint16Array;
  readonly means?: Float32Array;
}

export type FromWorker =
  | { readonly kind: "ready"; readonly weights: Float32Array | null }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "passed"; readonly id: number; readonly logits: Float32Array; readonly features: FeatureMaps | null; readonly found: FoundTensors };

export type ToWorker =
  | ({ readonly kind: "load"; readonly weights: WeightsPlace | null } & Load)
  | ({ readonly kind: "pass" } & Pass);
