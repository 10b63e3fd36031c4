// Clipping, groups of parameters, averages of weights.

import { describe, expect, it } from "vitest";
import { compile, manualSeed, parameter, type Tensor, tensor } from "../../src/index.ts";
import { batchNorm, flatten, linear, sequential } from "../../src/nn/index.ts";
import { averageWeights, clipGradientNorm, clipGradientValue, parameterGroups, sgd } from "../../src/optim/index.ts";

const weights = (): [Tensor, Tensor] => [parameter(tensor([3, 4])), parameter(tensor([12]))];
const pull = ([a, b]: readonly [Tensor, Tensor]): void => {
  a.mul(tensor([3, 4]))
    .sum()
    .add(b.mul(12).sum())
    .backward();
};

describe("clipping", () => {
  it("scales all gradients to the norm, and says what it was", () => {
    const both = weights();
    pull(both);
    expect(clipGradientNorm(both, 6.5)?.item()).toBe(13);
    expect([...(both[0].grad?.data ?? [])]).toEqual([expect.closeTo(1.5, 5), expect.closeTo(2, 5)]);
    expect(both[1].grad?.item()).toBeCloseTo(6, 5);
  });

  it("leaves small gradients, and parameters without one", () => {
    const both = weights();
    pull(both);
    const idle = parameter(tensor([1]));
    clipGradientNorm([...both, idle], 100);
    expect([...(both[0].grad?.data ?? [])]).toEqual([3, 4]);
    expect(idle.grad).toBeUndefined();
    expect(clipGradientNorm([idle], 1)).toBeUndefined();
  });

  it("limits every element", () => {
    const both = weights();
    pull(both);
    clipGradientValue(both, 3.5);
    expect([...(both[0].grad?.data ?? []), both[1].grad?.item()]).toEqual([3, 3.5, 3.5]);
  });

  it("tells of gradients that are not finite", () => {
    const w = parameter(tensor([1]));
    w.mul(Number.POSITIVE_INFINITY).sum().backward();
    expect(clipGradientNorm([w], 1)?.item()).toBe(Number.POSITIVE_INFINITY);
  });

  it("works inside compiled steps", () => {
    const [eager, compiled] = [weights(), weights()];
    const stepOf = (both: [Tensor, Tensor]) => {
      const optimizer = sgd(both, { learningRate: 0.1 });
      return (): Tensor => {
        optimizer.zeroGrad();
        pull(both);
        const norm = clipGradientNorm(both, 6.5) as Tensor;
        optimizer.step();
        return norm;
      };
    };
    stepOf(eager)();
    expect(compile(stepOf(compiled))().item()).toBe(13);
    compiled.forEach((w, n) => {
      expect([...w.data]).toEqual([...(eager[n] as Tensor).data].map((value) => expect.closeTo(value, 5)));
    });
  });

  it("refuses limits that are not positive", () => {
    expect(() => clipGradientNorm([], 0)).toThrow("the norm must be positive, got 0");
    expect(() => clipGradientValue([], Number.NaN)).toThrow("the limit must be positive, got NaN");
  });
});

describe("groups", () => {
  const net = sequential(flatten(), linear(4, 3), batchNorm(3), linear(3, 2));

  it("sorts parameters by the first rule that fits", () => {
    const groups = parameterGroups(net.namedParameters(), [
      { match: /bias$/, weightDecay: 0 },
      { match: (_name, w) => w.rank < 2, weightDecay: 0.5 },
    ]);
    expect(groups.map(({ parameters, ...rest }) => [[...parameters.keys()], rest])).toEqual([
      [["1.bias", "2.bias", "3.bias"], { weightDecay: 0 }],
      [["2.weight"], { weightDecay: 0.5 }],
      [["1.weight", "3.weight"], {}],
    ]);
    expect(sgd(groups, { learningRate: 0.1, weightDecay: 0.1 }).groups.map(({ weightDecay }) => weightDecay)).toEqual([0, 0.5, 0.1]);
  });

  it("refuses rules that fit nothing", () => {
    expect(() => parameterGroups(net.namedParameters(), [{ match: /nothing/ }])).toThrow("no parameter fits /nothing/");
  });
});

describe("averages", () => {
  const walk = (decay: number | "mean", wrap: (step: () => Tensor) => () => unknown): number[] => {
    const w = parameter(tensor([1]));
    const averages = averageWeights(new Map([["w", w]]), decay);
    const optimizer = sgd([w], { learningRate: 1 });
    const step = wrap(() => {
      optimizer.zeroGrad();
      const loss = w.sum();
      loss.backward();
      optimizer.step();
      averages.update();
      return loss;
    });
    for (let n = 0; n < 3; n++) step();
    expect(averages.updates).toBe(3);
    averages.swap();
    const average = w.item();
    averages.swap();
    return [average, w.item()];
  };

  it("fade, or are plain means, eagerly and compiled", () => {
    // Weights 0, −1, −2 after the steps, from 1.
    for (const wrap of [(step: () => Tensor) => step, (step: () => Tensor) => compile(step)]) {
      expect(walk(0.5, wrap)).toEqual([-1.125, -2]);
      expect(walk("mean", wrap)).toEqual([expect.closeTo(-1, 6), -2]);
    }
  });

  it("are saved and loaded", () => {
    manualSeed(1);
    const [a, b] = [linear(2, 2), linear(2, 2)];
    const [from, to] = [averageWeights(a.namedParameters()), averageWeights(b.namedParameters())];
    from.update();
    to.loadStateDict(from.stateDict());
    expect(to.updates).toBe(1);
    expect(() => averageWeights(linear(3, 2).namedParameters()).loadStateDict(from.stateDict())).toThrow(
      '"weight" has shape [2, 2] in the state',
    );
  });

  it("refuse nothing to average and strange decays", () => {
    expect(() => averageWeights(new Map())).toThrow("at least one weight");
    expect(() => averageWeights(linear(1, 1).namedParameters(), 1)).toThrow("decay must be in [0, 1)");
  });
});
