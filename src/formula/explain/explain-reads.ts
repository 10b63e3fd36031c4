// Finds which input elements an explained element was computed from, and which terms each contributed to.

import type { Filled, FilledCall, FilledChain, FilledRead } from "../filled.ts";
import { elementName } from "./explain.ts";
import type { Explanation, ExplanationLine } from "./explanation.ts";

/** An element of an input. */
export interface InputRead {
  readonly tensor: string;
  readonly coordinates: readonly number[];
  readonly value: number;
  /**
   * The sum of those terms of the explained element that it is part of, products multiplied out: in 3·2 + 1·4 the 2 has
   * 6, and so has the 3. What stands inside a function or below a fraction bar is part of all that the function gives.
   * 0 for what only decides.
   */
  readonly contribution: number;
  /** It is part of no term: read for a condition or a position, or compared in a maximum that another element won. */
  readonly decides: boolean;
}

/**
 * The elements of the inputs that the explanation shows, also those behind intermediate values, the largest
 * contribution first; of equals what decides comes last. Intermediate values for which the explanation has no line are
 * not followed.
 */
export function readsOf(explanation: Explanation): readonly InputRead[] {
  const reads = [...new Bookkeeping(explanation).of(explanation.lines.at(-1)!).values()].map(
    ({ read: { tensor, coordinates, value }, contribution, decides }): InputRead => ({ tensor, coordinates, value, contribution, decides }),
  );
  return reads.sort((a, b) => size(b) - size(a) || Number(a.decides) - Number(b.decides));
}

interface Share {
  readonly read: FilledRead;
  readonly contribution: number;
  readonly decides: boolean;
}

type Shares = Map<string, Share>;

class Bookkeeping {
  readonly #inputs: ReadonlySet<string>;
  readonly #lines: ReadonlyMap<string, ExplanationLine>;
  readonly #known = new Map<ExplanationLine, Shares>();

  constructor({ inputs, lines }: Explanation) {
    this.#inputs = new Set(inputs);
    this.#lines = new Map(lines.map((line) => [elementName(line), line]));
  }

  of(line: ExplanationLine): Shares {
    let found = this.#known.get(line);
    if (found === undefined) {
      found = this.#shares(line.filled);
      this.#known.set(line, found);
    }
    return found;
  }

  #shares(node: Filled): Shares {
    switch (node.kind) {
      case "value":
        return new Map();
      case "read":
        return this.#read(node);
      case "choice":
        return joined([this.#shares(node.chosen), deciding(this.#shares(node.condition))]);
      case "call":
        return this.#call(node);
      case "chain":
        return this.#chain(node);
    }
  }

  #read(read: FilledRead): Shares {
    const indices = (read.chosenBy ?? []).map((index) => deciding(this.#shares(index)));
    if (!read.inside) return joined(indices);
    const name = elementName({ target: read.tensor, position: read.coordinates });
    const line = this.#inputs.has(read.tensor) ? undefined : this.#lines.get(name);
    if (line !== undefined) return joined([this.of(line), ...indices]);
    if (!this.#inputs.has(read.tensor)) return joined(indices);
    return joined([new Map([[name, { read, contribution: read.value, decides: false }]]), ...indices]);
  }

  #call(node: FilledCall): Shares {
    const shares = node.args.map((arg) => this.#shares(arg));
    const [a, b] = shares as [Shares, Shares];
    const [left, right] = node.args as [Filled, Filled];
    switch (node.fn) {
      case "add":
        return joined([a, b]);
      case "sub":
        return joined([a, scaled(b, -1)]);
      case "neg":
        return scaled(a, -1);
      case "float":
        return a;
      case "mul":
        return multiplied(a, left.value, b, right.value);
      case "div": {
        // What stands in the numerator alone divides; below the bar it is part of the whole.
        const below = whole([b], node.value);
        const above = scaled(a, 1 / right.value);
        for (const [name, { decides }] of b) if (!decides) above.delete(name);
        return joined([above, below]);
      }
      case "min":
      case "max": {
        const winner = Object.is(left.value, node.value) ? 0 : 1;
        return joined(shares.map((one, n) => (n === winner ? one : deciding(one))));
      }
      default:
        return whole(shares, node.value);
    }
  }

  #chain(chain: FilledChain): Shares {
    const shares = chain.terms.map(({ term }) => this.#shares(term));
    if (chain.reducer === "sum") return joined(shares);
    if (chain.reducer === "prod") {
      let [product, value]: [Shares, number] = [new Map(), chain.rest ?? 1];
      chain.terms.forEach(({ term }, n) => {
        product = multiplied(product, value, shares[n]!, term.value);
        value *= term.value;
      });
      return product;
    }
    const isArg = chain.reducer === "argmax" || chain.reducer === "argmin";
    const winner = chain.terms.findIndex(({ place, term }) => (isArg ? place === chain.value : Object.is(term.value, chain.value)));
    return joined(
      shares.map((one, n) => {
        if (n !== winner) return deciding(one);
        return isArg ? whole([one], chain.value) : one;
      }),
    );
  }
}

/** A sum's: what takes part in several terms has them all. */
function joined(parts: readonly Shares[]): Shares {
  const made: Shares = new Map();
  for (const part of parts)
    for (const [name, share] of part) {
      const known = made.get(name);
      if (known === undefined) made.set(name, share);
      else made.set(name, { ...share, contribution: known.contribution + share.contribution, decides: known.decides && share.decides });
    }
  return made;
}

function scaled(shares: Shares, by: number): Shares {
  return new Map([...shares].map(([name, share]) => [name, share.decides ? share : { ...share, contribution: share.contribution * by }]));
}

/**
 * (a + …)·(b + …) multiplied out: the products in which an element takes part from either side, those from both counted
 * once.
 */
function multiplied(a: Shares, left: number, b: Shares, right: number): Shares {
  const made = joined([scaled(a, right), scaled(b, left)]);
  for (const [name, share] of made) {
    const both = (a.get(name)?.contribution ?? 0) * (b.get(name)?.contribution ?? 0);
    if (both !== 0) made.set(name, { ...share, contribution: share.contribution - both });
  }
  return made;
}

/** Inside of a function that is no sum or product. */
function whole(parts: readonly Shares[], value: number): Shares {
  const made = joined(parts);
  return new Map([...made].map(([name, share]) => [name, share.decides ? share : { ...share, contribution: value }]));
}

function deciding(shares: Shares): Shares {
  return new Map([...shares].map(([name, { read }]) => [name, { read, contribution: 0, decides: true }]));
}

function size({ contribution }: InputRead): number {
  return Number.isNaN(contribution) ? Number.MAX_VALUE : Math.min(Math.abs(contribution), Number.MAX_VALUE);
}
