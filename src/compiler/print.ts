// Prints a graph: one line per operation, with its loops, reads and formula.

import { FUNCTIONS } from "../nest/functions.ts";
import type { Index, Nest, Operation, Scalar } from "../nest/nest.ts";
import { type KernelOperations, type StepGraph, unitsOf } from "../nest/step-graph.ts";
import { short } from "../util/short.ts";

export function printGraph(graph: StepGraph): string {
  const buffer = (number: number): string => {
    const { dtype, shape } = graph.buffers[number] ?? { dtype: "?", shape: [] };
    const role = graph.cells.includes(number) ? "cell" : graph.inputs.includes(number) ? "input" : "b";
    return `${role}${number}:${dtype}[${shape.join("x")}]`;
  };
  const line = (operation: Operation): string => {
    const { nest } = operation;
    const axes = nest.axes.map((axis, number) => `${number < nest.free ? "" : "Σ"}${axisName(nest, number)}<${axis.extent}`).join(" ");
    const value =
      nest.epilogue === undefined
        ? reduced(nest, operation.reads)
        : print(nest.epilogue, nest, operation.reads).replace("acc", reduced(nest, operation.reads));
    return `${buffer(operation.writes)} ${operation.clear || nest.output.accumulate ? "+=" : "="} ${value}    for ${axes || "one operation"}   (${nest.name})`;
  };
  const joined = ({ operations, passed }: KernelOperations): string[] => {
    if (operations.length === 1) return operations.map(line);
    const registers = passed.length === 0 ? "" : `, ${passed.map((number) => `b${number}`).join(", ")} in registers`;
    return [`one kernel${registers}:`, ...operations.map((operation) => `  ${line(operation)}`)];
  };
  const lines = unitsOf(graph).flatMap(({ kernels, group }) => {
    const inner = kernels.flatMap(joined);
    if (group === undefined) return inner;
    const own = group.own.length === 0 ? "" : `, one block of ${group.own.map((number) => `b${number}`).join(", ")}`;
    return [`${group.rowsPerBlock} of ${group.extent} rows at a time${own}:`, ...inner.map((text) => `  ${text}`)];
  });
  const places = (graph.views ?? []).map(({ buffer: part, of, offset }) => `${buffer(part)} is ${buffer(of)} from ${offset}`);
  const ends = graph.updates.map((update) => `${buffer(update.cell)} ← ${buffer(update.from)}`);
  return [...places, ...lines, ...ends, `results: ${graph.results.map(buffer).join(", ")}`].join("\n");
}

function reduced(nest: Nest, reads: readonly number[]): string {
  const body = print(nest.body, nest, reads);
  return nest.reducer === undefined ? body : `${nest.reducer}(${body})`;
}

function axisName(nest: Nest, axis: number): string {
  return nest.axes[axis]?.name.replace(/^\.\.\./, "e") || `a${axis}`;
}

function print(scalar: Scalar, nest: Nest, reads: readonly number[]): string {
  const deep = (child: Scalar): string => print(child, nest, reads);
  const indices = (index: readonly Index[]): string =>
    index.map((item) => (item.kind === "indirect" ? deep(item.value) : affine(item, nest))).join(", ");
  switch (scalar.kind) {
    case "constant":
      return short(scalar.value, 7);
    case "param":
      return nest.params[scalar.param]?.name ?? `p${scalar.param}`;
    case "accumulator":
      return "acc";
    case "position":
      return affine(scalar.index, nest);
    case "inside":
      return `inside(${indices(scalar.index)})`;
    case "load":
      return `b${reads[scalar.operand]}[${indices(scalar.index)}]`;
    case "call": {
      const symbol = FUNCTIONS[scalar.fn].operator?.symbol;
      const args = scalar.args.map(deep);
      return symbol === undefined || args.length !== 2 ? `${scalar.fn}(${args.join(", ")})` : `(${args[0]} ${symbol} ${args[1]})`;
    }
  }
}

function affine(index: Extract<Index, { kind: "affine" }>, nest: Nest): string {
  const terms = index.terms.map((term) =>
    term.coefficient === 1 ? axisName(nest, term.axis) : `${term.coefficient}*${axisName(nest, term.axis)}`,
  );
  if (index.offset !== 0 || terms.length === 0) terms.push(String(index.offset));
  const sum = terms.join(" + ").replaceAll("+ -", "- ");
  return index.divisor === 1 ? sum : `(${sum})/${index.divisor}`;
}
