// Constructors of kernel values: typed; scalars meet vectors by splatting; integer constants are folded.

import type { Address, LoadValue, Machine, MemoryType, OperationName, OperationRule, Value, ValueType } from "./language.ts";
import { operations } from "./language.ts";

/** A plain number takes the type of the arguments beside it. */
export type Input = Value | number;

const ELEMENT_OF = { pointer: "pointer", i32: "i32", f32: "f32", bool: "bool", vi32: "i32", vf32: "f32", mask: "bool" } as const;
const vectorOf = { pointer: undefined, i32: "vi32", f32: "vf32", bool: "mask", vi32: "vi32", vf32: "vf32", mask: "mask" } as const;

export const isVector = (type: ValueType): boolean => type === "vi32" || type === "vf32" || type === "mask";
/** The scalar type of one lane. */
export const elementType = (type: ValueType) => ELEMENT_OF[type];
/** The type with the given element, as wide as `like`. */
export function typeLike(element: "i32" | "f32" | "bool", like: ValueType): ValueType {
  return isVector(like) ? vectorOf[element] : element;
}
function vectorType(type: ValueType): ValueType {
  const result = vectorOf[type];
  if (result === undefined) throw new Error("kernel language: a pointer has no vector form");
  return result;
}

export const i32 = (value: number): Value => ({ op: "constant", type: "i32", value: value | 0 });
export const f32 = (value: number): Value => ({ op: "constant", type: "f32", value: Math.fround(value) });
export const bool = (value: boolean): Value => ({ op: "constant", type: "bool", value: value ? 1 : 0 });
export const constant = (type: ValueType, value: number): Value => ({
  op: "constant",
  type,
  value: ELEMENT_OF[type] === "f32" ? Math.fround(value) : value | 0,
});
/** The vector 0, 1, 2, … */
export const laneIndex = (machine: Machine): Value => laneConstants(Array.from({ length: machine.lanes }, (_, lane) => lane));
export const laneConstants = (values: readonly number[]): Value => ({ op: "lanes", type: "vi32", values });
export const laneFloats = (values: readonly number[]): Value => ({ op: "lanes", type: "vf32", values });
/** The mask of the first `count` lanes. */
export const firstLanes = (machine: Machine, count: Input): Value => operation("lt", [laneIndex(machine), count]);

export const at = (base: Value, index?: Value, offset = 0): Address => {
  if (index?.op === "constant") return { base, index: undefined, offset: offset + index.value };
  return { base, index, offset };
};
export const loadAs = (type: "f32" | "i32" | "vf32" | "vi32", memory: MemoryType, address: Address, count?: Value): LoadValue => ({
  op: "load",
  type,
  memory,
  address,
  splat: false,
  count,
});
export const load = (address: Address): Value => loadAs("f32", "f32", address);
export const loadVector = (address: Address): Value => loadAs("vf32", "f32", address);
export const loadSplat = (address: Address, memory: MemoryType = "f32"): Value => ({
  op: "load",
  type: memory === "f32" ? "vf32" : "vi32",
  memory,
  address,
  splat: true,
  count: undefined,
});

/** Builds an operation after checking and unifying its arguments. Throws an internal Error when they do not fit. */
export function operation(op: OperationName, inputs: readonly Input[], immediate: readonly number[] = []): Value {
  const rule: OperationRule = operations[op];
  if (inputs.length !== rule.arity) throw new Error(`kernel language: ${op} takes ${rule.arity} arguments, got ${inputs.length}`);
  const args = unify(op, inputs);
  const first = args[op === "select" ? 1 : 0]!;
  if (op === "splat") return isVector(first.type) ? first : splatted(first);
  if (op === "advance") {
    if (first.type !== "pointer" || args[1]!.type !== "i32") throw new Error("kernel language: advance takes a pointer and an i32");
    return isConstant(args[1]!, 0) ? first : { op, type: "pointer", args, immediate };
  }
  const element = ELEMENT_OF[first.type];
  if (!rule.of.includes(element)) throw new Error(`kernel language: ${op} of ${first.type}`);
  if (rule.scalar === true && isVector(first.type)) throw new Error(`kernel language: ${op} has no vector form`);
  if (rule.vector === true && !isVector(first.type)) throw new Error(`kernel language: ${op} has no scalar form`);
  if (rule.reduces === true && !isVector(first.type)) return first;
  const wide = rule.reduces === true && element !== "pointer" ? element : first.type;
  const type = rule.result === "same" ? wide : rule.result === "pointer" ? "pointer" : typeLike(rule.result, wide);
  return folded(op, args) ?? { op, type, args, immediate };
}

