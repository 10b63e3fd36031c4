// Helper: runs a formula or a nest on the reference evaluator and on the machine under test and compares every element.

import type { Backend, HostArray } from "../../src/backends/backend.ts";
import type { Formula } from "../../src/formula/ast.ts";
import { bind } from "../../src/formula/bind/bind.ts";
import { normalize } from "../../src/formula/bind/normalize.ts";
import { deriveGradient, gradientName } from "../../src/formula/gradient/derive.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import { printFormula } from "../../src/formula/print.ts";
import { allocate } from "../../src/nest/arrays.ts";
import { roundToBfloat16 } from "../../src/nest/bfloat16.ts";
import { evaluateProgram, sizeOfShape } from "../../src/nest/evaluate.ts";
import type { DType, Nest, Program } from "../../src/nest/nest.ts";
import { compileProgram } from "../backends/program.ts";
import { backend } from "./engine.ts";

export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: HostArray;
}

/** Deterministic numbers in (−1, 1) for floats, −9…9 for int32, 0…9 for uint8, 0 or 1 for bool; or the given ones. */
export function tensor(shape: readonly number[], dtype: DType = "float32", values?: readonly number[], seed = 1): Tensor {
  const size = sizeOfShape(shape);
  let state = (seed * 2654435761) >>> 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const pick = {
    float32: () => random() * 2 - 1,
    float64: random,
    bfloat16: () => roundToBfloat16(random() * 2 - 1),
    int32: () => Math.floor(random() * 19) - 9,
    uint8: () => Math.floor(random() * 10),
    bool: () => Number(random() < 0.5),
  };
  const data = allocate(dtype, size);
  for (let i = 0; i < size; i++) data[i] = values === undefined ? pick[dtype]() : values[i % values.length]!;
  return { dtype, shape, data };
}

export interface Attributes {
  readonly sizes?: Readonly<Record<string, number>>;
  readonly lists?: Readonly<Record<string, readonly number[]>>;
  readonly params?: Readonly<Record<string, number>>;
  readonly types?: Readonly<Record<string, "float" | "int">>;
  readonly resultShape?: readonly number[];
}

/** Binds a formula (text or derived); inputs are found by name, in the formula's order. */
export function programOf(formula: string | Formula, inputs: Readonly<Record<string, Tensor>>, attributes: Attributes = {}) {
  const params = attributes.params ?? {};
  const parsed = typeof formula === "string" ? parseFormula(formula, { params: Object.keys(params) }) : formula;
  const types = attributes.types ?? Object.fromEntries(Object.keys(params).map((name) => [name, "float" as const]));
  const program = bind(parsed, {
    name: "test",
    inputs,
    sizes: attributes.sizes,
    lists: attributes.lists,
    params: types,
    resultShape: attributes.resultShape,
  });
  return {
    formula: parsed,
    program,
    arrays: parsed.inputs.map((name) => inputs[name]!.data),
    params: program.params.map(({ name }) => params[name]!),
  };
}

/** The first difference, as a sentence, or "". `tolerance` is relative to the larger of 1 and the magnitude. */
export function compare(
  program: Program,
  inputs: readonly HostArray[],
  params: readonly number[],
  tolerance = 2e-6,
  on: Backend = backend,
): string {
  const want = evaluateProgram(program, inputs, params);
  const got = compileProgram(on, program).run(inputs, params);
  if (got.constructor !== want.constructor || got.length !== want.length)
    return `${got.constructor.name}[${got.length}] instead of ${want.constructor.name}[${want.length}]`;
  for (let i = 0; i < want.length; i++) {
    const [a, b] = [got[i]!, want[i]!];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    const near = want instanceof Float32Array && Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b));
    if (!near) return `element ${i} of ${want.length} is ${a} instead of ${b}`;
  }
  return "";
}

function compareFormula(
  formula: string | Formula,
  inputs: Readonly<Record<string, Tensor>>,
  attributes: Attributes = {},
  tolerance?: number,
  on?: Backend,
): string {
  const { program, arrays: values, params } = programOf(formula, inputs, attributes);
  return compare(program, values, params, tolerance, on);
}

/** Compares a formula and its derived gradients by every float input; gives the sentences of what differs. */
export function compareWithGradients(
  source: string,
  inputs: Readonly<Record<string, Tensor>>,
  attributes: Attributes = {},
  tolerance?: number,
  on?: Backend,
): string[] {
  const { formula, program, arrays: values, params } = programOf(source, inputs, attributes);
  const found = [compare(program, values, params, tolerance, on)];
  if (new Set(normalize(formula).statements.map((statement) => statement.target)).size > 1) return found.filter(Boolean);
  const { dtype, shape } = program.buffers[program.result]!;
  const target = formula.statements[0]!.target;
  const output: Tensor = { dtype, shape, data: evaluateProgram(program, values, params) };
  const known = { ...inputs, [target]: output, [gradientName(target)]: tensor(shape, "float32", undefined, 99) };
  for (const name of formula.inputs) {
    if (inputs[name]!.dtype !== "float32" || dtype !== "float32") continue;
    for (const gradient of deriveGradient(formula, name)) {
      const difference = compareFormula(gradient, known, { ...attributes, resultShape: inputs[name]!.shape }, tolerance, on);
      if (difference !== "") found.push(`gradient by ${name}, ${printFormula(gradient)}: ${difference}`);
    }
  }
  return found.filter(Boolean);
}

/** A program of one nest. */
export function programOfNest(nest: Nest): Program {
  const buffers = [...nest.operands, { dtype: nest.output.dtype, shape: nest.output.shape }];
  return {
    name: nest.name,
    inputs: nest.operands,
    buffers,
    result: buffers.length - 1,
    params: nest.params,
    operations: [{ nest, reads: nest.operands.map((_, number) => number), writes: buffers.length - 1, clear: true }],
  };
}
