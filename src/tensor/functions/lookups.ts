// Looking up rows by ids, and adding rows up by ids.

import { LARGEST_INT } from "../../nest/addressable.ts";
import * as gathers from "../../ops/gathers.ts";
import { requireKind, wholeNumber } from "../../util/arguments.ts";
import { shapeText } from "../../util/shape-text.ts";
import { apply } from "../engine.ts";
import * as operate from "../operate.ts";
import { asTensor, valueOf } from "../tensor.ts";
import type { Tensor } from "../types.ts";

const EXTENT = wholeNumber(0, LARGEST_INT);

/** Rows of a table: weight [count, size], ids [...] → [..., size]. @throws InputError when an id is out of range */
export function embedding(weight: Tensor, ids: Tensor): Tensor {
  const rows = valueOf(ids, "embedding");
  operate.checkIds("embedding", rows, weight.shape[0] ?? 0, `rows of a table of shape ${shapeText(weight.shape)}`);
  return asTensor(apply(gathers.embedding, [valueOf(weight, "embedding"), rows]));
}

/** ids [...] → [..., classes]: 1 at the class, 0 elsewhere. @throws InputError when an id is out of range */
export function oneHot(ids: Tensor, classes: number): Tensor {
  const value = valueOf(ids, "oneHot");
  requireKind("oneHot: classes", EXTENT, classes);
  operate.checkIds("oneHot", value, classes, "classes");
  return asTensor(apply(gathers.oneHot, [value], { classes }));
}

/** Adds slices of x to the positions along the axis that ids says, starting from zeros of the given extent. */
export function scatterAdd(x: Tensor, ids: Tensor, extent: number, axis = 0): Tensor {
  const value = valueOf(x, "scatterAdd");
  requireKind("scatterAdd: extent", EXTENT, extent);
  const along = operate.resolveAxis("scatterAdd", axis, value.rank);
  operate.checkIds("scatterAdd", valueOf(ids, "scatterAdd"), extent, `axis ${axis} of the result`);
  return asTensor(
    apply(
      gathers.scatterAdd(value.rank, along),
      [valueOf(ids), value],
      {},
      { resultShape: value.shape.map((size, d) => (d === along ? extent : size)) },
    ),
  );
}
