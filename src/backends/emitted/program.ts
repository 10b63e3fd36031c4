// Lowers a plan: every kernel's nest once, and a main function that runs the units.

import type { Plan, PlannedKernel, PlannedUnit } from "../../compiler/plan.ts";
import { type FunctionBuilder, ModuleBuilder } from "../../kernels/language/builder.ts";
import { aligned, type KernelModule, SLACK, type Value } from "../../kernels/language/language.ts";
import * as v from "../../kernels/language/values.ts";
import { lowerNest } from "../../kernels/lower.ts";
import type { LoweredNest, Phase } from "../../kernels/lowered.ts";
import { byteLength } from "../../nest/arrays.ts";
import type { Operand } from "../../nest/nest.ts";
import { type KernelOperations, keyOfNest, type RowGroup, type StepGraph } from "../../nest/step-graph.ts";
import { BackendError } from "../../util/errors.ts";
import { clearing, copying, defineClear } from "./bulk.ts";
import type { Compiled } from "./cache.ts";
import { type Piece, planSharing, type Span, writeShared } from "./share.ts";
import type { Heap, Target } from "./target.ts";

export interface LoweredPlan extends Omit<Compiled, "code"> {
  readonly module: KernelModule;
  readonly notes: readonly string[];
}

/**
 * Its main takes the address of the memory, then the cells'. Throws BackendError for float64, and for tensors that are
 * too large.
 * @param plan of a whole graph, or some of its units: those need less scratch, which comes last, and have everything
 * else in the same place
 */
export function lowerPlan<Memory extends Heap>({ graph, units: planned, memory }: Plan, target: Target<Memory>): LoweredPlan {
  const { offsets } = memory;
  const module = new ModuleBuilder(graph.name, target.machine);
  const units = lowerUnits(planned, module, target.manyCalls);
  const cellNumber = new Map(graph.cells.map((buffer, number) => [buffer, number]));
  const params = aligned(memory.bytes) + SLACK;
  const mainArguments = params + aligned(graph.params.length * 4) + SLACK;
  const counters = aligned(mainArguments + (1 + graph.cells.length) * target.argumentBytes) + SLACK;
  let given: readonly Value[] = [];
  const at = (k: FunctionBuilder, offset: number): Value => far(k, given[0]!, offset);
  const reach: Reach = {
    address(k, buffer) {
      const cell = cellNumber.get(buffer);
      return cell === undefined ? at(k, offsetIn(graph, offsets, buffer)) : given[1 + cell]!;
    },
    params: (k) => at(k, params),
    shared: (k) => at(k, shared),
    span(buffer) {
      const cell = cellNumber.get(buffer);
      const start = cell === undefined ? offsetIn(graph, offsets, buffer) : 0;
      return { of: cell ?? "work", start, end: start + byteLength(graph.buffers[buffer]!) };
    },
  };
  const copies = graph.updates.map(({ cell, from }) => copying(from, cell, byteLength(graph.buffers[cell]!), reach));
  const sharing = planSharing([...piecesOf(units, graph.buffers, module, reach), ...copies], target.team);
  const { own, shared: sharedBytes } = scratchOf(units, graph.buffers);
  const scratch = counters + sharing.counterBytes;
  const shared = scratch + sharing.team.threads * own;
  target.defineMain(module, 1 + graph.cells.length, (k, addresses) => {
    given = addresses;
    writeShared(k, sharing, at(k, counters), at(k, scratch), own);
  });
  return {
    ...{ module: module.build(), offsets, params, mainArguments, counters, counterBytes: sharing.counterBytes },
    bytes: shared + sharedBytes,
    kernels: planned.reduce((sum, { kernels }) => sum + kernels.length, 0),
    notes: notesOf(units),
  };
}

