/** Reader of an offline page's arrays, which camwidget/export/binary_bundle.py packs. */

/** Position of an array in the bundle, in bytes. */
export type ByteRange = readonly [offset: number, length: number];

export class BinaryBundle {
  constructor(private readonly data: Uint8Array) {}

  /** From text: zlib's format in base64. */
  static async read(text: string): Promise<BinaryBundle> {
    if (typeof DecompressionStream === "undefined") {
      throw new Error("this browser has no DecompressionStream: it is older than 2023. Open the file in a current browser.");
    }
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new BinaryBundle(new Uint8Array(await new Response(stream).arrayBuffer()));
  }

  bytes([offset, length]: ByteRange): Uint8Array {
    return this.data.subarray(offset, offset + length);
  }

  uint16(place: ByteRange): Uint16Array {
    return new Uint16Array(joined(this.bytes(place), 2).buffer);
  }

  float32(place: ByteRange): Float32Array {
    return new Float32Array(joined(this.bytes(place), 4).buffer);
  }

  /** RGB bytes, row by row. */
  picture(place: ByteRange, width: number): Uint8Array {
    return unfiltered(this.bytes(place), 3 * width);
  }
}

/** Joins byte planes to numbers: all first bytes, then all second ones, little endian as in every browser. */
function joined(planes: Uint8Array, size: number): Uint8Array {
  const count = planes.length / size;
  const out = new Uint8Array(planes.length);
  for (let byte = 0, i = 0; byte < size; byte++) {
    for (let at = 0; at < count; at++, i++) out[at * size + byte] = planes[i]!;
  }
  return out;
}

/** Adds to each byte the neighbor that PNG's Paeth filter has taken off it. */
function unfiltered(residuals: Uint8Array, row: number): Uint8Array {
  const out = new Uint8Array(residuals.length);
  for (let i = 0; i < out.length; i++) {
    const inRow = i % row;
    const left = inRow < 3 ? 0 : out[i - 3]!;
    const above = i < row ? 0 : out[i - row]!;
    const corner = inRow < 3 || i < row ? 0 : out[i - row - 3]!;
    const guess = left + above - corner;
    const fromLeft = Math.abs(guess - left);
    const fromAbove = Math.abs(guess - above);
    const fromCorner = Math.abs(guess - corner);
    const nearest =
      fromLeft <= fromAbove && fromLeft <= fromCorner ? left : fromAbove <= fromCorner ? above : corner;
    out[i] = residuals[i]! + nearest;
  }
  return out;
}
