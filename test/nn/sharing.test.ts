// Weight sharing, freezing and parameter groups as users meet them: counted once, saved once, summed gradients, own settings; eager and compiled.

import { describe, expect, it } from "vitest";
import { compile, manualSeed, parameter, linear as product, type Tensor, tensor, uniform } from "../../src/index.ts";
import { embedding, type Layer, layer, linear, meanSquaredError, relu, residual, sequential, summary } from "../../src/nn/index.ts";
import { adam, sgd } from "../../src/optim/index.ts";

/** A layer at two places, and an embedding whose weight is also the output's (Press & Wolf 2017). */
const tied = (): Layer => {
  const table = embedding(5, 3);
  const weight = table.namedParameters().get("weight") as Tensor;
  const twice = linear(3, 3);
  const logits = layer({ weight }, (x) => product(x, weight));
  return sequential({ table, first: twice, act: relu, second: residual(twice), logits });
};

const ids = tensor([0, 4, 2, 2]).to("int32");
const target = tensor([
  [1, 0, 0, 0, 0],
  [0, 0, 0, 0, 1],
  [0, 0, 1, 0, 0],
  [0, 1, 0, 0, 0],
]);

describe("a layer or weight at several places", () => {
  it("is counted, named and saved once, and loaded everywhere", () => {
    const net = tied();
    expect([...net.namedParameters().keys()]).toEqual(["table.weight", "first.weight", "first.bias"]);
    expect(net.parameters()).toHaveLength(3);
    expect(summary(net, [4], { dtype: "int32" }).parameters).toBe(15 + 9 + 3);
    expect(String(net)).toContain("body: linear (shared, see above)");
    const other = tied();
    expect([...net.stateDict().keys()]).toEqual(["table.weight", "first.weight", "first.bias"]);
    other.loadStateDict(net.stateDict());
    expect(other(ids).toArray()).toEqual(net(ids).toArray());
  });

  it("gets the sum of the gradients of its places, eager and compiled", () => {
    manualSeed(2);
    const net = tied();
    meanSquaredError(net(ids), target).backward();
    const [table, weight] = net.parameters() as [Tensor, Tensor];
    // The same numbers in tensors of their own: their gradients add up to the shared one's.
    const copies = [1, 2, 3, 4].map((n) => parameter((n < 3 ? table : weight).detach().clone()));
    const [rows, out, first, second] = copies as [Tensor, Tensor, Tensor, Tensor];
    const bias = net.parameters()[2]?.detach() as Tensor;
    const hidden = relu(product(rows.take(ids), first, bias));
    meanSquaredError(product(product(hidden, second, bias).add(hidden), out), target).backward();
    const close = (actual: Tensor | undefined, a: Tensor, b: Tensor): void => {
      const expected = (a.grad as Tensor).add(b.grad as Tensor);
      const scale = Math.max(...[...expected.data].map(Math.abs));
      expected.data.forEach((value: number, n: number) => expect(Math.abs((actual?.data[n] as number) - value)).toBeLessThan(1e-5 * scale));
    };
    close(table.grad, rows, out);
    close(weight.grad, first, second);
    const step = compile((given: Tensor) => {
      net.zeroGrad();
      meanSquaredError(net(given), target).backward();
      return [table.grad as Tensor, weight.grad as Tensor];
    });
    const [first2, second2] = step(ids) as [Tensor, Tensor];
    close(first2, rows, out);
    close(second2, first, second);
  });

  it("is updated once per step", () => {
    const net = tied();
    const [table] = net.parameters() as [Tensor];
    const before = table.toArray() as number[][];
    meanSquaredError(net(ids), target).backward();
    const gradient = table.grad?.toArray() as number[][];
    sgd(net.parameters(), { learningRate: 0.5 }).step();
    (table.toArray() as number[][]).forEach((row, n) => {
      row.forEach((value, d) => expect(value).toBeCloseTo((before[n]?.[d] as number) - 0.5 * (gradient[n]?.[d] as number), 6));
    });
  });
});

describe("frozen layers", () => {
  const train = (net: Layer, steps: number, compiled: boolean): void => {
    const optimizer = adam(net.parameters(), { learningRate: 0.1 });
    const x = uniform([8, 2]);
    const run = (given: Tensor): Tensor => {
      net.zeroGrad();
      const loss = net(given).square().mean();
      loss.backward();
      optimizer.step();
      return loss;
    };
    const step = compiled ? compile(run) : run;
    for (let n = 0; n < steps; n++) step(x);
  };

  it.each([false, true])("stay as they are while others train; thawed, they train too (compiled: %s)", (compiled) => {
    manualSeed(1);
    const body = linear(2, 4);
    const head = linear(4, 1);
    const net = sequential(body, relu, head);
    const numbers = (part: { parameters(): Tensor[] }): unknown => part.parameters().map((value) => value.toArray());
    body.requiresGrad(false);
    const [bodyBefore, headBefore] = [numbers(body), numbers(head)];
    train(net, 3, compiled);
    expect(numbers(body)).toEqual(bodyBefore);
    expect(numbers(head)).not.toEqual(headBefore);
    body.requiresGrad(true);
    train(net, 3, compiled);
    expect(numbers(body)).not.toEqual(bodyBefore);
  });
});

describe("parameter groups", () => {
  it("have settings of their own, and a shared weight belongs to one group only", () => {
    const body = linear(2, 2);
    const head = linear(2, 1);
    const net = sequential(body, head);
    const optimizer = sgd([{ parameters: body.namedParameters(), learningRate: 0.1 }, { parameters: head.parameters() }], {
      learningRate: 1,
    });
    const before = net.parameters().map((value) => value.detach().clone());
    net(uniform([4, 2]))
      .square()
      .mean()
      .backward();
    optimizer.step();
    net.parameters().forEach((value, n) => {
      const rate = n < 2 ? 0.1 : 1;
      const expected = (before[n] as Tensor).sub((value.grad as Tensor).mul(rate));
      value.data.forEach((number: number, at: number) => expect(number).toBeCloseTo(expected.data[at] as number, 5));
    });
    expect(() => sgd([{ parameters: body.parameters() }, { parameters: net.parameters() }], { learningRate: 1 })).toThrow("given twice");
  });
});
