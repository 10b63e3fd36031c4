// Texts for examples that write: this project's own handbook, or a file; letters and numbers for them; how hard a text is to guess.

import { readFile } from "node:fs/promises";

const handbook = ["README.md", "docs/architecture.md", "docs/formula.md", "docs/performance.md", "CHANGELOG.md", "CONTRIBUTING.md"];

/** The file, or the handbook of the checkout the program is run in, cut to so many letters. */
export async function readText(path: string | undefined, most: number): Promise<string> {
  const texts = await Promise.all((path === undefined ? handbook : [path]).map((file) => readFile(file, "utf8")));
  return texts.join("\n").slice(0, most);
}

/** The letters of a text, numbered. */
export class Letters {
  readonly #all: readonly string[];
  readonly #numbers: ReadonlyMap<string, number>;

  constructor(text: string) {
    this.#all = [...new Set(text)].sort();
    this.#numbers = new Map(this.#all.map((letter, number) => [letter, number]));
  }

  get count(): number {
    return this.#all.length;
  }

  encode(text: string): Int32Array {
    return Int32Array.from([...text], (letter) => this.#numbers.get(letter) ?? 0);
  }

  /** The letter at which the probabilities, added up, pass a number from 0 to 1. */
  pick(probabilities: ArrayLike<number>, at: number): string {
    let sum = 0;
    const number = Array.from(probabilities).findIndex((probability) => {
      sum += probability;
      return sum > at;
    });
    return this.#all[number < 0 ? this.count - 1 : number] ?? "";
  }
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
