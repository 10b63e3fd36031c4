// Runs formulas on plain arrays in double precision, with a small tape of its own for gradients of gradients.

import { expressionsOf, type Formula, type Statement, tensorsIn } from "../../src/formula/ast.ts";
import { bind } from "../../src/formula/bind/bind.ts";
import { normalize } from "../../src/formula/bind/normalize.ts";
import { deriveGradient, gradientName } from "../../src/formula/gradient/derive.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import type { NumberArray } from "../../src/nest/arrays.ts";
import { evaluateProgram, sizeOfShape } from "../../src/nest/evaluate.ts";
import type { DType } from "../../src/nest/nest.ts";

export interface Data {
  readonly shape: readonly number[];
  readonly data: NumberArray;
  readonly dtype: DType;
}

export interface Attributes {
  readonly sizes?: Readonly<Record<string, number>>;
  readonly lists?: Readonly<Record<string, readonly number[]>>;
  readonly params?: Readonly<Record<string, number>>;
  readonly resultShape?: readonly number[];
}

export type Inputs = Readonly<Record<string, Data>>;

export function floats(shape: readonly number[], data?: readonly number[]): Data {
  return { shape, data: Float64Array.from(data ?? pattern(sizeOfShape(shape))), dtype: "float64" };
}

export function ints(shape: readonly number[], data: readonly number[]): Data {
  return { shape, data: Int32Array.from(data), dtype: "int32" };
}

/** Numbers in (−1, 1) without repetition, symmetry or zeros. */
export function pattern(length: number, seed = 1): number[] {
  return Array.from({ length }, (_, n) => (((n + seed) * 0.6180339887498949 + seed * 0.2718281828) % 1) * 1.8 - 0.9 + 0.013);
}

export function run(formula: Formula | string, inputs: Inputs, attributes: Attributes = {}): Data {
  const parsed = typeof formula === "string" ? parseFormula(formula, { params: Object.keys(attributes.params ?? {}) }) : formula;
  const program = bind(parsed, { name: "op", inputs, ...attributes, params: {} });
  const values = parsed.params.map((name) => attributes.params?.[name] ?? 0);
  const arrays = parsed.inputs.map((name) => (inputs[name] as Data).data);
  const data = evaluateProgram(program, arrays, values);
  const { shape, dtype } = program.buffers[program.result] as { shape: readonly number[]; dtype: DType };
  return { shape, data, dtype };
}

interface Node {
  readonly formula: Formula;
  readonly inputs: Inputs;
  readonly attributes: Attributes;
  readonly output: Data;
}

/** Define-by-run with one statement a node; gradients are recorded too. */
export class Tape {
  readonly #nodes: Node[] = [];

  apply(formula: Formula | string, inputs: Inputs, attributes: Attributes = {}): Data {
    const parsed = typeof formula === "string" ? parseFormula(formula, { params: Object.keys(attributes.params ?? {}) }) : formula;
    const known: Record<string, Data> = { ...inputs };
    const parts = partsOf(parsed);
    let output: Data | undefined;
    parts.forEach((part, place) => {
      const { resultShape, ...others } = attributes;
      const own = place === parts.length - 1 ? attributes : others;
      const used = Object.fromEntries(part.inputs.map((name) => [name, known[name] as Data]));
      output = run(part, used, own);
      this.#nodes.push({ formula: part, inputs: used, attributes: own, output });
      known[(part.statements[0] as Statement).target] = output;
    });
    return output as Data;
  }

