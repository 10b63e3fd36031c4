// Binds a formula to concrete shapes and attributes: finds extents and types, and returns the loop nests to run.

import { LARGEST_INT, requireReach } from "../../nest/addressable.ts";
import type { AffineIndex, Axis, Nest, Operand, Operation, Program } from "../../nest/nest.ts";
import { floatOf, isFloat } from "../../nest/typing.ts";
import { FormulaError, ShapeError } from "../../util/errors.ts";
import { shapeText } from "../../util/shape-text.ts";
import type { Formula, Statement } from "../ast.ts";
import { bindStatement } from "./bind-statement.ts";
import type { Binding } from "./binding.ts";
import { normalize } from "./normalize.ts";

/**
 * @throws ShapeError when shapes disagree, naming the tensors, their shapes and the axis
 * @throws FormulaError when an axis's extent cannot be inferred or an index is not affine
 */
export function bind(formula: Formula, binding: Binding): Program {
  const { statements } = normalize(formula);
  const params = formula.params.map((name) => ({ name, type: binding.params?.[name] ?? ("float" as const) }));
  const buffers: Operand[] = formula.inputs.map((name) => {
    const input = binding.inputs[name];
    if (!input)
      throw new FormulaError(`${binding.name}: the formula reads ${name}, which is neither given nor defined`, {
        hint: `give ${name} as an input, or define it in an earlier statement`,
      });
    return { dtype: input.dtype, shape: input.shape };
  });
  const inputs = buffers.slice();
  const numbers = new Map(formula.inputs.map((name, number) => [name, number]));
  const operations: Operation[] = [];
  // Only a result is stored narrow: what lies between is kept as it is computed.
  const float = binding.float ?? floatOf(inputs);
  const working = float === "bfloat16" ? "float32" : float;
  const last = statements[statements.length - 1]!;
  for (const group of groupsOf(statements)) {
    const target = group[0]!.target;
    const isResult = target === last.target;
    const tensors = new Map([...numbers].map(([name, number]) => [name, { number, operand: buffers[number]! }]));
    const bound = group.map((statement) =>
      bindStatement({
        statement,
        tensors,
        binding,
        params,
        resultShape: isResult ? binding.resultShape : undefined,
        dtype: isResult ? binding.dtype : undefined,
        float: isResult ? float : working,
        result: binding.resultShape && { target: last.target, shape: binding.resultShape },
        partial: formula.derived === "partial",
      }),
    );
    const operand = pieceTogether(bound.map((piece) => piece.nest));
    if (operand.shape.reduce((a, b) => a * b, 1) > LARGEST_INT)
      throw new ShapeError(`${binding.name}: ${target} would have shape ${shapeText(operand.shape)}, more than ${LARGEST_INT} elements`, {
        hint: "use smaller sizes, or sum over an axis in the statement: y[i] = sum[j](…)",
      });
    const number = buffers.length;
    buffers.push(operand);
    numbers.set(target, number);
    const clear =
      bound.some((piece) => piece.nest.output.accumulate) ||
      !covers(
        bound.map((piece) => piece.nest),
        operand.shape,
      );
    bound.forEach((piece, order) => {
      const output = { ...piece.nest.output, dtype: operand.dtype, shape: operand.shape };
      const nest = { ...piece.nest, output };
      requireReach(nest);
      operations.push({ nest, reads: piece.reads, writes: number, clear: clear && order === 0 });
    });
  }
  const program = { name: binding.name, inputs, buffers, result: buffers.length - 1, params, operations };
  return operations.some(({ nest }) => nest.output.accumulate && nest.output.dtype === "bfloat16") ? roundedAtEnd(program) : program;
}

/** What is added to element by element is rounded once, when it is complete. */
function roundedAtEnd(program: Program): Program {
  const { name, params, result, operations } = program;
  const { shape, dtype } = program.buffers[result]!;
  const sums: Operand = { dtype: "float32", shape };
  const index = shape.map(
    (_, d): AffineIndex => ({ kind: "affine", terms: [{ axis: d, coefficient: 1 }], offset: 0, divisor: 1, checked: false }),
  );
  const round: Nest = {
    name,
    operands: [sums],
    params,
    axes: shape.map((extent, d) => ({ name: `i${d}`, extent })),
    free: shape.length,
    reducer: undefined,
    body: { kind: "load", operand: 0, index, fill: 0, type: "float" },
    epilogue: undefined,
    output: { dtype, shape, index, accumulate: false },
  };
  const summed = operations.map((operation) =>
    operation.writes === result ? { ...operation, nest: { ...operation.nest, output: { ...operation.nest.output, ...sums } } } : operation,
  );
  return {
    ...program,
    buffers: [...program.buffers.slice(0, result), sums, { dtype, shape }],
    result: result + 1,
    operations: [...summed, { nest: round, reads: [result], writes: result + 1, clear: false }],
  };
}

function groupsOf(statements: readonly Statement[]): Statement[][] {
  const groups: Statement[][] = [];
  for (const statement of statements) {
    const open = groups[groups.length - 1];
    if (open?.[0]?.target === statement.target) open.push(statement);
    else groups.push([statement]);
  }
  return groups;
}

/** The tensor that pieces define together: as large as the furthest of them. */
function pieceTogether(nests: readonly Nest[]): Operand {
  const [first] = nests as [Nest];
  const shape = first.output.shape.map((_, d) => Math.max(...nests.map((nest) => nest.output.shape[d] ?? 0)));
  const float = nests.find((nest) => isFloat(nest.output.dtype));
  return { dtype: float?.output.dtype ?? first.output.dtype, shape };
}

function covers(nests: readonly Nest[], shape: readonly number[]): boolean {
  const steps = nests.reduce((total, nest) => total + product(nest.axes.slice(0, nest.free)), 0);
  return steps >= shape.reduce((a, b) => a * b, 1);
}

function product(axes: readonly Axis[]): number {
  return axes.reduce((total, axis) => total * axis.extent, 1);
}
