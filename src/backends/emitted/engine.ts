// The engine of an emitted backend: compiles each structure of a plan once, and runs it.

import type { Plan } from "../../compiler/plan.ts";
import { printModule } from "../../kernels/language/print.ts";
import type { Operand } from "../../nest/nest.ts";
import { exactNumbers, type StepGraph } from "../../nest/step-graph.ts";
import type { BackendBuffer, Cell, Executable, HostArray, ListingPart, StepTimer } from "../backend.ts";
import { Arena } from "./arena.ts";
import { type Compiled, type Entry, ProgramCache } from "./cache.ts";
import { EmittedCell } from "./cell.ts";
import { FIRST_PLACE, paramSlot, readSlot, type Slot, slotOf, wordsSlot, writeSlot } from "./memory.ts";
import { lowerPlan, offsetIn } from "./program.ts";
import { runCode } from "./share.ts";
import type { Heap, Target } from "./target.ts";
import { WorkMemory } from "./work.ts";

export class Engine<Memory extends Heap> {
  readonly target: Target<Memory>;
  readonly heap: Memory;
  readonly work: WorkMemory;
  readonly cache = new ProgramCache();
  readonly #arena: Arena;

  /** @throws BackendError when there is no memory for it */
  constructor(target: Target<Memory>) {
    this.target = target;
    this.heap = target.makeHeap();
    this.#arena = new Arena(this.heap);
    this.work = new WorkMemory(this.#arena);
  }

  executable(plan: Plan): Executable {
    return new EmittedExecutable(this, plan);
  }

  makeCell(operand: Operand): Cell {
    try {
      return new EmittedCell(this.#arena, operand);
    } catch {
      this.work.trim();
      return new EmittedCell(this.#arena, operand);
    }
  }

  compile(plan: Plan): Compiled {
    const { module, ...places } = lowerPlan(plan, this.target);
    // What can never run is refused at once.
    if (FIRST_PLACE + places.bytes > this.heap.most) this.heap.ensure(FIRST_PLACE + places.bytes);
    return { ...places, code: this.target.load(module, this.heap) };
  }
}

/** Equal for graphs that do the same, whatever they and their params are called. */
function keyOf(graph: StepGraph): string {
  // Every nest has the params of the whole program, which would make the key of a long one quadratic.
  const operations = graph.operations.map(({ nest, origins: _, ...operation }) => ({ ...operation, nest: { ...nest, params: [] } }));
  const params = graph.params.map(({ type }) => type);
  return JSON.stringify({ ...graph, operations, params, name: "", constants: [...(graph.constants ?? [])] }, exactNumbers);
}

/** What checked programs find where nothing was written: NaN as a float, in integers a number that no test expects. */
const POISON = 0xff;

/** What a kept program holds; freed once. */
interface Kept {
  readonly work: WorkMemory;
  readonly entry: Entry;
  readonly bytes: number;
  isFreed: boolean;
}

function release(kept: Kept): void {
  if (kept.isFreed) return;
  kept.isFreed = true;
  kept.entry.keepers--;
  kept.work.free(kept.bytes);
}

const freeWhenCollected = new FinalizationRegistry(release);

class EmittedExecutable<Memory extends Heap> implements Executable {
  readonly #engine: Engine<Memory>;
  readonly #plan: Plan;
  readonly #key: string;
  #entry: Entry;
  #kept: Kept | undefined;
  /** Code for every unit alone, and for the updates: made when a run is first timed. */
  #parts: readonly Compiled[] | undefined;
  /** Where the memory began that the places below are in. */
  #base = -1;
  #argumentsAt = 0;
  #counters: Slot = wordsSlot(0, 0);
  #inputs: readonly Slot[] = [];
  #params: readonly ReturnType<typeof paramSlot>[] = [];
  /** A result is a slot of the memory, or a cell by its number. */
  #results: readonly (Slot | number)[] = [];

  constructor(engine: Engine<Memory>, plan: Plan) {
    this.#engine = engine;
    this.#plan = plan;
    this.#key = keyOf(plan.graph);
    this.#entry = engine.cache.find(this.#key, () => engine.compile(plan));
  }

  get workBytes(): number {
    return this.#compiled().bytes;
  }

  run(inputs: readonly BackendBuffer[], cells: readonly Cell[], params: readonly number[], timer?: StepTimer): HostArray[] {
    const { heap, target, work, cache } = this.#engine;
    const compiled = this.#entry.compiled ?? this.#compiled();
    this.#entry.lastUsed = cache.tick();
    const base = work.at(compiled.bytes);
    if (base !== this.#base) this.#moveTo(base, compiled);
    if (target.checks) heap.u8.fill(POISON, base, base + compiled.bytes);
    for (let i = 0; i < this.#inputs.length; i++) writeSlot(heap, this.#inputs[i]!, inputs[i] as HostArray);
    for (let i = 0; i < this.#params.length; i++) {
      const { kind, position } = this.#params[i]!;
      heap[kind][position] = params[i]!;
    }
    target.writeArgument(heap, this.#argumentsAt, 0, base);
    for (let i = 0; i < cells.length; i++) target.writeArgument(heap, this.#argumentsAt, i + 1, (cells[i] as EmittedCell).place);
    const times = timer && this.#timed(base);
    if (times === undefined) runCode(compiled.code, heap, this.#counters, this.#argumentsAt);
    const results: HostArray[] = [];
    for (const result of this.#results)
      results.push(typeof result === "number" ? (cells[result] as EmittedCell).read() : readSlot(heap, result));
    if (times !== undefined) for (const [unit, milliseconds] of times.entries()) timer!(unit, milliseconds);
    return results;
  }

  #moveTo(base: number, { offsets, params, mainArguments, counters, counterBytes }: Compiled): void {
    const { graph } = this.#plan;
    const slot = (buffer: number): Slot => slotOf(graph.buffers[buffer]!, base + offsetIn(graph, offsets, buffer));
    this.#base = base;
    this.#argumentsAt = base + mainArguments;
    this.#counters = wordsSlot(base + counters, counterBytes);
    this.#inputs = graph.inputs.map(slot);
    this.#params = graph.params.map(({ type }, number) => paramSlot(type, base + params, number));
    this.#results = graph.results.map((buffer) => {
      const cell = graph.cells.indexOf(buffer);
      return cell < 0 ? slot(buffer) : cell;
    });
  }

  /** Runs every unit by itself, then the updates; gives how long each unit took. */
  #timed(base: number): number[] {
    const { graph, units } = this.#plan;
    const parts = [...units.map((unit) => ({ units: [unit], updates: [] })), { units: [], updates: graph.updates }];
    this.#parts ??= parts.map(({ units: own, updates }) =>
      this.#engine.compile({ ...this.#plan, graph: { ...graph, updates }, units: own }),
    );
    const times = this.#parts.map(({ code, counters, counterBytes }) => {
      const start = performance.now();
      runCode(code, this.#engine.heap, wordsSlot(base + counters, counterBytes), this.#argumentsAt);
      return performance.now() - start;
    });
    return times.slice(0, units.length);
  }

  listing(part?: ListingPart): string {
    const { target } = this.#engine;
    const { module, notes } = lowerPlan(this.#plan, target);
    const kernels = part === "code" ? [] : [...notes, printModule(module)];
    const unreadable = part === undefined ? "" : `the ${target.name} backend has no listing of its code`;
    const code = part === "kernels" ? "" : (target.listCode(module) ?? unreadable);
    return [...kernels, code].join("\n").trimEnd();
  }

  keep(): void {
    if (this.#kept !== undefined) return;
    const { bytes } = this.#compiled();
    const { work } = this.#engine;
    work.keep(bytes);
    this.#entry.keepers++;
    this.#kept = { work, entry: this.#entry, bytes, isFreed: false };
    freeWhenCollected.register(this, this.#kept, this);
  }

  free(): void {
    if (this.#kept === undefined) return;
    release(this.#kept);
    this.#kept = undefined;
    freeWhenCollected.unregister(this);
  }

  /** Compiled again where it was dropped. */
  #compiled(): Compiled {
    if (this.#entry.compiled === undefined) this.#entry = this.#engine.cache.find(this.#key, () => this.#engine.compile(this.#plan));
    return this.#entry.compiled!;
  }
}