  /** The gradient of the sum of `upstream` · `root` by `by`; zeros where nothing flows. */
  gradient(root: Data, upstream: Data, by: Data): Data {
    const found = new Map<Data, Data>([[root, upstream]]);
    for (const node of this.#nodes.slice().reverse()) {
      const gradient = found.get(node.output);
      if (gradient === undefined) continue;
      const result = (node.formula.statements[0] as Statement).target;
      const named: Record<string, Data> = { ...node.inputs, [result]: node.output, [gradientName(result)]: gradient };
      for (const [name, input] of Object.entries(node.inputs)) {
        if (input.dtype !== "float64") continue;
        for (const formula of deriveGradient(node.formula, name)) {
          const used = Object.fromEntries(formula.inputs.map((tensor) => [tensor, named[tensor] as Data]));
          const part = this.apply(formula, used, { ...node.attributes, resultShape: input.shape });
          const before = found.get(input);
          found.set(input, before ? this.apply("y = a + b", { a: before, b: part }) : part);
        }
      }
    }
    return found.get(by) ?? floats(by.shape, Array(sizeOfShape(by.shape)).fill(0));
  }
}

/** One formula per target of the normalized formula. */
function partsOf(formula: Formula): Formula[] {
  const { statements } = normalize(formula);
  const targets = [...new Set(statements.map((statement) => statement.target))];
  if (targets.length === 1) return [formula];
  return targets.map((target) => {
    const own = statements.filter((statement) => statement.target === target);
    const inputs = new Set<string>();
    for (const statement of own) for (const expression of expressionsOf(statement)) tensorsIn(expression, (tensor) => inputs.add(tensor));
    return { ...formula, statements: own, inputs: [...inputs] };
  });
}

export interface Comparison {
  readonly derived: readonly number[];
  readonly numeric: readonly number[];
}

/** The derived gradient of Σ r · y by one input beside central differences, for fixed numbers r. */
export function compareGradient(source: Formula | string, inputs: Inputs, by: string, attributes: Attributes = {}): Comparison {
  const tape = new Tape();
  const output = tape.apply(source, inputs, attributes);
  const weights = floats(output.shape, pattern(sizeOfShape(output.shape), 7));
  const derived = tape.gradient(output, weights, inputs[by] as Data);
  const numeric = differences(inputs, by, (moved) => dot(new Tape().apply(source, moved, attributes), weights));
  return { derived: [...derived.data], numeric };
}

/** The gradient of Σ q · gx by `by`, where gx is the gradient of Σ r · y by `first`, beside central differences of gx. */
export function compareSecond(
  source: Formula | string,
  inputs: Inputs,
  first: string,
  by: string,
  attributes: Attributes = {},
): Comparison {
  const weightsOf = (output: Data, seed: number): Data => floats(output.shape, pattern(sizeOfShape(output.shape), seed));
  const once = (tape: Tape, given: Inputs): Data => {
    const output = tape.apply(source, given, attributes);
    return tape.gradient(output, weightsOf(output, 7), given[first] as Data);
  };
  const tape = new Tape();
  const gradient = once(tape, inputs);
  const weights = weightsOf(gradient, 11);
  const derived = tape.gradient(gradient, weights, inputs[by] as Data);
  const numeric = differences(inputs, by, (moved) => dot(once(new Tape(), moved), weights));
  return { derived: [...derived.data], numeric };
}

/** The largest |a − b| relative to 1 + |b|; Infinity when the lengths differ or one is NaN. */
export function distance({ derived, numeric }: Comparison): number {
  if (derived.length !== numeric.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  derived.forEach((value, n) => {
    const gap = Math.abs(value - (numeric[n] as number)) / (1 + Math.abs(numeric[n] as number));
    worst = Number.isNaN(gap) ? Number.POSITIVE_INFINITY : Math.max(worst, gap);
  });
  return worst;
}

function differences(inputs: Inputs, by: string, value: (moved: Inputs) => number): number[] {
  const { data, shape } = inputs[by] as Data;
  const step = 1e-5;
  return [...data].map((_, n) => {
    const at = (offset: number): number => {
      const moved = [...data];
      moved[n] = (moved[n] as number) + offset;
      return value({ ...inputs, [by]: floats(shape, moved) });
    };
    return (at(step) - at(-step)) / (2 * step);
  });
}

function dot(a: Data, b: Data): number {
  let total = 0;
  for (const [n, value] of a.data.entries()) total += value * (b.data[n] as number);
  return total;
}
