// A program as emitted code: every nest lowered once, and a main that runs the steps over buffers at fixed places.

import { byteLength } from "../../compiler/memory.ts";
import { type MergedStep, mergeSteps } from "../../compiler/merge.ts";
import { type FunctionBuilder, ModuleBuilder } from "../../kernels/language/builder.ts";
import type { KernelModule, Value } from "../../kernels/language/language.ts";
import * as v from "../../kernels/language/values.ts";
import { lowerNest } from "../../kernels/lower.ts";
import type { LoweredNest, Phase } from "../../kernels/lowered.ts";
import type { Operand, Program } from "../../nest/nest.ts";
import type { KernelSteps, RowGroup, Unit } from "../../nest/step-graph.ts";
import { exactNumbers, keyOfNest } from "../../nest/step-graph.ts";
import { clearing, defineClear } from "./bulk.ts";
import { aligned, Layout, type Slot, slack, wordsSlot } from "./memory.ts";
import { type Piece, planSharing, type Span, writeShared } from "./share.ts";
import type { Heap, Target } from "./target.ts";

export interface LoweredProgram {
  readonly module: KernelModule;
  /** Place of every buffer of the program. */
  readonly places: readonly number[];
  readonly paramsPlace: number;
  /** Words to be zero before every run; none: one thread runs it. */
  readonly counters: Slot;
  /** Bytes of memory that a run needs. */
  readonly bytes: number;
  readonly notes: readonly string[];
}

/** Throws BackendError for float64 and for programs that do not fit in memory. */
export function lowerProgram<Memory extends Heap>(program: Program, target: Target<Memory>, heap: Memory): LoweredProgram {
  const layout = new Layout(program.name, target.limits(heap));
  const places = program.buffers.map((buffer, number) => {
    const what = number < program.inputs.length ? `input ${number}` : number === program.result ? "the result" : `temporary ${number}`;
    return layout.placeOperand(buffer, what);
  });
  const paramsPlace = layout.place(program.params.length * 4, "the parameters");
  const module = new ModuleBuilder(program.name, target.machine);
  const alone = program.steps.map(
    (step, first): Unit => ({ first, steps: [step], group: undefined, kernels: [{ steps: [step], passed: [] }] }),
  );
  const units = lowerUnits(alone, module, target.manyCalls);
  const pointer = (place: number): Value => target.pointer(heap, place);
  const { own, shared: sharedBytes } = scratchOf(units, program.buffers);
  const shared = layout.place(sharedBytes, "space for unfinished results");
  const pieces = piecesOf(units, program.buffers, module, {
    address: (_, buffer) => pointer(places[buffer]!),
    params: () => pointer(paramsPlace),
    shared: () => pointer(shared),
    span: (buffer) => ({ of: "arena", start: places[buffer]!, end: places[buffer]! + byteLength(program.buffers[buffer]!) }),
  });
  const sharing = planSharing(pieces, target.team);
  const counters = layout.place(sharing.counterBytes, "counters");
  const scratch = layout.place(sharing.team.threads * own, "scratch space");
  target.defineMain(module, 0, (k) => writeShared(k, sharing, pointer(counters), pointer(scratch), own));
  const notes = notesOf(units);
  return {
    module: module.build(),
    places,
    paramsPlace,
    counters: wordsSlot(counters, sharing.counterBytes),
    bytes: layout.bytes,
    notes,
  };
}

export function keyOfProgram(program: Program): string {
  return JSON.stringify({ ...program, name: "", params: program.params.map((param) => param.type) }, exactNumbers);
}

/** A kernel of a unit: its nest, what it reads and writes, and what became of it. */
interface UnitKernel extends MergedStep {
  readonly lowered: LoweredNest;
}

export interface LoweredUnit {
  readonly unit: Unit;
  readonly kernels: readonly UnitKernel[];
}

