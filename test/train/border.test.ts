// Double precision is kept up to the model, and rounded there once: tables, standardizing, splits, batches, every door into a model.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Dataset, Imputer, joinColumns, mapField, ndArray, readTable, Standardizer, tableDataset } from "../../src/data/index.ts";
import { compile, type DType, manualSeed, parameter, relu, type Tensor, tensor } from "../../src/index.ts";
import { findLearningRate } from "../../src/inspect/index.ts";
import { batchNorm, linear, meanSquaredError, sequential } from "../../src/nn/index.ts";
import { makeLayer } from "../../src/nn/layer.ts";
import { adam, sgd } from "../../src/optim/index.ts";
import { evaluate, fit, predict } from "../../src/train/index.ts";

/** Unix seconds, half a minute apart: float32 knows one number for 128 of them. */
const times = Array.from({ length: 40 }, (_, n) => 1_700_000_000 + 30 * n);
const csv = `time,y\n${times.map((time, n) => `${time},${time + n / 4}`).join("\n")}\n`;

describe("tables", () => {
  const table = readTable(csv, { target: "y", task: "regression" });
  const scale = Standardizer.fit(table.x);
  const steps = (data: ArrayLike<number>) => new Set(Array.from(data)).size;

  it("keep every digit from the file to the batch", () => {
    const data = tableDataset(table);
    const standard = scale.apply(table.x);
    expect([...table.x.data]).toEqual(times);
    expect([...new Standardizer(scale.toJSON()).invert(standard).data].map(Math.round)).toEqual(times);
    const [first, second] = data.split(0.5, { seed: 3 });
    expect([...first.fields.x.data, ...second.fields.x.data].sort()).toEqual(times);
    expect([...Imputer.fit(table.x).apply(table.x).data]).toEqual(times);
    expect([...joinColumns(table.x, ndArray(new Uint8Array(40), [40])).data].filter((_, n) => n % 2 === 0)).toEqual(times);
    expect(steps(data.map(mapField("x", (x) => scale.apply(x))).fields.x.data)).toBe(40);
    expect([...table.y.data]).toEqual(times.map((time, n) => time + n / 4));
  });

  it("tell apart in a float32 model what the table tells apart", async () => {
    const seen: Tensor[] = [];
    const layer = makeLayer({
      kind: "seen",
      parameters: { w: parameter([1]) },
      forward: (_, x: Tensor) => {
        seen.push(x);
        return x;
      },
    });
    await predict(layer as never, scale.apply(table.x));
    expect([seen[0]?.dtype, steps(seen[0]?.data ?? [])]).toEqual(["float32", 40]);
  });

  it("standardize whole numbers beyond float32 in double precision, bytes and floats in single", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 2 ** 30, max: 2 ** 30 + 1000 }), { minLength: 3, maxLength: 20 }), (values) => {
        const x = ndArray(Int32Array.from(values), [values.length, 1]);
        expect(steps(Standardizer.fit(x).apply(x).data)).toBe(values.length);
      }),
    );
    expect(scale.apply(ndArray(new Uint8Array(2), [2, 1])).data).toBeInstanceOf(Float32Array);
    expect(scale.apply(ndArray(new Float32Array(2), [2, 1])).data).toBeInstanceOf(Float32Array);
  });
});

describe("float64 data and a float32 model", () => {
  const x = ndArray(
    Float64Array.from({ length: 24 }, (_, n) => Math.sin(n)),
    [12, 2],
  );
  const y = ndArray(
    Float64Array.from({ length: 12 }, (_, n) => Math.cos(n)),
    [12, 1],
  );
  const data = new Dataset({ x, y });
  const made = (dtype: DType = "float32") => {
    manualSeed(1);
    const net = sequential(linear(2, 4), relu, linear(4, 1));
    if (dtype === "float32") return net;
    const [a, b] = [parameter(tensor([[0.1], [0.2]], { dtype })), parameter(tensor([0.5], { dtype }))];
    return makeLayer<typeof net>({
      kind: "double",
      parameters: { a, b },
      forward: (_, x: Tensor) => (x as Tensor<[number, 2]>).matmul(a).add(b),
    });
  };
  const single = (array: { readonly shape: readonly number[]; readonly data: ArrayLike<number> }) =>
    ndArray(Float32Array.from(array.data), array.shape);

  it.each([true, false])("fit as the same numbers in float32 do (compiled: %s)", async (compile) => {
    const losses = await Promise.all(
      [data, new Dataset({ x: single(x), y: single(y) })].map(async (samples) => {
        const net = made();
        const { history } = await fit(net, samples, {
          loss: meanSquaredError,
          optimizer: adam(net.parameters()),
          epochs: 2,
          compile,
          validation: samples,
        });
        return history.map(({ train, validation }) => [train.loss, validation?.loss]);
      }),
    );
    expect(losses[0]).toEqual(losses[1]);
  });

  it("stay double in a model of float64", async () => {
    const net = made("float64");
    expect((await predict(net, x)).dtype).toBe("float64");
    expect((await predict(made(), x)).dtype).toBe("float32");
    await fit(net, data, { loss: meanSquaredError, optimizer: adam(net.parameters()), epochs: 1 });
    expect(net.parameters().map(({ dtype }) => dtype)).toEqual(["float64", "float64"]);
  });

  it("are measured, and swept for a learning rate", async () => {
    const net = made();
    expect(Number.isFinite((await evaluate(net, data, { loss: meanSquaredError })).scores.loss)).toBe(true);
    const found = await findLearningRate(net, data, {
      loss: meanSquaredError,
      optimizer: sgd(net.parameters(), { learningRate: 0.1 }),
      steps: 12,
    });
    expect(found.tried.length).toBeGreaterThan(0);
  });

  it.each([true, false])("train in a loop of one's own (compiled: %s)", (compiled) => {
    const net = sequential(linear(2, 4), batchNorm(4), relu, linear(4, 1));
    const optimizer = adam(net.parameters());
    const step = (input: Tensor, target: Tensor): Tensor => {
      optimizer.zeroGrad();
      const loss = meanSquaredError(net(input as never), target);
      loss.backward();
      optimizer.step();
      return loss;
    };
    const before = net.parameters().map((weight) => [...weight.data]);
    (compiled ? compile(step) : step)(tensor(x), tensor(y));
    expect(net.parameters().map(({ dtype }) => dtype)).toEqual(net.parameters().map(() => "float32"));
    expect(net.parameters().map((weight) => [...weight.data])).not.toEqual(before);
  });

  it("is refused by name where float32 does not reach", async () => {
    const far = new Dataset({ x: ndArray(Float64Array.of(1e300, 1), [1, 2]), y: ndArray(Float64Array.of(1), [1, 1]) });
    await expect(evaluate(made(), far, { loss: meanSquaredError })).rejects.toThrow('evaluate: field "x" holds 1e+300, which float32');
  });
});
