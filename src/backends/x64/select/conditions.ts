// Jumps on conditions: on flags of integers, floats and masks, without storing the condition.

import type { Operation, OperationName, Value } from "../../../kernels/language/language.ts";
import type { InstructionName } from "../encode/instructions.ts";
import type { Label, Memory, Register } from "../encode/registers.ts";
import { isComparison } from "./compare.ts";
import { branchOnMask } from "./masks.ts";
import { CONDITIONS, compare } from "./scalars.ts";
import type { Selector } from "./selector.ts";

/** Jumps to `label` when the condition is `when`. */
export function branch(s: Selector, condition: Value, label: Label, when: boolean): void {
  if (condition.op === "not") {
    branch(s, condition.args[0]!, label, !when);
    return;
  }
  if (condition.op === "and" || condition.op === "or") {
    const [a, b] = condition.args as [Value, Value];
    if ((condition.op === "or") === when) {
      branch(s, a, label, when);
      branch(s, b, label, when);
      return;
    }
    const past = s.label();
    branch(s, a, past, !when);
    branch(s, b, label, when);
    s.place(past);
    return;
  }
  if ("args" in condition && condition.args[0]?.type === "f32" && isComparison(condition.op)) {
    branchOnFloats(s, condition.op, condition, label, when);
    return;
  }
  branchOnInts(s, condition, label, when);
}

/** After vucomiss, `above` and its kin are false for NaN; equal needs the parity flag too. */
function branchOnFloats(s: Selector, op: OperationName, condition: Operation, label: Label, when: boolean): void {
  const [a, b] = condition.args as [Value, Value];
  const swapped = op === "lt" || op === "le";
  const first = s.value(swapped ? b : a);
  const second: Register | Memory = s.source(swapped ? a : b, false);
  s.put("vucomiss", [first, second]);
  if (op === "eq" || op === "ne") {
    if ((op === "ne") === when) {
      s.put("jne", [label]);
      s.put("jp", [label]);
      return;
    }
    const past = s.label();
    s.put("jp", [past]);
    s.put("je", [label]);
    s.place(past);
    return;
  }
  const strict = op === "lt" || op === "gt";
  s.put(when ? (strict ? "ja" : "jae") : strict ? "jbe" : "jb", [label]);
}

/** Jumps when a condition other than a comparison of floats, `and`, `or` or `not` is `when`. */
function branchOnInts(s: Selector, condition: Value, label: Label, when: boolean): void {
  if (condition.op === "constant") {
    if ((condition.value !== 0) === when) s.put("jmp", [label]);
    return;
  }
  if ("args" in condition) {
    const [a, b] = condition.args as [Value, Value];
    const { op } = condition;
    if ((op === "any" || op === "all") && a.type === "mask") {
      branchOnMask(s, op, a, (jump) => s.put(jump, [label]), when);
      return;
    }
    if (isComparison(op) && a.type === "i32") {
      compare(s, a, b, op, (found) => s.put(`j${CONDITIONS[found][when ? 0 : 1]}` as InstructionName, [label]));
      return;
    }
  }
  const value = s.value(condition);
  s.put("test", [value, value]);
  s.put(when ? "jne" : "je", [label]);
}
