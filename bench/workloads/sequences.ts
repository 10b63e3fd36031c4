// The sequence models: an LSTM and a GPT-style block.

import { gradients, type Tensor } from "kasane";
import { gelu, type Layer, lstm, meanSquaredError, transformerEncoderLayer } from "kasane/nn";
import { adamW } from "kasane/optim";
import { uniform } from "../data.ts";
import { resident } from "../resident.ts";
import type { Prepared, Workload } from "../workload.ts";
import { forward } from "./inference.ts";
import { fill } from "./models.ts";
import { training } from "./steps.ts";

const STEPS = 64;
const BATCH = 32;
const HIDDEN = 256;

/** With PyTorch's numbers; reads [batch, steps, features]. */
function network(): Layer {
  const made = lstm(HIDDEN, HIDDEN) as unknown as Layer;
  for (const [n, name] of ["inputWeight0", "hiddenWeight0", "inputBias0", "hiddenBias0"].entries()) fill(made, name, 500 + n, 1 / 16);
  return made;
}

/** The block of a GPT over [batch, tokens, width], with the numbers of PyTorch's. */
function transformerBlock(width = 256, heads = 8): Layer {
  const block = transformerEncoderLayer(width, heads, {
    norm: "pre",
    causal: true,
    dropout: 0,
    activation: gelu("tanh"),
  }) as unknown as Layer;
  for (const [weight, bias, seed, inputs] of [
    ["selfAttention.inputWeight", "selfAttention.inputBias", 600, width],
    ["selfAttention.output.weight", "selfAttention.output.bias", 610, width],
    ["linear1.weight", "linear1.bias", 620, width],
    ["linear2.weight", "linear2.bias", 630, 4 * width],
  ] as const) {
    fill(block, weight, seed, 1 / Math.sqrt(inputs));
    fill(block, bias, seed + 1, 1 / Math.sqrt(inputs));
  }
  for (const [norm, seed] of [
    ["norm1", 650],
    ["norm2", 660],
  ] as const) {
    fill(block, `${norm}.weight`, seed, 0.2, 1);
    fill(block, `${norm}.bias`, seed + 1, 0.1);
  }
  return block;
}

/** PyTorch's numbers stand as [steps, batch, features]. */
const sequence = (seed: number): Tensor => uniform(seed, [STEPS, BATCH, HIDDEN]).transpose([1, 0, 2]);

function lstmStep(): Prepared {
  const [x, model, upstream] = [sequence(120), network(), sequence(121)];
  return resident(() => {
    const loss = model(x).mul(upstream).mean();
    return [loss, ...gradients(loss, model.parameters())];
  });
}

function lstmForward(): Prepared {
  return forward(network(), sequence(120));
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
