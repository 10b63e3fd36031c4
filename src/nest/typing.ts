// Types of scalar expressions: promotion bool → int → float, with casts where an argument's type differs.

import { FormulaError } from "../util/errors.ts";
import { FUNCTIONS } from "./functions.ts";
import type { DType, FunctionName, Operand, Scalar, ScalarType } from "./nest.ts";

const RANK: Readonly<Record<ScalarType, number>> = { bool: 0, int: 1, float: 2 };
const BY_RANK: readonly ScalarType[] = ["bool", "int", "float"];

const TYPES = {
  float32: "float",
  float64: "float",
  bfloat16: "float",
  int32: "int",
  uint8: "int",
  bool: "bool",
} as const satisfies Record<DType, ScalarType>;

export function typeOfDType(dtype: DType): ScalarType {
  return TYPES[dtype];
}

export function isFloat(dtype: DType): boolean {
  return typeOfDType(dtype) === "float";
}

/**
 * What floats computed from tensors of these dtypes are stored as: the widest of the floats. Single numbers (rank 0) do
 * not widen bfloat16 tensors of any rank, as in PyTorch: x.mul(0.1) stays what x is.
 */
export function floatOf(inputs: readonly Operand[]): DType {
  const floats = inputs.filter(({ dtype }) => isFloat(dtype));
  if (floats.some(({ dtype }) => dtype === "float64")) return "float64";
  const ranked = floats.filter(({ shape }) => shape.length > 0);
  const deciding = ranked.length > 0 ? ranked : floats;
  return deciding.length > 0 && deciding.every(({ dtype }) => dtype === "bfloat16") ? "bfloat16" : "float32";
}

export function constant(value: number, type: ScalarType): Scalar {
  return { kind: "constant", value, type };
}

export function cast(value: Scalar, type: ScalarType): Scalar {
  if (value.type === type) return value;
  if (value.kind === "constant")
    return constant(type === "bool" ? Number(value.value !== 0) : type === "int" ? Math.trunc(value.value) : value.value, type);
  return { kind: "call", fn: type, args: [value], type };
}

/** A call with its arguments cast to what the function takes. */
export function callOf(fn: FunctionName, args: readonly Scalar[], opName: string): Scalar {
  const all = (type: ScalarType, items: readonly Scalar[] = args): Scalar[] => items.map((item) => cast(item, type));
  const call = (items: readonly Scalar[], type: ScalarType): Scalar => ({ kind: "call", fn, args: items, type });
  switch (FUNCTIONS[fn].signature) {
    case "arithmetic": {
      const type = common(args);
      const numeric = type === "bool" ? "int" : type;
      return call(all(numeric), numeric);
    }
    case "rounding": {
      const [value] = args as [Scalar];
      return value.type === "float" ? call(args, "float") : cast(value, "int");
    }
    case "float":
      return call(all("float"), "float");
    case "comparison":
      return call(all(common(args)), "bool");
    case "logic":
      return call(all("bool"), "bool");
    case "test":
      return call(all("float"), "bool");
    case "select": {
      const [condition, a, b] = args as [Scalar, Scalar, Scalar];
      const type = common([a, b]);
      return call([cast(condition, "bool"), cast(a, type), cast(b, type)], type);
    }
    case "cast":
      return cast(args[0]!, fn as ScalarType);
    case "random":
      if (args[3]?.kind !== "constant") throw new FormulaError(`${opName}: the last argument of uniform must be 0 or 1`);
      return call(all("int"), "float");
  }
}

function common(args: readonly Scalar[]): ScalarType {
  return BY_RANK[Math.max(...args.map((arg) => RANK[arg.type]))]!;
}
