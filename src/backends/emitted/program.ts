// A program as emitted code: every nest lowered once, and a main that runs the steps over buffers at fixed places.
import { byteLength } from "../../compiler/memory.ts";
import type { Nest, Program, Step } from "../../formula/nest.ts";
import { type FunctionBuilder, ModuleBuilder } from "../../kernels/builder.ts";
import type { KernelModule, Value } from "../../kernels/language.ts";
import { lowerNest } from "../../kernels/lower.ts";
import type { LoweredNest, Phase } from "../../kernels/lowered.ts";
import * as v from "../../kernels/values.ts";
import { Layout } from "./memory.ts";
import type { Heap, Target } from "./target.ts";

export interface LoweredProgram {
  readonly module: KernelModule;
  /** Place of every buffer of the program. */
  readonly places: readonly number[];
  readonly paramsPlace: number;
  /** Bytes of memory that a run needs. */
  readonly bytes: number;
  readonly notes: readonly string[];
}

/** Throws BackendError for float64 and for programs that do not fit in memory. */
export function lowerProgram<Memory extends Heap>(program: Program, target: Target<Memory>, heap: Memory): LoweredProgram {
  const layout = new Layout(program.name, target.limits(heap));
  const places = program.buffers.map((buffer, number) => {
    const what = number < program.inputs.length ? `input ${number}` : number === program.result ? "the result" : `temporary ${number}`;
    return layout.placeOperand(buffer, what);
  });
  const paramsPlace = layout.place(program.params.length * 4, "the parameters");
  const module = new ModuleBuilder(program.name, target.machine);
  const kernels = lowerSteps(program.steps, module, target.manyCalls);
  const scratch = layout.place(Math.max(0, ...kernels.map((kernel) => kernel.scratchBytes)), "scratch space");
  const shared = layout.place(Math.max(0, ...kernels.map((kernel) => kernel.sharedBytes ?? 0)), "space for unfinished results");
  const clear = defineClear(program.steps, module);
  const pointer = (place: number): Value => target.pointer(heap, place);
  target.defineMain(module, 0, (k) => {
    program.steps.forEach((step, number) => {
      const written = pointer(places[step.writes]!);
      if (step.clear) k.call(clear, [written, byteLength(program.buffers[step.writes]!)]);
      const read = step.reads.map((buffer) => pointer(places[buffer]!));
      runStep(k, kernels[number]!, [...read, written, pointer(paramsPlace), pointer(scratch)], pointer(shared));
    });
  });
  const notes = program.steps.flatMap((step, number) => [
    `step ${number}: ${step.nest.name}, buffers ${step.reads.join(", ")} → ${step.writes}, ${kernels[number]!.slices} slices`,
    ...kernels[number]!.notes.map((note) => `  ${note}`),
  ]);
  return { module: module.build(), places, paramsPlace, bytes: layout.bytes, notes };
}

export function keyOfProgram(program: Program): string {
  return JSON.stringify({ ...program, name: "", params: program.params.map((param) => param.type) }, exactNumbers);
}

/** For JSON.stringify, which has no infinities, NaN or −0. */
export function exactNumbers(_: string, value: unknown): unknown {
  if (typeof value !== "number" || (Number.isFinite(value) && !Object.is(value, -0))) return value;
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Every step's nest lowered into the module; equal nests once. */
export function lowerSteps(steps: readonly Step[], module: ModuleBuilder, manyCalls: boolean): LoweredNest[] {
  const lowered = new Map<string, LoweredNest>();
  return steps.map(({ nest }) => {
    const key = keyOfNest(nest);
    let kernel = lowered.get(key);
    if (kernel === undefined) {
      kernel = lowerNest(nest, module);
      const inOneCall = <P extends Phase>(phase: P): P => ({ ...phase, slicesPerCall: Math.max(1, phase.slices) });
      if (!manyCalls) kernel = { ...inOneCall(kernel), before: kernel.before?.map(inOneCall) ?? [] };
      lowered.set(key, kernel);
    }
    return kernel;
  });
}

/** Calls a kernel over the slices of its phases, a share at a time: see LoweredNest. `fixed`: operands, output, params, scratch. */
export function runStep(k: FunctionBuilder, kernel: LoweredNest, fixed: readonly Value[], shared: Value): void {
  const areas = kernel.sharedBytes === undefined ? fixed : [...fixed, shared];
  for (const { entry, slices, slicesPerCall } of [...(kernel.before ?? []), kernel]) {
    k.loop(0, slices, slicesPerCall, (begin) => {
      const end = v.min(v.add(begin, slicesPerCall), slices);
      k.call(entry, [...areas, begin, end]);
    });
  }
}

/** A function that fills bytes with zeros, where a step needs one; sizes are rounded up to whole vectors, into the slack. */
export function defineClear(steps: readonly Step[], module: ModuleBuilder): string {
  if (!steps.some((step) => step.clear)) return "";
  const step = module.machine.lanes * 4;
  return module.define("clear", { start: "pointer", bytes: "i32" }, (k, { start, bytes }) => {
    k.loop(0, bytes, step, (i) => k.store(v.at(start, i), v.constant("vf32", 0)));
  });
}

/** Nests with the same key compute the same; names only show in listings. */
function keyOfNest(nest: Nest): string {
  return JSON.stringify({ ...nest, name: "" }, exactNumbers);
}
