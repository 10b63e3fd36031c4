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

/** What an object of a class does when asked for a member that is a method or a getter. */
function ask(thing: object, key: string | symbol): unknown {
  const member = Reflect.get(thing, key) as unknown;
  return typeof member === "function" ? Reflect.apply(member, thing, []) : member;
}

describe("copies and wrappers", () => {
  const members = withPrivates.flatMap(([name, { prototype }]) =>
    Reflect.ownKeys(prototype)
      .filter((key) => key !== "constructor" && key !== Symbol.toStringTag)
      .map((key) => [name, String(key), prototype, key] as const),
  );

  it.each(members)("of a %s are refused by name: %s", (name, _, prototype, key) => {
    const said = new RegExp(
      `^${name}(\\.${String(key).replaceAll("$", "\\$")})?: expected a ${name}, got a copy or a wrapper that another library`,
    );
    for (const changed of [Object.create(prototype) as object, new Proxy(Object.create(prototype) as object, {})]) {
      expect(() => ask(changed, key)).toThrow(kasane.InputError);
      expect(() => ask(changed, key)).toThrow(said);
    }
  });

  const samples = () => new data.Dataset({ x: data.ndArray(new Float32Array(4), [2, 2]), y: data.ndArray(new Int32Array(2), [2]) });
  const net = nn.linear(2, 2);
  const options = { loss: nn.crossEntropy, optimizer: optim.sgd(net.parameters(), { learningRate: 0.1 }), epochs: 1 };
  const doors: Readonly<Record<string, (given: data.Dataset) => unknown>> = {
    fit: (given) => train.fit(net, given as never, options),
    evaluate: (given) => train.evaluate(net, given as never, { loss: options.loss }),
    predict: (given) => train.predict(net, given as never),
    DataLoader: (given) => [...new data.DataLoader(given, { batchSize: 1 })],
    examine: (given) => inspect.examine(net, given as never, options),
    validation: (given) => train.fit(net, samples() as never, { ...options, validation: given as never }),
  };
  const changes: Readonly<Record<string, (given: data.Dataset) => unknown>> = {
    "a wrapper": (given) => new Proxy(given, {}),
    "what inherits from it": (given) => Object.create(given),
    "a structured clone": (given) => structuredClone(given),
  };
  it.each(Object.keys(doors).flatMap((door) => Object.keys(changes).map((change) => [door, change])))(
    "of a data set: %s is given %s",
    async (door, change) => {
      const run = async () => doors[door]!(changes[change]!(samples()) as data.Dataset);
      await expect(run()).rejects.toThrow(kasane.InputError);
      await expect(run()).rejects.toThrow(/expected (a (Data|data )set|samples|numbers)/i);
    },
  );

  it("leave methods with their names and numbers of arguments, and what they do", async () => {
    expect([data.Dataset.prototype.gather.name, data.Dataset.prototype.gather.length, data.Dataset.prototype.map.length]).toEqual([
      "gather",
      1,
      1,
    ]);
    const { gather } = samples();
    expect(() => gather([0])).toThrow(/^Dataset.gather: expected a Dataset, got nothing/);
    expect([...new data.DataLoader(samples(), { batchSize: 1 })]).toHaveLength(2);
    class Named extends data.Dataset {}
    expect(new Named(samples().fields).gather([1]).y?.data).toEqual(new Int32Array(1));
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
