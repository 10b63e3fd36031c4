// Products of tensors: matrix products, linear maps, einsum, bilinear maps.

import * as contractions from "../../ops/contractions.ts";
import { ShapeError } from "../../util/errors.ts";
import { shapeText } from "../../util/shape-text.ts";
import { apply } from "../engine.ts";
import * as operate from "../operate.ts";
import { asTensor, valueOf } from "../tensor.ts";
import type { Tensor } from "../types.ts";

/**
 * Matrix product: [..., n, k] and [..., k, m] → [..., n, m]; leading dimensions broadcast, a vector counts as one row
 * or column.
 * @throws ShapeError when they do not fit
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  return asTensor(operate.matmul(valueOf(a, "matmul"), valueOf(b, "matmul")));
}

/** x: [..., in], weight: [out, in], bias: [out] → [..., out]. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const operands = [valueOf(x, "linear"), valueOf(weight, "linear")];
  return asTensor(
    bias === undefined ? apply(contractions.linear, operands) : apply(contractions.linearBias, [...operands, valueOf(bias, "linear")]),
  );
}

/** Any sum of products in index notation. @example einsum("bij,bjk->bik", a, b) */
export function einsum(subscripts: string, ...tensors: readonly Tensor[]): Tensor {
  return asTensor(
    apply(
      contractions.einsum(subscripts),
      tensors.map((item) => valueOf(item, "einsum")),
    ),
  );
}

/** y[…, o] = Σ x1[…, i] · weight[o, i, j] · x2[…, j] + bias[o]. */
export function bilinear(x1: Tensor, x2: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [outputs = 0, left = 0, right = 0] = weight.shape;
  if (weight.rank !== 3 || x1.shape.at(-1) !== left || x2.shape.at(-1) !== right)
    throw new ShapeError(
      `bilinear: weight is [out, in1, in2] for x1 [..., in1] and x2 [..., in2], got ${[weight, x1, x2].map((item) => shapeText(item.shape)).join(", ")}`,
    );
  const y = einsum("...oj,...j->...o", einsum("...i,oij->...oj", x1, weight), x2);
  return bias === undefined ? y : y.add(bias.reshape([outputs]));
}
