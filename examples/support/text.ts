// Texts for examples that write: this project's own handbook, or a file; how to learn them, and how hard they are to guess.

import { readFile } from "node:fs/promises";
import { compile, type Tensor, tensor } from "kasane";
import { crossEntropy, type Layer } from "kasane/nn";
import { clipGradientNorm, type Optimizer, type Schedule } from "kasane/optim";
import type { Dice } from "./dice.ts";
import { small } from "./output.ts";

const handbook = ["README.md", "docs/architecture.md", "docs/formula.md", "docs/performance.md", "CHANGELOG.md", "CONTRIBUTING.md"];

/** The file, or the handbook of the checkout the program is run in, cut to so many letters. */
export async function readText(path: string | undefined, most: number): Promise<string> {
  const texts = await Promise.all((path === undefined ? handbook : [path]).map((file) => readFile(file, "utf8")));
  return texts.join("\n").slice(0, most);
}

/** The token at which the probabilities, added up, pass a number from 0 to 1. */
export function pick(probabilities: ArrayLike<number>, at: number): number {
  let sum = 0;
  const token = Array.from(probabilities).findIndex((probability) => {
    sum += probability;
    return sum > at;
  });
  return token < 0 ? probabilities.length - 1 : token;
}

/** Mean −log of the probability of a letter given the one before, in nats, with the probabilities of this very text. */
export function bigramEntropy(text: string): number {
  const letters = [...text];
  const pairs = new Map<string, number>();
  const firsts = new Map<string, number>();
  for (let n = 1; n < letters.length; n++) {
    const first = letters[n - 1] ?? "";
    const pair = first + letters[n];
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    firsts.set(first, (firsts.get(first) ?? 0) + 1);
  }
  let entropy = 0;
  for (const [pair, count] of pairs) entropy -= count * Math.log(count / (firsts.get([...pair][0] ?? "") ?? 1));
  return entropy / (letters.length - 1);
}

export interface Lessons {
  readonly optimizer: Optimizer;
  readonly rate: Schedule;
  readonly steps: number;
  readonly batchSize: number;
  /** Letters of each piece of the text. */
  readonly length: number;
  readonly dice: Dice;
}

/** Teaches a network [n, time] → [n, time, letters] to guess each next letter of a text, from pieces at random places. */
export function learn(net: Layer, ids: Int32Array, { optimizer, rate, steps, batchSize, length, dice }: Lessons): void {
  const step = compile((x: Tensor, next: Tensor) => {
    optimizer.zeroGrad();
    const loss = crossEntropy(net(x).transpose([0, 2, 1]), next);
    loss.backward();
    clipGradientNorm(net.parameters(), 1);
    optimizer.step();
    return loss;
  });
  let recent = 0;
  for (let n = 0; n < steps; n++) {
    const starts = Array.from({ length: batchSize }, () => dice.whole(ids.length - length - 1));
    const batch = (shift: number): Tensor =>
      tensor(Int32Array.from(starts.flatMap((start) => [...ids.subarray(start + shift, start + shift + length)])), [batchSize, length]);
    optimizer.learningRate = rate(n);
    const loss = step(batch(0), batch(1)).item();
    recent = n === 0 ? loss : 0.95 * recent + 0.05 * loss;
    if ((n + 1) % (small ? 1 : 100) === 0) console.log(`step ${n + 1}: ${recent.toFixed(3)} nats per letter`);
  }
}
