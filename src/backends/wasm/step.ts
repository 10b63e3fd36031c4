// A compiled step on WebAssembly: one module whose main runs every nest over an arena and persistent cells, in a memory of its own.

import { planMemory, type StepGraph } from "../../compiler/index.ts";
import type { Operand } from "../../formula/nest.ts";
import { ModuleBuilder } from "../../kernels/builder.ts";
import type { KernelModule, Machine, Value } from "../../kernels/language.ts";
import { printModule } from "../../kernels/print.ts";
import * as v from "../../kernels/values.ts";
import { BackendError } from "../../util/errors.ts";
import type { Cell, HostArray, StepExecutable } from "../backend.ts";
import { Arena } from "./arena.ts";
import { features } from "./features.ts";
import { bytesPerElement, copyIn, copyOut, elementsOf } from "./memory.ts";
import { compileModule } from "./module.ts";
import { defineClear, lowerSteps, pointer, runStep } from "./program.ts";

const KIND = { float32: "f32", int32: "i32", uint8: "u8", bool: "u8", float64: "f32" } as const;
const ARRAY = { f32: Float32Array, i32: Int32Array, u8: Uint8Array } as const;

/** Where the numbers of a buffer lie: element position in the heap's view of its type. */
interface Place {
  readonly kind: "f32" | "i32" | "u8";
  readonly position: number;
  readonly length: number;
}

/** The steps of one engine: its memory, its cells and its compiled code. */
export class StepEngine {
  readonly arena = new Arena();
  readonly #machine: Machine;
  readonly #modules = new Map<string, WebAssembly.Instance>();

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  makeCell(operand: Operand): WasmCell {
    return new WasmCell(this.arena, operand);
  }

