// Writes the main function of a program: threads share its tasks slice by slice, and wait only for data they need.

import type { FunctionBuilder } from "../../kernels/language/builder.ts";
import type { Value, Variable } from "../../kernels/language/language.ts";
import * as v from "../../kernels/language/values.ts";
import type { Slot } from "./memory.ts";
import type { Heap, LoadedCode } from "./target.ts";
import type { Team } from "./threads.ts";

/**
 * Memory that a piece reads or writes: bytes [start, end) of what programs work in, of what phases share, or of a cell.
 */
export interface Span {
  readonly of: number | "work" | "shared";
  readonly start: number;
  readonly end: number;
}

/** Something that a program does, in slices that do not depend on each other. */
export interface Piece {
  readonly slices: number;
  /** Most slices in one call. */
  readonly perCall: number;
  /** Element operations of all slices; a multiply-add of a contraction is a quarter of one. */
  readonly work: number;
  /** Of these, what every call does again. */
  readonly setup: number;
  readonly reads: readonly Span[];
  readonly writes: readonly Span[];
  /** Writes the code for slices [begin, end). */
  write(k: FunctionBuilder, begin: Value, end: Value, scratch: Value): void;
}

/** Pieces that are taken as one: a single one by slices, or several, one after the other, by one thread. */
interface Segment {
  readonly pieces: readonly Piece[];
  readonly isShared: boolean;
  /** Earlier segments that must be finished before. */
  readonly waits: readonly number[];
  readonly ranges: number;
  /** Where its counters begin: one per range, then one for what is finished. */
  readonly counters: number;
}

export interface Sharing {
  readonly pieces: readonly Piece[];
  /** None: one thread does everything in order. */
  readonly segments: readonly Segment[];
  /** Zero before every run. */
  readonly counterBytes: number;
  /** Every thread has its own scratch. */
  readonly team: Team;
}

/** Takes per thread and piece: later ones even out what other programs on the machine disturb. */
const MOST_TAKES = 4;
/** Of a piece's work, how much may go into doing the setup of every call again. */
const MOST_SETUP = 1 / 16;
/** Segments that may be unfinished at once: more are waited for. */
const MOST_PENDING = 32;
/** Counters lie in cache lines of their own. */
const LINE = 64;

export function planSharing(pieces: readonly Piece[], team: Team): Sharing {
  const { threads, leastPiece, leastProgram } = team;
  const isShared = ({ slices, work }: Piece): boolean => slices > 1 && work >= leastPiece;
  const shared = pieces.filter(isShared).reduce((sum, { work }) => sum + work, 0);
  if (threads === 1 || shared < leastProgram) return { pieces, segments: [], counterBytes: 0, team: { ...team, threads: 1 } };
  const groups: { pieces: Piece[]; isShared: boolean }[] = [];
  for (const piece of pieces) {
    const last = groups.at(-1);
    if (isShared(piece) || last === undefined || last.isShared) groups.push({ pieces: [piece], isShared: isShared(piece) });
    else last.pieces.push(piece);
  }
  const segments: Segment[] = [];
  let counters = LINE;
  let pending: number[] = [];
  groups.forEach((group, number) => {
    const full = pending.length >= MOST_PENDING;
    const waits = pending.filter((other) => full || conflict(groups[other]!.pieces, group.pieces));
    pending = [...pending.filter((other) => !waits.includes(other)), number];
    const ranges = group.isShared ? Math.min(threads, group.pieces[0]!.slices) : 1;
    segments.push({ ...group, waits, ranges, counters });
    counters += (ranges + 1) * LINE;
  });
  return { pieces, segments, counterBytes: counters, team };
}

/** Runs code on all threads when there are counters to share the work with. */
export function runCode(code: LoadedCode, heap: Heap, { position, length }: Slot, argumentsAt: number): void {
  if (length === 0) code.call(argumentsAt);
  else {
    heap.i32.fill(0, position, position + length);
    code.callShared(argumentsAt);
  }
}

/**
 * @param counters zero when the first thread comes in
 * @param scratch of the first thread, the others' behind it
 */
