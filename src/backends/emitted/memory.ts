// Places of buffers during a run, and how numbers get in and out.

import { requireLength } from "../../nest/arrays.ts";
import { decodeBfloat16, encodeBfloat16 } from "../../nest/bfloat16.ts";
import { sizeOfShape } from "../../nest/evaluate.ts";
import type { DType, Operand } from "../../nest/nest.ts";
import { BackendError } from "../../util/errors.ts";
import type { HostArray } from "../backend.ts";
import type { Views } from "./target.ts";

/** Kept free below the first buffer: kernels may read a vector before it. */
export const FIRST_PLACE = 65536;
/** Below it: where checked kernels report an access that failed. */
export const REPORTS_PLACE = 1024;

const arrays = { f32: Float32Array, i32: Int32Array, u8: Uint8Array } as const;
const kindOf = { float32: "f32", bfloat16: "bf16", int32: "i32", uint8: "u8", bool: "u8", float64: undefined } as const satisfies Record<
  DType,
  keyof typeof BYTES_OF | undefined
>;
const BYTES_OF = { f32: 4, bf16: 2, i32: 4, u8: 1 } as const;

/**
 * Where one host array goes: element position in the heap's view of its type; bfloat16 is a Float32Array on the host.
 */
export interface Slot<Kind extends keyof typeof BYTES_OF = keyof typeof BYTES_OF> {
  readonly kind: Kind;
  readonly position: number;
  readonly length: number;
}

export function slotOf(operand: Operand, place: number): Slot {
  const kind = kindOf[operand.dtype];
  if (kind === undefined) throw new BackendError(`${operand.dtype} runs on the reference backend only`);
  return { kind, position: place / BYTES_OF[kind], length: sizeOfShape(operand.shape) };
}

/** The slot of the `number`-th parameter of a list that begins at the place. */
export function paramSlot(type: "float" | "int", place: number, number: number): Slot<"f32" | "i32"> {
  return { kind: type === "float" ? "f32" : "i32", position: place / 4 + number, length: 1 };
}

/** Words of 32 bits at the place. */
export function wordsSlot(place: number, bytes: number): Slot {
  return { kind: "i32", position: place / 4, length: bytes / 4 };
}

/** Below this many elements a plain loop copies faster than a call. */
const FEW = 24;

/** Copies a host array into its slot. */
export function writeSlot(heap: Views, slot: Slot, values: HostArray): void {
  const { kind, position, length } = slot;
  if (values.length !== length) requireLength(values, length);
  if (kind === "bf16") {
    encodeBfloat16(values, wordsOf(heap, slot));
    return;
  }
  const view: HostArray = heap[kind];
  if (length > FEW) {
    view.set(values, position);
    return;
  }
  for (let i = 0; i < length; i++) view[position + i] = values[i]!;
}

/** A new array with the slot's numbers. */
export function readSlot(heap: Views, slot: Slot): HostArray {
  const { kind, position, length } = slot;
  if (kind === "bf16") return decodeBfloat16(wordsOf(heap, slot));
  if (kind === "f32") return copyOut(heap.f32, arrays.f32, position, length);
  return kind === "i32" ? copyOut(heap.i32, arrays.i32, position, length) : copyOut(heap.u8, arrays.u8, position, length);
}

function wordsOf({ u8 }: Views, { position, length }: Slot): Uint16Array {
  return new Uint16Array(u8.buffer, u8.byteOffset + 2 * position, length);
}

function copyOut<T extends Float32Array | Int32Array | Uint8Array>(
  view: T,
  make: new (length: number) => T,
  position: number,
  length: number,
): T {
  if (length > FEW) return view.slice(position, position + length) as T;
  const result = new make(length);
  for (let i = 0; i < length; i++) result[i] = view[position + i]!;
  return result;
}
