// Operations on vectors of booleans: k registers with AVX-512, lanes of all ones or zeros with AVX2.

import type { Operation, OperationName, Value } from "../../../kernels/language/language.ts";
import type { InstructionName } from "../encode/instructions.ts";
import { type Register, register } from "../encode/registers.ts";
import { compareLanes, comparisonOf } from "./compare.ts";
import type { Selector } from "./selector.ts";

const BINARY: Readonly<Record<string, readonly [InstructionName, InstructionName]>> = {
  and: ["kandw", "vandps"],
  or: ["korw", "vorps"],
  xor: ["kxorw", "vxorps"],
};

export function maskOperation(s: Selector, operation: Operation, target: Register | undefined): Register {
  const { op, args, type } = operation;
  const [a, b, c] = args as [Value, Value, Value];
  const kind = s.classOf("mask");
  if (op === "and" && s.wide) {
    // A comparison under a mask is one instruction.
    const [limited, other] = comparisonOf(b) === undefined ? [comparisonOf(a), b] : [comparisonOf(b), a];
    if (limited !== undefined) return compareLanes(s, limited, target, s.value(other));
  }
  const two = BINARY[op];
  if (two !== undefined) {
    const [first, second] = [s.value(a), s.value(b)];
    const into = target ?? s.temporary(kind);
    s.put(two[s.wide ? 0 : 1], [into, first, second]);
    return into;
  }
  switch (op) {
    case "andNot": {
      const [first, second] = [s.value(a), s.value(b)];
      const into = target ?? s.temporary(kind);
      s.put(s.wide ? "kandnw" : "vandnps", [into, second, first]);
      return into;
    }
    case "not": {
      const compared = comparisonOf(operation);
      if (compared !== undefined && (s.wide || a.op !== "variable")) return compareLanes(s, compared, target);
      const from = s.value(a);
      const into = target ?? s.temporary(kind);
      if (s.wide) s.put("knotw", [into, from]);
      else s.put("vxorps", [into, from, s.constantVector(-1)]);
      return into;
    }
    case "select": {
      const [condition, yes, no] = [s.value(a), s.value(b), s.value(c)];
      const [one, other] = [s.temporary(kind), s.temporary(kind)];
      s.put(s.wide ? "kandw" : "vandps", [one, condition, yes]);
      s.put(s.wide ? "kandnw" : "vandnps", [other, condition, no]);
      const into = target ?? s.temporary(kind);
      s.put(s.wide ? "korw" : "vorps", [into, one, other]);
      return into;
    }
    case "any":
    case "all": {
      const end = s.label();
      const into = s.temporary("r32");
      const one = s.temporary("r32");
      s.put("mov_imm", [one, 1]);
      s.move(into, one);
      branchOnMask(s, op, a, (jump) => s.put(jump, [end]), true);
      s.put("mov_imm", [into, 0]);
      s.place(end);
      return s.delivered(into, target);
    }
    case "convertToFloat":
    case "convertToInt": {
      const from = s.value(a);
      const into = target ?? s.temporary(s.vector);
      const one = type === "vf32" ? 0x3f800000 : 1;
      if (s.wide) s.put("vbroadcastss", [into, s.pool.words([one])], { register: from.number, zero: true });
      else s.put("vandps", [into, from, s.constantVector(one)]);
      return into;
    }
    default:
      throw new Error(`x64: no instruction for ${op} of ${a.type}`);
  }
}

/** Jumps by `jump` when any (all) lanes hold, or when not. */
export function branchOnMask(s: Selector, op: "any" | "all", mask: Value, jump: (name: InstructionName) => void, when: boolean): void {
  const from = s.value(mask);
  if (s.wide) {
    s.put("kortestw", [from, from]);
    // Zero: none; carry: all of 16.
    jump(op === "any" ? (when ? "jne" : "je") : when ? "jb" : "jae");
    return;
  }
  const bits = s.temporary("r32");
  s.put("vmovmskps", [bits, from]);
  if (op === "any") s.put("test", [bits, bits]);
  else s.put("cmp_imm", [bits, 255]);
  jump((op === "any") === when ? "jne" : "je");
}

