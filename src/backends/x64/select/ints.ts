// Operations on vectors of 32-bit integers.

import type { Operation, Value } from "../../../kernels/language/language.ts";
import type { InstructionName } from "../encode/instructions.ts";
import type { Register } from "../encode/registers.ts";
import { compareInts, isComparison } from "./compare.ts";
import { laneOperation, movesLanes, type Reduction } from "./lanes.ts";
import { selectLanes } from "./masks.ts";
import type { Selector } from "./selector.ts";

/** Two sources, the second also from memory. */
const BINARY: Readonly<Record<string, InstructionName>> = {
  add: "vpaddd",
  sub: "vpsubd",
  mul: "vpmulld",
  min: "vpminsd",
  max: "vpmaxsd",
  and: "vandps",
  or: "vorps",
  xor: "vxorps",
};
const SHIFTS = {
  shiftLeft: ["vpslld", "vpslld_imm"],
  shiftRight: ["vpsrad", "vpsrad_imm"],
  shiftRightLogical: ["vpsrld", "vpsrld_imm"],
} as const;
const REDUCTIONS: Readonly<Record<Reduction, InstructionName>> = {
  reduceAdd: "vpaddd",
  reduceMul: "vpmulld",
  reduceMin: "vpminsd",
  reduceMax: "vpmaxsd",
};

export function intOperation(s: Selector, operation: Operation, target: Register | undefined): Register {
  const { op, args } = operation;
  const [a, b, c] = args as [Value, Value, Value];
  const kind = s.vector;
  const instruction = BINARY[op];
  if (instruction !== undefined) {
    const swap = op !== "sub" && (a.op === "constant" || a.op === "load") && b.op !== "constant" && b.op !== "load";
    const first = s.value(swap ? b : a);
    const second = s.source(swap ? a : b);
    const into = target ?? s.temporary(kind);
    s.put(instruction, [into, first, second]);
    return into;
  }
  switch (op) {
    case "shiftLeft":
    case "shiftRight":
    case "shiftRightLogical": {
      const from = s.value(a);
      const [variable, constant] = SHIFTS[op];
      if (b.op === "constant") {
        const into = target ?? s.temporary(kind);
        s.put(constant, [into, from, b.value & 31]);
        return into;
      }
      const count = s.temporary("r32");
      s.value(b, count);
      s.put("and_imm", [count, 31]);
      const low = s.temporary("x");
      s.put("vmovd_load", [low, count]);
      const into = target ?? s.temporary(kind);
      s.put(variable, [into, from, low]);
      return into;
    }
    case "andNot": {
      const first = s.value(a);
      const second = s.value(b);
      const into = target ?? s.temporary(kind);
      s.put("vandnps", [into, second, first]);
      return into;
    }
    case "not": {
      const from = s.value(a);
      const into = target ?? s.temporary(kind);
      s.put("vxorps", [into, from, s.constantVector(-1)]);
      return into;
    }
    case "neg": {
      const from = s.value(a);
      const zero = s.temporary(kind);
      s.zero(zero);
      const into = target ?? s.temporary(kind);
      s.put("vpsubd", [into, zero, from]);
      return into;
    }
    case "abs": {
      const from = s.source(a);
      const into = target ?? s.temporary(kind);
      s.put("vpabsd", [into, from]);
      return into;
    }
    case "mulHighUnsigned":
      return multiplyHigh(s, s.value(a), s.value(b), target);
    case "select":
      return selectLanes(s, a, b, c, target);
    case "convertToFloat": {
      const from = s.source(a);
      const into = target ?? s.temporary(kind);
      s.put("vcvtdq2ps", [into, from]);
      return into;
    }
    case "bitsToFloat":
      return s.value(a, target);
    default:
      if (isComparison(op)) return compareInts(s, op, a, b, target);
      if (movesLanes(op))
        return laneOperation(s, operation, "i32", target, (step, x, y, view) => {
          const sum = s.temporary(view);
          s.put(REDUCTIONS[step], [sum, x, y]);
          return sum;
        });
      throw new Error(`x64: no instruction for ${op} of ${a.type}`);
  }
}

/** Even and odd lanes are multiplied apart, to 64 bits. */
function multiplyHigh(s: Selector, a: Register, b: Register, target: Register | undefined): Register {
  const kind = s.vector;
  const [even, odd, x, y, low] = [0, 1, 2, 3, 4].map(() => s.temporary(kind)) as [Register, Register, Register, Register, Register];
  s.put("vpmuludq", [even, a, b]);
  s.put("vpsrlq_imm", [x, a, 32]);
  s.put("vpsrlq_imm", [y, b, 32]);
  s.put("vpmuludq", [odd, x, y]);
  s.put("vpsrlq_imm", [low, even, 32]);
  const into = target ?? s.temporary(kind);
  if (!s.wide) {
    s.put("vblendps", [into, low, odd, 0xaa]);
    return into;
  }
  const [mask, bits] = [s.temporary("k"), s.temporary("r32")];
  s.put("mov_imm", [bits, 0xaaaa]);
  s.put("kmovw_from", [mask, bits]);
  s.put("vblendmps", [into, low, odd], { register: mask.number, zero: false });
  return into;
}
