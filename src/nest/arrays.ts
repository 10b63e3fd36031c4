// Typed arrays that tensors are stored in, and lossless conversions from other kinds of arrays.

import { InputError } from "../util/errors.ts";
import { kindOf } from "../util/kind-of.ts";
import type { DType, Operand } from "./nest.ts";

/**
 * The kinds that tensors are stored in; bool is kept as bytes 0 and 1, bfloat16 as floats that are rounded where they
 * are stored.
 */
export type NumberArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Bytes of an element where numbers are stored densely: in files, and in the memory of processors. */
export const STORED_BYTES = { float32: 4, float64: 8, bfloat16: 2, int32: 4, uint8: 1, bool: 1 } as const satisfies Record<DType, number>;

export function byteLength({ dtype, shape }: Operand): number {
  return shape.reduce((total, extent) => total * extent, STORED_BYTES[dtype]);
}

/** A half-precision array, where the engine has them; older declarations of the language do not know the name. */
interface HalfArray extends ArrayBufferView {
  readonly [Symbol.toStringTag]: "Float16Array";
  readonly length: number;
  readonly [index: number]: number;
}

/** Every kind of typed array: those that are no NumberArray are converted. */
export type AnyNumberArray =
  | NumberArray
  | HalfArray
  | Int8Array
  | Int16Array
  | Uint16Array
  | Uint32Array
  | Uint8ClampedArray
  | BigInt64Array
  | BigUint64Array;

/** What an array of one of our kinds is called without being told: bool and bfloat16 share theirs with others. */
export type ArrayDType = "float32" | "float64" | "int32" | "uint8";

export type ArrayKind = AnyNumberArray[typeof Symbol.toStringTag];

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  bfloat16: Float32Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const satisfies Record<DType, unknown>;

/** The dtype that holds every number of a kind; "whole" where that depends on the numbers. */
const HOMES = {
  Float32Array: "float32",
  Float64Array: "float64",
  Float16Array: "float32",
  Int32Array: "int32",
  Int16Array: "int32",
  Int8Array: "int32",
  Uint16Array: "int32",
  Uint8Array: "uint8",
  Uint8ClampedArray: "uint8",
  Uint32Array: "whole",
  BigInt64Array: "whole",
  BigUint64Array: "whole",
} as const satisfies Record<ArrayKind, ArrayDType | "whole">;

export function isDType(name: unknown): name is DType {
  return typeof name === "string" && Object.hasOwn(ARRAYS, name);
}

/** @throws InputError for a dtype that there is not */
export function requireDType(dtype: unknown): asserts dtype is DType {
  if (isDType(dtype)) return;
  throw new InputError(`unknown dtype ${typeof dtype === "string" ? JSON.stringify(dtype) : kindOf(dtype)}`, {
    hint: `dtypes: ${Object.keys(ARRAYS).join(", ")}`,
  });
}

/** @throws InputError for a dtype that there is not */
export function allocate(dtype: DType, length: number): NumberArray {
  requireDType(dtype);
  return new ARRAYS[dtype](length);
}

// The engine's own mark: the same for arrays of other realms (vm, Jest, structuredClone), which instanceof does not
// know, and not to be faked.
const readKind = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get as (
  this: unknown,
) => string | undefined;

/** Which typed array a value is; undefined for everything else, DataView and ArrayBuffer included. */
export function arrayKind(value: unknown): ArrayKind | undefined {
  return readKind.call(value) as ArrayKind | undefined;
}

/** Whether arrays of this kind and realm are what a dtype's numbers are kept in. */
export function isStorageOf(array: NumberArray, dtype: DType): boolean {
  return Object.getPrototypeOf(array) === ARRAYS[dtype].prototype;
}

/** @throws InputError for an array of a kind that tensors are not stored in */
export function dtypeOfArray(array: NumberArray): ArrayDType {
  const kind = arrayKind(array);
  const home = kind === undefined ? undefined : HOMES[kind];
  if (home === undefined || home === "whole" || ARRAYS[home].name !== kind)
    throw new InputError(`expected a Float32Array, Float64Array, Int32Array or Uint8Array, got ${kindOf(array)}`);
  return home;
}

/**
 * The same numbers in an array of our kinds and realm: the array itself, another view of its memory, or a converted
 * copy. Whole numbers that may be beyond int32 become int32 where all of them fit, else float64.
 * @param where begins the error
 * @throws InputError for what is no typed array, and for a whole number that float64 cannot hold exactly
 */
