// Compiled steps: the same numbers as eager, cells updated in place, retracing, errors.

import { afterAll, describe, expect, it } from "vitest";
import { type StepGraph, unitsOf } from "../../src/compiler/index.ts";
import {
  availableBackends,
  compile,
  conv,
  dropout,
  getBackend,
  linear,
  live,
  manualSeed,
  maxPool,
  noGrad,
  onEachRun,
  parameter,
  relu,
  setBackend,
  sigmoid,
  softmax,
  type Tensor,
  tensor,
  uniform,
} from "../../src/index.ts";

const original = getBackend().name;
afterAll(() => setBackend(original));

function network(): { weights: Tensor[]; step: (x: Tensor, t: Tensor) => Tensor } {
  manualSeed(3);
  const weights: Tensor[] = [
    parameter(uniform([8, 4], -1, 1)),
    parameter(uniform([8], -1, 1)),
    parameter(uniform([2, 8], -1, 1)),
    parameter(uniform([2], -1, 1)),
  ];
  const velocity: Tensor[] = weights.map((weight) => uniform(weight.shape, 0, 0));
  const step = (x: Tensor, t: Tensor): Tensor => {
    for (const weight of weights) weight.zeroGrad();
    const [w1, b1, w2, b2] = weights as [Tensor, Tensor, Tensor, Tensor];
    const logits = linear(relu(linear(x, w1, b1)), w2, b2);
    const loss = logits
      .logSoftmax(-1)
      .mul(t)
      .sum()
      .mul(-1 / x.shape[0]!);
    loss.backward();
    noGrad(() => {
      weights.forEach((weight, n) => {
        const v = (velocity[n] as Tensor).mul(0.9).add(weight.grad as Tensor);
        (velocity[n] as Tensor).assign(v);
        weight.assign(weight.sub(v.mul(0.1)));
      });
    });
    return loss;
  };
  return { weights, step };
}

describe.each(availableBackends())("on %s", (backend) => {
  it("trains a network with the same numbers as eager", () => {
    setBackend(backend);
    const eager = network();
    const other = network();
    const compiled = compile(other.step);
    const x = uniform([32, 4], -1, 1);
    const t = softmax(uniform([32, 2], -3, 3), -1);
    for (let n = 0; n < 20; n++) {
      const expected = eager.step(x, t).item();
      expect(compiled(x, t).item()).toBeCloseTo(expected, 5);
    }
    eager.weights.forEach((weight, n) => {
      const found = (other.weights[n] as Tensor).data;
      weight.data.forEach((value, place) => expect(found[place]).toBeCloseTo(value, 4));
    });
    expect(compiled.steps).toHaveLength(1);
  });

  it("gives what eager gives for convolutions, pooling and their gradients", () => {
    setBackend(backend);
    manualSeed(5);
    const w = parameter(uniform([4, 2, 3, 3], -1, 1));
    const x = uniform([2, 2, 8, 8], -1, 1);
    const f = (input: Tensor): Tensor[] => {
      w.zeroGrad();
      const y = maxPool(relu(conv(input, w, undefined, { padding: 1 })), 2);
      const loss = y.square().mean();
      loss.backward();
      return [loss, y, w.grad as Tensor];
    };
    const expected = f(x);
    const found = compile(f)(x);
    expected.forEach((value, n) => {
      expect(found[n]?.shape).toEqual(value.shape);
      value.data.forEach((number, place) => expect(found[n]?.data[place]).toBeCloseTo(number, 4));
    });
  });

  it("draws new random numbers at every run, the same as eager", () => {
    setBackend(backend);
    const x = uniform([64], 1, 2);
    const f = (input: Tensor): Tensor => dropout(input, 0.5);
    manualSeed(9);
    const expected = [f(x).toArray(), f(x).toArray()];
    manualSeed(9);
    const compiled = compile(f);
    const found = [compiled(x).toArray(), compiled(x).toArray()];
    expect(found).toEqual(expected);
    expect(found[0]).not.toEqual(found[1]);
  });
});

describe("tracing", () => {
  it("traces again for new shapes and other fixed arguments", () => {
    let traced = 0;
    const f = compile((x: Tensor, power: number) => {
      traced++;
      return x.pow(power).sum();
    });
    expect(f(tensor([1, 2, 3]), 2).item()).toBe(14);
    expect(f(tensor([2, 2, 2]), 2).item()).toBe(12);
    expect(f(tensor([1, 2]), 2).item()).toBe(5);
    expect(f(tensor([1, 2]), 3).item()).toBe(9);
    expect(traced).toBe(3);
  });

  it("reads live numbers and does effects at every run, in order", () => {
    let count = 0;
    const f = compile((x: Tensor) => {
      onEachRun(() => {
        count++;
      });
      const w = parameter(tensor([0]));
      void w;
      return x.mul(2);
    });
    f(tensor([1]));
    f(tensor([1]));
    expect(count).toBe(2);
    expect(live(() => 7)).toBe(7);
  });

  it("sees numbers assigned to a parameter from outside between runs", () => {
    const w = parameter(tensor([2]));
    const f = compile((x: Tensor) => {
      const y = x.mul(w);
      noGrad(() => w.assign(w.add(1)));
      return y;
    });
    expect(f(tensor([1])).item()).toBe(2);
    expect(f(tensor([1])).item()).toBe(3);
    w.assign(tensor([10]));
    expect(f(tensor([1])).item()).toBe(10);
    expect(w.item()).toBe(11);
  });

  it.each(availableBackends())("profiles a run that is like any other (%s)", (name) => {
    setBackend(name);
    const run = (profiled: boolean): number[][] => {
      const { weights, step } = network();
      const compiled = compile(step);
      const [x, t] = [uniform([32, 4]), uniform([32, 2])];
      compiled(x, t);
      if (profiled) {
        const { result, kernels } = compiled.profile(x, t);
        expect(result.shape).toEqual([]);
        const units = unitsOf(compiled.steps[0]?.graph as StepGraph);
        expect(kernels.map((kernel) => kernel.name)).toEqual(
          units.map(({ operations: steps }) => steps.map(({ nest }) => nest.name).join(" · ")),
        );
        for (const { iterations, milliseconds } of kernels) expect(Math.min(iterations, milliseconds)).toBeGreaterThan(0);
      } else compiled(x, t);
      return weights.map((weight) => [...weight.data]);
    };
    expect(run(true)).toEqual(run(false));
  });

  it("names the line where numbers are read too early", () => {
    const f = compile((x: Tensor) => (x.sum().item() > 0 ? sigmoid(x) : x));
    expect(() => f(tensor([1]))).toThrow(/read while the function is being traced.*compile\.test\.ts:\d+/s);
  });

  it("uses less memory than its buffers apart", () => {
    const { step } = network();
    const compiled = compile(step);
    compiled(uniform([32, 4]), uniform([32, 2]));
    const { memory } = compiled.steps[0] as (typeof compiled.steps)[number];
    expect(memory.bytes).toBeGreaterThan(0);
    expect(memory.bytes).toBeLessThan(memory.unshared);
  });
});
