// Strides, dilations, paddings and offsets of any size: a formula is refused when bound, or computes what the reference does, inside its buffers.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend, HostArray } from "../../src/backends/backend.ts";
import { createWasmBackend } from "../../src/backends/wasm/wasm.ts";
import { createX64Backend } from "../../src/backends/x64/x64.ts";
import type { Formula } from "../../src/formula/ast.ts";
import { bind } from "../../src/formula/bind/bind.ts";
import { normalize } from "../../src/formula/bind/normalize.ts";
import { deriveGradient, gradientName } from "../../src/formula/gradient/derive.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import { evaluateProgram } from "../../src/nest/evaluate.ts";
import type { Operand, Program } from "../../src/nest/nest.ts";
import { KasaneError } from "../../src/util/errors.ts";
import { here } from "../backends/x64/harness.ts";
import { compare, type Tensor, tensor } from "./conformance.ts";

/** Formulas whose indices are made of the sizes a, b and c, by their inputs' shapes. */
const formulas: readonly (readonly [formula: string, shapes: Readonly<Record<string, readonly number[]>>])[] = [
  ["y[i < 5] = x[i + a]", { x: [5] }],
  ["y[i < 5] = x[i*b + a]", { x: [5] }],
  ["y[i < 5] = x[a - i*b]", { x: [7] }],
  ["y[i < 37] = x[i*b + a] + x[i + a]", { x: [40] }],
  ["y[i < 5] = x[(i + a) / b]", { x: [5] }],
  ["y[i < 5] = x[(i*c - a) / b]", { x: [5] }],
  ["y[i < 5, j < 4] = x[i*b + j*c + a]", { x: [9] }],
  ["y[i < 5, j < 4] = x[i*b - a, j*c - a]", { x: [6, 5] }],
  ["y[i < 5, j < 3] = x[i, j + a]", { x: [5, 3] }],
  ["y[i < 33, j < 3] = x[i - a, j]", { x: [33, 3] }],
  ["y[i < 5] = select(inside(x[i*b + a]), 1, x[i])", { x: [5] }],
  ["y[i < 5] = i*b + a", {}],
  ["y[i < 5] = x[i] * a + position[i] * c", { x: [5] }],
  ["y[i] = sum[p < 3](x[i*b + p*c - a])", { x: [12] }],
  ["y[i] = max[p < 3](x[i*b + p*c - a])", { x: [12] }],
  ["y[i] = argmax[p < 3](x[i*b + p*c - a])", { x: [12] }],
  ["y[n, o, i] = sum[c, p](x[n, c, i*b + p*d - a] * w[o, c, p])", { x: [2, 3, 12], w: [4, 3, 3] }],
  ["y[n, o, i, j] = sum[c, p, q](x[n, c, i*b + p*d - a, j*b + q*d - a] * w[o, c, p, q])", { x: [2, 8, 9, 9], w: [16, 8, 3, 3] }],
  ["y[n, o, i] = sum[c, p](x[n, c, i - p*d + a] * w[c, o, p])", { x: [2, 3, 12], w: [3, 4, 3] }],
  ["y[i*b] = x[i]", { x: [4] }],
  ["y[i + a] = x[i]", { x: [4] }],
  ["y[i] = x[i]; y[i + a] = z[i]", { x: [4], z: [3] }],
  ["y[i*b + a] += x[i]", { x: [4] }],
  ["y[i < 5] = x[ids[i] * b + a]", { x: [5], ids: [5] }],
  ["y[i < 5] = x[ids[i + a]]", { x: [5], ids: [5] }],
  ["y[..., d] = w[ids[...], d*b + a]", { w: [4, 3], ids: [5] }],
];

const near = (exponent: number): fc.Arbitrary<number> =>
  fc.tuple(fc.integer({ min: -3, max: 3 }), fc.boolean()).map(([more, isNegative]) => (isNegative ? -1 : 1) * (2 ** exponent + more));
