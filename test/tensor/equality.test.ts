// What users' tests see of tensors: their numbers take part in every comparison, snapshot, JSON text and clone, and nothing else does.

import assert from "node:assert";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { closeTensors, compile, type DType, ones, parameter, type Tensor, tensor, zeros } from "../../src/index.ts";
import { linear, sequential } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";

const comparisons: Readonly<Record<string, (a: unknown, b: unknown) => void>> = {
  "assert.deepStrictEqual": (a, b) => assert.deepStrictEqual(a, b),
  "assert.deepEqual": (a, b) => assert.deepEqual(a, b),
  toEqual: (a, b) => expect(a).toEqual(b),
  toStrictEqual: (a, b) => expect(a).toStrictEqual(b),
  "JSON.stringify": (a, b) => expect(JSON.stringify(a)).toBe(JSON.stringify(b)),
  structuredClone: (a, b) => expect(structuredClone(a)).toEqual(structuredClone(b)),
};

const made = (data: readonly number[]): Tensor => tensor([...data]);
/** The same numbers, come to in another way: computed, assigned, required, read, moved to a machine. */
const histories: Readonly<Record<string, (data: readonly number[]) => Tensor>> = {
  computed: (data) => made(data).sub(0),
  "computed with a tape": (data) => tensor([...data], { requiresGrad: true }).mul(1),
  "with a gradient": (data) => {
    const weight = parameter([...data]) as Tensor;
    weight.square().sum().backward();
    return weight;
  },
  assigned: (data) => {
    const target = zeros([data.length]);
    target.assign(made(data));
    return target;
  },
  "assigned in a compiled step": (data) => {
    const target = zeros([data.length]);
    const step = compile((x: Tensor) => target.assign(x));
    step(made(data));
    step(made(data));
    return target;
  },
  "a result of a compiled step": (data) => compile((x: Tensor) => x.add(0))(made(data)) as Tensor,
};

describe.each(Object.keys(comparisons))("%s", (name) => {
  const compare = comparisons[name] as (a: unknown, b: unknown) => void;

  it.each(Object.keys(histories))("sees the numbers of a tensor %s", (history) => {
    const come = histories[history] as (data: readonly number[]) => Tensor;
    compare(come([1, 2]), made([1, 2]));
    expect(() => compare(come([1, 2]), made([1, 3]))).toThrow();
    expect(() => compare(made([1, 3]), come([1, 2]))).toThrow();
    expect(() => compare({ inside: [come([1, 2])] }, { inside: [made([1, 3])] })).toThrow();
  });

  it("tells shapes apart, and dtypes", () => {
    expect(() => compare(ones([2, 1]), ones([1, 2]))).toThrow();
    expect(() => compare(tensor([true]), tensor(Uint8Array.of(1)))).toThrow();
  });

  it("sees weights that a compiled training changed", () => {
    if (name === "JSON.stringify" || name === "structuredClone") return;
    const net = sequential(linear(2, 2));
    const optimizer = sgd(net.parameters(), { learningRate: 0.1 });
    const step = compile((x: Tensor) => {
      optimizer.zeroGrad();
      const loss = net(x as never)
        .square()
        .sum() as Tensor;
      loss.backward();
      optimizer.step();
      return loss;
    });
    const before = net.stateDict();
    compare(before, net.stateDict());
    step(ones([1, 2]));
    expect(() => compare(before, net.stateDict())).toThrow();
    expect(() => compare([...before.values()], net.parameters())).toThrow();
    compare([...net.stateDict().values()], net.parameters());
  });
});

it("JSON and clones are read back as they were", () => {
  const dtypes: readonly DType[] = ["float32", "float64", "bfloat16", "int32", "uint8", "bool"];
  fc.assert(
    fc.property(fc.constantFrom(...dtypes), fc.array(fc.oneof(fc.integer({ min: 0, max: 1 }), fc.double())), (dtype, numbers) => {
      const isFloat = dtype.includes("float");
      const from = tensor(isFloat ? numbers : numbers.map((number) => Number(number > 0)), { dtype });
      // JSON has no −0.
      const expected = from.add(0).to(dtype);
      for (const back of [
        tensor(JSON.parse(JSON.stringify(from)))
          .add(0)
          .to(dtype),
        tensor(structuredClone(from)).add(0).to(dtype),
      ])
        expect(back).toStrictEqual(expected);
    }),
  );
});

it("snapshots hold the numbers", () => {
  expect(tensor([[1, Number.NaN]])).toMatchInlineSnapshot(`
    {
      "data": [
        1,
        "NaN",
      ],
      "dtype": "float32",
      "shape": [
        1,
        2,
      ],
    }
  `);
});

it("a closeness tester compares up to rounding", () => {
  const close = closeTensors({ absolute: 0, relative: 1e-3 });
  expect(close(tensor([1, Number.NaN]), tensor([1.0005, Number.NaN]))).toBe(true);
  expect(close(tensor([1]), tensor([1.01]))).toBe(false);
  expect(close(tensor([Number.POSITIVE_INFINITY]), tensor([Number.POSITIVE_INFINITY]))).toBe(true);
  expect(close(tensor([1]), tensor([[1]]))).toBe(false);
  expect(close(1, tensor([1]))).toBe(undefined);
  expect.addEqualityTesters([close]);
  expect({ weight: tensor([1]) }).toEqual({ weight: tensor([1.0005]) });
  expect({ weight: tensor([1]) }).not.toEqual({ weight: tensor([1.01]) });
});
