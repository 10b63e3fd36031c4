// Compiled steps: one main that runs every nest of a graph over an arena and persistent cells.

import type { StepGraph } from "../../compiler/graph.ts";
import { byteLength, type MemoryPlan, planMemory } from "../../compiler/memory.ts";
import type { Operand } from "../../formula/nest.ts";
import { type FunctionBuilder, ModuleBuilder } from "../../kernels/builder.ts";
import type { KernelModule, Value } from "../../kernels/language.ts";
import { printModule } from "../../kernels/print.ts";
import * as v from "../../kernels/values.ts";
import { BackendError } from "../../util/errors.ts";
import type { Cell, HostArray, StepExecutable, StepTimer } from "../backend.ts";
import { Arena } from "./arena.ts";
import { aligned, paramSlot, readSlot, type Slot, slack, slotOf, writeSlot } from "./memory.ts";
import { defineClear, exactNumbers, lowerSteps, runStep } from "./program.ts";
import type { Heap, LoadedCode, Target } from "./target.ts";

/** Compiled graphs kept for further steps of the same structure. */
const mostCompiled = 64;

/** A graph's code, the same wherever its arena and cells lie. Its main takes the arena's address, then the cells'. */
interface CompiledGraph {
  readonly module: KernelModule;
  readonly code: LoadedCode;
  /** Offsets in the arena: of buffers (undefined for cells), of the params, of main's arguments. */
  readonly offsets: readonly (number | undefined)[];
  readonly params: number;
  readonly mainArguments: number;
  readonly bytes: number;
  /** Of these, what temporaries share. */
  readonly temporaries: number;
  readonly notes: readonly string[];
}

/** The steps of one backend: their memory, cells and code. */
export class StepEngine<Memory extends Heap> {
  readonly target: Target<Memory>;
  readonly #compiled = new Map<string, CompiledGraph>();
  #heap: Memory | undefined;
  #arena: Arena | undefined;

  constructor(target: Target<Memory>) {
    this.target = target;
  }

  get heap(): Memory {
    this.#heap ??= this.target.makeHeap();
    return this.#heap;
  }

  get arena(): Arena {
    this.#arena ??= new Arena(this.heap);
    return this.#arena;
  }

  makeCell(operand: Operand): Cell {
    return new EmittedCell(this.arena, operand);
  }

  executable(graph: StepGraph): StepExecutable {
    return new EmittedStep(this, graph);
  }

  /** Graphs of equal structure are compiled once. */
  compile(graph: StepGraph): CompiledGraph {
    const key = JSON.stringify({ ...graph, name: "", constants: [...(graph.constants ?? [])] }, exactNumbers);
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      compiled = compileGraph(graph, this.target, this.heap);
      // Steps that still use the oldest keep its code alive.
      if (this.#compiled.size >= mostCompiled) this.#compiled.delete(this.#compiled.keys().next().value as string);
      this.#compiled.set(key, compiled);
    }
    return compiled;
  }
}

/** @param plan of the graph that this one is a part of, when it is */
function compileGraph<Memory extends Heap>(
  graph: StepGraph,
  target: Target<Memory>,
  heap: Memory,
  plan: MemoryPlan = planMemory(graph),
): CompiledGraph {
  const { bytes: temporaries, offsets } = plan;
  const module = new ModuleBuilder(graph.name, target.machine);
  const kernels = lowerSteps(graph.steps, module, target.manyCalls);
  const clear = defineClear(graph.steps, module);
  // Scratch comes last: a part of the graph needs less of it, and has everything else where the whole graph has it.
  const params = aligned(temporaries) + slack;
  const mainArguments = params + aligned(graph.params.length * 4) + slack;
  const scratch = aligned(mainArguments + (1 + graph.cells.length) * target.argumentBytes) + slack;
  const shared = aligned(scratch + Math.max(0, ...kernels.map((kernel) => kernel.scratchBytes))) + slack;
  const cellNumber = new Map(graph.cells.map((buffer, number) => [buffer, number]));
  target.defineMain(module, 1 + graph.cells.length, (k, [base, ...cells]) => {
    const inArena = (offset: number): Value => far(k, base!, offset);
    const address = (buffer: number): Value => {
      const cell = cellNumber.get(buffer);
      return cell === undefined ? inArena(offsets[buffer] ?? 0) : cells[cell]!;
    };
    graph.steps.forEach((step, number) => {
      if (step.clear) k.call(clear, [address(step.writes), byteLength(graph.buffers[step.writes]!)]);
      const buffers = [...step.reads, step.writes].map(address);
      runStep(k, kernels[number]!, [...buffers, inArena(params), inArena(scratch)], inArena(shared));
    });
    for (const { cell, from } of graph.updates) copyWords(k, address(from), address(cell), byteLength(graph.buffers[cell]!));
  });
  const notes = graph.steps.flatMap((step, number) => [
    `step ${number}: ${step.nest.name}`,
    ...kernels[number]!.notes.map((note) => `  ${note}`),
  ]);
  const built = module.build();
  const bytes = shared + Math.max(0, ...kernels.map((kernel) => kernel.sharedBytes ?? 0));
  return { module: built, code: target.load(built, heap), offsets, params, mainArguments, bytes, temporaries, notes };
}

class EmittedCell implements Cell {
  readonly place: number;
  readonly #arena: Arena;
  readonly #slot: Slot;
  #isFreed = false;

