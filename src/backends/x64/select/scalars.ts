// Operations on scalar integers, booleans and pointers, in general registers.

import type { Operation, Value } from "../../../kernels/language/language.ts";
import type { InstructionName } from "../encode/instructions.ts";
import { memory, RAX, RDX, type Register, register } from "../encode/registers.ts";
import { type Comparison, isComparison } from "./compare.ts";
import type { Selector } from "./selector.ts";

const eax = register("r32", RAX);
const edx = register("r32", RDX);

/** Condition names after `cmp`: jump, set and move when it holds, and its opposite. */
export const CONDITIONS = {
  eq: ["e", "ne"],
  ne: ["ne", "e"],
  lt: ["l", "ge"],
  le: ["le", "g"],
  gt: ["g", "le"],
  ge: ["ge", "l"],
  ltUnsigned: ["b", "ae"],
  geUnsigned: ["ae", "b"],
} as const satisfies Record<Comparison, readonly [string, string]>;

const SHIFTS = { shiftLeft: ["shlx", "shl_imm"], shiftRight: ["sarx", "sar_imm"], shiftRightLogical: ["shrx", "shr_imm"] } as const;

type Target = Register | undefined;

export function scalarOperation(s: Selector, operation: Operation, target: Target): Register {
  const { op, args } = operation;
  const [a, b] = args as [Value, Value];
  switch (op) {
    case "add":
      return sum(s, a, b, target);
    case "sub":
      if (b.op === "constant") return sum(s, a, { ...b, value: -b.value | 0 }, target);
      return twoAddress(s, "sub", a, b, target);
    case "mul":
      return product(s, a, b, target);
    case "and":
    case "or":
    case "xor":
      return twoAddress(s, op, a, b, target);
    case "andNot":
      return andNot(s, a, b, target);
    case "not":
    case "neg":
      return inverse(s, op, a, target);
    case "abs":
      return absolute(s, a, target);
    case "min":
    case "max":
      return extreme(s, op, a, b, target);
    case "shiftLeft":
    case "shiftRight":
    case "shiftRightLogical":
      return shifted(s, op, a, b, target);
    case "divide":
    case "remainder":
    case "divideUnsigned":
    case "remainderUnsigned":
      return division(s, op, a, b, target);
    case "mulHighUnsigned":
      return highProduct(s, a, b, target);
    case "select":
      return selection(s, operation, target);
    case "convertToFloat":
      return convertedToFloat(s, a, target);
    case "convertToInt":
      return s.value(a, target);
    case "bitsToFloat":
      return bitsToFloat(s, a, target);
    case "splat":
      return splatted(s, a, target);
    case "advance":
      return advanced(s, operation, target);
    default:
      if (!isComparison(op)) throw new Error(`x64: no instruction for ${op} of ${a.type}`);
      return compared(s, op, a, b, target);
  }
}

function product(s: Selector, a: Value, b: Value, target: Target): Register {
  if (b.op !== "constant") return twoAddress(s, "imul", a, b, target);
  const into = target ?? s.temporary("r32");
  s.put("imul_imm", [into, s.value(a), b.value]);
  return into;
}

function andNot(s: Selector, a: Value, b: Value, target: Target): Register {
  const first = s.value(a);
  const into = s.temporary("r32");
  s.move(into, s.value(b));
  if (a.type === "bool") s.put("xor_imm", [into, 1]);
  else s.put("not", [into]);
  s.put("and", [into, first]);
  return s.delivered(into, target);
}

function inverse(s: Selector, op: "not" | "neg", a: Value, target: Target): Register {
  const into = target ?? s.temporary("r32");
  s.move(into, s.value(a));
  if (op === "neg") s.put("neg", [into]);
  else if (a.type === "bool") s.put("xor_imm", [into, 1]);
  else s.put("not", [into]);
  return into;
}

function absolute(s: Selector, a: Value, target: Target): Register {
  const from = s.value(a);
  const into = s.temporary("r32");
  s.move(into, from);
  s.put("neg", [into]);
  s.put("cmovs", [into, from]);
  return s.delivered(into, target);
}

function extreme(s: Selector, op: "min" | "max", a: Value, b: Value, target: Target): Register {
  const [first, second] = [s.value(a), s.value(b)];
  const into = s.temporary("r32");
  s.move(into, first);
  s.put("cmp", [first, second]);
  s.put(op === "min" ? "cmovg" : "cmovl", [into, second]);
  return s.delivered(into, target);
}

function shifted(s: Selector, op: keyof typeof SHIFTS, a: Value, b: Value, target: Target): Register {
  const [variable, constant] = SHIFTS[op];
  if (b.op !== "constant") {
    const [from, count] = [s.value(a), s.value(b)];
    const into = target ?? s.temporary("r32");
    s.put(variable, [into, from, count]);
    return into;
  }
  const into = target ?? s.temporary("r32");
  s.move(into, s.value(a));
  if ((b.value & 31) !== 0) s.put(constant, [into, b.value & 31]);
  return into;
}

type Division = "divide" | "remainder" | "divideUnsigned" | "remainderUnsigned";

function division(s: Selector, op: Division, a: Value, b: Value, target: Target): Register {
  const [first, second] = [s.value(a), s.value(b)];
  const signed = op === "divide" || op === "remainder";
  s.put("mov", [eax, first]);
  if (signed) s.put("cdq", []);
  else s.put("mov_imm", [edx, 0]);
  s.put(signed ? "idiv" : "div", [second]);
  const into = target ?? s.temporary("r32");
  s.put("mov", [into, op === "divide" || op === "divideUnsigned" ? eax : edx]);
  return into;
}

