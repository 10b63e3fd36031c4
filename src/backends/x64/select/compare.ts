// Comparisons of vectors, their opposites, and (AVX-512) comparisons under a mask.

import type { Value } from "../../../kernels/language/language.ts";
import { isVector } from "../../../kernels/language/values.ts";
import { type Register, register } from "../encode/registers.ts";
import type { Selector } from "./selector.ts";

type FloatComparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";
export type Comparison = FloatComparison | "ltUnsigned" | "geUnsigned";
const COMPARISONS: ReadonlySet<string> = new Set<Comparison>(["eq", "ne", "lt", "le", "gt", "ge", "ltUnsigned", "geUnsigned"]);

export const isComparison = (op: string): op is Comparison => COMPARISONS.has(op);
export const isFloatComparison = (op: string): op is FloatComparison => op in FLOAT_PREDICATES;

export interface Compared {
  readonly op: Comparison;
  readonly args: readonly Value[];
  readonly inverted: boolean;
}

/** A comparison of vectors, or the opposite of one. */
export function comparisonOf(value: Value): Compared | undefined {
  if (value.op === "not") {
    const [inner] = value.args as [Value];
    const found = comparisonOf(inner);
    return found && { ...found, inverted: !found.inverted };
  }
  if (!isComparison(value.op) || !("args" in value) || !isVector(value.args[0]!.type)) return undefined;
  return { op: value.op, args: value.args, inverted: false };
}

export function compareLanes(s: Selector, { op, args, inverted }: Compared, target: Register | undefined, under?: Register): Register {
  const [a, b] = args as [Value, Value];
  if (a.type === "vf32") return compareFloats(s, op as FloatComparison, a, b, target, inverted, under);
  return compareInts(s, op, a, b, target, inverted, under);
}

/** Ordered comparisons are false for NaN, `ne` is true. */
const FLOAT_PREDICATES = { eq: 0, lt: 17, le: 18, ne: 4, ge: 29, gt: 30 } as const;

/** With `inverted` true where the comparison is false; with `under` (AVX-512) false outside that mask. */
export function compareFloats(
  s: Selector,
  op: FloatComparison,
  a: Value,
  b: Value,
  target: Register | undefined,
  inverted = false,
  under?: Register,
): Register {
  const first = s.value(a);
  const second = s.source(b);
  const into = target ?? s.temporary(s.classOf("mask"));
  const masking = under && { register: under.number, zero: false };
  // Bit 2 of a predicate inverts it.
  s.put(s.wide ? "vcmpps_mask" : "vcmpps", [into, first, second, FLOAT_PREDICATES[op] ^ (inverted ? 4 : 0)], masking);
  return into;
}

const INT_PREDICATES = { eq: 0, lt: 1, le: 2, ne: 4, ge: 5, gt: 6 } as const;

/** With `under` (AVX-512) false outside that mask. */
export function compareInts(
  s: Selector,
  op: Comparison,
  a: Value,
  b: Value,
  target: Register | undefined,
  inverted = false,
  under?: Register,
): Register {
  const first = s.value(a);
  if (s.wide) {
    const second = s.source(b);
    const into = target ?? s.temporary("k");
    const masking = under && { register: under.number, zero: false };
    const unsigned = op === "ltUnsigned" || op === "geUnsigned";
    const predicate = INT_PREDICATES[op === "ltUnsigned" ? "lt" : op === "geUnsigned" ? "ge" : op] ^ (inverted ? 4 : 0);
    s.put(unsigned ? "vpcmpud" : "vpcmpd", [into, first, second, predicate], masking);
    return into;
  }
  const second = s.value(b);
  const found = s.temporary("y");
  let opposite = inverted;
  if (op === "ltUnsigned" || op === "geUnsigned") {
    const larger = s.temporary("y");
    s.put("vpmaxud", [larger, first, second]);
    s.put("vpcmpeqd", [found, larger, first]);
    if (op === "ltUnsigned") opposite = !inverted;
  } else if (op === "eq" || op === "ne") {
    s.put("vpcmpeqd", [found, first, second]);
    if (op === "ne") opposite = !inverted;
  } else {
    const swapped = op === "lt" || op === "ge";
    s.put("vpcmpgtd", swapped ? [found, second, first] : [found, first, second]);
    if (op === "le" || op === "ge") opposite = !inverted;
  }
  if (!opposite) return s.delivered(found, target);
  const into = target ?? s.temporary("y");
  s.put("vxorps", [into, register("y", found.number), s.constantVector(-1)]);
  return into;
}
