// A compiled step as machine code: one main that runs every nest over an arena and persistent cells.
import { planMemory, type StepGraph } from "../../compiler/index.ts";
import type { Operand } from "../../formula/nest.ts";
import { type FunctionBuilder, ModuleBuilder } from "../../kernels/builder.ts";
import type { KernelModule, Machine, Value, Variable } from "../../kernels/language.ts";
import { printModule } from "../../kernels/print.ts";
import * as v from "../../kernels/values.ts";
import { BackendError } from "../../util/errors.ts";
import type { Cell, HostArray, StepExecutable } from "../backend.ts";
import { bytesPerElement, copyIn, copyOut, elementsOf } from "../wasm/memory.ts";
import { defineClear, exactNumbers, lowerSteps, runStep } from "../wasm/program.ts";
import { Arena } from "./arena.ts";
import { LoadedModule, listCode, writeArguments } from "./loaded.ts";
import { Heap } from "./memory.ts";
import type { Native } from "./native.ts";

const kindOf = { float32: "f32", int32: "i32", uint8: "u8", bool: "u8", float64: "f32" } as const;
const arrayOf = { f32: Float32Array, i32: Int32Array, u8: Uint8Array } as const;

/** Where the numbers of a buffer lie: element position in the heap's view of its type. */
interface Place {
  readonly kind: "f32" | "i32" | "u8";
  readonly position: number;
  readonly length: number;
}

/** Modules kept for graphs of equal structure. */
const mostModules = 64;

/** The steps of one backend: their memory, cells and code. */
export class StepEngine {
  readonly native: Native;
  readonly machine: Machine;
  #arena: Arena | undefined;
  readonly #modules = new Map<string, LoadedModule>();

  constructor(native: Native, machine: Machine) {
    this.native = native;
    this.machine = machine;
  }

  get arena(): Arena {
    this.#arena ??= new Arena(new Heap(this.native));
    return this.#arena;
  }

  makeCell(operand: Operand): Cell {
    return new X64Cell(this.arena, operand);
  }

  compile(graph: StepGraph): StepExecutable {
    return new X64Step(this, graph);
  }

  /** Equal code is emitted once: addresses come at run time. */
  load(graph: StepGraph, module: KernelModule): LoadedModule {
    const key = JSON.stringify({ ...graph, name: "", constants: [...(graph.constants ?? [])] }, exactNumbers);
    let loaded = this.#modules.get(key);
    if (loaded === undefined) {
      loaded = new LoadedModule(this.native, module, this.machine);
      // Steps that still use the oldest keep its code alive.
      if (this.#modules.size >= mostModules) this.#modules.delete(this.#modules.keys().next().value as string);
      this.#modules.set(key, loaded);
    }
    return loaded;
  }
}

class X64Cell implements Cell {
  readonly #arena: Arena;
  readonly #place: Place;
  readonly offset: number;

  constructor(arena: Arena, operand: Operand) {
    this.#arena = arena;
    const bytes = elementsOf(operand) * bytesPerElement[operand.dtype];
    this.offset = arena.allocate(bytes);
    arena.heap.u8.fill(0, this.offset, this.offset + bytes);
    this.#place = placeOf(operand, this.offset);
  }

