// Which operations are plain loops, which kernels can cut into rows and run together.

import type { Index, Nest, Operation, Scalar } from "../nest/nest.ts";
import { expressionsOf, scalarsOf } from "../nest/step-graph.ts";

/** No scatter, nothing divided, no product of matrices. */
export function isPlain({ nest, clear }: Operation): boolean {
  if (clear || nest.output.accumulate || nest.axes.some((axis) => axis.extent === 0) || isContraction(nest)) return false;
  const loads = expressionsOf(nest).flatMap(scalarsOf);
  const isWhole = (index: Index): boolean => index.kind === "affine" && index.divisor === 1;
  return nest.output.index.every(isWhole) && loads.every((node) => node.kind !== "load" || node.index.every(isWhole));
}

/** A sum of products in which some free axis moves one factor only. */
function isContraction(nest: Nest): boolean {
  if (nest.reducer !== "sum" || !isProduct(nest.body)) return false;
  const loads = scalarsOf(nest.body).filter((node) => node.kind === "load");
  if (loads.length < 2) return false;
  const moves = (index: readonly Index[], axis: number): boolean =>
    index.some((item) => item.kind === "affine" && item.terms.some((term) => term.axis === axis));
  return nest.axes.some(
    ({ extent }, axis) =>
      axis < nest.free && extent > 1 && loads.some((load) => !moves(load.index, axis)) && loads.some((load) => moves(load.index, axis)),
  );
}

/** Loads and numbers multiplied: what the contraction engine takes. */
function isProduct(scalar: Scalar): boolean {
  if (scalar.kind !== "call") return scalar.kind === "load" || scalar.kind === "constant" || scalar.kind === "param";
  const [, divisor] = scalar.args;
  if (scalar.fn === "div" && divisor?.kind === "load") return false;
  return (scalar.fn === "mul" || scalar.fn === "neg" || scalar.fn === "div") && scalar.args.every(isProduct);
}
