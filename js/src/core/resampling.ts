/**
 * Resizing and cropping of 8-bit pictures, byte for byte as PIL and torchvision do it: filters that are widened when a
 * picture shrinks, in whole numbers, first along the rows, then along the columns.
 */

/** An 8-bit picture of one or three channels, row by row, the channels of a pixel side by side. */
export interface Bytes {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

/** What is done with a picture before it is the model's input. */
export interface Geometry {
  /** Height and width of the model's input. */
  readonly size: readonly [number, number];
  /** The length of the shorter side before cropping, or height and width. */
  readonly resize: number | readonly [number, number];
  readonly filter: FilterName;
}

interface Filter {
  readonly support: number;
  readonly at: (x: number) => number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

/** The parameter of the bicubic filter. */
const A = -0.5;

const FILTERS = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    at: (x) => (x === 0 ? 1 : Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(x * Math.PI))),
  },
  bicubic: {
    support: 2,
    at: (signed) => {
      const x = Math.abs(signed);
      if (x < 1) return ((A + 2) * x - (A + 3)) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * A : 0;
    },
  },
  lanczos: { support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
} as const satisfies Readonly<Record<string, Filter>>;

export type FilterName = keyof typeof FILTERS;

export function isFilter(name: unknown): name is FilterName {
  return typeof name === "string" && Object.hasOwn(FILTERS, name);
}

/** Weights are whole numbers of 2^-22: with 8 bits of a pixel and 2 to spare they fill 32 bits. */
const PRECISION = 22;

/** For each pixel of the result the first pixel of the source, and the weights of it and those after it. */
interface Axis {
  readonly first: readonly number[];
  readonly weights: readonly Int32Array[];
}

function axis(from: number, to: number, { support, at }: Filter): Axis {
  const scale = from / to;
  const widened = Math.max(1, scale);
  const reach = support * widened;
  const first: number[] = [];
  const weights: Int32Array[] = [];
  for (let pixel = 0; pixel < to; pixel++) {
    const center = (pixel + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const end = Math.min(from, Math.trunc(center + reach + 0.5));
    const exact = Array.from({ length: end - start }, (_, k) => at((k + start - center + 0.5) * (1 / widened)));
    const total = exact.reduce((sum, one) => sum + one, 0);
    first.push(start);
    weights.push(Int32Array.from(exact, (one) => {
      const share = total === 0 ? one : one / total;
      return Math.trunc((share < 0 ? -0.5 : 0.5) + share * 2 ** PRECISION);
    }));
  }
  return { first, weights };
}

function clipped(sum: number): number {
  const value = sum >> PRECISION;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

const HALF = 1 << (PRECISION - 1);

function resizeRows({ width, height, channels, data }: Bytes, to: number, filter: Filter): Bytes {
  const { first, weights } = axis(width, to, filter);
  const out = new Uint8Array(to * height * channels);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < to; x++) {
      const own = weights[x]!;
      const start = (y * width + first[x]!) * channels;
      for (let c = 0; c < channels; c++, i++) {
        let sum = HALF;
        for (let k = 0, at = start + c; k < own.length; k++, at += channels) sum += data[at]! * own[k]!;
        out[i] = clipped(sum);
      }
    }
  }
  return { width: to, height, channels, data: out };
}

function resizeColumns({ width, height, channels, data }: Bytes, to: number, filter: Filter): Bytes {
  const { first, weights } = axis(height, to, filter);
  const row = width * channels;
  const out = new Uint8Array(row * to);
  for (let y = 0, i = 0; y < to; y++) {
    const own = weights[y]!;
    const start = first[y]! * row;
    for (let x = 0; x < row; x++, i++) {
      let sum = HALF;
      for (let k = 0, at = start + x; k < own.length; k++, at += row) sum += data[at]! * own[k]!;
      out[i] = clipped(sum);
    }
  }
  return { width, height: to, channels, data: out };
}

/** A picture at another size; a direction that has it already is left alone. */
export function resized(picture: Bytes, width: number, height: number, name: FilterName): Bytes {
  const filter = FILTERS[name];
  const rows = picture.width === width ? picture : resizeRows(picture, width, filter);
  return rows.height === height ? rows : resizeColumns(rows, height, filter);
}

/** Rounding of halves to even numbers, as Python rounds. */
function roundedToEven(value: number): number {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

/** The middle of a picture; what lies outside of it is black. */
export function centerCropped(picture: Bytes, width: number, height: number): Bytes {
  const { channels } = picture;
  // A picture that is too small is padded first, with the smaller half at the left and top.
  const padLeft = Math.max(0, Math.floor((width - picture.width) / 2));
  const padTop = Math.max(0, Math.floor((height - picture.height) / 2));
  const left = picture.width < width ? -padLeft : roundedToEven((picture.width - width) / 2);
  const top = picture.height < height ? -padTop : roundedToEven((picture.height - height) / 2);
  const out = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = y + top;
    if (from < 0 || from >= picture.height) continue;
    const start = Math.max(0, left);
    const end = Math.min(picture.width, left + width);
    const row = picture.data.subarray((from * picture.width + start) * channels, (from * picture.width + end) * channels);
    out.set(row, (y * width + start - left) * channels);
  }
  return { width, height, channels, data: out };
}

/** RGB to gray, as PIL converts "RGB" to "L". */
export function grayed({ width, height, data }: Bytes): Bytes {
  const out = new Uint8Array(width * height);
  for (let i = 0, at = 0; i < out.length; i++, at += 3) {
    out[i] = (data[at]! * 19595 + data[at + 1]! * 38470 + data[at + 2]! * 7471 + 0x8000) >> 16;
  }
  return { width, height, channels: 1, data: out };
}

/** A picture as the model gets it. */
export function prepared(picture: Bytes, { size, resize, filter }: Geometry): Bytes {
  const { width, height } = picture;
  const short = Math.min(width, height);
  const [tall, wide] = typeof resize !== "number" ? resize
    : height <= width ? [resize, Math.trunc((resize * width) / short)] : [Math.trunc((resize * height) / short), resize];
  return centerCropped(resized(picture, wide, tall, filter), size[1], size[0]);
}
