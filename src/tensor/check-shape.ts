// Whether a list of extents is a shape that a tensor can have.

import { LARGEST_INT } from "../nest/addressable.ts";
import { sizeOfShape } from "../nest/evaluate.ts";
import { ShapeError } from "../util/errors.ts";
import { requireList } from "../util/lists.ts";
import { shapeText } from "../util/shape-text.ts";
import type { Shape } from "./shapes.ts";

/** @throws InputError or ShapeError for what is no shape that a tensor can have */
export function checkShape(shape: Shape): void {
  requireList("a new tensor", "a shape: a list of extents", shape, "[2, 3] for two rows and three columns");
  if (shape.some((extent) => !Number.isInteger(extent) || extent < 0))
    throw new ShapeError(`expected a shape of non-negative integers, got ${shapeText(shape)}`);
  if (sizeOfShape(shape) > LARGEST_INT)
    throw new ShapeError(`expected a shape of at most ${LARGEST_INT} elements, got ${shapeText(shape)}`);
}
