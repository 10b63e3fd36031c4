// What a training that ends in NaN tells: the op where it was born, its layer and line, and the numbers it came from; and that nothing was moved by asking.

import { describe, expect, it } from "vitest";
import { Dataset } from "../../src/data/index.ts";
import { explainFailure, whereNotFinite } from "../../src/inspect/index.ts";
import { batchNorm, dropout, type Layer, layer, linear, meanSquaredError, sequential } from "../../src/nn/index.ts";
import { adam, sgd } from "../../src/optim/index.ts";
import { manualSeed, randomState, tensor } from "../../src/tensor/index.ts";
import { type FitOptions, fit, type Samples, TrainingError } from "../../src/train/index.ts";

const data = new Dataset<Samples>({ x: tensor([[1, 2], [3, 4], [-5, 6], [7, 8]]), y: tensor([[1], [2], [3], [4]]) }); // biome-ignore format: a table

/** The root of a number below 0 is born in the layer `root`. */
function broken(): Layer {
  manualSeed(3);
  const root = layer({}, (x) => x.sqrt(), { kind: "root" });
  return sequential({ first: batchNorm(2), drop: dropout(0.25), root, last: linear(2, 1) } as never) as unknown as Layer;
}

async function failureOf(model: Layer, options: Partial<FitOptions> = {}): Promise<TrainingError> {
  const optimizer = adam(model.parameters());
  const error = await fit(model, data, { loss: meanSquaredError, optimizer, epochs: 3, batchSize: 2, seed: 1, ...options }).catch((e) => e);
  expect(error).toBeInstanceOf(TrainingError);
  return error as TrainingError;
}

describe("a failed training", () => {
  it.each([true, false])("tells the op, its layer, its line and its inputs (compiled: %s)", async (compile) => {
    const error = await failureOf(broken(), { compile });
    expect(error.place).toMatchObject({ epoch: 1, batch: 1 });
    const found = whereNotFinite(error.step as NonNullable<typeof error.step>);
    expect(found?.tensor.source).toMatchObject({ path: "root", pass: "forward" });
    expect(found?.tensor.source?.op.name).toBe("sqrt");
    expect(found?.tensor.source?.site).toMatch(/failure\.test\.ts:\d+:\d+/);
    expect(String(found)).toMatch(/^the first number that is not finite \(root, .*failure\.test\.ts:\d+:\d+\)/);
    expect(String(found)).toMatch(/= sqrt\(-/);
  });

  it("says so in one call, and keeps the rest of its error", async () => {
    const error = await failureOf(broken());
    const told = (() => {
      try {
        return explainFailure(error);
      } catch (thrown) {
        return thrown as TrainingError;
      }
    })();
    expect(told).toBeInstanceOf(TrainingError);
    expect(told.message).toMatch(
      /^training stopped: expected a finite loss, got NaN in epoch 1, batch 1\nthe first number .*\(root, [\s\S]* = sqrt\(-[\s\S]*\n {2}try: /,
    );
    expect(told).toMatchObject({ place: error.place, hint: error.hint, step: error.step });
    expect(() => explainFailure(new Error("other"))).toThrow("other");
    expect(() => explainFailure(new TrainingError("by hand", { hint: "none" }))).toThrow("by hand");
  });

  it("is asked without leaving a trace", async () => {
    const model = broken();
    const optimizer = adam(model.parameters());
    const error = await failureOf(model, { optimizer });
    model.eval();
    const look = () => ({
      model: [...model.stateDict()].map(([name, { data: numbers }]) => [name, ...numbers]),
      gradients: model.parameters().map((parameter) => parameter.grad),
      state: [...optimizer.stateDict().tensors.keys()],
      random: randomState(),
      modes: [...model.namedLayers().values()].map(({ training }) => training),
    });
    const before = look();
    whereNotFinite(error.step as NonNullable<typeof error.step>);
    expect(look()).toEqual(before);
    const printed = Object.keys(error);
    expect(printed).not.toContain("step");
  });

  it("finds what an earlier update left in a weight, and a gradient's norm", async () => {
    manualSeed(1);
    const wild = sequential(linear(2, 1)) as unknown as Layer;
    const overflow = await failureOf(wild, { optimizer: sgd(wild.parameters(), { learningRate: 1e38 }), epochs: 9 });
    expect(String(whereNotFinite(overflow.step as NonNullable<typeof overflow.step>))).toMatch(/in a parameter before the step|inf/);
    // The root of 0 is a number, its slope is none: 0 · ∞.
    const steep = layer({}, (x) => x.mul(0).sqrt().mul(0), { kind: "steep" });
    const norm = await failureOf(sequential(linear(2, 1), steep) as unknown as Layer, { clip: { norm: 1 } });
    expect(norm.message).toContain("expected a finite norm of the gradient, got NaN");
    const found = whereNotFinite(norm.step as NonNullable<typeof norm.step>);
    expect(found?.tensor.source?.pass).toBe("backward");
  });
});
