// The sequence models, written from ordinary ops: an LSTM unrolled over its steps and a GPT-style block.

import { gelu, gradients, linear, stack, type Tensor, tensor, where } from "kasane";
import { type Layer, layer, layerNorm, linear as linearLayer, meanSquaredError } from "kasane/nn";
import { adamW } from "kasane/optim";
import { uniform } from "../data.ts";
import { resident } from "../resident.ts";
import type { Prepared, Workload } from "../workload.ts";
import { forward } from "./inference.ts";
import { fill, seeded } from "./models.ts";
import { training } from "./steps.ts";

const STEPS = 64;
const BATCH = 32;
const HIDDEN = 256;

/** Hochreiter & Schmidhuber 1997 with a forget gate; gates in the order input, forget, cell, output. */
export interface LstmWeights {
  readonly input: Tensor;
  readonly hidden: Tensor;
  readonly inputBias: Tensor;
  readonly hiddenBias: Tensor;
}

export function lstmWeights(): LstmWeights {
  const weight = (seed: number, shape: readonly number[]): Tensor =>
    tensor(uniform(seed, shape, 1 / 16).data, shape, { requiresGrad: true });
  return {
    input: weight(500, [4 * HIDDEN, HIDDEN]),
    hidden: weight(501, [4 * HIDDEN, HIDDEN]),
    inputBias: weight(502, [4 * HIDDEN]),
    hiddenBias: weight(503, [4 * HIDDEN]),
  };
}

/** x: [steps, batch, features] → every hidden state: [steps, batch, hidden]. */
export function lstm(x: Tensor, { input, hidden, inputBias, hiddenBias }: LstmWeights): Tensor {
  const fromInput = linear(x, input, inputBias.add(hiddenBias));
  const states: Tensor[] = [];
  let [state, cell]: [Tensor | undefined, Tensor | undefined] = [undefined, undefined];
  for (const given of fromInput.split(1)) {
    const sums = given.squeeze(0);
    const gates: Tensor = state === undefined ? sums : sums.add(linear(state, hidden));
    const [write, keep, fresh, show] = gates.split(HIDDEN, -1) as [Tensor, Tensor, Tensor, Tensor];
    const written: Tensor = write.sigmoid().mul(fresh.tanh());
    cell = cell === undefined ? written : keep.sigmoid().mul(cell).add(written);
    state = show.sigmoid().mul(cell.tanh());
    states.push(state);
  }
  return stack(states);
}

/** Pre-norm attention and feed-forward over [batch, tokens, width], each token seeing itself and what is before it. */
export function transformerBlock(width = 256, heads = 8, tokens = 128): Layer {
  const dense = (inputs: number, outputs: number, seed: number): Layer => seeded(linearLayer(inputs, outputs), seed, 1 / Math.sqrt(inputs));
  const norm = (seed: number): Layer => {
    const made = layerNorm(width) as Layer;
    fill(made, "weight", seed, 0.2, 1);
    fill(made, "bias", seed + 1, 0.1);
    return made;
  };
  const parts = {
    norm1: norm(650),
    qkv: dense(width, 3 * width, 600),
    projection: dense(width, width, 610),
    norm2: norm(660),
    expand: dense(width, 4 * width, 620),
    contract: dense(4 * width, width, 630),
  };
  const size = width / heads;
  const visible = tensor(
    Int32Array.from({ length: tokens * tokens }, (_, n) => (n % tokens <= Math.floor(n / tokens) ? 1 : 0)),
    [tokens, tokens],
  );
  return layer(parts, (x: Tensor) => {
    const split = parts.qkv(parts.norm1(x)).reshape([-1, tokens, 3, heads, size]).transpose([2, 0, 3, 1, 4]);
    const [query, key, value] = split.split(1).map((part) => part.squeeze(0)) as [Tensor, Tensor, Tensor];
    const scores = query.matmul(key.transpose()).mul(1 / Math.sqrt(size));
    const mixed = where(visible, scores, -1e9).softmax(-1).matmul(value);
    const attended = x.add(parts.projection(mixed.transpose([0, 2, 1, 3]).reshape([-1, tokens, width])));
    return attended.add(parts.contract(gelu(parts.expand(parts.norm2(attended)), "tanh")));
  }) as Layer;
}

const sequence = (): Tensor => uniform(120, [STEPS, BATCH, HIDDEN]);

function lstmStep(): Prepared {
  const [x, weights, upstream] = [sequence(), lstmWeights(), uniform(121, [STEPS, BATCH, HIDDEN])];
  return resident(() => {
    const loss = lstm(x, weights).mul(upstream).mean();
    return [loss, ...gradients(loss, [weights.input, weights.hidden, weights.inputBias, weights.hiddenBias])];
  });
}

function lstmForward(): Prepared {
  const [x, weights] = [sequence(), lstmWeights()];
  return forward((input) => lstm(input, weights), x);
}

const tokens = (seed: number): Tensor => uniform(seed, [8, 128, 256]);

export const sequences: readonly Workload[] = [
  {
    name: "lstm",
    what: "LSTM 256→256, 64 steps, batch 32, forward and gradients by the weights",
    flops: 5_368_709_120,
    prepare: lstmStep,
  },
  {
    name: "lstm-fwd",
    what: "LSTM 256→256, 64 steps, batch 32, forward",
    flops: 2_147_483_648,
    prepare: lstmForward,
  },
  {
    name: "transformer-block",
    what: "GPT-style block, width 256, 8 heads, 128 tokens, batch 8, AdamW step",
    flops: 5_234_491_392,
    prepare: () =>
      training(
        transformerBlock(),
        (p) => adamW(p, { learningRate: 1e-3, weightDecay: 0.01 }),
        [0, 1].map((n) => [tokens(130 + n), tokens(140 + n)] as const),
        6,
        meanSquaredError,
      ),
  },
  {
    name: "transformer-block-fwd",
    what: "GPT-style block, width 256, 8 heads, 128 tokens, batch 8, forward",
    flops: 1_744_830_464,
    prepare: () => forward(transformerBlock(), tokens(130)),
  },
];
