// Layers without windows or statistics: embedding, flatten, reshape, identity, activations with options.

import { isFloat } from "../nest/typing.ts";
import * as functions from "../tensor/functions/index.ts";
import type { Shape } from "../tensor/shapes.ts";
import type { Axes, Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { kindOf } from "../util/kind-of.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import type { Settings } from "./call.ts";
import { checkCount, product, refuseTensor, wholeNumbers } from "./checks.ts";
import { normal, type Start, start } from "./init.ts";
import { type Layer, makeLayer, type ShapedLayer } from "./layer.ts";
import type { EmbeddingRule, FlattenRule, ReshapeRule, SameRule } from "./rules.ts";

/**
 * A table of `count` rows of `size` numbers: whole numbers [...] → [..., size]. Parameter weight [count, size], from
 * normal(0, 1) unless given.
 */
export function embedding<const Size extends number>(
  count: number,
  size: Size,
  options: { readonly init?: Start } = {},
): ShapedLayer<EmbeddingRule<Size>> {
  checkOptions("embedding", options, { init: true });
  checkCount("embedding", "count", count);
  checkCount("embedding", "size", size);
  const weight = start("embedding weight", options.init ?? normal(), [count, size], { in: 1, out: 1 });
  return makeLayer({
    kind: "embedding",
    settings: { count, size },
    parameters: { weight },
    forward: (_state, ids: Tensor) => functions.embedding(weight, isFloat(ids.dtype) ? wholeNumbers("embedding", ids) : ids),
  });
}

/** Makes the dimensions from `startAxis` to `endAxis` one; by default all but the batch. */
export function flatten(): ShapedLayer<FlattenRule>;
export function flatten(options: { readonly startAxis?: number; readonly endAxis?: number }): Layer;
export function flatten(options: { readonly startAxis?: number; readonly endAxis?: number } = {}): unknown {
  refuseTensor("flatten", options);
  const { startAxis = 1, endAxis = -1 } = checkOptions<typeof options>("flatten", options, { startAxis: true, endAxis: true });
  return makeLayer<Layer>({
    kind: "flatten",
    settings: { ...options } as Settings,
    forward(_state, x) {
      const first = startAxis < 0 ? startAxis + x.rank : startAxis;
      const last = endAxis < 0 ? endAxis + x.rank : endAxis;
      // One sample number per row: [N] is already flat but for the second dimension.
      if (options.startAxis === undefined && options.endAxis === undefined) return x.flatten();
      if (!(first >= 0 && first <= last && last < x.rank))
        throw new ShapeError(`flatten: axes ${startAxis} to ${endAxis} do not exist in shape ${shapeText(x.shape)}`);
      const merged = x.shape.slice(first, last + 1).reduce((a, b) => a * b, 1);
      return x.reshape([...x.shape.slice(0, first), merged, ...x.shape.slice(last + 1)]);
    },
  });
}

/**
 * Every sample under another shape: [batch, …] → [batch, ...shape]; one extent may be −1 (what is left).
 * @example sequential(linear(16, 3136), reshape([64, 7, 7]), convTranspose2d(64, 32, 3))
 * @throws ShapeError when the numbers of elements differ
 */
export function reshape<const To extends Shape>(shape: To): ShapedLayer<ReshapeRule<To>> {
  refuseTensor("reshape", shape);
  checkExtents("reshape", shape);
  return makeLayer<ShapedLayer<ReshapeRule<To>>>({
    kind: "reshape",
    settings: { shape: [...shape] },
    forward: (_state, x: Tensor) => x.reshape([x.shape[0] ?? 1, ...shape] as readonly number[]),
  });
}

/**
 * Divides one dimension into several: unflatten(1, [2, 3]) makes [batch, 6, …] to [batch, 2, 3, …]; one extent may be
 * −1.
 * @throws ShapeError when they do not multiply to the extent of the dimension
 */
export function unflatten(axis: number, shape: readonly number[]): Layer {
  refuseTensor("unflatten", axis);
  checkExtents("unflatten", shape);
  return makeLayer<Layer>({
    kind: "unflatten",
    settings: { axis, shape: [...shape] },
    forward(_state, x: Tensor) {
      const at = axis < 0 ? axis + x.rank : axis;
      const extent = x.shape[at];
      if (extent === undefined) throw new ShapeError(`unflatten: axis ${axis} does not exist in shape ${shapeText(x.shape)}`);
      const rest = product(shape.filter((size) => size !== -1));
      const full = shape.map((size) => (size === -1 ? extent / rest : size));
      if (product(full) !== extent || full.some((size) => !Number.isInteger(size)))
        throw new ShapeError(`unflatten: an extent of ${extent} cannot be divided into ${shapeText(shape)}: x is ${shapeText(x.shape)}`);
      return x.reshape([...x.shape.slice(0, at), ...full, ...x.shape.slice(at + 1)]);
    },
  });
}

/** Returns its input. */
export function identity(): ShapedLayer<SameRule> {
  return makeLayer<ShapedLayer<SameRule>>({ kind: "identity", forward: (_state, x: Tensor) => x });
}

/** x where positive, else slope · x. Maas et al. 2013. */
export function leakyRelu(slope = 0.01): ShapedLayer<SameRule> {
  return activation("leakyRelu", { slope }, (x) => functions.leakyRelu(x, slope));
}

/** x where positive, else alpha · (eˣ − 1). Clevert et al. 2015. */
export function elu(alpha = 1): ShapedLayer<SameRule> {
  return activation("elu", { alpha }, (x) => functions.elu(x, alpha));
}

/**
 * x times the probability that a standard normal number is below x; "tanh" is the common approximation. Hendrycks &
 * Gimpel 2016.
 */
export function gelu(approximate: "none" | "tanh" = "none"): ShapedLayer<SameRule> {
  return activation("gelu", { approximate }, (x) => functions.gelu(x, approximate));
}

/** x limited to [low, high]. */
export function hardtanh(low = -1, high = 1): ShapedLayer<SameRule> {
  return activation("hardtanh", { low, high }, (x) => functions.hardtanh(x, low, high));
}

/** Probabilities that sum to 1 along the axis. Leave it out before crossEntropy, which takes logits. */
export function softmax(axis: Axes = -1): ShapedLayer<SameRule> {
  return activation("softmax", { axis }, (x) => functions.softmax(x, axis));
}

/** log softmax along an axis (default the last one) as a layer; the same shape. */
export function logSoftmax(axis: Axes = -1): ShapedLayer<SameRule> {
  return activation("logSoftmax", { axis }, (x) => functions.logSoftmax(x, axis));
}

function checkExtents(kind: string, shape: readonly number[]): void {
  const valid = Array.isArray(shape) && shape.every((size) => Number.isInteger(size) && (size > 0 || size === -1));
  if (!valid || shape.filter((size) => size === -1).length > 1)
    throw new InputError(`${kind}: expected a list of positive integers and at most one −1, got ${JSON.stringify(shape)}`);
}

function activation(kind: string, settings: Settings, forward: (x: Tensor) => Tensor): ShapedLayer<SameRule> {
  for (const [name, value] of Object.entries(settings)) {
    refuseTensor(kind, value);
    if (Number.isNaN(value) || (value instanceof Object && !Array.isArray(value)))
      throw new InputError(`${kind}: ${name} cannot be ${kindOf(value)}`, { hint: `a number in its place, without a name: ${kind}(1)` });
  }
  return makeLayer<ShapedLayer<SameRule>>({ kind, settings, forward: (_state, x: Tensor) => forward(x) });
}