  read(): HostArray {
    return read(this.#arena, this.#place);
  }

  write(data: HostArray): void {
    copyIn(this.#arena.heap[this.#place.kind], this.#place.position, data, this.#place.length);
  }

  free(): void {
    this.#arena.free(this.offset);
  }
}

class X64Step implements StepExecutable {
  readonly arenaBytes: number;
  readonly #arena: Arena;
  readonly #base: number;
  readonly #code: LoadedModule;
  readonly #argumentsAt: number;
  readonly #params: readonly { readonly isFloat: boolean; readonly position: number }[];
  readonly #inputs: readonly Place[];
  readonly #results: readonly Place[];
  readonly #resultCells: readonly (number | undefined)[];
  readonly #listing: () => string;

  constructor(engine: StepEngine, graph: StepGraph) {
    const { arena, machine } = engine;
    this.#arena = arena;
    const plan = planMemory(graph);
    const module = new ModuleBuilder(graph.name, machine);
    const kernels = lowerSteps(graph.steps, module).map((kernel) => ({ ...kernel, slicesPerCall: Math.max(1, kernel.slices) }));
    const clear = graph.steps.some((step) => step.clear) ? defineClear(module) : "";
    const scratchOffset = Math.ceil(plan.bytes / 64) * 64 + 128;
    const scratchBytes = Math.ceil(Math.max(0, ...kernels.map((kernel) => kernel.scratchBytes)) / 64) * 64 + 128;
    const paramsOffset = scratchOffset + scratchBytes;
    const argumentsOffset = paramsOffset + Math.ceil((graph.params.length * 4) / 64) * 64 + 128;
    const cellNumber = new Map(graph.cells.map((buffer, number) => [buffer, number]));
    const parameters = Object.fromEntries(
      ["base", ...graph.cells.map((_, number) => `cell${number}`)].map((name) => [name, "pointer" as const]),
    );
    module.define(
      "main",
      parameters,
      (k, given) => {
        const p = given as Readonly<Record<string, Variable>>;
        const address = (buffer: number): Value => {
          const cell = cellNumber.get(buffer);
          return cell === undefined ? far(k, p.base!, plan.offsets[buffer] ?? 0) : p[`cell${cell}`]!;
        };
        graph.steps.forEach((step, number) => {
          const target = graph.buffers[step.writes]!;
          if (step.clear) k.call(clear, [address(step.writes), elementsOf(target) * bytesPerElement[target.dtype]]);
          const buffers = [...step.reads, step.writes].map(address);
          runStep(k, kernels[number]!, [...buffers, far(k, p.base!, paramsOffset), far(k, p.base!, scratchOffset)]);
        });
        for (const { cell, from } of graph.updates) copyWords(k, address(from), address(cell), graph.buffers[cell]!, machine);
      },
      true,
    );
    const built = module.build();
    const notes = graph.steps.flatMap((step, number) => [
      `step ${number}: ${step.nest.name}`,
      ...kernels[number]!.notes.map((note) => `  ${note}`),
    ]);
    this.#listing = () => [...notes, printModule(built), listCode(built, machine)].join("\n");
    this.arenaBytes = plan.bytes;
    const base = arena.allocate(argumentsOffset + (graph.cells.length + 1) * 8);
    this.#argumentsAt = base + argumentsOffset;
    this.#code = engine.load(graph, built);
    const place = (buffer: number): Place => {
      const offset = plan.offsets[buffer];
      if (offset === undefined && !cellNumber.has(buffer)) throw new BackendError(`x64: buffer ${buffer} of "${graph.name}" has no place`);
      return placeOf(graph.buffers[buffer]!, base + (offset ?? 0));
    };
    this.#inputs = graph.inputs.map(place);
    this.#results = graph.results.map(place);
    this.#resultCells = graph.results.map((buffer) => cellNumber.get(buffer));
    this.#params = graph.params.map(({ type }, number) => ({ isFloat: type === "float", position: (base + paramsOffset) / 4 + number }));
    writeArguments(arena.heap.i32, this.#argumentsAt, [arena.heap.address + base]);
    this.#base = base;
    freeWhenCollected.register(this, { arena, base }, this);
  }

  run(inputs: readonly HostArray[], cells: readonly Cell[], params: readonly number[]): HostArray[] {
    const { heap } = this.#arena;
    this.#inputs.forEach((place, number) => {
      copyIn(heap[place.kind], place.position, inputs[number]!, place.length);
    });
    this.#params.forEach(({ isFloat, position }, number) => {
      heap[isFloat ? "f32" : "i32"][position] = params[number]!;
    });
    writeArguments(
      heap.i32,
      this.#argumentsAt + 8,
      cells.map((cell) => heap.address + (cell as X64Cell).offset),
    );
    this.#code.run(heap.address + this.#argumentsAt);
    return this.#results.map((place, number) => {
      const cell = this.#resultCells[number];
      return cell === undefined ? read(this.#arena, place) : cells[cell]!.read();
    });
  }

  listing(): string {
    return this.#listing();
  }

  free(): void {
    this.#arena.free(this.#base);
    freeWhenCollected.unregister(this);
  }
}

const freeWhenCollected = new FinalizationRegistry<{ readonly arena: Arena; readonly base: number }>(({ arena, base }) => arena.free(base));

/** base + offset also where the offset does not fit an i32. */
function far(k: FunctionBuilder, base: Value, offset: number): Value {
  const reach = 2 ** 30;
  let from = base;
  let rest = offset;
  for (; rest > reach; rest -= reach) from = k.let(v.advance(from, reach), "far");
  return v.advance(from, rest);
}

function placeOf(operand: Operand, address: number): Place {
  const kind = kindOf[operand.dtype];
  return { kind, position: address / (kind === "u8" ? 1 : 4), length: elementsOf(operand) };
}

function read({ heap }: Arena, { kind, position, length }: Place): HostArray {
  if (kind === "f32") return copyOut(heap.f32, arrayOf.f32, position, length);
  return kind === "i32" ? copyOut(heap.i32, arrayOf.i32, position, length) : copyOut(heap.u8, arrayOf.u8, position, length);
}

/** Copies whole vectors, into the slack after the buffer. */
function copyWords(k: FunctionBuilder, from: Value, to: Value, operand: Operand, machine: Machine): void {
  const [source, target] = [k.let(from, "from"), k.let(to, "to")];
  const bytes = elementsOf(operand) * bytesPerElement[operand.dtype];
  k.loop(0, bytes, machine.lanes * 4, (i) => k.store(v.at(target, i), v.loadVector(v.at(source, i))));
}