function highProduct(s: Selector, a: Value, b: Value, target: Target): Register {
  const [x, y] = [s.temporary("r32"), s.temporary("r32")];
  // 32-bit moves clear the upper halves.
  s.put("mov", [eax, s.value(a)]);
  s.put("mov", [x, eax]);
  s.put("mov", [eax, s.value(b)]);
  s.put("mov", [y, eax]);
  s.put("imul", [register("r64", x.number), register("r64", y.number)]);
  s.put("shr_imm", [register("r64", x.number), 32]);
  return s.delivered(x, target);
}

function selection(s: Selector, { args, type }: Operation, target: Target): Register {
  const [a, b, c] = args as [Value, Value, Value];
  const kind = s.classOf(type);
  const [yes, no] = [s.value(b, s.temporary(kind)), s.value(c, s.temporary(kind))];
  if ("args" in a && isComparison(a.op) && a.args[0]!.type !== "f32") {
    compare(s, a.args[0]!, a.args[1]!, a.op, (condition) => s.put(`cmov${CONDITIONS[condition][0]}` as InstructionName, [no, yes]));
  } else {
    const test = s.value(a);
    s.put("test", [test, test]);
    s.put("cmovne", [no, yes]);
  }
  return s.delivered(no, target);
}

function convertedToFloat(s: Selector, a: Value, target: Target): Register {
  const low = s.temporary("x");
  s.put("vmovd_load", [low, s.value(a)]);
  const into = target ?? s.temporary("x");
  s.put("vcvtdq2ps", [into, low]);
  return into;
}

function bitsToFloat(s: Selector, a: Value, target: Target): Register {
  const from = s.value(a);
  const into = target ?? s.temporary("x");
  s.put("vmovd_load", [into, from]);
  return into;
}

function splatted(s: Selector, a: Value, target: Target): Register {
  const from = s.value(a);
  if (a.type !== "bool") {
    const into = target ?? s.temporary(s.vector);
    s.splatGeneral(into, from);
    return into;
  }
  const bits = s.temporary("r32");
  s.move(bits, from);
  s.put("neg", [bits]);
  const into = target ?? s.temporary(s.classOf("mask"));
  if (s.wide) s.put("kmovw_from", [into, bits]);
  else s.splatGeneral(into, bits);
  return into;
}

function advanced(s: Selector, operation: Operation, target: Target): Register {
  const [a, b] = operation.args as [Value, Value];
  const from = s.value(a);
  const into = target ?? s.temporary("r64");
  if (b.op === "constant" && into.number === from.number) {
    s.put("add_imm", [into, b.value]);
    return into;
  }
  s.put("lea", [into, s.address({ base: operation, index: undefined, offset: 0 })]);
  return into;
}

/** The comparison's outcome as 0 or 1. */
function compared(s: Selector, op: Comparison, a: Value, b: Value, target: Target): Register {
  compare(s, a, b, op, (condition) => s.put(`set${CONDITIONS[condition][0]}` as InstructionName, [register("r8", RAX)]));
  const into = target ?? s.temporary("r32");
  s.put("movzx8", [into, register("r8", RAX)]);
  return into;
}

function sum(s: Selector, a: Value, b: Value, target: Register | undefined): Register {
  const first = s.value(a);
  if (b.op === "constant") {
    const into = target ?? s.temporary("r32");
    if (into.number === first.number) s.put("add_imm", [into, b.value]);
    else s.put("lea", [into, memory(first.number, b.value)]);
    return into;
  }
  if (target !== undefined && target.number === first.number) {
    s.put("add", [target, second(s, b)]);
    return target;
  }
  const other = s.value(b);
  const into = target ?? s.temporary("r32");
  s.put("lea", [into, memory(first.number, 0, other.number)]);
  return into;
}

/** A register, or an i32 in memory. */
function second(s: Selector, value: Value) {
  return value.op === "load" && value.memory === "i32" ? s.address(value.address) : s.value(value);
}

function twoAddress(s: Selector, name: "sub" | "imul" | "and" | "or" | "xor", a: Value, b: Value, target: Register | undefined): Register {
  const first = s.value(a);
  if (b.op === "constant" && name !== "imul") {
    const into = target ?? s.temporary("r32");
    s.move(into, first);
    s.put(`${name}_imm`, [into, b.value]);
    return into;
  }
  const other = second(s, b);
  const into = s.destination(target?.number === first.number ? undefined : target, "r32", [other]);
  const place = target?.number === first.number ? target : into;
  s.move(place, first);
  s.put(name, [place, other]);
  return s.delivered(place, target);
}

/** Compares and hands the condition that holds to `then`, which uses the flags at once. */
export function compare(s: Selector, a: Value, b: Value, op: Comparison, then: (condition: Comparison) => void): void {
  const mirrored = { eq: "eq", ne: "ne", lt: "gt", le: "ge", gt: "lt", ge: "le" } as const;
  if (a.op === "constant" && b.op !== "constant" && op in mirrored) {
    compare(s, b, a, mirrored[op as keyof typeof mirrored], then);
    return;
  }
  const first = s.value(a);
  if (b.op === "constant") {
    if (b.value === 0 && (op === "eq" || op === "ne")) s.put("test", [first, first]);
    else s.put("cmp_imm", [first, b.value]);
  } else {
    s.put("cmp", [first, second(s, b)]);
  }
  then(op);
}