/** Throws BackendError for a buffer that the memory plan left out: code must not go to another's place instead. */
export function offsetIn(graph: StepGraph, offsets: readonly (number | undefined)[], buffer: number): number {
  const offset = offsets[buffer];
  if (offset === undefined) throw new BackendError(`buffer ${buffer} of "${graph.name}" has no place`);
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

/** A kernel of a unit, and what became of its nest. */
interface LoweredKernel extends PlannedKernel {
  readonly lowered: LoweredNest;
}

interface LoweredUnit {
  readonly unit: PlannedUnit;
  readonly kernels: readonly LoweredKernel[];
}

/** Every kernel's nest lowered into the module; equal nests once. */
function lowerUnits(units: readonly PlannedUnit[], module: ModuleBuilder, manyCalls: boolean): LoweredUnit[] {
  const known = new Map<string, LoweredNest>();
  return units.map((unit) => {
    const { group } = unit;
    let member = 0;
    const kernels = unit.kernels.map((kernel, number): LoweredKernel => {
      const later = unit.kernels.slice(number).flatMap(({ reads }) => reads);
      const keepsOutput = kernel.writes.map((buffer) => later.includes(buffer));
      const rows = group && { axis: group.axes[member]!, perSlice: group.rowsPerBlock, keepsOutput };
      member += kernel.operations.length;
      const key = `${rows?.axis} ${rows?.perSlice} ${keepsOutput} ${keyOfKernel(kernel)}`;
      let lowered = known.get(key);
      if (lowered === undefined) {
        lowered = lowerNest(kernel.nest, module, rows);
        const inOneCall = <P extends Phase>(phase: P): P => ({ ...phase, slicesPerCall: Math.max(1, phase.slices) });
        if (!manyCalls) lowered = { ...inOneCall(lowered), before: lowered.before?.map(inOneCall) ?? [] };
        known.set(key, lowered);
      }
      return { ...kernel, lowered };
    });
    return { unit, kernels };
  });
}

/**
 * Equal for kernels that do the same with their buffers, whichever those are; from the operations, since a merged nest
 * shares parts that text would repeat.
 */
function keyOfKernel({ operations, passed }: KernelOperations): string {
  if (operations.length === 1) return keyOfNest(operations[0]!.nest);
  const numbers = new Map<number, number>();
  const numberOf = (buffer: number): number => {
    if (!numbers.has(buffer)) numbers.set(buffer, numbers.size);
    return numbers.get(buffer)!;
  };
  const keys = operations.map(({ nest, reads, writes }) => `${reads.map(numberOf)} → ${numberOf(writes)}: ${keyOfNest(nest)}`);
  return `${keys.join("\n")}\n${passed.map(numberOf)}`;
}

/** For listings: what each kernel does, and how. */
function notesOf(units: readonly LoweredUnit[]): string[] {
  return units.flatMap(({ unit, kernels }) => {
    let first = unit.first;
    return kernels.flatMap(({ operations, nest, reads, writes, lowered }) => {
      const last = first + operations.length - 1;
      const which = last === first ? `operation ${first}` : `operations ${first} to ${last}`;
      first = last + 1;
      return [
        `${which}: ${nest.name}, buffers ${reads.join(", ")} → ${writes.join(", ")}, ${lowered.slices} slices`,
        ...lowered.notes.map((note) => `  ${note}`),
      ];
    });
  });
}

const room = (bytes: number): number => (bytes === 0 ? 0 : aligned(bytes) + SLACK);

/** Bytes of scratch that any unit needs, for one thread; and of what phases share. */
function scratchOf(units: readonly LoweredUnit[], buffers: readonly Operand[]): { readonly own: number; readonly shared: number } {
  const lowered = units.flatMap(({ kernels }) => kernels.map((kernel) => kernel.lowered));
  const blocks = units.map(({ unit }) => blocksOf(unit.group, buffers).bytes);
  return {
    own: Math.max(0, ...lowered.map(({ scratchBytes }) => room(scratchBytes)), ...blocks),
    shared: room(Math.max(0, ...lowered.map(({ sharedBytes }) => sharedBytes ?? 0))),
  };
}

/** Where in a thread's scratch the blocks of a group's own buffers lie. */
function blocksOf(
  group: RowGroup | undefined,
  buffers: readonly Operand[],
): { readonly places: ReadonlyMap<number, number>; readonly bytes: number } {
  const places = new Map<number, number>();
  let bytes = 0;
  for (const buffer of group?.own ?? []) {
    places.set(buffer, bytes + SLACK);
    bytes += SLACK + room(blockBytes(group!, buffers[buffer]!));
  }
  return { places, bytes };
}

const blockBytes = ({ extent, rowsPerBlock }: RowGroup, buffer: Operand): number => (byteLength(buffer) / extent) * rowsPerBlock;

/** How code reaches the buffers of a program, and which memory they are. */
export interface Reach {
  address(k: FunctionBuilder, buffer: number): Value;
  params(k: FunctionBuilder): Value;
  /** What the phases of a kernel share: all kernels use the same. */
  shared(k: FunctionBuilder): Value;
  span(buffer: number): Span;
}

const SHARED_SPAN: Span = { of: "shared", start: 0, end: 1 };

/** What a program does, in order: every unit's kernels, and zeros before those that add up. */
function piecesOf(units: readonly LoweredUnit[], buffers: readonly Operand[], module: ModuleBuilder, reach: Reach): Piece[] {
  const clear = units.some((unit) => clearedBy(unit).length > 0) ? defineClear(module) : "";
  return units.flatMap((lowered) => {
    const { unit, kernels } = lowered;
    if (unit.group !== undefined) return [groupPiece(unit.group, kernels, buffers, reach)];
    const clears = clearedBy(lowered).map((buffer) => clearing(clear, buffer, byteLength(buffers[buffer]!), reach));
    return [...clears, ...kernels.flatMap((kernel) => kernelPieces(kernel, reach))];
  });
}

/** Buffers that are to hold zeros before a unit begins. */
function clearedBy({ unit, kernels }: LoweredUnit): number[] {
  const byOperations = unit.operations.filter(({ clear }) => clear).map(({ writes }) => writes);
  return [...new Set([...byOperations, ...kernels.filter(({ lowered }) => lowered.clears === true).flatMap(({ writes }) => writes)])];
}

function kernelPieces({ reads, writes, lowered }: LoweredKernel, reach: Reach): Piece[] {
  const { before = [], sharedBytes, sequential } = lowered;
  return [...before, lowered].map(({ entry, slices, slicesPerCall, work, setup }, phase): Piece => {
    const isLast = phase === before.length;
    const unfinished = sharedBytes === undefined ? [] : [SHARED_SPAN];
    // Of joined operations, some results may be written before the reductions are complete.
    const written = isLast || writes.length > 1 ? writes.map(reach.span) : [];
    return {
      slices: sequential ? 1 : slices,
      perCall: sequential ? 1 : slicesPerCall,
      work,
      setup,
      reads: [...reads.map(reach.span), ...(isLast ? unfinished : [])],
      writes: isLast ? written : [...written, ...unfinished],
      write(k, begin, end, scratch) {
        const fixed = [...[...reads, ...writes].map((buffer) => reach.address(k, buffer)), reach.params(k), scratch];
        if (sharedBytes !== undefined) fixed.push(reach.shared(k));
        const call = (from: Value, to: Value) => k.call(entry, [...fixed, from, to]);
        if (sequential) k.loop(0, slices, slicesPerCall, (from) => call(from, v.min(v.add(from, slicesPerCall), slices)));
        else call(begin, end);
      },
    };
  });
}

/** All kernels for one block of rows, then for the next. */
function groupPiece(group: RowGroup, kernels: readonly LoweredKernel[], buffers: readonly Operand[], reach: Reach): Piece {
  const { places } = blocksOf(group, buffers);
  const outside = (list: readonly number[]): Span[] => list.filter((buffer) => !places.has(buffer)).map(reach.span);
  const { slices } = kernels[0]!.lowered;
  return {
    slices,
    perCall: slices,
    work: kernels.reduce((sum, { lowered }) => sum + lowered.work, 0),
    setup: 0,
    reads: outside(kernels.flatMap(({ reads }) => reads)),
    writes: outside(kernels.flatMap(({ writes }) => writes)),
    write(k, begin, end, scratch) {
      k.loop(begin, end, 1, (block) => {
        const next = k.let(v.add(block, 1), "next");
        // Kernels count elements from the start of the whole buffer, of which only this block is there.
        const blocks = new Map(
          [...places].map(([buffer, place]) => {
            const before = v.sub(v.i32(place), v.mul(block, blockBytes(group, buffers[buffer]!)));
            return [buffer, k.let(v.advance(scratch, before), "own")] as const;
          }),
        );
        const address = (buffer: number): Value => blocks.get(buffer) ?? reach.address(k, buffer);
        for (const { reads, writes, lowered } of kernels)
          k.call(lowered.entry, [...[...reads, ...writes].map(address), reach.params(k), scratch, block, next]);
      });
    },
  };
}
