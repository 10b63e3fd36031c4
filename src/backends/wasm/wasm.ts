// The WebAssembly backend: compiles programs to modules of emitted SIMD code and runs them on host arrays, one thread.
import type { Program } from "../../formula/nest.ts";
import type { Machine } from "../../kernels/language.ts";
import type { Backend, Executable, HostArray } from "../backend.ts";
import { features, wasmMachine } from "./features.ts";
import { copyIn, copyOut, elementsOf, Heap } from "./memory.ts";
import { compileModule } from "./module.ts";
import { keyOfProgram, type LoweredProgram, listProgram, lowerProgram } from "./program.ts";
import { StepEngine } from "./step.ts";
import { chooseTile } from "./tile.ts";

/** Compiled programs kept; the one unused for longest is dropped, and compiled again when it is needed. */
const mostCompiled = 512;

interface Compiled {
  readonly lowered: LoweredProgram;
  /** Undefined once dropped, so that executables that still point here do not keep the code alive. */
  main: (() => void) | undefined;
  lastUsed: number;
}

/** Throws BackendError where WebAssembly SIMD is missing. */
export function createWasmBackend(): Backend {
  const found = wasmMachine();
  const host = globalThis as { process?: { env?: Record<string, string | undefined> } };
  const machine: Machine = { ...found, tile: chooseTile(found, host.process?.env?.KASANE_TILE) };
  const engine = new Engine(machine);
  const steps = new StepEngine(machine);
  const multiply = {
    fused: "relaxed SIMD, fused multiply-add",
    relaxed: "relaxed SIMD",
    separate: "no relaxed SIMD here: multiply and add apart",
  };
  return {
    name: "wasm",
    description: `wasm: emitted WebAssembly SIMD, ${machine.lanes} lanes, ${multiply[machine.fma]}, tile ${machine.tile.rows}×${machine.tile.vectors * machine.lanes}, one thread`,
    dtypes: new Set(["float32", "int32", "uint8", "bool"]),
    compile: (program) => new WasmExecutable(engine, program),
    compileStep: (graph) => steps.compile(graph),
    makeCell: (operand) => steps.makeCell(operand),
  };
}

class Engine {
  readonly heap = new Heap();
  readonly #machine: Machine;
  readonly #compiled = new Map<string, Compiled>();
  #clock = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  tick(): number {
    return ++this.#clock;
  }

  compile(program: Program, key: string): Compiled {
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      const lowered = lowerProgram(program, this.#machine);
      const module = compileModule(lowered.module, { relaxedFma: this.#machine.fma !== "separate" && features().relaxedFma });
      const instance = new WebAssembly.Instance(module, { env: { memory: this.heap.memory } });
      compiled = { lowered, main: instance.exports.main as () => void, lastUsed: this.tick() };
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
    this.#compiled.get(oldest)!.main = undefined;
    this.#compiled.delete(oldest);
  }
}

type ArrayKind = "f32" | "i32" | "u8";

const arrays = { f32: Float32Array, i32: Int32Array, u8: Uint8Array } as const;
const kindOf = { float32: "f32", int32: "i32", uint8: "u8", bool: "u8", float64: "f32" } as const;

/** Where one host array goes: element position in the heap's view of its type. */
interface Slot {
  readonly kind: ArrayKind;
  readonly position: number;
  readonly length: number;
}

class WasmExecutable implements Executable {
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
    if (this.#compiled.main === undefined) this.#compiled = this.#engine.compile(this.#program, this.#key);
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
    compiled.main?.();
    const { kind, position, length } = this.#result;
    if (kind === "f32") return copyOut(heap.f32, arrays.f32, position, length);
    return kind === "i32" ? copyOut(heap.i32, arrays.i32, position, length) : copyOut(heap.u8, arrays.u8, position, length);
  }

  listing(): string {
    return listProgram(this.#engine.compile(this.#program, this.#key).lowered);
  }
}
