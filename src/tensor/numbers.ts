// Reads numbers from users into one array with a shape: nested lists, typed arrays, numbers with a shape.

import type { HostArray } from "../backends/backend.ts";
import {
  type AnyNumberArray,
  type ArrayDType,
  allocate,
  arrayKind,
  dtypeOfArray,
  isDType,
  isStorageOf,
  toNumberArray,
} from "../nest/arrays.ts";
import { roundToBfloat16 } from "../nest/bfloat16.ts";
import { INTEGER_RANGES, isHeldBy } from "../nest/integers.ts";
import type { DType } from "../nest/nest.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { kindOf } from "../util/kind-of.ts";
import type { Shape } from "./shapes.ts";

/** Booleans in lists of lists, all of one depth equally long. */
export type NestedBooleans = boolean | readonly NestedBooleans[];

/** Typed arrays in lists of lists: the last dimension of each is an array. */
export type NestedArrays = AnyNumberArray | readonly NestedArrays[];

/**
 * Numbers in row-major order with their shape: an ndArray, an entry of a safetensors file, a tensor that went through
 * JSON or structuredClone.
 */
export interface ShapedNumbers {
  readonly shape: Shape;
  readonly data: AnyNumberArray | readonly (number | string)[];
}

/** What a tensor is made of. */
export interface Numbers {
  readonly data: HostArray;
  readonly shape: Shape;
  readonly dtype: DType;
}

/**
 * @param wanted the dtype to convert to; left out: float32 for numbers, bool for booleans, the array's own for typed
 * arrays
 * @throws InputError for what holds no numbers, or a number that the dtype cannot hold; ShapeError when rows have
 * different lengths
 */
export function readNumbers(value: unknown, wanted?: DType): Numbers {
  if (arrayKind(value) !== undefined) {
    const data = toNumberArray(value, "tensor");
    const dtype = wanted ?? dtypeOfArray(data);
    return { data: converted(data, dtype), shape: [data.length], dtype };
  }
  if (isShaped(value)) {
    // Tensors say their dtype; files name theirs otherwise.
    const { dtype: said } = value as { readonly dtype?: unknown };
    const dtype = wanted ?? (isDType(said) ? said : undefined);
    const found = numbersIn(value);
    const data = Array.isArray(found) ? found.map(fromText) : found;
    return { ...readNumbers(data, dtype), shape: value.shape };
  }
  const found: Found = { shape: [], numbers: [], kinds: new Set() };
  collect(value, 0, found);
  const dtype = wanted ?? kindOfAll(found.kinds);
  return { data: converted(found.numbers, dtype), shape: found.shape, dtype };
}

/**
 * The numbers as the dtype stores them: the array itself where it does so already.
 * @throws InputError when an integer type cannot hold one
 */
export function converted(data: HostArray | readonly number[], dtype: DType): HostArray {
  if (!Array.isArray(data) && dtypeOfArray(data as HostArray) === dtype) return data as HostArray;
  const target = allocate(dtype, data.length);
  for (let n = 0; n < data.length; n++) target[n] = fitted(data[n]!, dtype, n);
  return target;
}

/** The number as the dtype stores it. @throws InputError when an integer type cannot hold it */
export function fitted(value: number, dtype: DType, position: number): number {
  switch (dtype) {
    case "bool":
      return Number(value !== 0);
    case "bfloat16":
      return roundToBfloat16(value);
    case "float32":
    case "float64":
      return value;
    case "int32":
    case "uint8": {
      if (isHeldBy(dtype, value)) return value;
      const [low, high] = INTEGER_RANGES[dtype];
      throw new InputError(`tensor: ${dtype} holds whole numbers from ${low} to ${high}, got ${value} at position ${position}`);
    }
  }
}

/** The array as tensors keep it. @throws InputError when its kind is not the one that the dtype is stored in */
export function storage(data: unknown, dtype: DType): HostArray {
  const array = toNumberArray(data, "tensor");
  if (isStorageOf(array, dtype)) return array;
  throw new InputError(`tensor: ${dtype} is stored in a ${arrayKind(allocate(dtype, 0))}, got ${kindOf(data)}`, {
    hint: `tensor(data, shape, { dtype: "${dtype}" }) converts`,
  });
}

