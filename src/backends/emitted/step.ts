// Compiled steps: one main that runs every nest of a graph over an arena and persistent cells.

import { byteLength, type MemoryPlan, planMemory } from "../../compiler/memory.ts";
import { type FunctionBuilder, ModuleBuilder } from "../../kernels/language/builder.ts";
import type { KernelModule, Value } from "../../kernels/language/language.ts";
import { printModule } from "../../kernels/language/print.ts";
import * as v from "../../kernels/language/values.ts";
import type { Operand } from "../../nest/nest.ts";
import { exactNumbers, type StepGraph, unitsOf } from "../../nest/step-graph.ts";
import { BackendError } from "../../util/errors.ts";
import type { Cell, HostArray, ListingPart, StepExecutable, StepTimer } from "../backend.ts";
import { Arena } from "./arena.ts";
import { copying } from "./bulk.ts";
import { runCode } from "./executable.ts";
import { aligned, paramSlot, readSlot, type Slot, slack, slotOf, wordsSlot, writeSlot } from "./memory.ts";
import { lowerUnits, notesOf, piecesOf, type Reach, scratchOf } from "./program.ts";
import { planSharing, writeShared } from "./share.ts";
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
  /** Offset of the words to be zero before every run. */
  readonly counters: number;
  readonly counterBytes: number;
  readonly bytes: number;
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
    // Every nest has the params of the whole program, which would make the key of a long one quadratic.
    const steps = graph.steps.map(({ nest, origins: _, ...step }) => ({ ...step, nest: { ...nest, params: [] } }));
    const key = JSON.stringify({ ...graph, steps, name: "", constants: [...(graph.constants ?? [])] }, exactNumbers);
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
  const units = lowerUnits(unitsOf(graph), module, target.manyCalls);
  const cellNumber = new Map(graph.cells.map((buffer, number) => [buffer, number]));
  // Scratch comes last: a part of the graph needs less of it, and has everything else where the whole graph has it.
  const params = aligned(temporaries) + slack;
  const mainArguments = params + aligned(graph.params.length * 4) + slack;
  const counters = aligned(mainArguments + (1 + graph.cells.length) * target.argumentBytes) + slack;
  let given: readonly Value[] = [];
  const inArena = (k: FunctionBuilder, offset: number): Value => far(k, given[0]!, offset);
  const offsetOf = (buffer: number): number => placed(graph, offsets, buffer, target.name);
  const reach: Reach = {
    address(k, buffer) {
      const cell = cellNumber.get(buffer);
      return cell === undefined ? inArena(k, offsetOf(buffer)) : given[1 + cell]!;
    },
    params: (k) => inArena(k, params),
    shared: (k) => inArena(k, shared),
    span(buffer) {
      const bytes = byteLength(graph.buffers[buffer]!);
      const cell = cellNumber.get(buffer);
      const start = cell === undefined ? offsetOf(buffer) : 0;
      return { of: cell ?? "arena", start, end: start + bytes };
    },
  };
  const copies = graph.updates.map(({ cell, from }) => copying(from, cell, byteLength(graph.buffers[cell]!), reach));
  const sharing = planSharing([...piecesOf(units, graph.buffers, module, reach), ...copies], target.team);
  const { own, shared: sharedBytes } = scratchOf(units, graph.buffers);
  const scratch = counters + sharing.counterBytes;
  const shared = scratch + sharing.team.threads * own;
  target.defineMain(module, 1 + graph.cells.length, (k, addresses) => {
    given = addresses;
    writeShared(k, sharing, inArena(k, counters), inArena(k, scratch), own);
  });
  const built = module.build();
  return {
    module: built,
    code: target.load(built, heap),
    offsets,
    params,
    mainArguments,
    counters,
    counterBytes: sharing.counterBytes,
    bytes: shared + sharedBytes,
    notes: notesOf(units),
  };
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
  /** Code for every unit alone, and for the updates: made when a run is first timed. */
  #parts: readonly CompiledGraph[] | undefined;
  readonly #arena: { readonly of: Arena; readonly base: number; isFreed: boolean };
  readonly #argumentsAt: number;
  readonly #counters: Slot;
  readonly #inputs: readonly Slot[];
  readonly #params: readonly ReturnType<typeof paramSlot>[];
  /** A result is a slot of the arena, or a cell by its number. */
  readonly #results: readonly (Slot | number)[];

  constructor(engine: StepEngine<Memory>, graph: StepGraph) {
    this.#engine = engine;
    this.#graph = graph;
    this.#compiled = engine.compile(graph);
    const { offsets, params, mainArguments, counters, counterBytes, bytes } = this.#compiled;
    this.arenaBytes = bytes;
    const base = engine.arena.allocate(bytes);
    this.#arena = { of: engine.arena, base, isFreed: false };
    freeWhenCollected.register(this, this.#arena, this);
    this.#argumentsAt = base + mainArguments;
    this.#counters = wordsSlot(base + counters, counterBytes);
    engine.target.writeArgument(engine.heap, this.#argumentsAt, 0, base);
    const slot = (buffer: number): Slot => slotOf(graph.buffers[buffer]!, base + placed(graph, offsets, buffer, engine.target.name));
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
    if (timer === undefined) runCode(this.#compiled.code, heap, this.#counters, this.#argumentsAt);
    else this.#timed(timer);
    return this.#results.map((result) => (typeof result === "number" ? cells[result]!.read() : readSlot(heap, result)));
  }

  #timed(timer: StepTimer): void {
    const graph = this.#graph;
    if (this.#parts === undefined) {
      const { target, heap } = this.#engine;
      const plan = planMemory(graph);
      const within = <Placed extends { readonly first: number }>(placed: readonly Placed[] | undefined, first: number, end: number) =>
        (placed ?? []).filter((each) => each.first >= first && each.first < end).map((each) => ({ ...each, first: each.first - first }));
      const units = unitsOf(graph).map(({ first, steps }) => {
        const end = first + steps.length;
        return { ...graph, steps, groups: within(graph.groups, first, end), joined: within(graph.joined, first, end), updates: [] };
      });
      const parts = [...units, { ...graph, steps: [], groups: [], joined: [] }];
      this.#parts = parts.map((part) => compileGraph(part, target, heap, plan));
    }
    this.#parts.forEach((part, number) => {
      const start = performance.now();
      const { code, counters, counterBytes } = part;
      runCode(code, this.#engine.heap, wordsSlot(this.#arena.base + counters, counterBytes), this.#argumentsAt);
      if (number < this.#parts!.length - 1) timer(number, performance.now() - start);
    });
  }

  listing(part?: ListingPart): string {
    const { module, notes } = this.#compiled;
    const { name, listCode } = this.#engine.target;
    const kernels = part === "code" ? [] : [...notes, printModule(module)];
    const code =
      part === "kernels" ? "" : (listCode(module) ?? (part === undefined ? "" : `the ${name} backend has no listing of its code`));
    return [...kernels, code].join("\n").trimEnd();
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

/** Where in the arena a buffer is. Throws BackendError for one that the memory plan left out: code must not go to another's place instead. */
function placed(graph: StepGraph, offsets: readonly (number | undefined)[], buffer: number, backend: string): number {
  const offset = offsets[buffer];
  if (offset === undefined) throw new BackendError(`${backend}: buffer ${buffer} of "${graph.name}" has no place`);
  return offset;
}

/** base + offset also where the offset does not fit an i32. */
function far(k: FunctionBuilder, base: Value, offset: number): Value {
  const reach = 2 ** 30;
  let from = base;
  let rest = offset;
  for (; rest > reach; rest -= reach) from = k.let(v.advance(from, reach), "far");
  return v.advance(from, rest);
}
