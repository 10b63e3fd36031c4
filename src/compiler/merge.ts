// The nest of joined operations: shared operands, values passed on in registers, several results.

import type { Nest, Operand, Result, Scalar } from "../nest/nest.ts";
import { type KernelOperations, transformScalar } from "../nest/step-graph.ts";
import { asStored } from "./stored.ts";

/** A nest of one or several results, and the buffers of its operands and results. */
export interface MergedOperation {
  readonly nest: Nest;
  readonly reads: readonly number[];
  readonly writes: readonly [number, ...number[]];
}

/** Pure. Its own result is a reduction where there is one. */
export function mergeOperations({ operations, passed }: KernelOperations): MergedOperation {
  const [first] = operations;
  if (first === undefined) throw new Error("compiler: a kernel without operations");
  if (operations.length === 1) return { nest: first.nest, reads: first.reads, writes: [first.writes] };
  const operands: Operand[] = [];
  const reads: number[] = [];
  const operandOf = (buffer: number, operand: Operand): number => {
    const found = reads.findIndex((other, number) => other === buffer && String(operands[number]?.shape) === String(operand.shape));
    if (found >= 0) return found;
    reads.push(buffer);
    return operands.push(operand) - 1;
  };
  const values = new Map<number, Scalar>();
  const results = operations.flatMap(({ nest, reads: buffers, writes }) => {
    const handedOn = (scalar: Scalar): Scalar =>
      transformScalar(scalar, (node) => {
        if (node.kind !== "load") return node;
        const buffer = buffers[node.operand]!;
        return values.get(buffer) ?? { ...node, operand: operandOf(buffer, nest.operands[node.operand]!) };
      });
    const { reducer, output } = nest;
    const body = handedOn(nest.body);
    const epilogue = nest.epilogue && handedOn(nest.epilogue);
    const value = reducer === undefined ? asStored(epilogue ?? body, nest, nest) : undefined;
    if (value !== undefined) values.set(writes, value);
    return passed.includes(writes) ? [] : [{ writes, result: { reducer, body, epilogue, output } satisfies Result }];
  });
  // Read at the element that is written: no element may be done twice, and none may pass the caches.
  const settled = results.map(({ writes, result }) =>
    reads.includes(writes) ? { writes, result: { ...result, output: { ...result.output, inPlace: true as const } } } : { writes, result },
  );
  const [own, ...joined] = settled.sort((a, b) => Number(b.result.reducer !== undefined) - Number(a.result.reducer !== undefined));
  if (own === undefined) throw new Error("compiler: joined operations of which nothing is stored");
  const { axes } = first.nest;
  const free =
    own.result.reducer === undefined ? axes.length : (operations.find(({ nest }) => nest.reducer !== undefined)?.nest.free as number);
  return {
    nest: {
      ...{ name: operations.map(({ nest }) => nest.name).join(" · "), operands, params: first.nest.params, axes, free },
      ...own.result,
      ...(joined.length > 0 ? { joined: joined.map(({ result }) => result) } : {}),
    },
    reads,
    writes: [own.writes, ...joined.map(({ writes }) => writes)],
  };
}
