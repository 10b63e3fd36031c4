// Reads little-endian numbers as typed arrays: one table of element types.

import { type NumberArray, toNumberArray } from "../nest/arrays.ts";

/** Numbers as they are read. */
export type StoredData = NumberArray;

export interface ElementType {
  /** Bytes per element. */
  readonly bytes: number;
  /** Elements as a fresh typed array; throws RangeError with a sentence when a value has no exact place in it. */
  readonly read: (view: DataView, count: number) => StoredData;
}

/** An element that no writer would have written. */
export class DamagedElement extends Error {}

/**
 * The element types that can be read; all but the first five are brought to the types we compute with, without loss.
 */
export const elementTypes = {
  F64: { bytes: 8, read: (view, count) => new Float64Array(copyBytes(view, 8 * count)) },
  F32: { bytes: 4, read: (view, count) => new Float32Array(copyBytes(view, 4 * count)) },
  I32: { bytes: 4, read: (view, count) => new Int32Array(copyBytes(view, 4 * count)) },
  U8: { bytes: 1, read: (view, count) => new Uint8Array(copyBytes(view, count)) },
  BOOL: { bytes: 1, read: readBooleans },
  F16: { bytes: 2, read: (view, count) => floats(count, (index) => halfToNumber(view.getUint16(2 * index, true))) },
  BF16: { bytes: 2, read: readBrainFloats },
  F8_E4M3: { bytes: 1, read: (view, count) => floats(count, (index) => e4m3ToNumber(view.getUint8(index))) },
  F8_E5M2: { bytes: 1, read: (view, count) => floats(count, (index) => halfToNumber(view.getUint8(index) << 8)) },
  I8: { bytes: 1, read: (view, count) => integers(count, (index) => view.getInt8(index)) },
  I16: { bytes: 2, read: (view, count) => integers(count, (index) => view.getInt16(2 * index, true)) },
  U16: { bytes: 2, read: (view, count) => integers(count, (index) => view.getUint16(2 * index, true)) },
  I64: { bytes: 8, read: (view, count) => wholeNumbers(new BigInt64Array(copyBytes(view, 8 * count))) },
  U64: { bytes: 8, read: (view, count) => wholeNumbers(new BigUint64Array(copyBytes(view, 8 * count))) },
  U32: { bytes: 4, read: (view, count) => wholeNumbers(new Uint32Array(copyBytes(view, 4 * count))) },
} as const satisfies Record<string, ElementType>;

/** The element types that can be read, as safetensors names them. */
export type ElementTypeName = keyof typeof elementTypes;

/** The value of an IEEE 754 half-precision number given as its 16 bits. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

// Every JavaScript engine in use runs little-endian, as the format is; the copy also gives the alignment that views
// need.
function copyBytes(view: DataView, length: number): ArrayBuffer {
  const copy = new Uint8Array(length);
  copy.set(new Uint8Array(view.buffer, view.byteOffset, length));
  return copy.buffer;
}

function readBooleans(view: DataView, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, index) => {
    const value = view.getUint8(index);
    if (value > 1) throw new DamagedElement(`a BOOL byte must be 0 or 1, got ${value} at element ${index}`);
    return value;
  });
}

function readBrainFloats(view: DataView, count: number): Float32Array {
  const words = new Uint32Array(count);
  for (let index = 0; index < count; index++) words[index] = view.getUint16(2 * index, true) << 16;
  return new Float32Array(words.buffer);
}

/** Int32Array where all of them fit, else Float64Array. @throws RangeError for one that float64 cannot hold exactly */
function wholeNumbers(numbers: BigInt64Array | BigUint64Array | Uint32Array): StoredData {
  const beyond = Array.prototype.find.call(numbers, (value: number | bigint) => !Number.isSafeInteger(Number(value)));
  if (beyond !== undefined) throw new RangeError(`the whole number ${beyond} is beyond 2⁵³, what float64 holds exactly`);
  return toNumberArray(numbers, "safetensors");
}

function floats(count: number, read: (index: number) => number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => read(index));
}

function integers(count: number, read: (index: number) => number): Int32Array {
  return Int32Array.from({ length: count }, (_, index) => read(index));
}

/** An 8-bit float with 4 bits of exponent and 3 of fraction: no infinities, one NaN (Micikevicius et al., 2022). */
function e4m3ToNumber(bits: number): number {
  const magnitude = bits & 0x7f;
  if (magnitude === 0x7f) return Number.NaN;
  const sign = bits & 0x80 ? -1 : 1;
  const exponent = magnitude >> 3;
  const fraction = (magnitude & 7) / 8;
  return exponent === 0 ? sign * fraction * 2 ** -6 : sign * (1 + fraction) * 2 ** (exponent - 7);
}
