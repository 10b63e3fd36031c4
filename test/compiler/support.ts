// What tests of the compiler share: graphs of traced functions, runs of graphs on a backend, and the rules every graph keeps.

import { expect } from "vitest";
import type { HostArray } from "../../src/backends/backend.ts";
import { getBackend } from "../../src/backends/choose.ts";
import { referenceBackend } from "../../src/backends/reference/reference.ts";
import type { Pass } from "../../src/compiler/facts.ts";
import { type MachineFacts, PASSES, planGraph } from "../../src/compiler/index.ts";
import { type CompileArgument, type CompileResult, compile } from "../../src/index.ts";
import { allocate } from "../../src/nest/arrays.ts";
import { sizeOfShape } from "../../src/nest/evaluate.ts";
import type { DType, Operand } from "../../src/nest/nest.ts";
import { expressionsOf, placeOf, type StepGraph, scalarsOf } from "../../src/nest/step-graph.ts";

/** What passes know of the machine. */
export const facts: MachineFacts = referenceBackend.facts;

/** The graph of a function before any pass. */
export function traceOf<Args extends readonly CompileArgument[]>(fn: (...args: Args) => CompileResult, ...args: Args): StepGraph {
  let found: StepGraph | undefined;
  compile(fn, { onPass: (name, graph) => void (name === "trace" && (found = graph)) })(...args);
  return found as StepGraph;
}

/** The graph after all passes up to and with the named one, without those to skip. */
export function through(graph: StepGraph, last: string, skip: readonly string[] = []): StepGraph {
  const end = PASSES.findIndex(({ name }) => name === last);
  if (end < 0) throw new Error(`no pass ${last}`);
  return PASSES.slice(0, end + 1).reduce((current, { name, pass }) => (skip.includes(name) ? current : pass(current, facts)), graph);
}

export interface Numbers {
  readonly results: HostArray[];
  readonly cells: HostArray[];
}

/** Runs a graph once, from numbers that depend on the position of each input and cell only. */
export function runGraph(graph: StepGraph, backend = referenceBackend): Numbers {
  // Before known numbers are folded they are cells like others.
  const known = [...(graph.constants ?? [])];
  const whole = { ...graph, cells: [...graph.cells, ...known.map(([buffer]) => buffer)], constants: new Map() };
  const step = backend.compile(planGraph(whole, backend.facts));
  const cells = graph.cells.map((buffer, number) => {
    const cell = backend.makeCell(graph.buffers[buffer] as Operand);
    cell.write(numbersOf(graph.buffers[buffer] as Operand, 100 + number));
    return cell;
  });
  const numbers = known.map(([buffer, value]) => {
    const operand = graph.buffers[buffer] as Operand;
    const cell = backend.makeCell(operand);
    cell.write(allocate(operand.dtype, 1).fill(value));
    return cell;
  });
  const inputs = graph.inputs.map((buffer, number) => numbersOf(graph.buffers[buffer] as Operand, number));
  const results = step.run(
    inputs,
    [...cells, ...numbers],
    graph.params.map(({ type }) => (type === "int" ? 3 : 0.5)),
  );
  const found = { results: results as HostArray[], cells: cells.map((cell) => cell.read() as HostArray) };
  for (const cell of [...cells, ...numbers]) cell.free();
  return found;
}

/** Runs before and after a pass and compares; gives the graph after it. */
export function keepsNumbers(graph: StepGraph, pass: Pass): StepGraph {
  const after = pass(graph, facts);
  checkGraph(after);
  expectClose(runGraph(after), runGraph(graph));
  if (getBackend() !== referenceBackend && runsOn(graph)) expectClose(runGraph(after, getBackend()), runGraph(graph));
  return after;
}

function runsOn(graph: StepGraph): boolean {
  return graph.buffers.every(({ dtype }) => getBackend().dtypes.has(dtype));
}

export function expectClose(found: Numbers, expected: Numbers): void {
  for (const part of ["results", "cells"] as const) {
    expect(found[part]).toHaveLength(expected[part].length);
    expected[part].forEach((array, number) => expectArray(found[part][number] as HostArray, array, `${part} ${number}`));
  }
}

