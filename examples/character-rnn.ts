// A character RNN: an LSTM reads kasane's own handbook letter by letter and then writes in its manner (Graves 2013). Another text: npm run example -- character-rnn FILE.

import { manualSeed, noGrad, type Tensor, tensor } from "kasane";
import { VocabularyTokenizer } from "kasane/data";
import { embedding, layer, linear, lstm } from "kasane/nn";
import { adam, cosineDecay } from "kasane/optim";
import { Dice } from "./support/dice.ts";
import { saveText, small } from "./support/output.ts";
import { bigramEntropy, learn, pick, readText } from "./support/text.ts";

const text = await readText(process.argv[2], small ? 3000 : 60_000);
const beginning = "The ";
const letters = VocabularyTokenizer.fit(beginning + text);
const [length, batchSize, hidden] = small ? [16, 4, 16] : [64, 32, 192];
const steps = small ? 3 : 500;

manualSeed(1);
const read = embedding(letters.size, 32);
const remember = lstm(32, hidden);
const guess = linear(hidden, letters.size);
const net = layer({ read, remember, guess }, (ids: Tensor) => guess(remember(read(ids)))); // [n, time] → [n, time, letters]
const optimizer = adam(net.parameters());
const rate = cosineDecay(0.006, { steps, least: 0.0005 });

const dice = new Dice(1);
learn(net, letters.encode(text), { optimizer, rate, steps, batchSize, length, dice });
console.log(`a table of pairs of letters would need ${bigramEntropy(text).toFixed(3)}`);

// Letter by letter, the state carried along.
const written = noGrad(() => {
  let state: { readonly hidden: Tensor; readonly cell: Tensor } | undefined;
  const tokens = [...letters.encode(beginning)];
  for (let n = 0; n < (small ? 20 : 600); n++) {
    const fresh = state === undefined ? tokens : tokens.slice(-1);
    const { output, ...after } = remember.run(read(tensor(Int32Array.from(fresh), [1, fresh.length])), state && { state });
    state = after;
    const probabilities = guess(output.slice(null, -1)).div(0.7).softmax().data;
    tokens.push(pick(probabilities, dice.between(0, 1)));
  }
  return letters.decode(tokens);
});
console.log(written.split("\n").slice(0, 6).join("\n"));
await saveText("character-rnn", `${written}\n`);
