// Helper: runs one nest through the contraction engine on a fresh memory with guards around every area.

import { readSlot, slotOf, writeSlot } from "../../../src/backends/emitted/memory.ts";
import { lowerContraction } from "../../../src/kernels/contract/engine.ts";
import { planContraction } from "../../../src/kernels/contract/plan.ts";
import { ModuleBuilder } from "../../../src/kernels/language/builder.ts";
import { byteLength as bytesOf } from "../../../src/nest/arrays.ts";
import { evaluateProgram } from "../../../src/nest/evaluate.ts";
import type { Nest, Operand, Program } from "../../../src/nest/nest.ts";
import { load, machine } from "../engine.ts";

export { machine };

export const sizeOf = (operand: Operand): number => operand.shape.reduce((size, extent) => size * extent, 1);

/** Bytes written around each area; a NaN with this payload never comes out of arithmetic. */
const guard = 0x7fc0dead;
const guardBytes = 128;

export interface Run {
  readonly result: Float32Array;
  /** Areas whose surroundings, or inputs whose contents, were changed. */
  readonly damaged: readonly string[];
  /** The output was to hold zeros. */
  readonly clears: boolean;
  readonly notes: readonly string[];
}

/** undefined when the engine leaves the nest to the general lowering. `before`: what the output holds at the start. */
export function runContraction(
  nest: Nest,
  inputs: readonly Float32Array[],
  params: readonly number[],
  target = machine,
  before?: Float32Array,
): Run | undefined {
  const plan = planContraction(nest);
  if (plan === undefined) return undefined;
  const module = new ModuleBuilder("test", target);
  const lowered = lowerContraction(plan, module);
  const sizes = [
    ...inputs.map((_, position) => bytesOf(nest.operands[position]!)),
    bytesOf(nest.output),
    64,
    lowered.scratchBytes,
    lowered.sharedBytes ?? 0,
  ];
  let end = 1024;
  const places = sizes.map((size) => {
    const place = end;
    end += Math.ceil(size / 64) * 64 + guardBytes;
    return place;
  });
  const { memory, base, call: run, release } = load(module.build(), end + 65536, target);
  const words = new Int32Array(memory).fill(guard);
  const floats = new Float32Array(memory);
  const heap = { f32: floats, i32: words, u8: new Uint8Array(memory), ensure: () => {}, release: () => {} };
  inputs.forEach((input, position) => {
    writeSlot(heap, slotOf(nest.operands[position]!, places[position]!), input);
  });
  const [out, paramsAt, scratch, shared] = places.slice(-4) as [number, number, number, number];
  if (before !== undefined) floats.set(before, out / 4);
  if (lowered.clears) heap.u8.fill(0, out, out + bytesOf(nest.output));
  floats.set(params, paramsAt / 4);
  if (lowered.slices > 0) {
    const areas = [out, paramsAt, scratch, ...(lowered.sharedBytes === undefined ? [] : [shared])];
    const pointers = [...places.slice(0, inputs.length), ...areas].map((place) => base + place);
    // In several calls, as the backend does it, and not in order: slices are independent.
    for (const { entry, slices } of [...(lowered.before ?? []), lowered]) {
      const middle = slices >> 1;
      const call = (begin: number, stop: number) => run(entry, ...pointers, begin, stop);
      call(middle, slices);
      if (middle > 0) call(0, middle);
    }
  }
  const damaged: string[] = [];
  places.forEach((place, position) => {
    const area =
      position < inputs.length ? `input ${position}` : (["output", "params", "scratch", "shared"][position - inputs.length] as string);
    const stop = place + sizes[position]!;
    for (let at = stop; at < Math.ceil(stop / 64) * 64 + guardBytes; at++)
      if (heap.u8[at] !== ((guard >>> (8 * (at % 4))) & 255)) damaged.push(`${area} + ${at - stop}`);
    const input = inputs[position];
    const now = input && readSlot(heap, slotOf(nest.operands[position]!, place));
    if (input?.some((value, i) => !Object.is(value, now?.[i]))) damaged.push(area);
  });
  for (let at = 0; at < 1024; at += 4) if (words[at / 4] !== guard) damaged.push(`before all − ${1024 - at}`);
  const result = readSlot(heap, slotOf(nest.output, out)) as Float32Array;
  release();
  return { result, damaged, clears: lowered.clears === true, notes: lowered.notes };
}

/** The nest with some of its tensors stored as bfloat16: operands by position, and the output. */
export function narrowed(nest: Nest, isNarrow: (tensor: number | "output") => boolean): Nest {
  const narrow = <Tensor extends Operand>(tensor: Tensor, which: number | "output"): Tensor =>
    isNarrow(which) ? { ...tensor, dtype: "bfloat16" } : tensor;
  return { ...nest, operands: nest.operands.map(narrow), output: narrow(nest.output, "output") };
}

/** What the nest means. */
export function expected(nest: Nest, inputs: readonly Float32Array[], params: readonly number[]): Float32Array {
  const { dtype, shape } = nest.output;
  const program: Program = {
    name: nest.name,
    inputs: nest.operands,
    buffers: [...nest.operands, { dtype, shape }],
    result: nest.operands.length,
    params: nest.params,
    operations: [{ nest, reads: nest.operands.map((_, position) => position), writes: nest.operands.length, clear: true }],
  };
  return evaluateProgram(program, inputs, params) as Float32Array;
}

/** Largest difference relative to `scale`; the same infinities and NaN on both sides count as equal. */
export function difference(actual: Float32Array, wanted: Float32Array, scale = 1): number {
  let worst = 0;
  actual.forEach((value, i) => {
    const other = wanted[i]!;
    if (Object.is(value, other) || value === other) return;
    const distance = Math.abs(value - other) / scale;
    worst = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : Math.max(worst, distance);
  });
  return worst;
}
