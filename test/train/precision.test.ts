// Mixed precision in fit: small networks learn as well as in float32, in less memory, and what stays float32 stays so.

import { afterAll, describe, expect, it } from "vitest";
import { availableBackends, getBackend, setBackend } from "../../src/backends/choose.ts";
import { Dataset, digits } from "../../src/data/index.ts";
import { batchNorm, conv2d, crossEntropy, flatten, gelu, layerNorm, linear, maxPool2d, relu, sequential } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { autocast, compile, manualSeed, type Precision, type Tensor, tensor } from "../../src/tensor/index.ts";
import { accuracy, type FitResult, fit } from "../../src/train/index.ts";

const networks = {
  "convolutions with batch norm": () =>
    sequential(conv2d(1, 8, 3, { stride: 2 }), batchNorm(8), relu, maxPool2d(2), flatten(), linear(8 * 6 * 6, 10)),
  "layer norm and GELU": () => sequential(flatten(), linear(784, 48), layerNorm(48), gelu(), linear(48, 10)),
};

const { images, labels } = digits({ count: 400, seed: 3 });
const held = digits({ count: 200, seed: 4 });
const before = getBackend().name;

async function trained(make: () => ReturnType<(typeof networks)[keyof typeof networks]>, precision: Precision, epochs = 12) {
  manualSeed(1);
  const model = make();
  const optimizer = adam(model.parameters(), { learningRate: 0.01 });
  const result: FitResult<"accuracy"> = await fit(model, new Dataset({ x: images, y: labels }), {
    loss: crossEntropy,
    optimizer,
    precision,
    epochs,
    metrics: [accuracy()],
    validation: new Dataset({ x: held.images, y: held.labels }),
    seed: 2,
  });
  return { model, score: result.history.at(-1)?.validation?.accuracy ?? 0, loss: result.history.at(-1)?.train.loss ?? 0 };
}

for (const backend of availableBackends().filter((name) => name !== "reference"))
  describe(`mixed precision on ${backend}`, () => {
    afterAll(() => setBackend(before));

    it.each(Object.entries(networks))("%s reach the accuracy of float32, within 0.03", async (_, make) => {
      setBackend(backend);
      const [mixed, single] = [await trained(make, "bfloat16"), await trained(make, "float32")];
      expect(single.score).toBeGreaterThan(0.75);
      expect(mixed.score).toBeGreaterThan(single.score - 0.03);
      expect(mixed.loss).not.toBe(single.loss);
      for (const value of [...mixed.model.parameters(), ...mixed.model.stateDict().values()]) expect(value.dtype).toBe("float32");
      for (const value of mixed.model.parameters())
        expect(value.data.some((number) => Math.fround(number) !== bfloat16Of(number))).toBe(true);
    });

    it("a step takes less memory", () => {
      setBackend(backend);
      const bytes = (precision: Precision): number => {
        manualSeed(1);
        const model = sequential(
          conv2d(3, 16, 3, { padding: 1 }),
          batchNorm(16),
          relu,
          conv2d(16, 16, 3, { padding: 1 }),
          relu,
          flatten(),
          linear(16 * 256, 10),
        );
        const step = compile((x: Tensor, y: Tensor) => {
          for (const value of model.parameters()) value.zeroGrad();
          const loss = crossEntropy(
            autocast(precision, () => model(x)),
            y,
          );
          loss.backward();
          for (const value of model.parameters()) value.assign(value.sub((value.grad as Tensor).mul(0.1)));
          return loss;
        });
        const x = tensor(
          Float32Array.from({ length: 32 * 3 * 256 }, (_, n) => Math.sin(n)),
          [32, 3, 16, 16],
        );
        expect(step(x, tensor(Int32Array.from({ length: 32 }, (_, n) => n % 10))).dtype).toBe("float32");
        const [only] = step.steps;
        return (only?.bytes ?? 0) - (only?.scratchBytes ?? 0);
      };
      expect(bytes("bfloat16")).toBeLessThan(0.7 * bytes("float32"));
    });
  });

function bfloat16Of(number: number): number {
  return tensor([number], { dtype: "bfloat16" }).item();
}