  compile(graph: StepGraph): StepExecutable {
    return new WasmStep(this, graph, this.#machine);
  }

  /** Equal code is compiled once: addresses come at run time. */
  instance(module: KernelModule): WebAssembly.Instance {
    const key = JSON.stringify({ ...module, name: "" }, (_, value: unknown) =>
      typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)) ? `${Object.is(value, -0) ? "-0" : value}` : value,
    );
    let instance = this.#modules.get(key);
    if (instance === undefined) {
      const compiled = compileModule(module, { relaxedFma: this.#machine.fma !== "separate" && features().relaxedFma });
      instance = new WebAssembly.Instance(compiled, { env: { memory: this.arena.memory } });
      if (this.#modules.size >= 64) this.#modules.delete(this.#modules.keys().next().value as string);
      this.#modules.set(key, instance);
    }
    return instance;
  }
}

export class WasmCell implements Cell {
  readonly #arena: Arena;
  readonly #place: Place;
  readonly address: number;
  #bytes: number;

  constructor(arena: Arena, operand: Operand) {
    this.#arena = arena;
    this.#bytes = elementsOf(operand) * bytesPerElement[operand.dtype];
    this.address = arena.allocate(this.#bytes);
    this.#place = placeOf(operand, this.address);
  }

  read(): HostArray {
    return read(this.#arena, this.#place);
  }

  write(data: HostArray): void {
    copyIn(this.#arena[this.#place.kind], this.#place.position, data, this.#place.length);
  }

  free(): void {
    if (this.#bytes < 0) return;
    this.#arena.free(this.address);
    this.#bytes = -1;
  }
}

class WasmStep implements StepExecutable {
  readonly arenaBytes: number;
  readonly #engine: StepEngine;
  readonly #main: (base: number, table: number) => void;
  readonly #base: number;
  readonly #table: number;
  readonly #params: { readonly isFloat: boolean; readonly position: number }[];
  readonly #inputs: readonly Place[];
  readonly #results: readonly Place[];
  readonly #listing: () => string;

  constructor(engine: StepEngine, graph: StepGraph, machine: Machine) {
    this.#engine = engine;
    const plan = planMemory(graph);
    const module = new ModuleBuilder(graph.name, machine);
    const kernels = lowerSteps(graph.steps, module);
    const clear = graph.steps.some((step) => step.clear) ? defineClear(module) : "";
    const scratchOffset = plan.bytes;
    const scratchBytes = Math.ceil(Math.max(0, ...kernels.map((kernel) => kernel.scratchBytes)) / 64) * 64 + 128;
    const paramsOffset = scratchOffset + scratchBytes;
    const tableOffset = paramsOffset + Math.ceil((graph.params.length * 4) / 64) * 64 + 64;
    const cellNumber = new Map(graph.cells.map((buffer, number) => [buffer, number]));
    // Results that are cells, and updates that could not be made in place, are read from where they are.
    module.define(
      "main",
      { base: "pointer", table: "pointer" },
      (k, { base, table }) => {
        const cells = graph.cells.map((_, number) =>
          k.let(v.advance(pointer(0), v.loadAs("i32", "i32", v.at(table, undefined, number * 4))), "cell"),
        );
        const address = (buffer: number): Value => {
          const cell = cellNumber.get(buffer);
          return cell === undefined ? v.advance(base, plan.offsets[buffer] ?? 0) : (cells[cell] as Value);
        };
        graph.steps.forEach((step, number) => {
          const target = graph.buffers[step.writes] as Operand;
          if (step.clear) k.call(clear, [address(step.writes), elementsOf(target) * bytesPerElement[target.dtype]]);
          const fixed = [...step.reads, step.writes].map(address);
          runStep(k, kernels[number] as (typeof kernels)[number], [
            ...fixed,
            v.advance(base, paramsOffset),
            v.advance(base, scratchOffset),
          ]);
        });
        for (const { cell, from } of graph.updates) copyWords(k, address(from), address(cell), graph.buffers[cell] as Operand, machine);
      },
      true,
    );
    const built = module.build();
    this.#listing = () => printModule(built);
    this.arenaBytes = plan.bytes;
    this.#main = engine.instance(built).exports.main as (base: number, table: number) => void;
    this.#base = engine.arena.allocate(tableOffset + graph.cells.length * 4);
    this.#table = this.#base + tableOffset;
    freeWhenCollected.register(this, { arena: engine.arena, base: this.#base }, this);
    const place = (buffer: number): Place => {
      const offset = plan.offsets[buffer];
      if (offset === undefined && !cellNumber.has(buffer)) throw new BackendError(`wasm: buffer ${buffer} of "${graph.name}" has no place`);
      return placeOf(graph.buffers[buffer] as Operand, this.#base + (offset ?? 0));
    };
    this.#inputs = graph.inputs.map(place);
    this.#results = graph.results.map(place);
    this.#resultCells = graph.results.map((buffer) => cellNumber.get(buffer));
    this.#params = graph.params.map(({ type }, number) => ({
      isFloat: type === "float",
      position: (this.#base + paramsOffset) / 4 + number,
    }));
  }

  readonly #resultCells: readonly (number | undefined)[];

  run(inputs: readonly HostArray[], cells: readonly Cell[], params: readonly number[]): HostArray[] {
    const { arena } = this.#engine;
    this.#inputs.forEach((place, number) => copyIn(arena[place.kind], place.position, inputs[number] as HostArray, place.length));
    this.#params.forEach(({ isFloat, position }, number) => {
      arena[isFloat ? "f32" : "i32"][position] = params[number] as number;
    });
    for (let number = 0; number < cells.length; number++) arena.i32[this.#table / 4 + number] = (cells[number] as WasmCell).address;
    this.#main(this.#base | 0, this.#table | 0);
    return this.#results.map((place, number) => {
      const cell = this.#resultCells[number];
      return cell === undefined ? read(arena, place) : (cells[cell] as WasmCell).read();
    });
  }

  listing(): string {
    return this.#listing();
  }

  free(): void {
    this.#engine.arena.free(this.#base);
    freeWhenCollected.unregister(this);
  }
}

const freeWhenCollected = new FinalizationRegistry<{ readonly arena: Arena; readonly base: number }>(({ arena, base }) => arena.free(base));

function placeOf(operand: Operand, address: number): Place {
  const kind = KIND[operand.dtype];
  return { kind, position: address / (kind === "u8" ? 1 : 4), length: elementsOf(operand) };
}

function read(arena: Arena, { kind, position, length }: Place): HostArray {
  if (kind === "f32") return copyOut(arena.f32, ARRAY.f32, position, length);
  return kind === "i32" ? copyOut(arena.i32, ARRAY.i32, position, length) : copyOut(arena.u8, ARRAY.u8, position, length);
}

/** Copies whole vectors, into the slack after the buffer. */
function copyWords(k: Parameters<typeof runStep>[0], from: Value, to: Value, operand: Operand, machine: Machine): void {
  const bytes = elementsOf(operand) * bytesPerElement[operand.dtype];
  k.loop(0, bytes, machine.lanes * 4, (i) => k.store(v.at(to, i), v.loadVector(v.at(from, i))));
}
