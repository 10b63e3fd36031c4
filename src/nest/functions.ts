// The table of scalar functions: arity, notation, value in double precision, and derivative as a formula.

import { roundToBfloat16 } from "./bfloat16.ts";
import { nearestInteger } from "./integers.ts";
import type { FunctionName } from "./nest.ts";

/** What the arguments must be and what comes out; see the rules beside Call in nest.ts. */
type Signature = "arithmetic" | "rounding" | "float" | "comparison" | "logic" | "select" | "test" | "cast" | "random";

export interface FunctionRow {
  readonly parameters: readonly string[];
  readonly signature: Signature;
  readonly evaluate: (a: number, b: number, c: number, d: number) => number;
  /**
   * For each parameter, the gradient as a formula over `g` (the gradient of the value) and the parameters; absent: no
   * gradient flows.
   */
  readonly derivative?: Readonly<Record<string, string>>;
  /** Operator and precedence, for parsing and printing. */
  readonly operator?: { readonly symbol: string; readonly precedence: number };
}

/** Every function a formula may call: parameters, value, derivatives and how it is written. */
export const FUNCTIONS: Readonly<Record<FunctionName, FunctionRow>> = {
  add: {
    parameters: ["a", "b"],
    signature: "arithmetic",
    evaluate: (a, b) => a + b,
    derivative: { a: "g", b: "g" },
    operator: { symbol: "+", precedence: 4 },
  },
  sub: {
    parameters: ["a", "b"],
    signature: "arithmetic",
    evaluate: (a, b) => a - b,
    derivative: { a: "g", b: "-g" },
    operator: { symbol: "-", precedence: 4 },
  },
  mul: {
    parameters: ["a", "b"],
    signature: "arithmetic",
    evaluate: (a, b) => a * b,
    derivative: { a: "g * b", b: "g * a" },
    operator: { symbol: "*", precedence: 5 },
  },
  div: {
    parameters: ["a", "b"],
    signature: "float",
    evaluate: (a, b) => a / b,
    derivative: { a: "g / b", b: "-(g * (a / b)) / b" },
    operator: { symbol: "/", precedence: 5 },
  },
  mod: {
    parameters: ["a", "b"],
    signature: "arithmetic",
    evaluate: flooredMod,
    derivative: { a: "g", b: "-g * floor(a / b)" },
    operator: { symbol: "%", precedence: 5 },
  },
  neg: { parameters: ["a"], signature: "arithmetic", evaluate: (a) => -a, derivative: { a: "-g" } },
  pow: {
    parameters: ["a", "b"],
    signature: "float",
    evaluate: (a, b) => (a === 1 || b === 0 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY) ? 1 : a ** b),
    derivative: { a: "select(b == 0, 0, g * b * a ^ (b - 1))", b: "g * select(a == 0 && b >= 0, 0, a ^ b * log(a))" },
    operator: { symbol: "^", precedence: 7 },
  },
  min: {
    parameters: ["a", "b"],
    signature: "arithmetic",
    evaluate: (a, b) => Math.min(a, b),
    derivative: { a: "g * select(a < b, 1, select(a == b, 0.5, 0))", b: "g * select(b < a, 1, select(a == b, 0.5, 0))" },
  },
  max: {
    parameters: ["a", "b"],
    signature: "arithmetic",
    evaluate: (a, b) => Math.max(a, b),
    derivative: { a: "g * select(a > b, 1, select(a == b, 0.5, 0))", b: "g * select(b > a, 1, select(a == b, 0.5, 0))" },
  },
  abs: { parameters: ["a"], signature: "arithmetic", evaluate: Math.abs, derivative: { a: "g * sign(a)" } },
  sign: { parameters: ["a"], signature: "arithmetic", evaluate: (a) => (a > 0 ? 1 : a < 0 ? -1 : a) },
  exp: { parameters: ["a"], signature: "float", evaluate: Math.exp, derivative: { a: "g * exp(a)" } },
  expm1: { parameters: ["a"], signature: "float", evaluate: Math.expm1, derivative: { a: "g * exp(a)" } },
  log: { parameters: ["a"], signature: "float", evaluate: Math.log, derivative: { a: "g / a" } },
  log1p: { parameters: ["a"], signature: "float", evaluate: Math.log1p, derivative: { a: "g / (1 + a)" } },
  sqrt: { parameters: ["a"], signature: "float", evaluate: Math.sqrt, derivative: { a: "g / (2 * sqrt(a))" } },
  sin: { parameters: ["a"], signature: "float", evaluate: Math.sin, derivative: { a: "g * cos(a)" } },
  cos: { parameters: ["a"], signature: "float", evaluate: Math.cos, derivative: { a: "-g * sin(a)" } },
  tan: { parameters: ["a"], signature: "float", evaluate: Math.tan, derivative: { a: "g * (1 + tan(a) ^ 2)" } },
  asin: { parameters: ["a"], signature: "float", evaluate: Math.asin, derivative: { a: "g / sqrt(1 - a ^ 2)" } },
  acos: { parameters: ["a"], signature: "float", evaluate: Math.acos, derivative: { a: "-g / sqrt(1 - a ^ 2)" } },
  atan: { parameters: ["a"], signature: "float", evaluate: Math.atan, derivative: { a: "g / (1 + a ^ 2)" } },
  sinh: { parameters: ["a"], signature: "float", evaluate: Math.sinh, derivative: { a: "g * cosh(a)" } },
  cosh: { parameters: ["a"], signature: "float", evaluate: Math.cosh, derivative: { a: "g * sinh(a)" } },
  tanh: { parameters: ["a"], signature: "float", evaluate: Math.tanh, derivative: { a: "g * (1 - tanh(a) ^ 2)" } },
  erf: { parameters: ["a"], signature: "float", evaluate: erf, derivative: { a: "g * (2 / sqrt(pi)) * exp(-a ^ 2)" } },
  floor: { parameters: ["a"], signature: "rounding", evaluate: Math.floor },
  ceil: { parameters: ["a"], signature: "rounding", evaluate: Math.ceil },
  round: { parameters: ["a"], signature: "rounding", evaluate: roundHalfEven },
  trunc: { parameters: ["a"], signature: "rounding", evaluate: Math.trunc },
  lt: { parameters: ["a", "b"], signature: "comparison", evaluate: (a, b) => Number(a < b), operator: { symbol: "<", precedence: 3 } },
  le: { parameters: ["a", "b"], signature: "comparison", evaluate: (a, b) => Number(a <= b), operator: { symbol: "<=", precedence: 3 } },
  gt: { parameters: ["a", "b"], signature: "comparison", evaluate: (a, b) => Number(a > b), operator: { symbol: ">", precedence: 3 } },
  ge: { parameters: ["a", "b"], signature: "comparison", evaluate: (a, b) => Number(a >= b), operator: { symbol: ">=", precedence: 3 } },
  eq: { parameters: ["a", "b"], signature: "comparison", evaluate: (a, b) => Number(a === b), operator: { symbol: "==", precedence: 3 } },
  ne: { parameters: ["a", "b"], signature: "comparison", evaluate: (a, b) => Number(a !== b), operator: { symbol: "!=", precedence: 3 } },
  and: {
    parameters: ["a", "b"],
    signature: "logic",
    evaluate: (a, b) => Number(a !== 0 && b !== 0),
    operator: { symbol: "&&", precedence: 2 },
  },
  or: {
    parameters: ["a", "b"],
    signature: "logic",
    evaluate: (a, b) => Number(a !== 0 || b !== 0),
    operator: { symbol: "||", precedence: 1 },
  },
  not: { parameters: ["a"], signature: "logic", evaluate: (a) => Number(a === 0) },
  select: {
    parameters: ["condition", "a", "b"],
    signature: "select",
    evaluate: (condition, a, b) => (condition !== 0 ? a : b),
    derivative: { a: "select(condition, g, 0)", b: "select(condition, 0, g)" },
  },
  isnan: { parameters: ["a"], signature: "test", evaluate: (a) => Number(Number.isNaN(a)) },
  isfinite: { parameters: ["a"], signature: "test", evaluate: (a) => Number(Number.isFinite(a)) },
  float: { parameters: ["a"], signature: "cast", evaluate: (a) => a, derivative: { a: "g" } },
  int: { parameters: ["a"], signature: "cast", evaluate: (a) => nearestInteger(a, "int32") },
  bool: { parameters: ["a"], signature: "cast", evaluate: (a) => Number(a !== 0) },
  bfloat16: { parameters: ["a"], signature: "float", evaluate: roundToBfloat16, derivative: { a: "g" } },
  uniform: { parameters: ["seed", "stream", "counter", "word"], signature: "random", evaluate: philoxUniform },
};

