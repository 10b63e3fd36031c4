// Gradients and optimizers around a training: what fit leaves behind, and what it refuses in words of whoever called it.

import { describe, expect, it } from "vitest";
import { Dataset } from "../../src/data/index.ts";
import { type Tensor, tensor } from "../../src/index.ts";
import { crossEntropy, linear, relu, sequential } from "../../src/nn/index.ts";
import { combineOptimizers, sgd } from "../../src/optim/index.ts";
import { fit } from "../../src/train/index.ts";

const x = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
const y = tensor([0, 1], { dtype: "int32" });
const data = new Dataset({ x, y });
const network = () => sequential(linear(3, 4), relu, linear(4, 2));
type Network = ReturnType<typeof network>;
const rate = { learningRate: 0.1 };

describe.each([true, false])("compile: %s", (compile) => {
  it("leaves no gradients, so that a backward pass afterwards is one of its own", async () => {
    const net = network();
    await fit(net, data, { loss: crossEntropy, optimizer: sgd(net.parameters(), rate), epochs: 1, compile });
    expect(net.parameters().map(({ grad }) => grad)).toEqual([undefined, undefined, undefined, undefined]);
    crossEntropy(net(x), y).backward();
    const first = net.parameters().map(({ grad }) => [...(grad as Tensor).data]);
    net.zeroGrad();
    crossEntropy(net(x), y).backward();
    expect(net.parameters().map(({ grad }) => [...(grad as Tensor).data])).toEqual(first);
  });

  it("leaves none where a callback throws either", async () => {
    const net = network();
    const onBatchEnd = (): void => {
      throw new Error("enough");
    };
    const training = fit(net, data, {
      loss: crossEntropy,
      optimizer: sgd(net.parameters(), rate),
      epochs: 1,
      compile,
      callbacks: [{ onBatchEnd }],
    });
    await expect(training).rejects.toThrow("enough");
    expect(() => crossEntropy(net(x), y).backward()).not.toThrow();
  });

  const refused: Readonly<Record<string, readonly [(net: Network) => ReturnType<typeof sgd>, RegExp]>> = {
    "of another model": [
      () => sgd(network().parameters(), rate),
      /the optimizer moves 4 parameters, but none of the model's 4[\s\S]*sgd\(model\.parameters\(\)\)/,
    ],
    "two of other models": [
      () =>
        combineOptimizers(
          sgd(new Map([["a", network().parameters()[0] as Tensor]]), rate),
          sgd(new Map([["b", network().parameters()[0] as Tensor]]), rate),
        ),
      /moves 2 parameters, but none of the model's 4/,
    ],
    "of a frozen model": [
      (net) => {
        net.requiresGrad(false);
        return sgd(net.parameters(), rate);
      },
      /all 4 parameters of the model are frozen/,
    ],
  };

  it.each(Object.entries(refused))("refuses an optimizer %s", async (_, [make, message]) => {
    const net = network();
    const training = fit(net, data, { loss: crossEntropy, optimizer: make(net), epochs: 1, compile });
    await expect(training).rejects.toThrow(message);
    await expect(training).rejects.not.toThrow(/compile/);
  });

  it("trains what a loss of its own holds, though the model is frozen", async () => {
    const net = network();
    net.requiresGrad(false);
    const scale = linear(2, 2);
    const before = scale.parameters().map(({ data: numbers }) => [...numbers]);
    const loss = (prediction: Tensor, target: Tensor): Tensor => crossEntropy(scale(prediction), target);
    await fit(net, data, { loss, optimizer: sgd(scale.parameters(), rate), epochs: 1, compile });
    expect(scale.parameters().map(({ data: numbers }) => [...numbers])).not.toEqual(before);
  });
});

it("says inside a training, in words of fit, that a gradient cannot be read or added to", async () => {
  const net = network();
  const seen: string[] = [];
  const onBatchEnd = (): void => {
    for (const attempt of [() => net.parameters()[0]?.grad?.data, () => crossEntropy(net(x), y).backward()])
      try {
        attempt();
      } catch (error) {
        seen.push(String(error));
      }
  };
  await fit(net, data, { loss: crossEntropy, optimizer: sgd(net.parameters(), rate), epochs: 1, callbacks: [{ onBatchEnd }] });
  expect(seen[0]).toMatch(/reads a tensor of shape \[4, 3\], whose numbers stay inside "training step of fit"[\s\S]*compile: false/);
  expect(seen[1]).toMatch(
    /adds to the gradient of shape \[.*\], whose numbers stay inside "training step of fit"[\s\S]*zeroGrad\(\) before backward/,
  );
});