export function writeShared(k: FunctionBuilder, sharing: Sharing, counters: Value, scratch: Value, scratchBytes: number): void {
  if (sharing.segments.length === 0) {
    for (const piece of sharing.pieces) writeAlone(k, piece, scratch);
    return;
  }
  const { team, segments } = sharing;
  const thread = k.atomicAdd(v.at(counters), 1);
  // There may be more threads than this program has scratch for.
  k.if(v.lt(thread, team.threads), () => {
    const own = k.let(v.advance(scratch, v.mul(thread, scratchBytes)), "scratch");
    for (const segment of segments) {
      for (const wait of segment.waits) {
        const other = segments[wait]!;
        k.await(finished(counters, other), other.isShared ? other.pieces[0]!.slices : 1);
      }
      if (segment.isShared) writeSlices(k, segment, team, counters, thread, own);
      else writeOnce(k, segment, counters, own);
    }
  });
}

/** All slices, in calls of `perCall`. */
function writeAlone(k: FunctionBuilder, piece: Piece, scratch: Value): void {
  const { slices, perCall } = piece;
  k.loop(0, slices, perCall, (begin) => piece.write(k, begin, v.min(v.add(begin, perCall), slices), scratch));
}

/** The first thread to come does all of it. */
function writeOnce(k: FunctionBuilder, segment: Segment, counters: Value, scratch: Value): void {
  const before = k.atomicAdd(v.at(counters, undefined, segment.counters), 1);
  k.if(v.eq(before, 0), () => {
    for (const piece of segment.pieces) writeAlone(k, piece, scratch);
    k.atomicAdd(finished(counters, segment), 1);
  });
}

/**
 * Every thread begins with the range of slices that is its own in every piece, as far as that is in its cache, then
 * helps with the others.
 */
function writeSlices(k: FunctionBuilder, segment: Segment, team: Team, counters: Value, thread: Variable, scratch: Value): void {
  const { ranges, counters: place } = segment;
  const piece = segment.pieces[0]!;
  const { slices } = piece;
  const take = slicesPerTake(piece, team);
  k.loop(0, ranges, 1, (turn) => {
    const range = k.let(v.operation("remainderUnsigned", [v.add(thread, turn), ranges]), "range");
    const boundary = (number: Value): Value => v.operation("divideUnsigned", [v.mul(number, slices), ranges]);
    const start = k.let(boundary(range), "start");
    const stop = k.let(boundary(v.add(range, 1)), "stop");
    const taken = v.at(counters, k.let(v.mul(range, LINE), "counter"), place);
    const begin = k.let(v.add(start, k.atomicAdd(taken, take)), "begin");
    const done = k.let(v.i32(0), "done");
    k.while(v.lt(begin, stop), () => {
      const end = k.let(v.min(v.add(begin, take), stop), "end");
      piece.write(k, begin, end, scratch);
      k.set(done, v.add(done, v.sub(end, begin)));
      k.set(begin, v.add(start, k.atomicAdd(taken, take)));
    });
    k.if(v.gt(done, 0), () => k.atomicAdd(finished(counters, segment), done));
  });
}

function slicesPerTake({ slices, perCall, work, setup }: Piece, { threads, leastPiece }: Team): number {
  const range = slices / threads;
  const bySetup = (MOST_SETUP * work) / Math.max(1, setup) / threads;
  const takes = Math.max(1, Math.floor(Math.min(MOST_TAKES, work / threads / Math.max(1, leastPiece), bySetup)));
  return Math.min(perCall, Math.ceil(range / takes));
}

function finished(counters: Value, { counters: place, ranges }: Segment) {
  return v.at(counters, undefined, place + ranges * LINE);
}

function conflict(before: readonly Piece[], after: readonly Piece[]): boolean {
  const meet = (a: readonly Span[], b: readonly Span[]): boolean =>
    a.some((one) => b.some((other) => one.of === other.of && one.start < other.end && other.start < one.end));
  return before.some((one) =>
    after.some((other) => meet(one.writes, other.writes) || meet(one.writes, other.reads) || meet(one.reads, other.writes)),
  );
}
