// Rounds values that a pass keeps in a register as they would be rounded in memory.

import { roundToBfloat16 } from "../nest/bfloat16.ts";
import type { FunctionName, Nest, Operand, Scalar } from "../nest/nest.ts";

/** The value as a load of what the nest wrote would give it; undefined where writing it changes more than its type. */
export function asStored(body: Scalar, { output: { dtype }, operands }: Nest, consumer: Nest): Scalar | undefined {
  switch (dtype) {
    case "float32":
      // Next to double precision it would not be rounded.
      return [...operands, consumer.output].some((operand) => operand.dtype === "float64") ? undefined : asFloat(body);
    case "bfloat16":
      return rounded(asFloat(body), operands);
    case "int32":
      return body.type === "int" ? body : undefined;
    case "bool":
      return body.type === "bool" ? body : undefined;
    case "float64":
    case "uint8":
      return undefined;
  }
}

const asFloat = (body: Scalar): Scalar => (body.type === "float" ? body : { kind: "call", fn: "float", args: [body], type: "float" });

/** The value as bfloat16 has it. */
function rounded(value: Scalar, operands: readonly Operand[]): Scalar {
  return isRounded(value, operands) ? value : { kind: "call", fn: "bfloat16", args: [value], type: "float" };
}

/** Functions whose value is that of an argument, but for the sign. */
const CHOOSING: ReadonlySet<FunctionName> = new Set<FunctionName>(["min", "max", "neg", "abs"]);

/** Whether storing the value as bfloat16 would change nothing. */
export function isRounded(value: Scalar, operands: readonly Operand[]): boolean {
  if (value.kind === "load") return operands[value.operand]?.dtype === "bfloat16";
  if (value.kind === "constant") return roundToBfloat16(value.value) === value.value;
  return (
    value.kind === "call" && (value.fn === "bfloat16" || (CHOOSING.has(value.fn) && value.args.every((arg) => isRounded(arg, operands))))
  );
}

/** The nest with what it stores rounded once. */
export function storedOnce(nest: Nest): Nest {
  if (nest.output.dtype !== "bfloat16") return nest;
  if (nest.epilogue !== undefined) return { ...nest, epilogue: withoutRounding(nest.epilogue) };
  return nest.reducer === undefined ? { ...nest, body: withoutRounding(nest.body) } : nest;
}

/**
 * A value without roundings that storing it as bfloat16 does anyway: rounding keeps order, so the larger of two is
 * rounded like each of them.
 */
function withoutRounding(value: Scalar): Scalar {
  if (value.kind !== "call") return value;
  if (value.fn === "bfloat16") return withoutRounding(value.args[0]!);
  return CHOOSING.has(value.fn) ? { ...value, args: value.args.map(withoutRounding) } : value;
}
