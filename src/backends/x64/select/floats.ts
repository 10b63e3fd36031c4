// Operations on single-precision numbers, scalars (lane 0 of a register) and vectors alike.

import type { Operation, OperationName, Value } from "../../../kernels/language/language.ts";
import { isVector } from "../../../kernels/language/values.ts";
import type { InstructionName } from "../encode/instructions.ts";
import type { Register, RegisterClass } from "../encode/registers.ts";
import { compareFloats, isFloatComparison } from "./compare.ts";
import { branch } from "./conditions.ts";
import { laneOperation, movesLanes, type Reduction } from "./lanes.ts";
import { selectLanes } from "./masks.ts";
import type { Selector } from "./selector.ts";

const SIGN_BIT = -2147483648;

export function floatOperation(s: Selector, operation: Operation, target: Register | undefined): Register {
  const { op, args, type } = operation;
  const [a, b, c] = args as [Value, Value, Value];
  const kind = s.classOf((op === "select" ? b : a).type);
  switch (op) {
    case "add":
    case "sub":
    case "mul":
    case "div":
      return arithmetic(s, op, a, b, kind, target);
    case "fma":
      return multiplyAdd(s, a, b, c, kind, target);
    case "min":
    case "max":
      return extreme(s, op, a, b, kind, target);
    case "pmin":
    case "pmax": {
      // The instruction gives its second source where the comparison fails, also for NaN.
      const first = s.value(b);
      const into = s.destination(target, kind);
      s.put(named(op === "pmin" ? "vmin" : "vmax", kind), [into, first, s.value(a)]);
      return s.delivered(into, target);
    }
    case "neg":
    case "abs": {
      const into = s.destination(target, kind);
      const from = s.value(a);
      s.put(op === "neg" ? "vxorps" : "vandps", [into, from, s.constantVector(op === "neg" ? SIGN_BIT : ~SIGN_BIT)]);
      return s.delivered(into, target);
    }
    case "sqrt": {
      const into = s.destination(target, kind);
      const from = s.value(a);
      s.put("vsqrtps", [into, from]);
      return s.delivered(into, target);
    }
    case "nearest":
    case "floor":
    case "ceil":
    case "trunc": {
      const into = s.destination(target, kind);
      const from = s.value(a);
      // Bit 3: no exception for inexact results.
      const mode = 8 + { nearest: 0, floor: 1, ceil: 2, trunc: 3 }[op];
      s.put(s.wide ? "vrndscaleps" : "vroundps", [into, from, mode]);
      return s.delivered(into, target);
    }
    case "select":
      return isVector(type) ? selectLanes(s, a, b, c, target) : selectScalar(s, a, b, c, target);
    case "convertToInt":
      return toInt(s, a, kind, target);
    case "bitsToInt": {
      const from = s.value(a);
      if (isVector(type)) return s.delivered(from, target);
      const into = target ?? s.temporary("r32");
      s.put("vmovd_store", [into, from]);
      return into;
    }
    case "splat": {
      const from = s.value(a);
      const into = target ?? s.temporary(s.vector);
      s.put("vbroadcastss", [into, from]);
      return into;
    }
    default:
      if (isFloatComparison(op)) return isVector(a.type) ? compareFloats(s, op, a, b, target) : compareScalars(s, op, a, b, target);
      if (movesLanes(op)) return laneOperation(s, operation, "f32", target, (step, x, y, view) => combine(s, step, x, y, view));
      throw new Error(`x64: no instruction for ${op} of ${a.type}`);
  }
}

/** The packed or the scalar form of an instruction. */
function named(stem: string, kind: RegisterClass): InstructionName {
  return `${stem}${kind === "x" ? "ss" : "ps"}` as InstructionName;
}

const commutes = (op: OperationName): boolean => op === "add" || op === "mul";
const isMemory = (value: Value): boolean => value.op === "constant" || value.op === "load";

function arithmetic(
  s: Selector,
  op: "add" | "sub" | "mul" | "div",
  a: Value,
  b: Value,
  kind: RegisterClass,
  target: Register | undefined,
): Register {
  const [left, right] = commutes(op) && isMemory(a) && !isMemory(b) ? [b, a] : [a, b];
  const first = s.value(left);
  const second = s.source(right, kind !== "x");
  const into = target ?? s.temporary(kind);
  s.put(named(`v${op}`, kind), [into, first, second]);
  return into;
}

/** a · b + c: the form follows from which operand's register may be overwritten and which may be read from memory. */
function multiplyAdd(s: Selector, a: Value, b: Value, c: Value, kind: RegisterClass, target: Register | undefined): Register {
  const [x, y] = isMemory(a) && !isMemory(b) ? [b, a] : [a, b];
  const left = s.value(x);
  const broadcast = kind !== "x";
  // Adding into c in place is what inner loops do.
  if (c.op === "variable") {
    const sum = s.value(c);
    if (target !== undefined && sum.number === target.number) {
      s.put(named("vfmadd231", kind), [target, left, s.source(y, broadcast)]);
      return target;
    }
  }
  if (s.isTemporary(left)) {
    // left = left · y + c
    if (isMemory(y) && !isMemory(c)) {
      const factor = s.source(y, broadcast);
      s.put(named("vfmadd132", kind), [left, s.value(c), factor]);
    } else {
      const factor = s.value(y);
      s.put(named("vfmadd213", kind), [left, factor, s.source(c, broadcast)]);
    }
    return s.delivered(left, target);
  }
  const factor = s.source(y, broadcast);
  const sum = s.value(c);
  if (s.isTemporary(sum)) {
    s.put(named("vfmadd231", kind), [sum, left, factor]);
    return s.delivered(sum, target);
  }
  const into = s.destination(target, kind, [left, factor]);
  s.move(into, sum);
  s.put(named("vfmadd231", kind), [into, left, factor]);
  return s.delivered(into, target);
}

