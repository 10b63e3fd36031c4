// Constant folding: numbers known at tracing (the 2 of x.mul(2)) enter the formulas that load them.

import { foldCall } from "../nest/fold.ts";
import type { Load, Nest, Scalar } from "../nest/nest.ts";
import { dropUnreadOperands, mapExpressions, transformScalar } from "../nest/step-graph.ts";
import type { Pass } from "./facts.ts";

/** Buffers of one element with a known number: given by the tracer. */
export const foldConstants: Pass = (graph) => {
  const constants = new Map(graph.constants);
  const operations = graph.operations.map((operation) => {
    const fold = (node: Scalar): Scalar => {
      const value = node.kind === "load" ? constants.get(operation.reads[node.operand]!) : undefined;
      return node.kind === "load" && value !== undefined ? known(node, value, operation.nest) : foldCall(node);
    };
    const nest = mapExpressions(operation.nest, (expression) => transformScalar(expression, fold));
    return { ...operation, ...dropUnreadOperands(nest, operation.reads) };
  });
  return { ...graph, operations };
};

/** A load of a known number: outside its buffer (padding, the gradient of a slice) it stays the load's fill. */
function known({ index, operand, fill, type }: Load, value: number, nest: Nest): Scalar {
  const constant: Scalar = { kind: "constant", value, type };
  if (!index.some((item) => item.kind === "indirect" || item.checked)) return constant;
  const inside: Scalar = { kind: "inside", index, extents: nest.operands[operand]!.shape, type: "bool" };
  return { kind: "call", fn: "select", args: [inside, constant, { kind: "constant", value: fill, type }], type };
}
