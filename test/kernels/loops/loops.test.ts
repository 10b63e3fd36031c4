// The general lowering by itself, contractions included: slices in any order, nothing written outside of the output.

import { expect, test } from "vitest";
import { ModuleBuilder } from "../../../src/kernels/language/builder.ts";
import { aligned, type Machine, SLACK } from "../../../src/kernels/language/language.ts";
import { lowerLoops } from "../../../src/kernels/loops/general.ts";
import { planLoops } from "../../../src/kernels/loops/plan.ts";
import { canonicalize } from "../../../src/kernels/loops/schedule.ts";
import { byteLength } from "../../../src/nest/arrays.ts";
import { evaluateProgram } from "../../../src/nest/evaluate.ts";
import type { Nest } from "../../../src/nest/nest.ts";
import { type Attributes, programOf, programOfNest, type Tensor, tensor } from "../conformance.ts";
import { load, machine } from "../engine.ts";

const canary = 0xa5;

/** Lowers one nest without the contraction engine, runs its slices one by one from the last to the first, and checks every byte. */
function check(nest: Nest, inputs: readonly (Float32Array | Float64Array | Int32Array | Uint8Array)[], tolerance = 1e-5): string {
  // Also with stores past the caches, which only large outputs get.
  return run(nest, inputs, tolerance, machine) || run(nest, inputs, tolerance, { ...machine, streamed: 0 });
}

function run(
  nest: Nest,
  inputs: readonly (Float32Array | Float64Array | Int32Array | Uint8Array)[],
  tolerance: number,
  target: Machine,
): string {
  const program = programOfNest(nest);
  const module = new ModuleBuilder("test", target);
  const lowered = lowerLoops(nest, module);
  let end = 4096;
  const place = (bytes: number): number => {
    const start = end;
    end = aligned(start + bytes + SLACK);
    return start;
  };
  const addresses = program.buffers.map((buffer) => place(byteLength(buffer)));
  const params = place(64);
  const shared = lowered.sharedBytes === undefined ? undefined : place(lowered.sharedBytes);
  const { memory, base, call } = load(module.build(), end);
  const bytes = new Uint8Array(memory).fill(canary);
  inputs.forEach((input, number) => {
    bytes.set(new Uint8Array(input.buffer, input.byteOffset, input.byteLength), addresses[number]!);
  });
  const output = addresses[program.result]!;
  const size = byteLength(nest.output);
  bytes.fill(0, output, output + size);
  const before = bytes.slice();
  const pointers = [...addresses, params, params].map((address) => base + address);
  if (shared !== undefined) pointers.push(base + shared);
  for (const { entry, slices: count } of [...(lowered.before ?? []), lowered]) {
    const slices = Array.from({ length: count }, (_, slice) => slice);
    for (const slice of lowered.sequential ? slices : slices.reverse()) call(entry, ...pointers, slice, slice + 1);
  }
  const inside = (at: number, from: number | undefined, length: number) => from !== undefined && at >= from && at < from + length;
  const outside = bytes.findIndex(
    (byte, at) => byte !== before[at] && !inside(at, output, size) && !inside(at, shared, lowered.sharedBytes ?? 0),
  );
  if (outside >= 0) return `byte ${outside - output} relative to the output was written`;
  const want = evaluateProgram(program, inputs, []);
  const Kind = want.constructor as Float32ArrayConstructor;
  const got = new Kind(memory, output, want.length);
  for (let i = 0; i < want.length; i++) {
    if (Math.abs(got[i]! - want[i]!) > tolerance * Math.max(1, Math.abs(want[i]!)))
      return `element ${i} is ${got[i]} instead of ${want[i]}`;
  }
  return "";
}

const f = (...shape: number[]) => tensor(shape);
const g = (seed: number, ...shape: number[]) => tensor(shape, "float32", undefined, seed);

const cases: [string, string, Readonly<Record<string, Tensor>>, Attributes?][] = [
  ["matmul", "y[m, n] = sum[k](a[m, k] * b[k, n])", { a: f(33, 17), b: g(2, 17, 29) }],
  ["matmul, transposed", "y[m, n] = sum[k](a[k, m] * b[n, k])", { a: f(17, 33), b: g(2, 29, 17) }],
  ["matrix times vector", "y[m] = sum[k](a[m, k] * b[k])", { a: f(133, 77), b: g(2, 77) }],
  ["outer product", "y[m, n] = a[m] * b[n]", { a: f(133), b: g(2, 77) }],
  [
    "convolution",
    "y[n, o, i, j] = sum[c, p, q](x[n, c, i*s + p - pad, j*s + q - pad] * w[o, c, p, q])",
    { x: f(2, 3, 13, 15), w: g(2, 4, 3, 3, 3) },
    { sizes: { s: 1, pad: 1 } },
  ],
  [
    "strided convolution",
    "y[n, o, i, j] = sum[c, p, q](x[n, c, i*s + p - pad, j*s + q - pad] * w[o, c, p, q])",
    { x: f(2, 3, 13, 15), w: g(2, 4, 3, 3, 3) },
    { sizes: { s: 2, pad: 1 } },
  ],
  ["long rows", "y[i, j] = x[i, j] * 2 + b[j]", { x: f(37, 1001), b: g(2, 1001) }],
  ["long sum", "y[i] = sum[j](x[i, j])", { x: f(37, 1001) }],
  ["column sum", "y[j] = sum[i](x[i, j])", { x: f(1001, 37) }],
  ["transpose", "y[j, i] = x[i, j]", { x: f(133, 141) }],
  ["exact quotients", "y[h < size] = sum[p < k](x[(h + 1 - p) / s])", { x: f(1100) }, { sizes: { size: 2203, s: 2, k: 3 } }],
  ["bytes", "y[i, j] = x[j, i]", { x: tensor([37, 45], "uint8") }],
  ["scatter", "y[t[n], d] += x[n, d]", { t: tensor([50], "int32", [3, 1, 2, 9, 5]), x: f(50, 13) }, { resultShape: [11, 13] }],
];

