// What the conformance loop is made of: seeded inputs, running an op on a backend, tolerances, central differences.

import type { Backend } from "../../src/backends/backend.ts";
import { useBackend } from "../../src/backends/choose.ts";
import { type Team, teamOf } from "../../src/backends/emitted/threads.ts";
import { referenceBackend } from "../../src/backends/reference/reference.ts";
import { createWasmBackend } from "../../src/backends/wasm/wasm.ts";
import { createX64Backend } from "../../src/backends/x64/x64.ts";
import { applyOp, type DType, fromData, type HostArray, setBackend, type Tensor } from "../../src/index.ts";
import { allocate } from "../../src/nest/arrays.ts";
import { sizeOfShape } from "../../src/nest/evaluate.ts";
import type { Op } from "../../src/ops/op.ts";
import { gradientsOf } from "../../src/tensor/autograd/backward.ts";
import { valueOf } from "../../src/tensor/tensor.ts";

/** How the numbers of an input are drawn. */
export interface Domain {
  readonly low: number;
  readonly high: number;
  /** Points kept 0.05 away from: kinks, where central differences mean nothing. */
  readonly avoid?: readonly number[];
  /** Drawn from a grid of tenths moved by this much, so that two inputs with different values never come close to each other. */
  readonly grid?: number;
  /** All different by at least a tenth: maxima without ties. */
  readonly distinct?: boolean;
  /** Whole numbers. */
  readonly whole?: boolean;
}

export interface Input {
  readonly shape: readonly number[];
  /** "float" is float64 for the truth and float32 on the backends. */
  readonly dtype: "float" | "int32" | "uint8" | "bool";
  readonly domain: Domain;
}

export interface Case {
  readonly label: string;
  readonly inputs: Readonly<Record<string, Input>>;
  readonly attributes: Readonly<Record<string, number | readonly number[]>>;
  readonly resultShape?: readonly number[];
}

export interface Tolerance {
  /** Units in the last place of float32 (2⁻²³ relative). */
  readonly ulp: number;
  /** Values smaller than this are compared as if they were this large (cancellation). */
  readonly floor?: number;
  /** The error may grow with the sum of the absolute terms instead of with the result (sums of products). */
  readonly terms?: boolean;
}

export const EPSILON = 2 ** -23;

