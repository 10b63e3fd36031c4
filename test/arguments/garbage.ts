// What plain JavaScript puts in the place of an argument: of every kind of the language, and kasane's own things where another is wanted.

import * as data from "../../src/data/index.ts";
import * as root from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";

/** By name, each made anew for every call. */
export const garbage: Readonly<Record<string, () => unknown>> = {
  nothing: () => undefined,
  null: () => null,
  "-1": () => -1,
  "1.5": () => 1.5,
  NaN: () => Number.NaN,
  "a bigint": () => 3n,
  "a text": () => "abc",
  "an empty text": () => "",
  true: () => true,
  "a symbol": () => Symbol("s"),
  "a function": () => () => undefined,
  "a function that throws": () => () => {
    throw null;
  },
  "an object": () => ({ axis: 1 }),
  "an object without a prototype": () => Object.create(null),
  "an empty object": () => ({}),
  "an empty list": () => [],
  "a list of junk": () => ["a", null, {}, Symbol("s"), undefined],
  "a list of lists": () => [[null], [[]]],
  "a promise": () => Promise.resolve(1),
  "a map": () => new Map([["a", null]]),
  "a date": () => new Date(0),
  "a layer": () => nn.linear(2, 2),
  "an int tensor": () => root.tensor([1, 2, 3], { dtype: "int32" }),
  "a tensor of rank 3": () => root.zeros([2, 1, 3]),
  "a float64 scalar": () => root.tensor(1, { dtype: "float64" }),
  "a data set": () => new data.Dataset({ x: data.ndArray(new Float32Array(2), [2]) }),
};