function unify(op: OperationName, inputs: readonly Input[]): Value[] {
  if (op === "shiftLeft" || op === "shiftRight" || op === "shiftRightLogical" || op === "advance") {
    return inputs.map((input) => (typeof input === "number" ? i32(input) : input));
  }
  if (op === "replace") {
    const [vector, scalar] = inputs as [Value, Input];
    return [vector, typeof scalar === "number" ? constant(ELEMENT_OF[vector.type], scalar) : scalar];
  }
  if (op === "lookup") {
    const [table, indices] = inputs as [Value, Value];
    if (indices.type !== "vi32") throw new Error(`kernel language: lookup takes indices as vi32, got ${indices.type}`);
    return [table, indices];
  }
  const values = inputs.filter((input): input is Value => typeof input !== "number");
  const wide = values.some((value) => isVector(value.type));
  const skip = op === "select" ? 1 : 0;
  const sample = inputs.slice(skip).find((input): input is Value => typeof input !== "number");
  if (sample === undefined) throw new Error(`kernel language: ${op} of plain numbers only`);
  const element = ELEMENT_OF[sample.type];
  return inputs.map((input, position) => {
    const expected = position < skip ? "bool" : element;
    const value = typeof input === "number" ? constant(expected, input) : input;
    if (ELEMENT_OF[value.type] !== expected) throw new Error(`kernel language: ${op} mixes ${expected} and ${value.type}`);
    return wide && !isVector(value.type) ? splatted(value) : value;
  });
}

function splatted(value: Value): Value {
  const type = vectorType(value.type);
  if (value.op === "constant") return { op: "constant", type, value: value.value };
  if (value.op === "load") return { ...value, type, splat: true };
  return { op: "splat", type, args: [value], immediate: [] };
}

const isConstant = (value: Value, number: number): boolean => value.op === "constant" && value.value === number;

const foldable: { readonly [op: string]: (a: number, b: number) => number } = {
  add: (a, b) => (a + b) | 0,
  sub: (a, b) => (a - b) | 0,
  mul: Math.imul,
  min: Math.min,
  max: Math.max,
  and: (a, b) => a & b,
};

const comparable: { readonly [op: string]: (a: number, b: number) => boolean } = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
  ltUnsigned: (a, b) => a >>> 0 < b >>> 0,
  geUnsigned: (a, b) => a >>> 0 >= b >>> 0,
};

/** Folds only integer arithmetic and neutral elements: float semantics (−0, NaN, rounding) stay as written. */
function folded(op: OperationName, args: readonly Value[]): Value | undefined {
  const [a, b, c] = args as [Value, Value, Value];
  if (op === "select" && a.op === "constant") return a.value !== 0 ? b : c;
  if (op === "not" && a.op === "constant" && ELEMENT_OF[a.type] === "bool") return { ...a, value: 1 - a.value };
  if ((op === "and" || op === "or") && ELEMENT_OF[a.type] === "bool") {
    if (a.op === "constant") return (a.value !== 0) === (op === "and") ? b : a;
    if (b.op === "constant") return (b.value !== 0) === (op === "and") ? a : b;
  }
  if (ELEMENT_OF[a.type] !== "i32" || b === undefined) return undefined;
  const fold = foldable[op];
  if (fold !== undefined && a.op === "constant" && b.op === "constant") return { ...a, value: fold(a.value, b.value) };
  const compare = comparable[op];
  if (compare !== undefined && a.op === "constant" && b.op === "constant")
    return constant(typeLike("bool", a.type), compare(a.value, b.value) ? 1 : 0);
  if (op === "add" && isConstant(a, 0)) return b;
  if ((op === "add" || op === "sub") && isConstant(b, 0)) return a;
  if (op === "add" && a.op === "constant") return { op, type: a.type, args: [b, a], immediate: [] };
  if (op === "mul" && (isConstant(a, 0) || isConstant(b, 1))) return a;
  if (op === "mul" && (isConstant(b, 0) || isConstant(a, 1))) return b;
  return undefined;
}

