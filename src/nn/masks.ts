// Attention masks (true: may be attended to): checks, joins, and keeps masked numbers out of sums and gradients.

import { isFloat } from "../nest/typing.ts";
import * as ops from "../ops/attention.ts";
import { applyOp, where } from "../tensor/functions/index.ts";
import type { Shape } from "../tensor/shapes.ts";
import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";

/**
 * Which positions take part in attention, [..., tokens, 1] each: queries that see a key, and keys that a query sees.
 */
export interface Readable {
  readonly queries: Tensor;
  readonly keys: Tensor;
}

/** @throws InputError unless there are as many queries as keys */
export function causalMask(name: string, shape: Shape): Tensor {
  const [queries, keys] = shape.slice(-2) as [number, number];
  if (queries !== keys)
    throw new InputError(`${name}: causal needs as many queries as keys, got ${queries} and ${keys}`, {
      hint: "pass a mask that says which keys each query may attend to",
    });
  return applyOp(ops.causalMask, [], { extent: keys });
}

/**
 * @throws InputError for floats, whose 0 and −∞ would mean the opposite; ShapeError unless it broadcasts to the scores
 */
export function checkMask(name: string, mask: Tensor, shape: Shape): Tensor {
  if (isFloat(valueOf(mask, name).dtype))
    throw new InputError(`${name}: expected a mask of bool or whole numbers, true where a key may be attended to, got ${mask.dtype}`, {
      hint: "compare first, e.g. scores.greater(-1)",
    });
  const skipped = shape.length - mask.rank;
  if (skipped < 0 || mask.shape.some((extent, d) => extent !== 1 && extent !== shape[skipped + d]))
    throw new ShapeError(`${name}: expected a mask that broadcasts to ${shapeText(shape)}, got shape ${shapeText(mask.shape)}`);
  return mask;
}

/** Both masks as one over [heads, batch, queries, keys], and which keys are no padding. */
export function headMask(
  name: string,
  mask: Tensor | undefined,
  keyMask: Tensor | undefined,
  shape: readonly [number, number, number, number],
): { readonly joint: Tensor | undefined; readonly real: Tensor | undefined } {
  const [batch, heads, queries, keys] = shape;
  const found: Tensor[] = [];
  if (mask !== undefined)
    found.push(mask.rank === 4 ? checkMask(name, mask, shape).transpose([1, 0, 2, 3]) : checkMask(name, mask, [batch, queries, keys]));
  const real = keyMask && realKeys(name, keyMask, batch, keys);
  if (real !== undefined) found.push(checkMask(name, real.transpose(), [heads, batch, queries, keys]));
  return { joint: found.length === 0 ? undefined : found.reduce((a, b) => a.logicalAnd(b)), real };
}

/** true where a key is no padding: [batch, keys, 1]. @throws ShapeError for another shape than [batch, keys] */
export function realKeys(name: string, keyMask: Tensor, batch: number, keys: number): Tensor {
  if (valueOf(keyMask, name).shape.join() !== [batch, keys].join())
    throw new ShapeError(`${name}: expected keyMask to have shape [${batch}, ${keys}], got ${shapeText(keyMask.shape)}`);
  return keyMask.reshape([batch, keys, 1]);
}

/**
 * Of a mask [..., queries, keys]; one that says the same of all queries, or keys, may have extent 1 or no dimension
 * there.
 */
export function readable(mask: Tensor): Readable {
  return readableAcross(mask.rank < 2 ? mask.reshape([1, mask.size]) : mask, []);
}

/** x, and 0 where nothing reads it: there it may hold anything, and 0 · NaN would be NaN in sums and in gradients. */
export function read(x: Tensor, positions: Tensor): Tensor {
  return where(positions, x, 0);
}

/** The same where results are still wanted of positions that no other sees: only what is no number is replaced. */
export function readNumbers(x: Tensor, positions: Tensor): Tensor {
  return where(positions.logicalOr(x.isFinite()), x, 0);
}

/**
 * Sources of queries, keys and values with nothing in them that no head reads; equal sources stay equal.
 * @param joint both masks over [heads, batch, queries, keys]
 * @param real what a mask of keys alone says, [batch, keys, 1]
 * @param isPlain there is no mask but that of keys
 */
export function readSources(
  sources: readonly [Tensor, Tensor, Tensor],
  { joint, real, isPlain }: { readonly joint: Tensor; readonly real: Tensor | undefined; readonly isPlain: boolean },
): readonly [Tensor, Tensor, Tensor] {
  const [x, key, value] = sources;
  const seen = isPlain ? undefined : readableAcross(joint, joint.rank === 4 ? [0] : []);
  const keys = (seen?.keys ?? real) as Tensor;
  if (x !== key) {
    const readKey = read(key, keys);
    return [seen === undefined ? x : read(x, seen.queries), readKey, value === key ? readKey : read(value, keys)];
  }
  const either = seen?.queries.logicalOr(seen.keys);
  const own = readNumbers(x, real === undefined || either === undefined ? ((real ?? either) as Tensor) : real.logicalAnd(either));
  return [own, own, value === x ? own : read(value, keys)];
}

/** Dimensions in `across` are dropped: a position takes part where it does in any of them. */
function readableAcross(mask: Tensor, across: readonly number[]): Readable {
  const holds = mask.notEqual(0).to("int32");
  const any = (axis: number): Tensor =>
    holds
      .max([...across, axis], { keepDims: true })
      .notEqual(0)
      .squeeze([...across]);
  return { queries: any(mask.rank - 1), keys: any(mask.rank - 2).transpose() };
}
