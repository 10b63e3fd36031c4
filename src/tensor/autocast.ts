// Mixed precision: while it is on, results of suitable ops are stored as bfloat16; arithmetic stays float32.

import type { DType } from "../nest/nest.ts";
import { isFloat } from "../nest/typing.ts";
import type { Op, OpKind } from "../ops/op.ts";
import { FUNCTION, requireKind } from "../util/arguments.ts";
import { InputError } from "../util/errors.ts";
import { isPromise } from "../util/kind-of.ts";
import type { Value } from "./value.ts";

/** How results of ops are stored: float32, or bfloat16 where that is accurate enough. */
export type Precision = "float32" | "bfloat16";

let current: Precision = "float32";

export function currentPrecision(): Precision {
  return current;
}

/**
 * Runs a function in mixed precision. Products of matrices and convolutions are stored as bfloat16, which halves the
 * memory that activations and their gradients take; what is computed from bfloat16 alone (activation functions,
 * pooling, additions) stays so, and softmax and normalization layers give what they are given. Sums and means,
 * statistics, losses and everything float64 are stored as before. All arithmetic and all sums are float32 in any case,
 * weights and their gradients too. Works around eager code and in compiled functions.
 * @param precision "float32" switches it off again inside
 * @example const loss = autocast("bfloat16", () => crossEntropy(net(x), labels)); loss.backward();
 * @throws InputError for another precision, or when the function is async
 */
export function autocast<Result>(precision: Precision, run: () => Result): Result {
  if (precision !== "float32" && precision !== "bfloat16")
    throw new InputError(`autocast: expected "bfloat16" or "float32", got ${JSON.stringify(precision)}`);
  requireKind("autocast", FUNCTION, run);
  const before = current;
  current = precision;
  try {
    const result = run();
    if (isPromise(result))
      throw new InputError("autocast: the function must not be async: what it does after waiting would not be in mixed precision");
    return result;
  } finally {
    current = before;
  }
}

/** How an op's floats are stored in mixed precision: as bfloat16, as float32, or as follows from its inputs. */
const storage: Readonly<Record<OpKind, Precision | undefined>> = {
  contract: "bfloat16",
  // Sums of many numbers, and formulas of several steps: statistics and losses, unless their row says what they are
  // stored like.
  reduce: "float32",
  composite: "float32",
  map: undefined,
  window: undefined,
  move: undefined,
  gather: undefined,
  random: undefined,
  view: undefined,
  update: undefined,
};

/** What an op's result is stored as if it is a float; undefined: what follows from the inputs. */
export function storedAs({ kind, formula, storedLike }: Op, inputs: readonly Value[]): DType | undefined {
  const floats = inputs.filter(({ dtype }) => isFloat(dtype));
  if (floats.length === 0 || floats.some(({ dtype }) => dtype === "float64")) return undefined;
  if (storedLike !== undefined) return inputs[formula.inputs.indexOf(storedLike)]?.dtype;
  return current === "float32" ? undefined : storage[kind];
}