export function expectArray(found: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  expect(found.length, what).toBe(expected.length);
  for (let n = 0; n < expected.length; n++) {
    const [a, b] = [found[n] as number, expected[n] as number];
    if (Object.is(a, b) || a === b) continue;
    const fits = Math.abs(a - b) <= 2e-4 * Math.max(1, Math.abs(b));
    if (!fits) expect.fail(`${what}: element ${n} is ${a}, expected ${b}`);
  }
}

/** Every buffer is written before it is read, operands have their buffers' types, and nothing lasting lies in a cell that is overwritten. */
export function checkGraph(graph: StepGraph): void {
  const ready = new Set([...graph.inputs, ...graph.cells, ...(graph.constants?.keys() ?? [])]);
  const place = (buffer: number): number => placeOf(graph, buffer).of;
  for (const { buffer, of, offset } of graph.views ?? []) {
    const [part, whole] = [graph.buffers[buffer], graph.buffers[of]];
    expect(part?.dtype).toBe(whole?.dtype);
    expect(offset >= 0 && offset + size(part) <= size(whole), `view ${buffer} of ${of}`).toBe(true);
    for (const lasting of [...graph.cells, ...graph.inputs]) expect(buffer).not.toBe(lasting);
    for (const cell of graph.cells) expect(of).not.toBe(cell);
  }
  graph.operations.forEach((step, number) => {
    const name = `step ${number} (${step.nest.name})`;
    step.reads.forEach((buffer, operand) => {
      expect(ready.has(place(buffer)), `${name} reads buffer ${buffer} before it is written`).toBe(true);
      expect(step.nest.operands[operand]?.dtype, name).toBe(graph.buffers[buffer]?.dtype);
      expect(size(step.nest.operands[operand]), name).toBe(size(graph.buffers[buffer]));
    });
    expect(step.nest.operands, name).toHaveLength(step.reads.length);
    expect(size(step.nest.output), name).toBe(size(graph.buffers[step.writes]));
    expect(step.nest.output.dtype, name).toBe(graph.buffers[step.writes]?.dtype);
    const nodes = expressionsOf(step.nest).flatMap(scalarsOf);
    for (const node of nodes) if (node.kind === "load") expect(node.operand, name).toBeLessThan(step.reads.length);
    ready.add(place(step.writes));
  });
  for (const { first, axes, own } of graph.groups ?? []) {
    const outside = graph.operations.filter((_, number) => number < first || number >= first + axes.length);
    const others = new Set([...graph.results, ...graph.cells, ...graph.inputs, ...graph.updates.map(({ from }) => from)]);
    for (const { reads, writes } of outside) for (const buffer of [...reads, writes]) others.add(buffer);
    for (const buffer of own) expect(others.has(buffer), `buffer ${buffer} is used outside the group of step ${first}`).toBe(false);
  }
  const overwritten = new Set(graph.updates.map(({ cell }) => cell));
  for (const { cell, from } of graph.updates) {
    expect(graph.cells).toContain(cell);
    expect(ready.has(place(from)) && !overwritten.has(from), `the update of cell ${cell} takes buffer ${from}`).toBe(true);
  }
  for (const buffer of [...graph.results, ...graph.updates.map(({ from }) => from)])
    expect(graph.constants?.has(buffer) ?? false).toBe(false);
  for (const buffer of graph.results) expect(ready.has(place(buffer)) && !overwritten.has(buffer), `result ${buffer}`).toBe(true);
}

function size(operand: Operand | undefined): number {
  return operand === undefined ? -1 : sizeOfShape(operand.shape);
}

/** Numbers between −1 and 1; small positive integers. */
export function numbersOf({ dtype, shape }: { readonly dtype: DType; readonly shape: readonly number[] }, salt: number): HostArray {
  const array = allocate(dtype, sizeOfShape(shape));
  for (let n = 0; n < array.length; n++) {
    const fraction = Math.abs(Math.sin(1 + n * 12.9898 + salt * 78.233) * 43758.5453) % 1;
    array[n] = dtype.startsWith("float") ? 2 * fraction - 1 : Math.floor(fraction * (dtype === "bool" ? 2 : 3));
  }
  return array;
}