export function toNumberArray(value: unknown, where: string): NumberArray {
  const kind = arrayKind(value);
  if (kind === undefined || !Object.hasOwn(HOMES, kind)) throw notNumbers(value, where);
  const array = value as AnyNumberArray;
  if (array.length === 0 && isGivenAway(array))
    throw new InputError(`${where}: the numbers of this ${kind} are gone: its buffer was transferred to another owner`, {
      hint: COPY_FIRST,
    });
  const home = HOMES[kind];
  if (home === "whole") return wholeNumbers(array as Uint32Array | BigInt64Array | BigUint64Array, where);
  const Kind = ARRAYS[home];
  if (Kind.name !== kind || canChangeSize(array)) return Kind.from(array as ArrayLike<number>);
  // Subclasses too are seen as the plain kind: slice() of a Node Buffer would share memory.
  if (Object.getPrototypeOf(array) === Kind.prototype) return array as NumberArray;
  return new Kind(array.buffer as ArrayBuffer, array.byteOffset, array.length);
}

/**
 * Bytes as a plain Uint8Array of this realm, for readers of files.
 * @throws InputError for anything but bytes or a buffer of them
 */
export function toBytes(value: unknown, where: string): Uint8Array<ArrayBuffer> {
  const kind = arrayKind(value);
  if (kind === "Uint8Array" || kind === "Uint8ClampedArray" || isKind(value, "DataView")) {
    const { buffer, byteOffset, byteLength } = value as ArrayBufferView;
    return unshared(new Uint8Array(buffer, byteOffset, byteLength));
  }
  if (isKind(value, "ArrayBuffer") || isKind(value, "SharedArrayBuffer")) return unshared(new Uint8Array(value as ArrayBuffer));
  throw new InputError(`${where}: expected the bytes of a file (a Uint8Array or an ArrayBuffer), got ${kindOf(value)}`, {
    hint: "new Uint8Array(await file.arrayBuffer()) in browsers, await readFile(path) in Node",
  });
}

/** Decoders of text and streams refuse shared memory. */
function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return isKind(bytes.buffer, "SharedArrayBuffer") ? Uint8Array.from(bytes) : (bytes as Uint8Array<ArrayBuffer>);
}

function isKind(value: unknown, tag: "ArrayBuffer" | "SharedArrayBuffer" | "DataView"): boolean {
  return typeof value === "object" && value !== null && Object.prototype.toString.call(value) === `[object ${tag}]`;
}

/** An array over memory that can grow or shrink is copied: its length would change under a tensor's shape. */
function canChangeSize({ buffer }: ArrayBufferView): boolean {
  const { resizable, growable } = buffer as { readonly resizable?: boolean; readonly growable?: boolean };
  return resizable === true || growable === true;
}

const COPY_FIRST = "transfer a copy: data.slice()";

/** A view of nothing tells no difference but that no other can be made. */
function isGivenAway({ buffer }: ArrayBufferView): boolean {
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/**
 * @throws InputError for an array that is as long as it was no more: whoever transfers its buffer, to a worker for
 * example, empties it
 */
export function requireLength(values: NumberArray, length: number): void {
  if (values.length !== length)
    throw new InputError(
      `expected the ${length} numbers of a tensor, found ${values.length}: its buffer was transferred to another owner`,
      {
        hint: COPY_FIRST,
      },
    );
}

function wholeNumbers(array: Uint32Array | BigInt64Array | BigUint64Array, where: string): Int32Array | Float64Array {
  const exact = Float64Array.from(array as ArrayLike<number | bigint>, (value, place) => {
    const number = Number(value);
    if (!Number.isSafeInteger(number))
      throw new InputError(`${where}: ${value} at position ${place} is beyond 2⁵³, what float64 holds exactly`, {
        hint: "number the values anew, or split them into two columns",
      });
    return number;
  });
  return exact.every((value) => value === (value | 0)) ? Int32Array.from(exact) : exact;
}

function notNumbers(value: unknown, where: string): InputError {
  const isMemory = isKind(value, "ArrayBuffer") || isKind(value, "SharedArrayBuffer") || isKind(value, "DataView");
  return new InputError(`${where}: expected a typed array of numbers, got ${kindOf(value)}`, {
    hint: isMemory ? "say what its bytes are: new Float32Array(buffer), new Uint8Array(buffer), …" : "Float32Array.from(numbers)",
  });
}