  constructor(arena: Arena, operand: Operand) {
    const bytes = byteLength(operand);
    this.#arena = arena;
    this.place = arena.allocate(bytes);
    arena.heap.u8.fill(0, this.place, this.place + bytes);
    this.#slot = slotOf(operand, this.place);
  }

  read(): HostArray {
    return readSlot(this.#arena.heap, this.#slot);
  }

  write(data: HostArray): void {
    writeSlot(this.#arena.heap, this.#slot, data);
  }

  /** Twice is once: the place may belong to another by then. */
  free(): void {
    if (!this.#isFreed) this.#arena.free(this.place);
    this.#isFreed = true;
  }
}

class EmittedStep<Memory extends Heap> implements StepExecutable {
  readonly arenaBytes: number;
  readonly #engine: StepEngine<Memory>;
  readonly #graph: StepGraph;
  readonly #compiled: CompiledGraph;
  /** Code for every step alone, and for the updates: made when a run is first timed. */
  #parts: readonly LoadedCode[] | undefined;
  readonly #arena: { readonly of: Arena; readonly base: number; isFreed: boolean };
  readonly #argumentsAt: number;
  readonly #inputs: readonly Slot[];
  readonly #params: readonly Slot[];
  /** A result is a slot of the arena, or a cell by its number. */
  readonly #results: readonly (Slot | number)[];

  constructor(engine: StepEngine<Memory>, graph: StepGraph) {
    this.#engine = engine;
    this.#graph = graph;
    this.#compiled = engine.compile(graph);
    const { offsets, params, mainArguments, bytes, temporaries } = this.#compiled;
    this.arenaBytes = temporaries;
    const base = engine.arena.allocate(bytes);
    this.#arena = { of: engine.arena, base, isFreed: false };
    freeWhenCollected.register(this, this.#arena, this);
    this.#argumentsAt = base + mainArguments;
    engine.target.writeArgument(engine.heap, this.#argumentsAt, 0, base);
    const slot = (buffer: number): Slot => {
      const offset = offsets[buffer];
      if (offset === undefined) throw new BackendError(`${engine.target.name}: buffer ${buffer} of "${graph.name}" has no place`);
      return slotOf(graph.buffers[buffer]!, base + offset);
    };
    const cellNumber = new Map(graph.cells.map((buffer, number) => [buffer, number]));
    this.#inputs = graph.inputs.map(slot);
    this.#results = graph.results.map((buffer) => cellNumber.get(buffer) ?? slot(buffer));
    this.#params = graph.params.map(({ type }, number) => paramSlot(type, base + params, number));
  }

  run(inputs: readonly HostArray[], cells: readonly Cell[], params: readonly number[], timer?: StepTimer): HostArray[] {
    const { heap, target } = this.#engine;
    for (let i = 0; i < this.#inputs.length; i++) writeSlot(heap, this.#inputs[i]!, inputs[i]!);
    for (let i = 0; i < this.#params.length; i++) {
      const { kind, position } = this.#params[i]!;
      heap[kind][position] = params[i]!;
    }
    for (let i = 0; i < cells.length; i++) target.writeArgument(heap, this.#argumentsAt, i + 1, (cells[i] as EmittedCell).place);
    if (timer === undefined) this.#compiled.code.call(this.#argumentsAt);
    else this.#timed(timer);
    return this.#results.map((result) => (typeof result === "number" ? cells[result]!.read() : readSlot(heap, result)));
  }

  #timed(timer: StepTimer): void {
    const graph = this.#graph;
    if (this.#parts === undefined) {
      const { target, heap } = this.#engine;
      const plan = planMemory(graph);
      const parts = [...graph.steps.map((step) => ({ ...graph, steps: [step], updates: [] })), { ...graph, steps: [] }];
      this.#parts = parts.map((part) => compileGraph(part, target, heap, plan).code);
    }
    this.#parts.forEach((part, number) => {
      const start = performance.now();
      part.call(this.#argumentsAt);
      if (number < graph.steps.length) timer(number, performance.now() - start);
    });
  }

  listing(): string {
    const { module, notes } = this.#compiled;
    return [...notes, printModule(module), this.#engine.target.listCode(module) ?? ""].join("\n").trimEnd();
  }

  free(): void {
    release(this.#arena);
    freeWhenCollected.unregister(this);
  }
}

/** Twice is once. */
function release(arena: { readonly of: Arena; readonly base: number; isFreed: boolean }): void {
  if (!arena.isFreed) arena.of.free(arena.base);
  arena.isFreed = true;
}

const freeWhenCollected = new FinalizationRegistry(release);

/** base + offset also where the offset does not fit an i32. */
function far(k: FunctionBuilder, base: Value, offset: number): Value {
  const reach = 2 ** 30;
  let from = base;
  let rest = offset;
  for (; rest > reach; rest -= reach) from = k.let(v.advance(from, reach), "far");
  return v.advance(from, rest);
}

/** Copies whole vectors, into the slack after the buffer. */
function copyWords(k: FunctionBuilder, from: Value, to: Value, bytes: number): void {
  const [source, target] = [k.let(from, "from"), k.let(to, "to")];
  k.loop(0, bytes, k.machine.lanes * 4, (i) => k.store(v.at(target, i), v.loadVector(v.at(source, i))));
}
