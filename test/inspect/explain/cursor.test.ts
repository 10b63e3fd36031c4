// Stepping through recorded runs: every op in order, forward and back, with its numbers; eager and compiled on every backend.

import { afterAll, describe, expect, it } from "vitest";
import { availableBackends, getBackend, setBackend } from "../../../src/backends/choose.ts";
import { type Recording, RunCursor, record, stopJson, stopsText, stopText } from "../../../src/inspect/index.ts";
import { linear, meanSquaredError, relu, sequential } from "../../../src/nn/index.ts";
import { sgd } from "../../../src/optim/index.ts";
import { compile, type Tensor, tensor } from "../../../src/tensor/index.ts";

const before = getBackend().name;
afterAll(() => setBackend(before));

function textbook(compiled: boolean): Recording<Tensor> {
  const net = sequential(linear(3, 2, { bias: false }), relu, linear(2, 1, { bias: false }));
  net.loadStateDict({ "0.weight": tensor([[3, 1, 2], [-2, -3, -1]]), "2.weight": tensor([[3, 2]]) } as never); // biome-ignore format: a matrix
  const optimizer = sgd(net.parameters(), { learningRate: 0.5 });
  const plain = (x: Tensor, t: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = meanSquaredError(net(x as Tensor<[1, 3]>) as Tensor, t);
    loss.backward();
    optimizer.step();
    return loss;
  };
  const step = compiled ? compile(plain) : plain;
  return record(() => step(tensor([[2, 3, 1]]), tensor([[20]])), net);
}

describe.each(availableBackends())("on %s", (backend) => {
  describe.each([false, true])("compiled: %s", (compiled) => {
    it("visits every op once, forward and back", () => {
      setBackend(backend);
      const cursor = new RunCursor(textbook(compiled));
      const seen = [cursor.stop];
      for (let stop = cursor.next(); stop !== undefined; stop = cursor.next()) seen.push(stop);
      expect(seen.map(({ number }) => number)).toEqual(cursor.ops.map((_, n) => n + 1));
      expect(cursor.stop).toBe(seen.at(-1));
      const back = [cursor.stop.number];
      for (let stop = cursor.previous(); stop !== undefined; stop = cursor.previous()) back.push(stop.number);
      expect(back).toEqual(seen.map(({ number }) => number).reverse());
      expect([...new Set(seen.map(({ op }) => op.pass))]).toEqual(["forward", "backward", "update"]);
      expect(stopsText(cursor)).toMatchInlineSnapshot(`
        " 1  forward   0         linear             [1, 2]  -14 … 11
         2  forward   1         relu               [1, 2]  0 … 11
         3  forward   2         linear             [1, 1]  33
         4  forward             squaredError       [1, 1]  169
         5  forward             mean               [1, 1]  169
         6  backward            mean by x          [1, 1]  1
         7  backward            squaredError by x  [1, 1]  26
         8  backward  2         linear by w        [1, 2]  0 … 286
         9  backward  2         linear by x        [1, 2]  52 … 78
        10  backward  1         relu by x          [1, 2]  0 … 78
        11  backward  0         linear by w        [2, 3]  0 … 234
        12  update    0.weight  sgd                [2, 3]  -116 … -1
        13  update    2.weight  sgd                [1, 2]  -140 … 2"
      `);
    });

    it("shows what an op was given, what it gave, and one number in full", () => {
      setBackend(backend);
      const cursor = new RunCursor(textbook(compiled));
      const { op } = cursor.goTo("2");
      expect(op).toMatchObject({ path: "2", pass: "forward" });
      expect(stopText(cursor.stop).replace(/cursor\.test\.ts.*/, "HERE")).toMatchInlineSnapshot(`
        "step 3 of 13, forward: linear in 2, HERE
          y[..., o] = sum[i](x[..., i] * w[o, i])
          x  float32 [1, 2]  y of 1 (relu)
               [[11, 0]]
          w  float32 [1, 2]  2.weight
               [[3, 2]]
          y  float32 [1, 1]  the result
               [[33]]
        y[0, 0] of 2 (linear) = 33 = 11·3 + 0·2"
      `);
      expect(stopText(cursor.goTo("0.weight.grad"))).toMatchInlineSnapshot(`
        "step 11 of 13, backward: gradient of linear by w in 0
          gw[o, i] = sum[...](gy[..., o] * x[..., i])
          gy  float32 [1, 2]  ∂L/∂(y of 0 (linear))
                [[78, 0]]
          x   float32 [1, 3]  data
                [[2, 3, 1]]
          gw  float32 [2, 3]  the result
                [[156, 234, 78], [0, 0, 0]]
        ∂L/∂0.weight[0, 1] = ∂L/∂y[0, 0] · x[0, 1] = 78 × 3 = 234"
      `);
      expect(stopText(cursor.goTo("0.weight.grad[0, 2]")).split("\n").at(-1)).toBe(
        "∂L/∂0.weight[0, 2] = ∂L/∂y[0, 0] · x[0, 2] = 78 × 1 = 78",
      );
      expect(stopText(cursor.goTo("2.weight.new[0, 1]"))).toMatchInlineSnapshot(`
        "step 13 of 13, update: sgd
          y = w - rate * g
          w  float32 [1, 2]  2.weight
               [[3, 2]]
          g  float32 [1, 2]  ∂L/∂2.weight
               [[286, 0]]
          y  float32 [1, 2]  the result
               [[-140, 2]]
          rate = 0.5
        new 2.weight[0, 1] = 2 = 2 - 0.5·0"
      `);
      expect(stopJson(cursor.goTo("loss"))).toMatchObject({
        op: "mean",
        inputs: [{ as: "x", name: "y of squaredError", shape: [1, 1] }],
        element: { value: 169, explanation: { value: 169 } },
      });
    });
  });
});

describe("RunCursor", () => {
  it("goes to ops, tensors and names, and leaves its place where that fails", () => {
    const run = textbook(false);
    const cursor = new RunCursor(run);
    const second = run.ops.find(({ path }) => path === "2");
    expect(cursor.goTo(second as never).number).toBe(3);
    expect(cursor.goTo(run.tensorOf(run.result)).op.op.name).toBe("mean");
    for (const [place, position, said] of [
      [0, undefined, "there is no step 0"],
      [99, undefined, "there is no step 99, the run has"],
      ["x", undefined, "x came from outside"],
      ["2", [7, 7], "there is no element [7, 7]"],
      ["nobody", undefined, `nothing in the run is called "nobody"`],
    ] as const)
      expect(() => cursor.goTo(place, position)).toThrow(said);
    expect(cursor.stop.op.op.name).toBe("mean");
    expect(() => new RunCursor(record(() => tensor([1])))).toThrow("computed nothing");
  });

  it("shows the largest number, and one that is not a number before all others", () => {
    const stop = (x: Tensor) => new RunCursor(record(() => x.mul(2))).stop.element?.position;
    expect(stop(tensor([1, -5, 3]))).toEqual([1]);
    expect(stop(tensor([1, Number.POSITIVE_INFINITY, Number.NaN, 3]))).toEqual([2]);
    expect(new RunCursor(record(() => tensor([]).mul(2))).stop.element).toBeUndefined();
  });

  it("summarizes what is too large to be written out", () => {
    const run = record(() => tensor(Float32Array.from({ length: 100 }, (_, n) => (n === 7 ? Number.NaN : n))).sub(50));
    expect(stopText(new RunCursor(run).stop)).toContain("100 numbers from 0 to 99, mean 49.93 ± 28.69, 1 zeros, 1 NaN");
  });
});
