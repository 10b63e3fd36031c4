// How tensor elements lie in memory: loads convert them to register values, stores convert them back.

import type { DType, ScalarType } from "../../nest/nest.ts";
import { BackendError } from "../../util/errors.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import { type Address, MEMORY_BYTES, type MemoryType, type Value } from "../language/language.ts";
import * as v from "../language/values.ts";

/** As memory has it, or a bfloat16: the upper half of the float32 that it is in registers. */
export type Element = MemoryType | "bf16";

export const elementBytes: Readonly<Record<Element, number>> = { ...MEMORY_BYTES, bf16: 2 };

const elements = { float32: "f32", bfloat16: "bf16", int32: "i32", uint8: "u8", bool: "u8", float64: undefined } as const;

/** @throws BackendError for float64 */
export function elementOf(dtype: DType): Element {
  const element = elements[dtype];
  if (element === undefined) {
    throw new BackendError("float64 tensors are computed on the reference backend only", {
      hint: "convert to float32, or call setBackend('reference')",
    });
  }
  return element;
}

/** One element, a vector of neighbours, or one element in all lanes. */
export type Width = "scalar" | "vector" | "splat";

/** A load, as f32 or i32 lanes. */
export function readElement(element: Element, address: Address, width: Width): Value {
  if (element === "bf16") return v.bitsToFloat(v.shiftLeft(read("u16", address, width), 16));
  return read(element, address, width);
}

function read(memory: MemoryType, address: Address, width: Width): Value {
  if (width === "splat") return v.loadSplat(address, memory);
  if (memory === "f32") return v.loadAs(width === "vector" ? "vf32" : "f32", memory, address);
  return v.loadAs(width === "vector" ? "vi32" : "i32", memory, address);
}

/** What was loaded, as the type that an expression has. */
export function asType(value: Value, type: ScalarType): Value {
  if (type === "bool") return v.ne(value, 0);
  const isFloat = v.elementType(value.type) === "f32";
  if (type === "float") return isFloat ? value : v.convertToFloat(value);
  return isFloat ? v.convertToInt(value) : value;
}

/** A store of a scalar or a vector, of f32 or i32 lanes as the element needs. @param count of lanes; undefined: all */
export function writeElement(k: FunctionBuilder, element: Element, address: Address, value: Value, count?: Value): void {
  const [memory, stored] = element === "bf16" ? (["u16", v.shiftRightLogical(roundedBits(k, value), 16)] as const) : [element, value];
  if (count === undefined) k.store(address, stored, memory);
  else k.storePartial(address, stored, count, memory);
}

/** The nearest bfloat16 of a float, as a float. */
export function roundToBfloat16(k: FunctionBuilder, value: Value): Value {
  return v.bitsToFloat(v.and(roundedBits(k, value), -65536));
}

/**
 * A float's bits rounded by their lower half, to nearest with halves to even; a NaN gets its quiet bit, since rounding
 * could carry it away. In integers, because the processor's own conversion (vcvtneps2bf16) flushes subnormal numbers.
 */
function roundedBits(k: FunctionBuilder, value: Value): Value {
  const x = value.op === "variable" ? value : k.let(value, "x");
  const bits = k.let(v.bitsToInt(x), "bits");
  const half = v.add(v.and(v.shiftRightLogical(bits, 16), 1), 0x7fff);
  return v.select(v.eq(x, x), v.add(bits, half), v.or(bits, 0x400000));
}
