// One program as one WebAssembly module: every nest lowered once, and a main that runs the steps at fixed addresses.
import type { Nest, Program, Step } from "../../formula/nest.ts";
import { type FunctionBuilder, ModuleBuilder } from "../../kernels/builder.ts";
import type { KernelModule, Machine, Value } from "../../kernels/language.ts";
import { lowerNest } from "../../kernels/lower.ts";
import type { LoweredNest } from "../../kernels/lowered.ts";
import { printModule } from "../../kernels/print.ts";
import * as v from "../../kernels/values.ts";
import { bytesPerElement, elementsOf, Layout } from "./memory.ts";

export interface LoweredProgram {
  readonly module: KernelModule;
  /** Byte address of every buffer of the program. */
  readonly addresses: readonly number[];
  readonly paramsAddress: number;
  /** Bytes of memory that a run needs. */
  readonly bytes: number;
  readonly notes: readonly string[];
}

/** What differs between the memories that programs run in. */
export interface ProgramMemory {
  layout(program: string): Layout;
  /** A place of the layout as an address of the machine. */
  pointer(address: number): Value;
  /** Whether slices are run in calls of `slicesPerCall` (so that V8 can replace slow code), or all in one. */
  readonly manyCalls: boolean;
}

const wasmMemory: ProgramMemory = {
  layout: (program) => new Layout(program),
  pointer: (address) => pointer(address),
  manyCalls: true,
};

/** Throws BackendError for float64 and for programs that do not fit in memory. */
export function lowerProgram(program: Program, machine: Machine, memory: ProgramMemory = wasmMemory): LoweredProgram {
  const { pointer } = memory;
  const calls = (kernel: LoweredNest) => (memory.manyCalls ? kernel : { ...kernel, slicesPerCall: Math.max(1, kernel.slices) });
  const layout = memory.layout(program.name);
  const addresses = program.buffers.map((buffer, number) => {
    const what = number < program.inputs.length ? `input ${number}` : number === program.result ? "the result" : `temporary ${number}`;
    return layout.place(elementsOf(buffer) * bytesPerElement[buffer.dtype], what);
  });
  const paramsAddress = layout.place(program.params.length * 4, "the parameters");
  const module = new ModuleBuilder(program.name, machine);
  const kernels = lowerSteps(program.steps, module);
  const scratch = layout.place(Math.max(0, ...kernels.map((kernel) => kernel.scratchBytes)), "scratch space");
  const clear = program.steps.some((step) => step.clear) ? defineClear(module) : "";
  module.define(
    "main",
    {},
    (k) => {
      program.steps.forEach((step, number) => {
        const target = program.buffers[step.writes]!;
        const bytes = elementsOf(target) * bytesPerElement[target.dtype];
        if (step.clear) k.call(clear, [pointer(addresses[step.writes]!), bytes]);
        const buffers = [...step.reads, step.writes].map((buffer) => pointer(addresses[buffer]!));
        runStep(k, calls(kernels[number]!), [...buffers, pointer(paramsAddress), pointer(scratch)]);
      });
    },
    true,
  );
  const notes = program.steps.flatMap((step, number) => [
    `step ${number}: ${step.nest.name}, buffers ${step.reads.join(", ")} → ${step.writes}, ${kernels[number]!.slices} slices`,
    ...kernels[number]!.notes.map((note) => `  ${note}`),
  ]);
  return { module: module.build(), addresses, paramsAddress, bytes: layout.bytes, notes };
}

export const listProgram = ({ module, notes }: LoweredProgram): string => `${notes.join("\n")}\n${printModule(module)}`;

/** Nests with the same key compute the same; names only show in listings. */
export function keyOfNest(nest: Nest): string {
  return JSON.stringify({ ...nest, name: "" }, exactNumbers);
}

export function keyOfProgram(program: Program): string {
  return JSON.stringify({ ...program, name: "", params: program.params.map((param) => param.type) }, exactNumbers);
}

/** JSON has no infinities, NaN or −0. */
export function exactNumbers(_: string, value: unknown): unknown {
  if (typeof value !== "number" || (Number.isFinite(value) && !Object.is(value, -0))) return value;
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Addresses above 2 GiB are negative as i32. */
export const pointer = (address: number): Value => v.constant("pointer", address | 0);

/** Every step's nest lowered into the module; equal nests once. */
export function lowerSteps(steps: readonly Step[], module: ModuleBuilder): LoweredNest[] {
  const lowered = new Map<string, LoweredNest>();
  return steps.map(({ nest }) => {
    const key = keyOfNest(nest);
    let kernel = lowered.get(key);
    if (kernel === undefined) {
      kernel = lowerNest(nest, module);
      lowered.set(key, kernel);
    }
    return kernel;
  });
}

/** Calls a kernel over its slices, a share at a time: see LoweredNest. `fixed`: operands, output, params, scratch. */
export function runStep(k: FunctionBuilder, kernel: LoweredNest, fixed: readonly Value[]): void {
  const { entry, slices, slicesPerCall } = kernel;
  k.loop(0, slices, slicesPerCall, (begin) => {
    const end = v.min(v.add(begin, slicesPerCall), slices);
    k.call(entry, [...fixed, begin, end]);
  });
}

/** Fills bytes with zeros; sizes are rounded up to whole vectors, into the slack. */
export function defineClear(module: ModuleBuilder): string {
  const step = module.machine.lanes * 4;
  return module.define("clear", { start: "pointer", bytes: "i32" }, (k, { start, bytes }) => {
    k.loop(0, bytes, step, (i) => k.store(v.at(start, i), v.constant("vf32", 0)));
  });
}