for (const [name, formula, inputs, attributes] of cases) {
  test(`${name}: right, slice by slice, within its output`, () => {
    const { program, arrays } = programOf(formula, inputs, attributes);
    expect(program.operations).toHaveLength(1);
    const step = program.operations[0]!;
    const inOrder = step.reads.map((read) => arrays[read]!);
    expect(check(step.nest, inOrder)).toBe("");
  });
}

test("lanes picked out of whole vectors: strides, phases, lengths and borders", () => {
  const wrong: string[] = [];
  for (const s of [2, 3, 4, 5])
    for (const length of [s + 1, 11, 5 * s + 2, 16 * s, 16 * s + 3, 75])
      for (const pad of [0, 1])
        for (const dtype of ["float32", "uint8"] as const) {
          const x = tensor([3, length], dtype);
          for (const formula of ["y[r, i] = max[p < k](x[r, i*s + p - pad])", "y[r, i] = x[r, i*s + 1 - pad] - x[r, i*s - pad]"]) {
            const sizes: Record<string, number> = formula.includes("k") ? { s, pad, k: 3 } : { s, pad };
            const { program, arrays } = programOf(formula, { x }, { sizes });
            const step = program.operations[0]!;
            const inOrder = step.reads.map((read) => arrays[read]!);
            const found = check(step.nest, inOrder);
            if (found !== "") wrong.push(`${formula} of ${length}, ${s} apart, ${pad} beyond, ${dtype}: ${found}`);
          }
        }
  expect(wrong).toEqual([]);
});

test("canonical nests have as few axes as they can", () => {
  const axes = (formula: string, inputs: Readonly<Record<string, Tensor>>, attributes?: Attributes) => {
    const { nest } = canonicalize(programOf(formula, inputs, attributes).program.operations[0]!.nest);
    return nest.axes.map((axis) => axis.extent);
  };
  expect(axes("y = a + b", { a: f(2, 3, 4, 5), b: f(2, 3, 4, 5) })).toEqual([120]);
  expect(axes("y = a + b", { a: f(2, 3, 4, 5), b: f(4, 5) })).toEqual([6, 20]);
  expect(axes("y = a + b", { a: f(2, 3, 4, 5), b: f(3, 1, 1) })).toEqual([2, 3, 20]);
  expect(axes("y[i] = sum[j, k](x[i, j, k])", { x: f(7, 5, 3) })).toEqual([7, 15]);
  expect(axes("y[i, j] = x[i, j]", { x: f(1, 9) })).toEqual([9]);
  expect(axes("y = sum[i](x[i])", { x: f(1) })).toEqual([1]);
});

test("the vector axis is the one that is contiguous in memory", () => {
  const vector = (formula: string, inputs: Readonly<Record<string, Tensor>>) => {
    const { nest } = canonicalize(programOf(formula, inputs).program.operations[0]!.nest);
    const axis = planLoops(nest, machine).vector;
    return axis === undefined ? undefined : nest.axes[axis]!.name;
  };
  expect(vector("y[i] = sum[j](x[i, j])", { x: f(64, 64) })).toBe("j");
  expect(vector("y[j] = sum[i](x[i, j])", { x: f(64, 64) })).toBe("j");
  expect(vector("y[j] = argmax[i](x[i, j])", { x: f(64, 64) })).toBe("j");
  expect(vector("y[i, j] = x[i, j] * b[i]", { x: f(64, 64), b: f(64) })).toBe("j");
});

test("long sums stay within a millionth where every rounding errs the same way", () => {
  const n = 1 << 21;
  const { program } = programOf("y = sum[i](x[i])", { x: f(4) });
  const nest = { ...program.operations[0]!.nest, operands: [{ dtype: "float32", shape: [n] }], axes: [{ name: "i", extent: n }] } as Nest;
  const x = new Float32Array(n).fill(Math.fround(0.1));
  expect(check(nest, [x], 1e-6)).toBe("");
});
