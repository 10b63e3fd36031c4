// Runs computed again: nudges keep what gradients promise, wrong gradients are found, and so is the first NaN.

import { describe, expect, it } from "vitest";
import { checkGradients, firstNonFinite, nudge, type Recording, record, replay } from "../../../src/inspect/index.ts";
import {
  scaledDotProductAttention as attention,
  batchNorm,
  conv2d,
  crossEntropy,
  dropout,
  flatten,
  gru,
  layerNorm,
  linear,
  maxPool2d,
  relu,
  sequential,
  tanh,
} from "../../../src/nn/index.ts";
import { compile, defineOp, manualSeed, normal, type Tensor, tensor } from "../../../src/tensor/index.ts";

function convolutional(compiled = false): Recording<Tensor> {
  manualSeed(5);
  const net = sequential(conv2d(1, 3, 3), batchNorm(3), relu, maxPool2d(2), dropout(0.2), flatten(), linear(12, 4));
  const plain = (x: Tensor, t: Tensor): Tensor => {
    net.zeroGrad();
    const loss = crossEntropy(net(x as Tensor<[4, 1, 6, 6]>), t);
    loss.backward();
    return loss;
  };
  const step = compiled ? compile(plain) : plain;
  return record(() => step(normal([4, 1, 6, 6]), tensor(Int32Array.from([0, 1, 2, 3]), [4])), net);
}

const named = (run: Recording, name: string) => {
  const found = run.tensors.find((candidate) => candidate.name === name && candidate.origin === "parameter");
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

describe("replay", () => {
  it.each([false, true])("computes the same numbers again (compiled: %s)", (compiled) => {
    const run = convolutional(compiled);
    const loss = run.tensorOf(run.result);
    const exact = replay(run, [loss, ...run.tensors], { double: true });
    expect(exact(loss)[0]).toBeCloseTo(loss.data[0] as number, 5);
    for (const tensor of run.tensors)
      exact(tensor).forEach((value, n) =>
        expect(Math.abs(value - (tensor.data[n] as number))).toBeLessThan(1e-4 * Math.max(1, Math.abs(value))),
      );
  });

  it("runs on the backend what depends on a change, and nothing else", () => {
    const run = convolutional();
    const [loss, bias] = [run.tensorOf(run.result), named(run, "6.bias")];
    const again = replay(run, [loss], { changed: new Map([[bias, bias.data.map((value) => value + 1) as Float32Array]]) });
    // The same for all classes: the loss stays.
    expect(again(loss)[0]).toBeCloseTo(loss.data[0] as number, 5);
    expect(again(named(run, "0.weight"))).toBe(named(run, "0.weight").data);
  });
});

describe("nudge", () => {
  it.each([false, true])("changes the loss as the gradient promised (compiled: %s)", (compiled) => {
    const run = convolutional(compiled);
    for (const [name, at] of [
      ["0.weight", [1, 0, 2, 2]],
      ["6.weight", [3, 5]],
      ["1.bias", [0]],
    ] as const) {
      const { change, promised, toString } = nudge(run, named(run, name), at, { by: 1e-5 });
      expect(Math.abs(change - promised)).toBeLessThan(1e-3 * Math.abs(promised) + 1e-11);
      expect(toString()).toContain(name);
    }
  });

  it("refuses what has no gradient", () => {
    const run = convolutional();
    const data = run.tensors.find(({ name }) => name === "t");
    expect(() => nudge(run, data as never, [0])).toThrow("was not recorded");
    expect(() => nudge(run, named(run, "0.weight"), [9, 0, 0, 0])).toThrow("no element [9, 0, 0, 0]");
    expect(() =>
      nudge(
        record(() => normal([2]).add(1)),
        data as never,
        [0],
      ),
    ).toThrow("no backward pass");
  });
});

describe("checkGradients", () => {
  it("agrees on layers of many kinds", () => {
    const check = checkGradients(convolutional());
    expect(check.failures).toEqual([]);
    expect(check.checked).toBeGreaterThan(15);
    manualSeed(2);
    const recurrent = gru(3, 4);
    const norm = layerNorm(4);
    const run = record(() => {
      const y = norm(tanh(recurrent(normal([2, 5, 3])) as Tensor<[2, 5, 4]>) as Tensor<[2, 5, 4]>) as Tensor;
      attention(y, y, y).square().mean().backward();
    }, recurrent);
    expect(checkGradients(run).failures).toEqual([]);
  });

  it("finds the op whose written gradient is wrong, deep in a network", () => {
    manualSeed(3);
    const wrong = defineOp("y = x ^ 3", { name: "cube", gradient: { x: "gy * 2 * x ^ 2" } });
    const first = linear(3, 4);
    const second = linear(4, 1);
    const run = record(() => (second(wrong(first(normal([2, 3]))) as Tensor<[2, 4]>) as Tensor).square().sum().backward(), first);
    const check = checkGradients(run);
    expect(check.failures.length).toBeGreaterThan(0);
    expect(check.culprit?.op.op.name).toBe("cube");
    expect(check.toString()).toContain("the gradient of cube");
    expect(check.toString()).toContain("y = x ^ 3");
  });

  it("does not compare where there is no derivative", () => {
    const x = tensor([0, 1, -1], { requiresGrad: true });
    const check = checkGradients(record(() => x.relu().sum().backward()));
    expect(check).toMatchObject({ kinks: 1, failures: [] });
  });
});

describe("firstNonFinite", () => {
  it("finds the op that made it, with its inputs", () => {
    const x = tensor([1, -1, 4], { requiresGrad: true });
    const run = record(() => x.sqrt().sum().backward());
    const found = firstNonFinite(run);
    expect(found).toMatchObject({ position: [1], count: 1 });
    expect(found?.tensor.source?.op.name).toBe("sqrt");
    expect(found?.toString()).toMatch(/replay\.test\.ts:\d+:\d+\):\n {2}y\[1\] of sqrt = NaN = sqrt\(-1\)$/);
  });

  it("finds it in gradients that overflow, and in what comes from outside", () => {
    const w = tensor([0], { requiresGrad: true });
    const gradient = firstNonFinite(record(() => w.sqrt().sum().backward()));
    expect(gradient?.tensor.gradientOf?.name).toBe("x");
    const data = firstNonFinite(record(() => linear(2, 1)(tensor([[1, Number.NaN]]))));
    expect(data?.toString()).toContain("x[0, 1] = NaN, data");
  });

  it("finds nothing in a healthy run", () => {
    expect(firstNonFinite(convolutional())).toBeUndefined();
    const q = normal([1, 4, 8]);
    expect(firstNonFinite(record(() => attention(q, q, q, { causal: true })))).toBeUndefined();
  });
});