/** Every kernel's nest lowered into the module; equal nests once. */
export function lowerUnits(units: readonly Unit[], module: ModuleBuilder, manyCalls: boolean): LoweredUnit[] {
  const known = new Map<string, LoweredNest>();
  return units.map((unit) => {
    const { group } = unit;
    const merged = unit.kernels.map(mergeSteps);
    let member = 0;
    const kernels = merged.map(({ nest, reads, writes }, number): UnitKernel => {
      const later = merged.slice(number).flatMap((each) => each.reads);
      const keepsOutput = writes.map((buffer) => later.includes(buffer));
      const rows = group && { axis: group.axes[member]!, perSlice: group.rowsPerBlock, keepsOutput };
      member += unit.kernels[number]!.steps.length;
      const key = `${rows?.axis} ${rows?.perSlice} ${keepsOutput} ${keyOfKernel(unit.kernels[number]!)}`;
      let lowered = known.get(key);
      if (lowered === undefined) {
        lowered = lowerNest(nest, module, rows);
        const inOneCall = <P extends Phase>(phase: P): P => ({ ...phase, slicesPerCall: Math.max(1, phase.slices) });
        if (!manyCalls) lowered = { ...inOneCall(lowered), before: lowered.before?.map(inOneCall) ?? [] };
        known.set(key, lowered);
      }
      return { nest, reads, writes, lowered };
    });
    return { unit, kernels };
  });
}

/** Equal for kernels that do the same with their buffers, whichever those are; from the steps, since a merged nest shares parts that text would repeat. */
function keyOfKernel({ steps, passed }: KernelSteps): string {
  if (steps.length === 1) return keyOfNest(steps[0]!.nest);
  const numbers = new Map<number, number>();
  const numberOf = (buffer: number): number => {
    if (!numbers.has(buffer)) numbers.set(buffer, numbers.size);
    return numbers.get(buffer)!;
  };
  const keys = steps.map(({ nest, reads, writes }) => `${reads.map(numberOf)} → ${numberOf(writes)}: ${keyOfNest(nest)}`);
  return `${keys.join("\n")}\n${passed.map(numberOf)}`;
}

/** For listings: what each kernel does, and how. */
export function notesOf(units: readonly LoweredUnit[]): string[] {
  return units.flatMap(({ unit, kernels }) => {
    let first = unit.first;
    return kernels.flatMap(({ nest, reads, writes, lowered }, number) => {
      const last = first + unit.kernels[number]!.steps.length - 1;
      const which = last === first ? `step ${first}` : `steps ${first} to ${last}`;
      first = last + 1;
      return [
        `${which}: ${nest.name}, buffers ${reads.join(", ")} → ${writes.join(", ")}, ${lowered.slices} slices`,
        ...lowered.notes.map((note) => `  ${note}`),
      ];
    });
  });
}

const room = (bytes: number): number => (bytes === 0 ? 0 : aligned(bytes) + slack);

/** Bytes of scratch that any unit needs, for one thread; and of what phases share. */
export function scratchOf(units: readonly LoweredUnit[], buffers: readonly Operand[]): { readonly own: number; readonly shared: number } {
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
    places.set(buffer, bytes + slack);
    bytes += slack + room(blockBytes(group!, buffers[buffer]!));
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

const sharedSpan: Span = { of: "shared", start: 0, end: 1 };

/** What a program does, in order: every unit's kernels, and zeros before those that add up. */
export function piecesOf(units: readonly LoweredUnit[], buffers: readonly Operand[], module: ModuleBuilder, reach: Reach): Piece[] {
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
  const bySteps = unit.steps.filter(({ clear }) => clear).map(({ writes }) => writes);
  return [...new Set([...bySteps, ...kernels.filter(({ lowered }) => lowered.clears === true).flatMap(({ writes }) => writes)])];
}

function kernelPieces({ reads, writes, lowered }: UnitKernel, reach: Reach): Piece[] {
  const { before = [], sharedBytes, sequential } = lowered;
  return [...before, lowered].map(({ entry, slices, slicesPerCall, work, setup }, phase): Piece => {
    const isLast = phase === before.length;
    const unfinished = sharedBytes === undefined ? [] : [sharedSpan];
    // Of joined steps, some results may be written before the reductions are complete.
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
function groupPiece(group: RowGroup, kernels: readonly UnitKernel[], buffers: readonly Operand[], reach: Reach): Piece {
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