export function maskConstant(s: Selector, value: boolean, into: Register): Register {
  if (s.wide) {
    const bits = s.temporary("r32");
    s.put("mov_imm", [bits, value ? 0xffff : 0]);
    s.put("kmovw_from", [into, bits]);
  } else if (value) {
    s.put("vmovups_load", [into, s.constantVector(-1)]);
  } else {
    s.zero(into);
  }
  return into;
}

/** The mask of the first `count` lanes. */
export function partialMask(s: Selector, count: Value): Register {
  const { lanes } = s.machine;
  if (s.wide) {
    const [bits, mask] = [s.temporary("r32"), s.temporary("k")];
    if (count.op === "constant") {
      s.put("mov_imm", [bits, 2 ** Math.max(0, Math.min(lanes, count.value)) - 1]);
    } else {
      const all = s.temporary("r32");
      s.put("mov_imm", [all, 0xffff]);
      s.put("bzhi", [bits, all, s.value(count)]);
    }
    s.put("kmovw_from", [mask, bits]);
    return mask;
  }
  const mask = s.temporary("y");
  const order = Array.from({ length: lanes }, (_, lane) => lane);
  if (count.op === "constant") {
    s.put("vmovups_load", [mask, s.pool.words(order.map((lane) => (lane < count.value ? -1 : 0)))]);
    return mask;
  }
  const limit = s.temporary("y");
  s.splatGeneral(limit, s.value(count));
  s.put("vpcmpgtd", [mask, limit, s.pool.words(order)]);
  return mask;
}

/** The lanes of a where the mask holds, of b elsewhere. */
export function selectLanes(s: Selector, condition: Value, a: Value, b: Value, target: Register | undefined): Register {
  const merged = mergeLanes(s, condition, a, b, target);
  if (merged !== undefined) return merged;
  const mask = s.value(condition);
  if (b.op === "constant" && b.value === 0 && !Object.is(b.value, -0)) {
    const from = s.source(a);
    const into = target ?? s.temporary(s.vector);
    if (!s.wide) s.put("vandps", from.kind === "memory" ? [into, mask, from] : [into, from, mask]);
    else if (from.kind === "register") s.put("vmovaps", [into, from], { register: mask.number, zero: true });
    else
      s.put(from.broadcast ? "vbroadcastss" : "vmovups_load", [into, { ...from, broadcast: false }], { register: mask.number, zero: true });
    return into;
  }
  if (s.wide) {
    const no = s.value(b);
    const yes = s.source(a);
    const into = target ?? s.temporary(s.vector);
    s.put("vblendmps", [into, no, yes], { register: mask.number, zero: false });
    return into;
  }
  const no = s.value(b);
  const yes = s.source(a);
  const into = target ?? s.temporary(s.vector);
  s.put("vblendvps", [into, no, yes, register("y", mask.number)]);
  return into;
}

/** Operations that a mask can keep from changing lanes of what they add to. */
const MERGED: Partial<Record<OperationName, readonly [float: InstructionName, int: InstructionName | undefined]>> = {
  add: ["vaddps", "vpaddd"],
  mul: ["vmulps", undefined],
  pmin: ["vminps", undefined],
  pmax: ["vmaxps", undefined],
  fma: ["vfmadd231ps", undefined],
};

/** A running result that takes one more term where the mask holds: a step of a reduction, in place. AVX-512 only. */
function mergeLanes(s: Selector, condition: Value, a: Value, b: Value, target: Register | undefined): Register | undefined {
  if (!s.wide || target === undefined || b.op !== "variable" || !("args" in a)) return undefined;
  const instruction = MERGED[a.op as OperationName]?.[a.type === "vf32" ? 0 : 1];
  const [x, y, z] = a.args as [Value, Value, Value?];
  const running = a.op === "fma" ? z : x;
  if (instruction === undefined || running?.op !== "variable" || running.id !== b.id || s.value(b).number !== target.number)
    return undefined;
  const mask = s.value(condition);
  const when = { register: mask.number, zero: false };
  if (a.op === "fma") s.put(instruction, [target, s.value(x), s.source(y)], when);
  // The instruction gives its second source where the comparison fails, also for NaN.
  else if (a.op === "pmin" || a.op === "pmax") s.put(instruction, [target, s.value(y), target], when);
  else s.put(instruction, [target, target, s.source(y)], when);
  return target;
}
