/** Binary values as they arrive: DataView in Jupyter, plain typed arrays in the offline page. */
export function bytes(value: unknown): Uint8Array | null {
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  return value instanceof ArrayBuffer ? new Uint8Array(value) : null;
}

/** Little-endian uint16, copied: a message's buffer may start at an odd offset. */
export function uint16(raw: Uint8Array): Uint16Array {
  const out = new Uint16Array(raw.length >> 1);
  for (let i = 0; i < out.length; i++) {
    out[i] = raw[2 * i]! | (raw[2 * i + 1]! << 8);
  }
  return out;
}

/** Little-endian float32, copied for the same reason. */
export function float32(raw: Uint8Array): Float32Array {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Float32Array.from({ length: raw.length >> 2 }, (_, i) => view.getFloat32(4 * i, true));
}
