// Helper: runs programs on a machine with marked memory around every buffer, and tells what was written where it should not have been.

import type { HostArray } from "../../src/backends/backend.ts";
import { readSlot, type Slot, slotOf, writeSlot } from "../../src/backends/emitted/memory.ts";
import { features, wasmMachine } from "../../src/backends/wasm/features.ts";
import { compileModule } from "../../src/backends/wasm/module.ts";
import type { MachineName } from "../../src/backends/x64/runtime/cpu.ts";
import { Heap } from "../../src/backends/x64/runtime/memory.ts";
import { type Native, native } from "../../src/backends/x64/runtime/native.ts";
import { ModuleBuilder } from "../../src/kernels/language/builder.ts";
import { checkAccesses, REPORT_WORDS } from "../../src/kernels/language/check.ts";
import type { KernelModule, Machine } from "../../src/kernels/language/language.ts";
import { lowerNest } from "../../src/kernels/lower.ts";
import { byteLength } from "../../src/nest/arrays.ts";
import type { Program } from "../../src/nest/nest.ts";
import { compile, machineOf } from "./x64/harness.ts";

/** A machine and the memory it works in, from address `base` on. */
interface Engine {
  readonly machine: Machine;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly base: number;
  load(module: KernelModule): { call(name: string, ...args: number[]): unknown; release(): void };
}

const room = 2 ** 22;

export function wasmEngine(): Engine {
  const machine = wasmMachine();
  const memory = new WebAssembly.Memory({ initial: room / 65536 });
  const options = { relaxedFma: machine.fma !== "separate" && features().relaxedFma };
  return {
    machine,
    bytes: new Uint8Array(memory.buffer),
    base: 0,
    load(module) {
      const { exports } = new WebAssembly.Instance(compileModule(module, options), { env: { memory } });
      return { call: (name, ...args) => (exports[name] as (...args: number[]) => unknown)(...args), release: () => {} };
    },
  };
}

export function x64Engine(name: MachineName): Engine {
  const machine = machineOf(name);
  const heap = new Heap(native() as Native, room);
  heap.ensure(room - 8192);
  return { machine, bytes: heap.u8 as Uint8Array<ArrayBuffer>, base: heap.address, load: (module) => compile(module, machine) };
}

export interface GuardedRun {
  readonly result: HostArray;
  /** "step 1 writes 4 bytes after the output": empty when all is well. */
  readonly damage: string;
}

/** No float that arithmetic gives, and no small number. */
const mark = 0xd7;
/** Marked bytes before and after every buffer, besides those that align the next one. */
const margin = 256;
const start = 4096;
/** Where checked kernels report a read too far out. */
const reportPlace = 1024;
const checks = process.env.KASANE_CHECK === "1";

/**
 * Runs every step in two calls, the later slices first where they are independent, and looks at all memory after each. With KASANE_CHECK=1
 * reads too far out are found as well.
 */
export function runGuarded(engine: Engine, program: Program, inputs: readonly HostArray[], params: readonly number[]): GuardedRun {
  const { bytes, base } = engine;
  const module = new ModuleBuilder("test", engine.machine);
  const kernels = program.operations.map(({ nest }) => lowerNest(nest, module));
  const built = module.build();
  const report = { op: "constant", type: "pointer", value: base + reportPlace } as const;
  const loaded = engine.load(checks ? checkAccesses(built, engine.machine, report).module : built);
  let end = start;
  const area = (size: number): readonly [from: number, to: number] => {
    const from = Math.ceil((end + margin) / 64) * 64;
    end = from + size;
    if (end + margin > bytes.length) throw new Error(`a test needs ${end} bytes, more than the ${bytes.length} there are`);
    return [from, end];
  };
  const areas = program.buffers.map(({ dtype, shape }) => area(byteLength({ dtype, shape })));
  const paramsArea = area(params.length * 4);
  const scratch = area(Math.max(0, ...kernels.map(({ scratchBytes }) => scratchBytes)));
  const shared = area(Math.max(0, ...kernels.map(({ sharedBytes = 0 }) => sharedBytes)));
  const used = bytes.subarray(0, end + margin).fill(mark);
  used.fill(0, reportPlace, reportPlace + 4 * REPORT_WORDS);
  const heap = {
    f32: new Float32Array(bytes.buffer, bytes.byteOffset),
    i32: new Int32Array(bytes.buffer, bytes.byteOffset),
    u8: bytes,
    ensure: () => {},
    release: () => {},
  };
  const slot = (buffer: number): Slot => slotOf(program.buffers[buffer]!, areas[buffer]![0]);
  inputs.forEach((values, buffer) => {
    writeSlot(heap, slot(buffer), values);
  });
  params.forEach((value, number) => {
    const type = program.params[number]!.type === "float" ? Float32Array : Int32Array;
    new type(bytes.buffer, bytes.byteOffset + paramsArea[0] + 4 * number, 1)[0] = value;
  });
  let damage = "";
  for (const [number, step] of program.operations.entries()) {
    const kernel = kernels[number]!;
    const [from, to] = areas[step.writes]!;
    if (step.clear || kernel.clears === true) used.fill(0, from, to);
    const before = used.slice();
    const places = [...step.reads.map((buffer) => areas[buffer]![0]), from, paramsArea[0], scratch[0]];
    if (kernel.sharedBytes !== undefined) places.push(shared[0]);
    for (const { entry, slices } of [...(kernel.before ?? []), kernel]) {
      const middle = slices >> 1;
      const parts = [
        [middle, slices],
        [0, middle],
      ] as const;
      for (const [first, last] of kernel.sequential ? [...parts].reverse() : parts)
        if (last > first) loaded.call(entry, ...places.map((place) => base + place), first, last);
    }
    damage = difference(before, used, [areas[step.writes]!, scratch, shared]);
    if (damage !== "") {
      damage = `operation ${number} of ${program.operations.length} (${step.nest.name}) writes ${damage} its output at ${from} … ${to}`;
      break;
    }
  }
  const result = readSlot(heap, slot(program.result));
  loaded.release();
  return { result, damage };
}

/** Where two states of memory differ outside some areas. */
function difference(before: Uint8Array, after: Uint8Array, allowed: readonly (readonly [number, number])[]): string {
  let at = 0;
  for (const [from, to] of [...allowed].sort((a, b) => a[0] - b[0])) {
    const found = firstDifference(before, after, at, from);
    if (found >= 0) return `at ${found}, outside`;
    at = to;
  }
  const found = firstDifference(before, after, at, after.length);
  return found < 0 ? "" : `at ${found}, outside`;
}

function firstDifference(a: Uint8Array, b: Uint8Array, from: number, to: number): number {
  if (Buffer.compare(a.subarray(from, to), b.subarray(from, to)) === 0) return -1;
  for (let i = from; i < to; i++) if (a[i] !== b[i]) return i;
  return -1;
}
