// Moving lanes: extracting, replacing, shuffling and reducing, for floats and integers alike.

import type { Operation, OperationName, Value } from "../../../kernels/language/language.ts";
import { RAX, type Register, type RegisterClass, register } from "../encode/registers.ts";
import type { Selector } from "./selector.ts";

const REDUCTIONS = ["reduceAdd", "reduceMul", "reduceMin", "reduceMax"] as const;
export type Reduction = (typeof REDUCTIONS)[number];
type LaneOperation = "extract" | "replace" | "shuffle" | "lookup" | Reduction;
const laneOperations: ReadonlySet<string> = new Set<LaneOperation>(["extract", "replace", "shuffle", "lookup", ...REDUCTIONS]);

export const movesLanes = (op: OperationName): op is LaneOperation => laneOperations.has(op);

/** @param combine one step of a reduction: gives a new register */
export function laneOperation(
  s: Selector,
  { op, args, immediate }: Operation,
  type: "f32" | "i32",
  target: Register | undefined,
  combine: (op: Reduction, a: Register, b: Register, view: RegisterClass) => Register,
): Register {
  const [a, b] = args as [Value, Value];
  switch (op as LaneOperation) {
    case "extract":
      return extractLane(s, s.value(a), immediate[0]!, type, target);
    case "replace":
      return replaceLane(s, s.value(a), immediate[0]!, s.value(b), type, target);
    case "shuffle":
      return shuffleLanes(s, a, b, immediate, target);
    case "lookup":
      return lookUpLanes(s, a, b, target);
    default: {
      const into = type === "i32" ? (target ?? s.temporary("r32")) : target;
      return reduceLanes(s, s.value(a), into, (x, y, view) => combine(op as Reduction, x, y, view));
    }
  }
}

/** The 128 bits that hold a lane, and its place in them. */
function quarter(s: Selector, from: Register, lane: number): { register: Register; lane: number } {
  if (lane < 4) return { register: register("x", from.number), lane };
  const part = s.temporary("x");
  s.put(s.wide ? "vextractf32x4" : "vextractf128", [part, from, lane >> 2]);
  return { register: part, lane: lane & 3 };
}

function extractLane(s: Selector, from: Register, lane: number, type: "f32" | "i32", target: Register | undefined): Register {
  const part = quarter(s, from, lane);
  if (type === "i32") {
    const into = target ?? s.temporary("r32");
    if (part.lane === 0) s.put("vmovd_store", [into, part.register]);
    else s.put("vpextrd", [into, part.register, part.lane]);
    return into;
  }
  const into = target ?? s.temporary("x");
  if (part.lane === 0) s.move(into, part.register);
  else s.put("vpermilps_imm", [into, part.register, part.lane]);
  return into;
}

function replaceLane(
  s: Selector,
  from: Register,
  lane: number,
  value: Register,
  type: "f32" | "i32",
  target: Register | undefined,
): Register {
  if (s.wide) {
    const into = s.destination(target, s.vector, [value]);
    s.move(into, from);
    const mask = s.temporary("k");
    s.put("mov_imm", [register("r32", RAX), 1 << lane]);
    s.put("kmovw_from", [mask, register("r32", RAX)]);
    s.put(type === "f32" ? "vbroadcastss" : "vpbroadcastd_general", [into, value], { register: mask.number, zero: false });
    return s.delivered(into, target);
  }
  const spread = s.temporary(s.vector);
  if (type === "f32") s.put("vbroadcastss", [spread, value]);
  else s.splatGeneral(spread, value);
  const into = target ?? s.temporary(s.vector);
  s.put("vblendps", [into, from, spread, 1 << lane]);
  return into;
}

/** Lane i of the result is lane sources[i] of a followed by b. */
function shuffleLanes(s: Selector, a: Value, b: Value, sources: readonly number[], target: Register | undefined): Register {
  const { lanes } = s.machine;
  const first = s.value(a);
  const second = b === a ? first : s.value(b);
  const fromFirst = sources.every((source) => source < lanes);
  const fromSecond = sources.every((source) => source >= lanes);
  const within = s.pool.words(sources.map((source) => source % lanes));
  if (first.number === second.number || fromFirst || fromSecond) {
    const index = s.temporary(s.vector);
    s.put("vmovups_load", [index, within]);
    const into = target ?? s.temporary(s.vector);
    s.put("vpermps", [into, index, fromSecond ? second : first]);
    return into;
  }
  if (s.wide) {
    const into = s.destination(target, s.vector, [first, second]);
    s.put("vmovups_load", [into, s.pool.words(sources)]);
    s.put("vpermi2ps", [into, first, second]);
    return s.delivered(into, target);
  }
  const index = s.temporary(s.vector);
  const [one, two] = [s.temporary(s.vector), s.temporary(s.vector)];
  s.put("vmovups_load", [index, within]);
  s.put("vpermps", [one, index, first]);
  s.put("vpermps", [two, index, second]);
  const into = target ?? s.temporary(s.vector);
  const taken = sources.reduce((bits, source, lane) => bits | (source >= lanes ? 1 << lane : 0), 0);
  s.put("vblendps", [into, one, two, taken]);
  return into;
}

/**
 * Lane i of the result is lane (indices[i] mod lanes) of the table: the instruction ignores the other bits of an index.
 */
function lookUpLanes(s: Selector, table: Value, indices: Value, target: Register | undefined): Register {
  const index = s.value(indices);
  const from = s.source(table, false);
  const into = target ?? s.temporary(s.vector);
  s.put("vpermps", [into, index, from]);
  return into;
}

/** By halves, lane i with lane i + half first; the result stands in lane 0. `combine` gives a new register. */
function reduceLanes(
  s: Selector,
  from: Register,
  target: Register | undefined,
  combine: (a: Register, b: Register, view: RegisterClass) => Register,
): Register {
  let current = from;
  if (s.wide) {
    const high = s.temporary("y");
    s.put("vextractf64x4", [high, current, 1]);
    current = combine(register("y", current.number), high, "y");
  }
  const high = s.temporary("x");
  s.put(s.wide ? "vextractf32x4" : "vextractf128", [high, current, 1]);
  current = combine(register("x", current.number), high, "x");
  // 2 3 2 3, then 1 1 1 1.
  for (const order of [0xee, 0x55]) {
    const other = s.temporary("x");
    s.put("vpermilps_imm", [other, current, order]);
    current = combine(current, other, "x");
  }
  if (target === undefined) return register("x", current.number);
  if (target.class === "r32") {
    s.put("vmovd_store", [target, register("x", current.number)]);
    return target;
  }
  return s.delivered(register("x", current.number), target);
}
