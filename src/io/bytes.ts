// Little-endian numbers of a file as typed arrays: one table of element types with how each is read.

import type { StoredData } from "./safetensors.ts";

export interface ElementType {
  /** Bytes per element. */
  readonly bytes: number;
  /** Elements as a fresh typed array; throws RangeError with a sentence when a value does not fit. */
  readonly read: (view: DataView, count: number) => StoredData;
}

/** The element types that can be read. F16, BF16 and I64 are widened or narrowed to the types we compute with. */
export const elementTypes = {
  F64: { bytes: 8, read: (view, count) => new Float64Array(copyBytes(view, 8 * count)) },
  F32: { bytes: 4, read: (view, count) => new Float32Array(copyBytes(view, 4 * count)) },
  I32: { bytes: 4, read: (view, count) => new Int32Array(copyBytes(view, 4 * count)) },
  U8: { bytes: 1, read: (view, count) => new Uint8Array(copyBytes(view, count)) },
  BOOL: { bytes: 1, read: readBooleans },
  F16: {
    bytes: 2,
    read: (view, count) => Float32Array.from({ length: count }, (_, index) => halfToNumber(view.getUint16(2 * index, true))),
  },
  BF16: { bytes: 2, read: readBrainFloats },
  I64: { bytes: 8, read: readLongs },
} as const satisfies Record<string, ElementType>;

/** The element types that can be read, as safetensors names them. */
export type ElementTypeName = keyof typeof elementTypes;

/** The value of an IEEE 754 half-precision number given as its 16 bits. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

// Every JavaScript engine in use runs little-endian, as the format is; the copy also gives the alignment that views need.
function copyBytes(view: DataView, length: number): ArrayBuffer {
  const copy = new Uint8Array(length);
  copy.set(new Uint8Array(view.buffer, view.byteOffset, length));
  return copy.buffer;
}

function readBooleans(view: DataView, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, index) => {
    const value = view.getUint8(index);
    if (value > 1) throw new RangeError(`a BOOL byte must be 0 or 1, got ${value} at element ${index}`);
    return value;
  });
}

function readBrainFloats(view: DataView, count: number): Float32Array {
  const words = new Uint32Array(count);
  for (let index = 0; index < count; index++) words[index] = view.getUint16(2 * index, true) << 16;
  return new Float32Array(words.buffer);
}

function readLongs(view: DataView, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, index) => {
    const value = view.getBigInt64(8 * index, true);
    if (value !== BigInt.asIntN(32, value))
      throw new RangeError(`an I64 value must fit in 32 bits to be read, got ${value} at element ${index}`);
    return Number(value);
  });
}