const size = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -4, max: 6 }) },
  { weight: 5, arbitrary: fc.integer({ min: 20, max: 34 }).chain(near) },
  fc.constantFrom(2 ** 52, 2 ** 53, 2 ** 62, 2 ** 64, -(2 ** 31), -(2 ** 63), 1e300, 3 * 2 ** 29, 5 * 2 ** 28),
);
const choice = fc.record({ a: size, b: size, c: size, d: size });

/** Steps that are worth waiting for. */
const mostSteps = 1e5;

interface Bound {
  readonly program: Program;
  readonly inputs: readonly HostArray[];
}

/** The formula and its gradients, those of them that are not refused and do not compute for long. */
function boundOf(text: string, shapes: Readonly<Record<string, readonly number[]>>, sizes: Readonly<Record<string, number>>): Bound[] {
  const formula = parseFormula(text);
  const known: Record<string, Tensor> = Object.fromEntries(
    formula.inputs.map((name) => [name, tensor(shapes[name] ?? [], name === "ids" ? "int32" : "float32")]),
  );
  const attempt = (one: Formula, name: string, resultShape: readonly number[] | undefined): Bound[] => {
    try {
      const program = bind(one, { name, inputs: known, sizes, ...(resultShape && { resultShape }) });
      return stepsOf(program) > mostSteps ? [] : [{ program, inputs: one.inputs.map((input) => (known[input] as Tensor).data) }];
    } catch (error) {
      if (!(error instanceof KasaneError)) throw error;
      return [];
    }
  };
  const [forward] = attempt(formula, "forward", formula.statements[0]?.accumulate ? [9] : undefined);
  if (forward === undefined) return [];
  const targets = new Set(normalize(formula).statements.map(({ target }) => target));
  const { shape, dtype } = forward.program.buffers[forward.program.result] as Operand;
  if (targets.size > 1 || dtype !== "float32") return [forward];
  const [target] = targets as unknown as [string];
  known[target] = { shape, dtype, data: evaluateProgram(forward.program, forward.inputs, []) };
  known[gradientName(target)] = tensor(shape, dtype, undefined, 3);
  const floats = formula.inputs.filter((name) => known[name]?.dtype === "float32");
  return [
    forward,
    ...floats.flatMap((name) => deriveGradient(formula, name).flatMap((one) => attempt(one, `gradient by ${name}`, shapes[name]))),
  ];
}

function stepsOf({ operations: steps, buffers }: Program): number {
  const product = (extents: readonly number[]): number => extents.reduce((total, extent) => total * extent, 1);
  const loops = steps.map(({ nest }) => product(nest.axes.map(({ extent }) => extent)));
  return [...loops, ...buffers.map(({ shape }) => product(shape))].reduce((total, count) => total + count, 0);
}

const makers: Readonly<Record<string, () => Backend>> = {
  wasm: createWasmBackend,
  ...Object.fromEntries(here.map((name) => [`x64 ${name}`, () => createX64Backend(name)])),
};

describe.each(Object.entries(makers))("%s", (_, make) => {
  let plain: Backend;
  let checked: Backend;
  beforeAll(() => {
    const before = process.env.KASANE_CHECK;
    process.env.KASANE_CHECK = "1";
    checked = make();
    process.env.KASANE_CHECK = "0";
    plain = make();
    if (before === undefined) delete process.env.KASANE_CHECK;
    else process.env.KASANE_CHECK = before;
  });
  let ran = 0;

  test.each(formulas)("%s", (text, shapes) => {
    fc.assert(
      fc.property(choice, (sizes) => {
        for (const { program, inputs } of boundOf(text, shapes, sizes)) {
          // First where an access beyond a buffer is an error and not the end of the process.
          for (const backend of [checked, plain]) {
            const difference = compare(program, inputs, [], 1e-5, backend);
            if (difference !== "") throw new Error(`${program.name}: ${difference}`);
          }
          ran++;
        }
      }),
      { numRuns: 24 },
    );
  });

  afterAll(() => expect(ran).toBeGreaterThan(formulas.length * 4));
});
