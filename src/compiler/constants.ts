// Folds numbers known at tracing (the 2 of x.mul(2)) into the formulas that load them.

import type { Scalar } from "../formula/nest.ts";
import { dropUnreadOperands, mapExpressions, type Pass, transformScalar } from "./graph.ts";

/** Buffers of one element with a known number: given by the tracer. */
export const foldConstants: Pass = (graph) => {
  const { constants } = graph;
  if (constants === undefined || constants.size === 0) return graph;
  const steps = graph.steps.map((step) => {
    if (!step.reads.some((buffer) => constants.has(buffer))) return step;
    const fold = (node: Scalar): Scalar => {
      const value = node.kind === "load" ? constants.get(step.reads[node.operand] as number) : undefined;
      return node.kind === "load" && value !== undefined ? { kind: "constant", value, type: node.type } : node;
    };
    const nest = mapExpressions(step.nest, (expression) => transformScalar(expression, fold));
    return { ...step, ...dropUnreadOperands(nest, step.reads) };
  });
  return { ...graph, steps };
};
