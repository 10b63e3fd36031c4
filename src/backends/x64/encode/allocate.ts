// Linear-scan register allocation (Poletto and Sarkar 1999): one interval per value, extended over loops it crosses.

import { COPIES, FILE_OF, FIRST_VIRTUAL, type FunctionCode, firstAccess, type Item, type RegisterFile } from "./code.ts";
import type { AssemblyOperand } from "./registers.ts";

export interface Assignment {
  /** Physical register of each virtual one (by number − firstVirtual); undefined: in memory. */
  readonly registers: readonly (number | undefined)[];
  /** Virtual registers that live in memory. */
  readonly spilled: boolean;
  /** For each call (by item), the virtual registers of the files that callees overwrite that are needed afterwards. */
  readonly saved: ReadonlyMap<Item, readonly number[]>;
}

/** Registers to hand out, in order of preference, without and with some left free for values in memory. */
export interface RegisterSupply {
  readonly plain: Readonly<Record<RegisterFile, readonly number[]>>;
  readonly spilling: Readonly<Record<RegisterFile, readonly number[]>>;
}

interface Interval {
  readonly virtual: number;
  readonly file: RegisterFile;
  readonly start: number;
  end: number;
  /** Accesses, each ten times as heavy per loop around it. */
  weight: number;
  /** A virtual register it is copied from. */
  hint: number | undefined;
}

/** All in registers if possible; otherwise the least used values live in memory. */
export function allocate(code: FunctionCode, supply: RegisterSupply): Assignment {
  const intervals = intervalsOf(code);
  const registers: (number | undefined)[] = new Array(code.classes.length);
  for (const file of ["general", "vector", "mask"] as const) {
    const own = intervals.filter((interval) => interval.file === file);
    if (!scan(own, supply.plain[file], false, registers)) scan(own, supply.spilling[file], true, registers);
  }
  return {
    registers,
    spilled: intervals.some(({ virtual }) => registers[virtual - FIRST_VIRTUAL] === undefined),
    saved: savedAt(code, intervals, registers),
  };
}

/** Item i reads at position 2i and writes at 2i + 1. */
function intervalsOf(code: FunctionCode): Interval[] {
  const intervals = new Map<number, Interval>();
  const loops = loopRanges(code.items);
  const open: { start: number; end: number }[] = [];
  code.items.forEach((item, number) => {
    if (item.kind === "loop") {
      if (item.start) open.push({ start: 2 * number, end: loops.get(number)! });
      else open.pop();
      return;
    }
    const weight = 10 ** Math.min(open.length, 6);
    const touch = (virtual: number, position: number) => {
      if (virtual < FIRST_VIRTUAL) return;
      let interval = intervals.get(virtual);
      if (interval === undefined) {
        interval = {
          virtual,
          file: FILE_OF[code.classes[virtual - FIRST_VIRTUAL]!],
          start: position,
          end: position,
          weight: 0,
          hint: undefined,
        };
        intervals.set(virtual, interval);
      }
      interval.weight += weight;
      interval.end = Math.max(interval.end, position);
      for (const loop of open) {
        if (interval.start >= loop.start) continue;
        interval.end = Math.max(interval.end, loop.end);
        break;
      }
    };
    if (item.kind === "call" && item.result !== undefined) touch(item.result.number, 2 * number + 1);
    if (item.kind !== "instruction") return;
    visitAccesses(item, (virtual, access) => {
      if (access !== "write") touch(virtual, 2 * number);
      if (access !== "read") touch(virtual, 2 * number + 1);
    });
    const [to, from] = item.operands as AssemblyOperand[];
    if (COPIES.has(item.name) && isVirtual(to) && isVirtual(from)) {
      const target = intervals.get(to.number)!;
      target.hint ??= from.number;
    }
  });
  return [...intervals.values()].sort((a, b) => a.start - b.start);
}

const isVirtual = (operand: AssemblyOperand | undefined): operand is { kind: "register"; class: "r64"; number: number } =>
  typeof operand === "object" && operand.kind === "register" && operand.number >= FIRST_VIRTUAL;

/** The position of each loop's end, by the item that starts it. */
function loopRanges(items: readonly Item[]): Map<number, number> {
  const ends = new Map<number, number>();
  const open: number[] = [];
  items.forEach((item, number) => {
    if (item.kind !== "loop") return;
    if (item.start) open.push(number);
    else ends.set(open.pop()!, 2 * number);
  });
  return ends;
}

export function visitAccesses(
  item: Extract<Item, { kind: "instruction" }>,
  visit: (register: number, access: "read" | "write" | "both") => void,
): void {
  const first = firstAccess(item.name, item.masking);
  item.operands.forEach((operand, position) => {
    if (typeof operand !== "object" || position === 0) return;
    if (operand.kind === "register") visit(operand.number, "read");
  });
  for (const operand of item.operands) {
    if (typeof operand !== "object" || operand.kind !== "memory") continue;
    if (operand.base !== undefined) visit(operand.base, "read");
    if (operand.index !== undefined) visit(operand.index, "read");
  }
  if (item.masking !== undefined) visit(item.masking.register, "read");
  const [operand] = item.operands;
  if (typeof operand === "object" && operand.kind === "register") visit(operand.number, first);
}

/** Assigns the registers of one file; gives up, returning false, when something must live in memory and may not. */
function scan(
  intervals: readonly Interval[],
  supply: readonly number[],
  mayPutInMemory: boolean,
  registers: (number | undefined)[],
): boolean {
  let active: Interval[] = [];
  /** Bits of the registers that active intervals have. */
  let taken = 0;
  const placeOf = (virtual: number) => registers[virtual - FIRST_VIRTUAL];
  for (const { virtual } of intervals) registers[virtual - FIRST_VIRTUAL] = undefined;
  for (const interval of intervals) {
    active = active.filter(({ virtual, end }) => {
      if (end < interval.start) taken &= ~(1 << placeOf(virtual)!);
      return end >= interval.start;
    });
    const isFree = (register: number): boolean => (taken & (1 << register)) === 0;
    const hinted = interval.hint === undefined ? undefined : placeOf(interval.hint);
    const mayTakeHint = hinted !== undefined && isFree(hinted) && supply.includes(hinted);
    const free = mayTakeHint ? hinted : supply.find(isFree);
    if (free !== undefined) {
      taken |= 1 << free;
      registers[interval.virtual - FIRST_VIRTUAL] = free;
      active.push(interval);
      continue;
    }
    if (!mayPutInMemory) return false;
    const cheapest = active.reduce((a, b) => (density(b) < density(a) ? b : a), interval);
    if (cheapest === interval) continue;
    registers[interval.virtual - FIRST_VIRTUAL] = placeOf(cheapest.virtual);
    registers[cheapest.virtual - FIRST_VIRTUAL] = undefined;
    active.splice(active.indexOf(cheapest), 1, interval);
  }
  return true;
}

const density = ({ weight, start, end }: Interval): number => weight / (end - start + 1);

/** Callees keep general registers and overwrite the others. */
function savedAt(
  code: FunctionCode,
  intervals: readonly Interval[],
  registers: readonly (number | undefined)[],
): Map<Item, readonly number[]> {
  const saved = new Map<Item, readonly number[]>();
  const overwritten = intervals.filter(({ file, virtual }) => file !== "general" && registers[virtual - FIRST_VIRTUAL] !== undefined);
  code.items.forEach((item, number) => {
    if (item.kind !== "call") return;
    const live = overwritten.filter(({ start, end }) => start < 2 * number && end > 2 * number);
    saved.set(
      item,
      live.map(({ virtual }) => virtual),
    );
  });
  return saved;
}
