/** Parsers of untrusted values: a missing or malformed value is replaced by a default. */

export type Fields = Readonly<Record<string, unknown>>;

export function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown, otherwise = ""): string {
  return typeof value === "string" ? value : otherwise;
}

export function number(value: unknown, otherwise: number): number {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}

export function flag(value: unknown, otherwise: boolean): boolean {
  return typeof value === "boolean" ? value : otherwise;
}

/** A number clamped to 0…1. */
export function unit(value: unknown, otherwise: number): number {
  return clamp(number(value, otherwise), 0, 1);
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

export function texts(value: unknown): readonly string[] {
  return list(value).filter((item): item is string => typeof item === "string");
}

/** NaN where an item is no number, so that the others keep their places. */
export function numbers(value: unknown): readonly number[] {
  return list(value).map((item) => number(item, Number.NaN));
}

/**
 * The value of a plain trait, or its default where the value is of another type.
 *
 * @param defaults the generated defaults of the widget's traits
 */
export function plain<T extends object, Name extends keyof T>(value: unknown, defaults: T, name: Name): T[Name] {
  const isValid = typeof value === typeof defaults[name] && !(typeof value === "number" && !Number.isFinite(value));
  return isValid ? (value as T[Name]) : defaults[name];
}

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
