// How each function of the formula language is written in the kernel language.

import type { Call, FunctionName } from "../../nest/nest.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import type { OperationName, Value } from "../language/language.ts";
import * as v from "../language/values.ts";
import { cosh, exp, expm1, sinh, tanh } from "../math/exponential.ts";
import { log, log1p, pow, powConstant } from "../math/logarithm.ts";
import { erf, floatMod, intMod, uniform } from "../math/special.ts";
import { acos, asin, atan, cos, sin, tan } from "../math/trigonometry.ts";
import { roundToBfloat16 } from "./elements.ts";

type Write = (k: FunctionBuilder, args: readonly Value[], call: Call) => Value;

/** Writes a call whose arguments are written already; scalars and vectors may be mixed. */
export function writeCall(k: FunctionBuilder, call: Call, args: readonly Value[]): Value {
  return table[call.fn](k, args, call);
}

const plain =
  (op: OperationName): Write =>
  (_, args) =>
    v.operation(op, args);

const unary =
  (write: (k: FunctionBuilder, x: Value) => Value): Write =>
  (k, [x]) =>
    write(k, x!);

/** Two bools compare as 0 and 1. */
const compare =
  (op: OperationName): Write =>
  (_, [a, b], call) => {
    const logical = call.args[0]!.type === "bool";
    return logical ? v.operation(op, [v.convertToInt(a!), v.convertToInt(b!)]) : v.operation(op, [a!, b!]);
  };

/** Against a constant that is not NaN the short form keeps NaN too, when the other argument stands first. */
function againstConstant(op: "pmin" | "pmax", a: Value, b: Value, { type, args }: Call): Value | undefined {
  if (type !== "float") return undefined;
  const place = args.findIndex((arg) => arg.kind === "constant" && !Number.isNaN(arg.value));
  if (place < 0) return undefined;
  return v.operation(op, place === 0 ? [b, a] : [a, b]);
}

const table = {
  add: plain("add"),
  sub: plain("sub"),
  mul: plain("mul"),
  div: plain("div"),
  neg: plain("neg"),
  pow: (k, [a, b], { args }) => {
    const exponent = args[1]!;
    return exponent.kind === "constant" ? powConstant(k, a!, exponent.value) : pow(k, a!, b!);
  },
  mod: (k, [a, b], { type }) => (type === "int" ? intMod(k, a!, b!) : floatMod(k, a!, b!)),
  min: (_, [a, b], call) => againstConstant("pmin", a!, b!, call) ?? v.min(a!, b!),
  max: (_, [a, b], call) => againstConstant("pmax", a!, b!, call) ?? v.max(a!, b!),
  abs: plain("abs"),
  sign: (k, [a]) => {
    const x = k.let(a!);
    return v.select(v.gt(x, 0), v.constant(x.type, 1), v.select(v.lt(x, 0), v.constant(x.type, -1), x));
  },
  exp: unary(exp),
  expm1: unary(expm1),
  log: unary(log),
  log1p: unary(log1p),
  sqrt: plain("sqrt"),
  sin: unary(sin),
  cos: unary(cos),
  tan: unary(tan),
  asin: unary(asin),
  acos: unary(acos),
  atan: unary(atan),
  sinh: unary(sinh),
  cosh: unary(cosh),
  tanh: unary(tanh),
  erf: unary(erf),
  floor: plain("floor"),
  ceil: plain("ceil"),
  round: plain("nearest"),
  trunc: plain("trunc"),
  lt: compare("lt"),
  le: compare("le"),
  gt: compare("gt"),
  ge: compare("ge"),
  eq: compare("eq"),
  ne: compare("ne"),
  and: plain("and"),
  or: plain("or"),
  not: plain("not"),
  select: plain("select"),
  isnan: (k, [a]) => {
    const x = k.let(a!);
    return v.ne(x, x);
  },
  isfinite: (_, [a]) => v.lt(v.abs(a!), Number.POSITIVE_INFINITY),
  float: (_, [a], { args }) => (args[0]!.type === "float" ? a! : v.convertToFloat(a!)),
  int: (_, [a], { args }) => (args[0]!.type === "int" ? a! : v.convertToInt(a!)),
  bool: (_, [a], { args }) => (args[0]!.type === "bool" ? a! : v.ne(a!, 0)),
  bfloat16: unary(roundToBfloat16),
  uniform: (k, [seed, stream, counter], { args }) => {
    const word = args[3]!;
    return uniform(k, seed!, stream!, counter!, word.kind === "constant" ? word.value : 0);
  },
} satisfies Record<FunctionName, Write>;
