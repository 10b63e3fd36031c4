// Muon: orthogonalizes the momentum of a matrix, so that all directions take steps of the same size.

import * as updates from "../ops/updates.ts";
import { full } from "../tensor/create.ts";
import type { Tensor } from "../tensor/types.ts";
import { ShapeError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";
import { norm } from "./large-batch.ts";
import { declareOptimizer, type MakeOptimizer, rule } from "./optimizer.ts";

/** Settings of Muon. */
export interface MuonOptions {
  /** Default 0.001. */
  readonly learningRate?: number;
  /** Memory of the momentum. Default 0.95. */
  readonly momentum?: number;
  /** Looks ahead along the momentum. Default true. */
  readonly nesterov?: boolean;
  /** Shrinks the weight by rate · weightDecay. Default 0.1. */
  readonly weightDecay?: number;
  /** Newton–Schulz iterations. Default 5. */
  readonly iterations?: number;
}

/** Coefficients that bring singular values near 1 fast, not exactly. Jordan 2024. */
const [linear, cubic, quintic] = [3.4445, -4.775, 2.0315] as const;

/**
 * m ← μm + (1 − μ)g, O = orthogonal(m, or (1 − μ)g + μm), w ← w · (1 − rate · weightDecay) − rate · √max(1, rows /
 * columns) · O. For matrices: the weights of hidden linear layers, and of convolutions seen as [outputs, the rest];
 * train biases, norms, embeddings and the last layer with adamW, as one optimizer by combineOptimizers. Jordan 2024, as
 * PyTorch defines it.
 * @throws InputError when an option is out of range; ShapeError for parameters with fewer than two dimensions
 * @function
 */
export const muon: MakeOptimizer<MuonOptions> = declareOptimizer({
  kind: "muon",
  defaults: { learningRate: 1e-3, momentum: 0.95, nesterov: true, weightDecay: 0.1, iterations: 5 },
  shares: ["momentum"],
  notNegative: ["weightDecay", "iterations"],
  remembered: ["firstMoment"],
  update({ weight, gradient, rate, state, settings: { momentum, nesterov, weightDecay: shrink, iterations } }) {
    if (weight.rank < 2)
      throw new ShapeError(`muon: expected parameters with two dimensions or more, got shape ${shapeText(weight.shape)}`, {
        hint: "give biases and norms to adamW, matrices to muon",
      });
    const first = state("firstMoment");
    const mean = { beta1: momentum, fresh1: 1 - momentum, decay: 0 };
    first.assign(rule(updates.adamFirst, [first, gradient, weight], mean));
    const direction = nesterov ? rule(updates.adamFirst, [first, gradient, weight], mean) : first;
    const [rows = 1] = weight.shape;
    const columns = weight.size / rows;
    const orthogonal = orthogonalized(direction.reshape([rows, columns]), iterations).reshape(weight.shape);
    const scale = full([], Math.sqrt(Math.max(1, rows / columns)), { dtype: weight.dtype });
    weight.assign(rule(updates.scaledStep, [weight, scale, orthogonal], { rate, shrink }));
  },
});

/** X ← aX + (bA + cA²)X with A = XXᵀ, from X = m / ‖m‖: all singular values go to about 1. */
function orthogonalized(matrix: Tensor, iterations: number): Tensor {
  const [rows = 1, columns = 1] = matrix.shape;
  const tall = rows > columns;
  let x = tall ? matrix.transpose() : matrix;
  x = x.div(norm(x).maximum(1e-7));
  for (let n = 0; n < iterations; n++) {
    const square = x.matmul(x.transpose());
    x = x.mul(linear).add(square.mul(cubic).add(square.matmul(square).mul(quintic)).matmul(x));
  }
  return tall ? x.transpose() : x;
}
