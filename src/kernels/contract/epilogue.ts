// Emits a contraction's scale and epilogue for one vector of sums, with its loads already in registers.

import type { Scalar } from "../../nest/nest.ts";
import { childrenOf } from "../expressions/access.ts";
import { writeCall } from "../expressions/calls.ts";
import { asType } from "../expressions/elements.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import type { Value } from "../language/language.ts";
import { at, bool, convertToFloat, f32, i32, isVector, loadAs, mul, splat } from "../language/values.ts";
import { costOf } from "../loops/plan.ts";
import type { Finish } from "./output.ts";

/**
 * What is done to a sum; undefined when nothing is. `leaves` are the loads and positions of the epilogue in the order
 * of the plan.
 */
export function finishOf(scale: Scalar | undefined, epilogue: Scalar | undefined, leaves: readonly Scalar[]): Finish | undefined {
  if (scale === undefined && epilogue === undefined) return undefined;
  return (k, sum, values, params) => {
    const known = new Map(leaves.map((leaf, position) => [leaf, asType(values[position]!, leaf.type)]));
    let accumulator = sum;
    if (scale !== undefined) accumulator = mul(sum, evaluate(k, scale, known, sum, params));
    if (epilogue === undefined) return accumulator;
    if (accumulator.op !== "variable") accumulator = k.let(accumulator, "sum");
    const result = evaluate(k, epilogue, known, accumulator, params);
    const float = epilogue.type === "float" ? result : convertToFloat(result);
    return isVector(float.type) ? float : splat(float);
  };
}

/** Operations per sum, roughly; shared parts count once. */
export function finishCost(scale: Scalar | undefined, epilogue: Scalar | undefined): number {
  const counted = new Set<Scalar>();
  const cost = (scalar: Scalar): number => {
    if (counted.has(scalar)) return 0;
    counted.add(scalar);
    return childrenOf(scalar).reduce((sum, child) => sum + cost(child), costOf(scalar));
  };
  return (scale === undefined ? 0 : cost(scale)) + (epilogue === undefined ? 0 : cost(epilogue));
}

function evaluate(k: FunctionBuilder, scalar: Scalar, known: Map<Scalar, Value>, accumulator: Value, params: Value): Value {
  const before = known.get(scalar);
  if (before !== undefined) return before;
  const value = written(k, scalar, known, accumulator, params);
  // A node that stands in several places of the tree is computed once.
  const kept = value.op === "constant" || value.op === "variable" ? value : k.let(value, "e");
  known.set(scalar, kept);
  return kept;
}

function written(k: FunctionBuilder, scalar: Scalar, known: Map<Scalar, Value>, accumulator: Value, params: Value): Value {
  switch (scalar.kind) {
    case "constant":
      if (scalar.type === "bool") return bool(scalar.value !== 0);
      return scalar.type === "float" ? f32(scalar.value) : i32(scalar.value);
    case "param": {
      const address = at(params, undefined, scalar.param * 4);
      return scalar.type === "float" ? loadAs("f32", "f32", address) : loadAs("i32", "i32", address);
    }
    case "accumulator":
      return accumulator;
    case "call":
      return writeCall(
        k,
        scalar,
        scalar.args.map((arg) => evaluate(k, arg, known, accumulator, params)),
      );
    default:
      throw new Error(`kernels: a contraction's epilogue holds a ${scalar.kind} that was not planned`);
  }
}
