// Start addresses of every buffer for one batch index.

import { elementBytes } from "../expressions/elements.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import type { Value } from "../language/language.ts";
import { add, constant, i32, mul, operation, sub } from "../language/values.ts";
import type { ClassShape } from "./routines.ts";

/** Origins of one batch index: bytes added to A, B (per segment), C and the leaves. */
export interface Origins {
  readonly a: readonly Value[];
  readonly b: readonly Value[];
  readonly stage: Value;
  readonly c: Value;
  readonly leaves: readonly Value[];
}

/** The batch index as counters of the batch axes, times strides. */
export function originsOf(k: FunctionBuilder, { plan, part, stage }: ClassShape, index: Value): Origins {
  const { extents, output, leaves, segments } = part;
  const counters = new Map<number, Value>();
  const axes = plan.roles.batch.filter((axis) => extents[axis]! > 1);
  let rest = index;
  for (let position = axes.length - 1; position >= 0; position--) {
    const axis = axes[position]!;
    if (position === 0) {
      counters.set(axis, rest);
      break;
    }
    const quotient = k.let(operation("divide", [rest, extents[axis]!]), "quotient");
    counters.set(axis, k.let(sub(rest, mul(quotient, extents[axis]!)), "counter"));
    rest = quotient;
  }
  const origin = (strides: readonly number[], scale: number): Value => {
    let total: Value = constant("i32", 0);
    for (const [axis, counter] of counters) total = add(total, mul(counter, strides[axis]! * scale));
    return total.op === "constant" ? total : k.let(total, "origin");
  };
  const { a, b, c } = plan.elements;
  const bytes = { a: elementBytes[a], b: elementBytes[b], c: elementBytes[c] };
  const used = segments.filter((segment) => segment.k > 0);
  return {
    a: used.map((segment) => origin(segment.a.strides, bytes.a)),
    b: used.map((segment) => origin(segment.b.strides, bytes.b)),
    stage: stage === undefined ? i32(0) : origin(stage.strides, bytes.b),
    c: origin(output.strides, bytes.c),
    leaves: leaves.map((leaf) => origin(leaf.access.strides, leaf.element === undefined ? 1 : elementBytes[leaf.element])),
  };
}
