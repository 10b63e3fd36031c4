// Applies an op by its row in the catalogue.

import { checkAttributes, type Op } from "../../ops/op.ts";
import { InputError } from "../../util/errors.ts";
import { apply } from "../engine.ts";
import type { Shape } from "../shapes.ts";
import { asTensor, like, valueOf } from "../tensor.ts";
import type { Tensor } from "../types.ts";
import type { Attributes } from "../value.ts";

/** Applies an op from the catalogue, or a user's, by its row. */
export function applyOp(op: Op, inputs: readonly Tensor[], attributes: Attributes = {}, resultShape?: Shape): Tensor {
  if (inputs.length !== op.formula.inputs.length)
    throw new InputError(`${op.name} takes ${op.formula.inputs.length} tensors (${op.formula.inputs.join(", ")}), got ${inputs.length}`);
  checkAttributes(op, attributes);
  return asTensor(
    apply(
      op,
      inputs.map((item) => valueOf(item, op.name)),
      attributes,
      { resultShape, like },
    ),
  );
}