/** Kinds of what lists hold: plain numbers, booleans, typed arrays by their dtype. */
type ItemKind = "number" | "boolean" | ArrayDType;

interface Found {
  readonly shape: number[];
  readonly numbers: number[];
  readonly kinds: Set<ItemKind>;
}

/** Flattens nested lists. */
function collect(item: unknown, depth: number, found: Found): void {
  const number = numberOf(item);
  if (number !== undefined) {
    if (depth !== found.shape.length)
      throw new ShapeError(`tensor: expected an array of ${found.shape[depth]} at depth ${depth}, got the number ${number}`);
    found.kinds.add(typeof item === "boolean" ? "boolean" : "number");
    found.numbers.push(number);
    return;
  }
  if (Array.isArray(item)) {
    enter(item.length, depth, found);
    // By index: for…of is as slow for long lists, and forEach skips the holes of sparse ones.
    for (let n = 0; n < item.length; n++) collect(item[n], depth + 1, found);
    return;
  }
  if (arrayKind(item) === undefined) throw notNumbers(item, found);
  const row = toNumberArray(item, "tensor");
  enter(row.length, depth, found);
  if (found.shape.length === depth + 1 || found.numbers.length > 0) enterNumbers(row, depth, found);
}

function enterNumbers(row: HostArray, depth: number, found: Found): void {
  if (found.shape.length !== depth + 1)
    throw new ShapeError(`tensor: expected lists at depth ${depth + 1}, got the numbers of a ${arrayKind(row)}`);
  found.kinds.add(dtypeOfArray(row));
  for (const number of row) found.numbers.push(number);
}

function enter(length: number, depth: number, { shape, numbers }: Found): void {
  if (numbers.length === 0 && shape.length === depth) shape.push(length);
  else if (shape.length <= depth) throw new ShapeError(`tensor: expected a number at depth ${depth}, got an array of ${length}`);
  else if (shape[depth] !== length)
    throw new ShapeError(`tensor: rows differ in length: expected ${shape[depth]} at depth ${depth}, got ${length}`);
}

/** A number or a truth, also in the objects that `new Number(3)` makes. */
function numberOf(item: unknown): number | undefined {
  if (typeof item === "number") return item;
  if (typeof item === "boolean") return Number(item);
  if (typeof item !== "object" || item === null) return undefined;
  const tag = Object.prototype.toString.call(item);
  return tag === "[object Number]" || tag === "[object Boolean]" ? Number(item) : undefined;
}

function kindOfAll(kinds: ReadonlySet<ItemKind>): DType {
  const [only = "number", ...more] = kinds;
  if (more.length === 0) return only === "number" ? "float32" : only === "boolean" ? "bool" : only;
  const typed = [...kinds].filter((kind) => kind !== "number" && kind !== "boolean");
  if (typed.length === 0 || typed.every((kind) => kind === "float32")) return "float32";
  throw new InputError(`tensor: the rows hold numbers of different kinds: ${[...kinds].join(", ")}`, {
    hint: 'say which one the tensor has: { dtype: "float32" }',
  });
}

function notNumbers(item: unknown, { numbers }: Found): InputError {
  const hasShape = typeof item === "object" && item !== null && "shape" in item;
  const where = numbers.length === 0 ? "" : ` after ${numbers.length} number${numbers.length === 1 ? "" : "s"}`;
  return new InputError(`tensor: expected numbers, got ${kindOf(item)}${where}`, {
    ...(hasShape ? { hint: "stack([…]) joins tensors" } : typeof item === "bigint" ? { hint: `Number(${item}n)` } : {}),
  });
}

/** Whether a value is numbers with their shape, such as a tensor. */
export function isShaped(value: unknown): value is ShapedNumbers {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const data = numbersIn(value);
  return Array.isArray((value as Partial<ShapedNumbers>).shape) && (Array.isArray(data) || arrayKind(data) !== undefined);
}

/** A tensor that was sent or cloned has its numbers as `values`: `data` looks after itself, which no clone does. */
function numbersIn(value: object): unknown {
  const { data, values } = value as { readonly data?: unknown; readonly values?: unknown };
  return data ?? values;
}

/** JSON has no NaN and no infinities: toJSON writes them as texts. */
function fromText(item: unknown): unknown {
  return item === "NaN" || item === "Infinity" || item === "-Infinity" ? Number(item) : item;
}
