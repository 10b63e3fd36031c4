// Selecting between tensors, and joining and copying them.

import * as arithmetic from "../../ops/arithmetic.ts";
import * as moves from "../../ops/moves.ts";
import { requireList } from "../../util/lists.ts";
import { apply } from "../engine.ts";
import * as operate from "../operate.ts";
import type { Shape } from "../shapes.ts";
import { asTensor, isTensor, like, valueOf } from "../tensor.ts";
import type { Tensor } from "../types.ts";

/** a where the condition holds (is not 0), else b; all broadcast. */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  const base = isTensor(a) ? valueOf(a) : isTensor(b) ? valueOf(b) : like;
  const side = (value: Tensor | number): ReturnType<typeof valueOf> =>
    operate.operand(typeof value === "number" ? value : valueOf(value, "where"), base);
  return asTensor(apply(arithmetic.select, [valueOf(condition, "where"), side(a), side(b)]));
}

/** Joins tensors along an existing axis. @throws ShapeError when another dimension differs */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  requireList("concat", "a list of tensors", tensors, "concat([a, b])");
  return asTensor(
    operate.concatenate(
      tensors.map((item) => valueOf(item, "concat")),
      axis,
    ),
  );
}

/** Joins tensors of one shape along a new axis. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  requireList("stack", "a list of tensors", tensors, "stack([a, b])");
  return asTensor(
    operate.stack(
      tensors.map((item) => valueOf(item, "stack")),
      axis,
    ),
  );
}

/** A copy with its own memory. */
export function copy<S extends Shape>(x: Tensor<S>): Tensor<S> {
  return asTensor(apply(moves.copy, [valueOf(x, "copy")]));
}