export const add = (a: Input, b: Input) => operation("add", [a, b]);
export const sub = (a: Input, b: Input) => operation("sub", [a, b]);
export const mul = (a: Input, b: Input) => operation("mul", [a, b]);
export const div = (a: Input, b: Input) => operation("div", [a, b]);
/** a · b + c, rounded as `Machine.fma` says. */
export const fma = (a: Input, b: Input, c: Input) => operation("fma", [a, b, c]);
export const min = (a: Input, b: Input) => operation("min", [a, b]);
export const max = (a: Input, b: Input) => operation("max", [a, b]);
export const neg = (a: Value) => operation("neg", [a]);
export const abs = (a: Value) => operation("abs", [a]);
export const trunc = (a: Value) => operation("trunc", [a]);
export const sqrt = (a: Value) => operation("sqrt", [a]);
export const and = (a: Input, b: Input) => operation("and", [a, b]);
export const or = (a: Input, b: Input) => operation("or", [a, b]);
export const xor = (a: Input, b: Input) => operation("xor", [a, b]);
export const not = (a: Value) => operation("not", [a]);
export const shiftLeft = (a: Value, count: Input) => operation("shiftLeft", [a, count]);
export const shiftRight = (a: Value, count: Input) => operation("shiftRight", [a, count]);
export const shiftRightLogical = (a: Value, count: Input) => operation("shiftRightLogical", [a, count]);
export const eq = (a: Input, b: Input) => operation("eq", [a, b]);
export const ne = (a: Input, b: Input) => operation("ne", [a, b]);
export const lt = (a: Input, b: Input) => operation("lt", [a, b]);
export const gt = (a: Input, b: Input) => operation("gt", [a, b]);
export const ge = (a: Input, b: Input) => operation("ge", [a, b]);
export const ltUnsigned = (a: Input, b: Input) => operation("ltUnsigned", [a, b]);
export const select = (condition: Value, a: Input, b: Input) => operation("select", [condition, a, b]);
export const convertToFloat = (a: Value) => operation("convertToFloat", [a]);
export const convertToInt = (a: Value) => operation("convertToInt", [a]);
export const bitsToFloat = (a: Value) => operation("bitsToFloat", [a]);
export const bitsToInt = (a: Value) => operation("bitsToInt", [a]);
export const splat = (a: Value) => operation("splat", [a]);
export const extract = (vector: Value, lane: number) => operation("extract", [vector], [lane]);
export const replace = (vector: Value, lane: number, value: Input) => operation("replace", [vector, value], [lane]);
/** Lane i of the result is lane sources[i] of the 2·lanes values of a followed by b. */
export const shuffle = (a: Value, b: Value, sources: readonly number[]) => operation("shuffle", [a, b], sources);
/** Lane i of the result is lane (indices[i] mod lanes) of the table. */
export const lookup = (table: Value, indices: Value) => operation("lookup", [table, indices]);
export const advance = (pointer: Value, bytes: Input) => operation("advance", [pointer, bytes]);

/** One lane of a value that is the same in all lanes (splatted for vector use), or a scalar as it is. */
export function firstLane(value: Value): Value {
  if (!isVector(value.type)) return value;
  if (value.op === "constant") return constant(elementType(value.type), value.value);
  return value.type === "mask" ? ne(extract(convertToInt(value), 0), 0) : extract(value, 0);
}

export const isPowerOfTwo = (number: number): boolean => Number.isInteger(Math.log2(number));

/** value · factor, by a shift where that does it. */
export function scaled(value: Value, factor: number): Value {
  if (value.op === "constant" || factor === 1) return mul(value, factor);
  return factor > 1 && isPowerOfTwo(factor) ? shiftLeft(value, Math.log2(factor)) : mul(value, factor);
}

/** total / divisor, meant for exact divisions. */
export function quotient(total: Value, divisor: number): Value {
  if (divisor === 1) return total;
  return isPowerOfTwo(divisor) ? shiftRight(total, Math.log2(divisor)) : operation("divide", [total, divisor]);
}