function flooredMod(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

function roundHalfEven(a: number): number {
  const low = Math.floor(a);
  const gap = a - low;
  const nearest = gap < 0.5 || (gap === 0.5 && low % 2 === 0) ? low : low + 1;
  return nearest === 0 && a < 0 ? -0 : nearest;
}

/**
 * erf in double precision: the Maclaurin series below 3, the continued fraction of erfc above (Abramowitz & Stegun
 * 7.1.6, 7.1.14).
 */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return Number.NaN;
  if (a > 6) return Math.sign(x);
  if (a < 3) {
    let term = x;
    let total = x;
    for (let n = 1; n < 200; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      total += term;
      if (Math.abs(term) < 1e-18 * Math.abs(total)) break;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
  }
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + fraction) * Math.sqrt(Math.PI)));
}

/**
 * The two 32-bit outputs of Philox2x32-10 (Salmon et al., SC'11) for counter words (counter, stream) and a 32-bit key.
 */
export function philox(seed: number, stream: number, counter: number): readonly [number, number] {
  let key = seed >>> 0;
  let c0 = counter >>> 0;
  let c1 = stream >>> 0;
  for (let round = 0; round < 10; round++) {
    const product = BigInt(c0) * 0xd256d193n;
    const high = Number(product >> 32n);
    const low = Number(product & 0xffffffffn);
    c0 = (high ^ key ^ c1) >>> 0;
    c1 = low;
    key = (key + 0x9e3779b9) >>> 0;
  }
  return [c0, c1];
}

function philoxUniform(seed: number, stream: number, counter: number, word: number): number {
  return ((philox(seed, stream, counter)[word === 0 ? 0 : 1] ?? 0) >>> 8) * 2 ** -24;
}