/**
 * NaN if either is NaN, −0 below +0. The instructions give their second source for NaN and for zeros of either sign.
 */
function extreme(s: Selector, op: "min" | "max", a: Value, b: Value, kind: RegisterClass, target: Register | undefined): Register {
  const known = [a, b].find((value) => value.op === "constant" && !Number.isNaN(value.value));
  if (known?.op === "constant") {
    const other = s.value(known === a ? b : a);
    const limit = s.value(known);
    const zero = known.value === 0;
    const negative = Object.is(known.value, -0);
    const exact = !zero || (op === "min" ? !negative : negative);
    if (exact || op === "max") {
      const into = s.destination(target, kind);
      s.put(named(op === "min" ? "vmin" : "vmax", kind), [into, limit, other]);
      // max(+0, −0) came out as −0: adding +0 makes it +0 and changes nothing else.
      if (!exact) s.put(named("vadd", kind), [into, into, limit]);
      return s.delivered(into, target);
    }
  }
  return s.delivered(combine(s, op === "min" ? "reduceMin" : "reduceMax", s.value(a), s.value(b), kind), target);
}

/** One step of a reduction, in registers. */
function combine(s: Selector, op: Reduction, a: Register, b: Register, kind: RegisterClass): Register {
  const into = s.temporary(kind);
  if (op === "reduceAdd" || op === "reduceMul") {
    s.put(op === "reduceAdd" ? "vaddps" : "vmulps", [into, a, b]);
    return into;
  }
  if (s.wide) {
    // vrange orders zeros but ignores NaN; where either is NaN the sum is.
    const mask = s.temporary("k");
    s.put("vcmpps_mask", [mask, a, b, 3]);
    s.put("vrangeps", [into, a, b, op === "reduceMin" ? 4 : 5]);
    s.put("vaddps", [into, a, b], { register: mask.number, zero: false });
    return into;
  }
  const [one, two] = [s.temporary(kind), s.temporary(kind)];
  const instruction = op === "reduceMin" ? "vminps" : "vmaxps";
  s.put(instruction, [one, a, b]);
  s.put(instruction, [two, b, a]);
  if (op === "reduceMin") {
    s.put("vorps", [into, one, two]);
    return into;
  }
  // Where the two differ (zeros of both signs, or one is NaN): all bits of the difference set, then taken off again.
  const difference = s.temporary(kind);
  s.put("vxorps", [difference, one, two]);
  s.put("vorps", [one, one, difference]);
  s.put("vsubps", [into, one, difference]);
  return into;
}

/** Truncates, saturates, NaN → 0. The instruction gives 0x80000000 for everything it cannot represent. */
function toInt(s: Selector, a: Value, kind: RegisterClass, target: Register | undefined): Register {
  const from = s.value(a);
  const number = s.temporary(kind);
  const result = s.temporary(kind);
  const [ordered, above] = s.wide ? [s.temporary("k"), s.temporary("k")] : [s.temporary(kind), s.temporary(kind)];
  const limit = s.constantVector(0x4f000000);
  if (s.wide) {
    s.put("vcmpps_mask", [ordered, from, from, 7]);
    s.put("vmovaps", [number, from], { register: ordered.number, zero: true });
    s.put("vcvttps2dq", [result, number]);
    s.put("vcmpps_mask", [above, number, limit, 29]);
    s.put("vxorps", [result, result, s.constantVector(-1)], { register: above.number, zero: false });
  } else {
    s.put("vcmpps", [ordered, from, from, 7]);
    s.put("vandps", [number, from, ordered]);
    s.put("vcvttps2dq", [result, number]);
    s.put("vcmpps", [above, number, limit, 29]);
    s.put("vxorps", [result, result, above]);
  }
  if (kind !== "x") return s.delivered(result, target);
  const into = target ?? s.temporary("r32");
  s.put("vmovd_store", [into, result]);
  return into;
}

function selectScalar(s: Selector, condition: Value, a: Value, b: Value, target: Register | undefined): Register {
  const [yes, no] = [s.value(a), s.value(b)];
  const into = s.temporary("x");
  const end = s.label();
  s.move(into, yes);
  branch(s, condition, end, true);
  s.move(into, no);
  s.place(end);
  return s.delivered(into, target);
}

function compareScalars(s: Selector, op: OperationName, a: Value, b: Value, target: Register | undefined): Register {
  const into = s.temporary("r32");
  const end = s.label();
  const condition: Operation = { op, type: "bool", args: [a, b], immediate: [] };
  const one = s.temporary("r32");
  s.put("mov_imm", [one, 1]);
  s.move(into, one);
  branch(s, condition, end, true);
  s.put("mov_imm", [into, 0]);
  s.place(end);
  return s.delivered(into, target);
}
