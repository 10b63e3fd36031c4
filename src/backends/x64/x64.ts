// The x64 backend: compiles programs to AVX-512 or AVX2 machine code and runs them on host arrays, one thread.
import type { Program } from "../../formula/nest.ts";
import type { Machine, Value } from "../../kernels/language.ts";
import type { Backend, Executable, HostArray } from "../backend.ts";
import { copyIn, copyOut, elementsOf, Layout } from "../wasm/memory.ts";
import { keyOfProgram, type LoweredProgram, listProgram, lowerProgram, type ProgramMemory } from "../wasm/program.ts";
import { chooseMachine, type MachineName } from "./cpu.ts";
import { LoadedModule, listCode } from "./loaded.ts";
import { Heap } from "./memory.ts";
import { type Native, native } from "./native.ts";
import { StepEngine } from "./step.ts";

/** Compiled programs kept; the one unused for longest is dropped, and compiled again when it is needed. */
const mostCompiled = 512;

interface Compiled {
  readonly lowered: LoweredProgram;
  /** Undefined once dropped: its pages are gone. */
  code: LoadedModule | undefined;
  lastUsed: number;
}

/**
 * @param name which machine code; undefined: KASANE_X64, else the widest this processor runs
 * @throws BackendError where machine code cannot run
 */
export function createX64Backend(name?: MachineName): Backend {
  const machine = chooseMachine(name);
  const engine = new Engine(native() as Native, machine);
  const steps = new StepEngine(engine.native, machine);
  const { lanes, tile } = machine;
  return {
    name: "x64",
    description: `x64: emitted ${lanes === 16 ? "AVX-512" : "AVX2 and FMA"} machine code, ${lanes} lanes, tile ${tile.rows}×${tile.vectors * lanes}, one thread`,
    dtypes: new Set(["float32", "int32", "uint8", "bool"]),
    compile: (program) => new X64Executable(engine, program),
    compileStep: (graph) => steps.compile(graph),
    makeCell: (operand) => steps.makeCell(operand),
  };
}

class Engine {
  readonly native: Native;
  readonly machine: Machine;
  readonly heap: Heap;
  readonly #memory: ProgramMemory;
  readonly #compiled = new Map<string, Compiled>();
  #clock = 0;

  constructor(system: Native, machine: Machine) {
    this.native = system;
    this.machine = machine;
    this.heap = new Heap(system);
    const { address, most } = this.heap;
    this.#memory = {
      layout: (program) =>
        new Layout(program, { name: "x64", most, limit: `${(most / 2 ** 30).toFixed(0)} GiB of addresses are reserved` }),
      // The heap never moves.
      pointer: (place): Value => ({ op: "constant", type: "pointer", value: address + place }),
      manyCalls: false,
    };
  }

  tick(): number {
    return ++this.#clock;
  }

  compile(program: Program, key: string): Compiled {
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      const lowered = lowerProgram(program, this.machine, this.#memory);
      compiled = { lowered, code: new LoadedModule(this.native, lowered.module, this.machine), lastUsed: this.tick() };
      if (this.#compiled.size >= mostCompiled) this.#dropOldest();
      this.#compiled.set(key, compiled);
    }
    return compiled;
  }

  #dropOldest(): void {
    let oldest: string | undefined;
    let used = Number.POSITIVE_INFINITY;
    for (const [key, { lastUsed }] of this.#compiled) {
      if (lastUsed >= used) continue;
      used = lastUsed;
      oldest = key;
    }
    if (oldest === undefined) return;
    const dropped = this.#compiled.get(oldest)!;
    dropped.code?.release();
    dropped.code = undefined;
    this.#compiled.delete(oldest);
  }
}

const arrays = { f32: Float32Array, i32: Int32Array, u8: Uint8Array } as const;
const kindOf = { float32: "f32", int32: "i32", uint8: "u8", bool: "u8", float64: "f32" } as const;

/** Where one host array goes: element position in the heap's view of its type. */
interface Slot {
  readonly kind: "f32" | "i32" | "u8";
  readonly position: number;
  readonly length: number;
}

class X64Executable implements Executable {
  readonly #engine: Engine;
  readonly #program: Program;
  readonly #key: string;
  #compiled: Compiled;
  readonly #inputs: readonly Slot[];
  readonly #result: Slot;
  readonly #params: readonly Slot[];
  readonly #bytes: number;

  constructor(engine: Engine, program: Program) {
    this.#engine = engine;
    this.#program = program;
    this.#key = keyOfProgram(program);
    const compiled = engine.compile(program, this.#key);
    this.#compiled = compiled;
    const { addresses, paramsAddress, bytes } = compiled.lowered;
    const slot = (buffer: number): Slot => {
      const operand = program.buffers[buffer]!;
      const kind = kindOf[operand.dtype];
      return { kind, position: addresses[buffer]! / (kind === "u8" ? 1 : 4), length: elementsOf(operand) };
    };
    this.#inputs = program.inputs.map((_, number) => slot(number));
    this.#result = slot(program.result);
    this.#params = program.params.map(({ type }, number) => ({
      kind: type === "float" ? "f32" : "i32",
      position: paramsAddress / 4 + number,
      length: 1,
    }));
    this.#bytes = bytes;
  }

  run(inputs: readonly HostArray[], params: readonly number[]): HostArray {
    if (this.#compiled.code === undefined) this.#compiled = this.#engine.compile(this.#program, this.#key);
    const compiled = this.#compiled;
    compiled.lastUsed = this.#engine.tick();
    const { heap } = this.#engine;
    if (this.#bytes > heap.u8.byteLength) heap.ensure(this.#bytes);
    for (let i = 0; i < this.#inputs.length; i++) {
      const { kind, position, length } = this.#inputs[i]!;
      copyIn(heap[kind], position, inputs[i]!, length);
    }
    for (let i = 0; i < this.#params.length; i++) {
      const { kind, position } = this.#params[i]!;
      heap[kind][position] = params[i]!;
    }
    compiled.code!.run(heap.address);
    const { kind, position, length } = this.#result;
    if (kind === "f32") return copyOut(heap.f32, arrays.f32, position, length);
    return kind === "i32" ? copyOut(heap.i32, arrays.i32, position, length) : copyOut(heap.u8, arrays.u8, position, length);
  }

  /** The loops, the kernels and the machine code. */
  listing(): string {
    const { lowered } = this.#engine.compile(this.#program, this.#key);
    return `${listProgram(lowered)}\n${listCode(lowered.module, this.#engine.machine)}`;
  }
}
