// A small GPT: causal transformer blocks learn kasane's own handbook and continue a sentence (Radford et al. 2018). Another text: npm run example -- small-gpt FILE.

import { compile, gelu, manualSeed, noGrad, type Tensor, tensor } from "kasane";
import { VocabularyTokenizer } from "kasane/data";
import { embedding, learnedPositions, linear, sequential, transformerEncoder } from "kasane/nn";
import { adamW, cosineDecay, parameterGroups, warmUp } from "kasane/optim";
import { Dice } from "./support/dice.ts";
import { saveText, small } from "./support/output.ts";
import { bigramEntropy, learn, pick, readText } from "./support/text.ts";

const text = await readText(process.argv[2], small ? 3000 : 60_000);
const beginning = "The formula of a layer is ";
const letters = VocabularyTokenizer.fit(beginning + text);
const [context, batchSize, width] = small ? [16, 4, 16] : [96, 24, 128];
const steps = small ? 3 : 800;

manualSeed(1);
const net = sequential(
  embedding(letters.size, width), // [n, time] → [n, time, width]
  learnedPositions(context, width),
  transformerEncoder(width, 4, { layers: small ? 1 : 3, causal: true, norm: "pre", activation: gelu, dropout: 0 }),
  linear(width, letters.size), // → [n, time, letters]
);
// Matrices decay, biases and norms do not.
const optimizer = adamW(parameterGroups(net.namedParameters(), [{ match: (_, weight) => weight.rank < 2, weightDecay: 0 }]), {
  weightDecay: 0.1,
});
const rate = warmUp(Math.ceil(steps / 20), cosineDecay(0.003, { steps, least: 0.0002 }));

const dice = new Dice(1);
learn(net, letters.encode(text), { optimizer, rate, steps, batchSize, length: context, dice });
console.log(`a table of pairs of letters would need ${bigramEntropy(text).toFixed(3)}`);

net.eval();
// Always as many letters as the context holds: what is beyond the last one, later ones do not see.
const next = compile((x: Tensor) => net(x));
const tokens = [...letters.encode(beginning)];
for (let n = 0; n < (small ? 10 : 500); n++) {
  const seen = tokens.slice(-context);
  const padded = new Int32Array(context);
  padded.set(seen);
  const probabilities = noGrad(() =>
    next(tensor(padded, [1, context]))
      .slice(0, seen.length - 1)
      .div(0.7)
      .softmax(),
  ).data;
  tokens.push(pick(probabilities, dice.between(0, 1)));
}
const written = letters.decode(tokens);
console.log(written.split("\n").slice(0, 6).join("\n"));
await saveText("small-gpt", `${written}\n`);
