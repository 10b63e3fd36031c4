// defineOp: makes an op from a user's formula. It runs, differentiates and explains like the built-in ones.

import { checkAttributes, makeOp, type Op, type OpDoc } from "../ops/op.ts";
import { InputError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { apply } from "./engine.ts";
import { operand } from "./operate.ts";
import type { Shape } from "./shapes.ts";
import { asTensor, like, valueOf } from "./tensor.ts";
import type { Tensor } from "./types.ts";
import type { Attributes } from "./value.ts";

/** Options of your own op that its formula does not contain. */
export interface DefineOpOptions {
  /** For errors, graphs and explanations. Default: the formula's result. */
  readonly name?: string;
  /**
   * Numbers that are not tensors, with default values or "int" / "float" where the caller must give them. They take no
   * gradient.
   */
  readonly params?: Readonly<Record<string, number | "float" | "int">>;
  /** Integers that decide shapes, beyond those inside an index. */
  readonly sizes?: Readonly<Record<string, number | "required">>;
  /** Gradients written by hand (as expressions over gy, the inputs and y); the others are derived. */
  readonly gradient?: Readonly<Record<string, string>>;
  readonly doc?: OpDoc;
}

/** Numbers and axis lists by name, and the result's shape where the formula cannot give it. */
export interface CallOptions {
  readonly attributes?: Attributes;
  readonly shape?: Shape;
}

/** An op made by `defineOp`: called with its inputs in the order of the formula, it gives the result. */
export interface DefinedOp {
  /**
   * Applies the op; inputs and result have the shapes of the formula.
   * @throws ShapeError or InputError when inputs do not fit it
   */
  (...inputs: readonly (Tensor | number)[]): Tensor;
  /** The same op with attributes or a result shape. */
  with(options: CallOptions): (...inputs: readonly (Tensor | number)[]) => Tensor;
  readonly op: Op;
}

/**
 * An op from a formula. Inputs are the tensors it reads, in order of appearance; numbers are accepted too.
 * @example const swish = defineOp("y = x / (1 + exp(-b * x))"); swish(x, 1.5)
 * @throws FormulaError with the position when the formula does not parse
 */
export function defineOp(formula: string, options: DefineOpOptions = {}): DefinedOp {
  const found = /^\s*(\w+)/.exec(formula)?.[1] ?? "op";
  const { name = found, ...rest } = checkOptions<DefineOpOptions>("defineOp", options, {
    ...{ name: true, params: true, sizes: true, gradient: true, doc: true },
  });
  const op = makeOp("composite", name, formula, rest);
  const call = (inputs: readonly (Tensor | number)[], { attributes = {}, shape }: CallOptions): Tensor => {
    const names = op.formula.inputs;
    if (inputs.length !== names.length)
      throw new InputError(
        `${name} takes ${names.length} tensor${names.length === 1 ? "" : "s"} (${names.join(", ")}), got ${inputs.length}`,
      );
    const first = inputs.find((input): input is Tensor => typeof input !== "number");
    const base = first === undefined ? like : valueOf(first, name);
    const values = inputs.map((input) => operand(typeof input === "number" ? input : valueOf(input, name), base));
    return asTensor(apply(op, values, attributes, { resultShape: shape, like }));
  };
  const defined = (...inputs: readonly (Tensor | number)[]): Tensor => call(inputs, {});
  const made = Object.assign(defined, {
    with: (callOptions: CallOptions) => {
      checkOptions<CallOptions>(`${name}.with`, callOptions, { attributes: true, shape: true });
      checkAttributes(op, callOptions.attributes ?? {});
      return (...inputs: readonly (Tensor | number)[]) => call(inputs, callOptions);
    },
    op,
  });
  // Printed, it is its formula.
  const text = (): string => (name === found ? op.source : `${name}: ${op.source}`);
  return Object.defineProperties(made, { toString: { value: text }, [Symbol.for("nodejs.util.inspect.custom")]: { value: text } });
}