/** Uniform numbers in [0, 1) from a 32-bit seed (Marsaglia's xorshift). */
export function generator(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export function seedOf(text: string): number {
  let hash = 7;
  for (const letter of text) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0;
  return hash;
}

/** Numbers of a domain, rounded to float32 so that every dtype sees the same. */
function draw({ low, high, avoid = [], grid, distinct, whole }: Domain, size: number, random: () => number): Float64Array {
  const numbers = new Float64Array(size);
  if (distinct) {
    const order = Array.from({ length: size }, (_, n) => n);
    for (let n = size - 1; n > 0; n--) {
      const other = Math.floor(random() * (n + 1));
      [order[n], order[other]] = [order[other] as number, order[n] as number];
    }
    const step = Math.max(0.1, (high - low) / Math.max(1, size));
    return numbers.map((_, n) => Math.fround(((order[n] as number) + 0.5 - size / 2) * step));
  }
  for (let n = 0; n < size; n++) {
    let value = 0;
    do {
      value = low + (high - low) * random();
      if (grid !== undefined) value = Math.round(value * 10) / 10 + grid;
      if (whole) value = Math.floor(value);
    } while (avoid.some((point) => Math.abs(value - point) < 0.05));
    numbers[n] = Math.fround(value);
  }
  return numbers;
}

export type Numbers = Readonly<Record<string, Float64Array>>;

export function drawInputs(given: Case, name: string): Numbers {
  const random = generator(seedOf(`${name} ${given.label}`));
  return Object.fromEntries(
    Object.entries(given.inputs).map(([input, { shape, domain }]) => [input, draw(domain, sizeOfShape(shape), random)]),
  );
}

export type Precision = "float32" | "float64" | "bfloat16";

/** Tensors of a case from numbers; the float ones require a gradient when asked. */
export function tensorsOf(given: Case, numbers: Numbers, precision: Precision, requiresGrad = false): Tensor[] {
  return Object.entries(given.inputs).map(([name, { shape, dtype }]) => {
    const real: DType = dtype === "float" ? precision : dtype;
    const data = allocate(real, sizeOfShape(shape));
    data.set(numbers[name] as Float64Array);
    const made = fromData(data, shape, real);
    if (requiresGrad && dtype === "float") valueOf(made).requiresGrad = true;
    return made;
  });
}

/** Thread counts and thresholds at which every piece of a program is shared, however small. */
const sharingAll: Team = { threads: 3, leastPiece: 0, leastProgram: 0 };

/** Every machine that code is emitted for, alone and shared among threads. */
const makers = {
  reference: () => referenceBackend,
  wasm: () => createWasmBackend(teamOf(1)),
  "wasm threads": () => createWasmBackend(sharingAll),
  "x64 avx512": () => createX64Backend("avx512", teamOf(1)),
  "x64 avx2": () => createX64Backend("avx2", teamOf(1)),
  "x64 threads": () => createX64Backend(undefined, sharingAll),
} as const satisfies Record<string, () => Backend>;

export type Variant = keyof typeof makers;
export const variants = Object.keys(makers) as Variant[];
const made = new Map<Variant, Backend | string>();

/** The backend, or why it cannot run here. */
export function backendOf(variant: Variant): Backend | string {
  let backend = made.get(variant);
  if (backend === undefined) {
    try {
      backend = makers[variant]();
    } catch (error) {
      backend = (error as Error).message;
    }
    made.set(variant, backend);
  }
  return backend;
}

export function on<Result>(variant: Variant, run: () => Result): Result {
  const backend = backendOf(variant);
  if (typeof backend === "string") throw new Error(backend);
  useBackend(backend);
  try {
    return run();
  } finally {
    setBackend("reference");
  }
}

export function applyCase(op: Op, given: Case, tensors: readonly Tensor[]): Tensor {
  return applyOp(op, tensors, given.attributes, given.resultShape);
}

/** Gradients of Σ upstream · result by every input; undefined where none flows. */
export function gradientsByTape(result: Tensor, inputs: readonly Tensor[], upstream: Tensor, createGraph = false): (Tensor | undefined)[] {
  if (!result.requiresGrad) return inputs.map(() => undefined);
  return gradientsOf(
    valueOf(result),
    inputs.map((input) => valueOf(input)),
    valueOf(upstream),
    { createGraph },
  ) as unknown as (Tensor | undefined)[];
}

export function float(data: Float64Array, shape: readonly number[], precision: Precision): Tensor {
  return fromData(precision === "float64" ? data : Float32Array.from(data), shape, precision);
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0;
  for (let n = 0; n < a.length; n++) total += (a[n] as number) * (b[n] as number);
  return total;
}

/** d/dt f(t) at 0 by the five-point stencil: error O(h⁴). */
export function derivativeAtZero(f: (t: number) => number, h = 2e-4): number {
  return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
}

/** The largest excess over what is allowed, as a sentence; undefined when everything is close enough. */
export function difference(
  actual: HostArray,
  expected: HostArray,
  allowed: (expected: number, position: number) => number,
): string | undefined {
  if (actual.length !== expected.length) return `${actual.length} numbers instead of ${expected.length}`;
  for (let n = 0; n < expected.length; n++) {
    const a = actual[n] as number;
    const e = expected[n] as number;
    if (Object.is(a, e) || a === e) continue;
    if (Number.isNaN(e) || Number.isNaN(a) || !Number.isFinite(e) || !Number.isFinite(a)) return `${a} instead of ${e} at ${n}`;
    const error = Math.abs(a - e);
    if (!(error <= allowed(e, n)))
      return `${a} instead of ${e} at ${n}: off by ${(error / (EPSILON * Math.max(Math.abs(e), 1e-38))).toFixed(1)} ulp, ${error.toExponential(2)}; allowed ${allowed(e, n).toExponential(2)}`;
  }
  return undefined;
}

export function rootMeanSquare(values: HostArray): number {
  let total = 0;
  for (const value of values) if (Number.isFinite(value)) total += value * value;
  return Math.sqrt(total / Math.max(1, values.length));
}
