// Objects in the hands of libraries that wrap or copy what they are given: reactive state leaves them as they are, and what is only a part of one is refused.

import { describe, expect, it } from "vitest";
import * as data from "../../src/data/index.ts";
import * as kasane from "../../src/index.ts";
import * as inspect from "../../src/inspect/index.ts";
import * as io from "../../src/io/index.ts";
import * as nn from "../../src/nn/index.ts";
import * as optim from "../../src/optim/index.ts";
import * as train from "../../src/train/index.ts";
import * as trainInNode from "../../src/train/node.ts";

const { parameter, tensor } = kasane;

const classes = Object.entries({ ...kasane, ...nn, ...optim, ...data, ...train, ...trainInNode, ...inspect, ...io }).filter(
  ([, given]) => typeof given === "function" && /^class /.test(String(given)),
) as [string, { readonly prototype: object }][];
const withPrivates = classes.filter(([, made]) => /\s#\w+/.test(String(made)) && !(made.prototype instanceof Error));

describe("reactive state", () => {
  it("is tried with what there is", () => {
    expect(withPrivates.map(([name]) => name)).toEqual(expect.arrayContaining(["Dataset", "DataLoader", "Recorder", "RunFolder"]));
  });

  // Vue wraps what is [object Object], Map or Set.
  it.each(withPrivates)("does not wrap a %s", (name, { prototype }) => {
    expect(Object.prototype.toString.call(Object.create(prototype))).toBe(`[object ${name}]`);
  });

  it("does not wrap a tensor", () => {
    expect(Object.prototype.toString.call(tensor([1]))).toBe("[object Tensor]");
    expect(Object.prototype.toString.call(parameter([1]))).toBe("[object Tensor]");
  });
});

/** As lodash's cloneDeep makes it. */
const copied = <Kind extends object>(given: Kind): Kind => Object.assign(Object.create(Object.getPrototypeOf(given)), given);

describe.each([
  ["a wrapper", <Kind extends object>(given: Kind): Kind => new Proxy(given, {})],
  ["a copy of the visible part", copied],
  ["what inherits from it", <Kind extends object>(given: Kind): Kind => Object.create(given)],
])("%s of a tensor", (_, changed) => {
  const uses: Readonly<Record<string, (given: kasane.Tensor) => unknown>> = {
    "x.add(1)": (x) => x.add(1),
    "tensor.add(x)": (x) => tensor([1, 2]).add(x),
    "x.sum()": (x) => x.sum(),
    "x.reshape()": (x) => x.reshape([2, 1]),
    "matmul(x, x)": (x) => kasane.matmul(x, x),
    "a layer": (x) => nn.linear(2, 1)(x),
  };

  it.each(Object.keys(uses))("is refused by name: %s", (use) => {
    expect(() => uses[use]!(changed(tensor([1, 2])))).toThrow(
      /: expected tensors, got a copy or a wrapper that another library made of one/,
    );
  });

  it("still holds its numbers, which load", () => {
    const net = nn.sequential(nn.linear(2, 2));
    const state = new Map([...net.stateDict()].map(([name, value]) => [name, changed(value)]));
    net.loadStateDict(state);
    expect(tensor(changed(tensor([1, 2])) as never).data).toEqual(new Float32Array([1, 2]));
  });
});
