// Recordings of vmap: ops of all examples at once are explained by example and replayed; on every backend, eager and compiled.

import { afterAll, describe, expect, it } from "vitest";
import { availableBackends, getBackend, setBackend } from "../../src/backends/choose.ts";
import {
  elementText,
  explainElement,
  explainTree,
  explanationTreeText,
  nudge,
  positionOf,
  type RecordedTensor,
  type Recording,
  record,
  replay,
} from "../../src/inspect/index.ts";
import { dropout } from "../../src/nn/index.ts";
import { compile, grad, hessian, jacobian, manualSeed, normal, type Tensor, tensor, vmap } from "../../src/tensor/index.ts";

const before = getBackend().name;
afterAll(() => setBackend(before));

type Maker = (...inputs: Tensor[]) => Tensor;

const loss = (w: Tensor, x: Tensor, t: Tensor): Tensor => x.matmul(w).sub(t).square().sum();

/** Functions with vmap in them, each with its arguments. */
const cases: Readonly<Record<string, { readonly run: Maker; readonly inputs: () => Tensor[] }>> = {
  "per-example gradients of shared weights": {
    run: vmap(grad(loss), { inputs: [null, 0, 0] }) as unknown as Maker,
    inputs: () => [normal([3, 2]), normal([4, 3]), normal([4, 2])],
  },
  "gradients by the examples": {
    run: vmap(grad(loss, { argument: 1 }), { inputs: [null, 0, 0] }) as unknown as Maker,
    inputs: () => [normal([3, 2]), normal([4, 3]), normal([4, 2])],
  },
  "examples along the last dimension": {
    run: vmap((x: Tensor) => x.exp().sum(0), { inputs: [1], outputs: 0 }) as unknown as Maker,
    inputs: () => [normal([3, 5])],
  },
  "a map in a map": {
    run: vmap((x: Tensor, w: Tensor) =>
      (vmap((row: Tensor) => row.mul(w).softmax()) as unknown as (x: Tensor) => Tensor)(x).sum(),
    ) as unknown as Maker,
    inputs: () => [normal([2, 3, 4]), normal([2, 4])],
  },
  "random numbers of each example": {
    run: vmap((x: Tensor) => dropout(0.5)(x as never) as Tensor) as unknown as Maker,
    inputs: () => [normal([3, 4])],
  },
  "a Jacobian": { run: jacobian((x: Tensor) => x.sigmoid().matmul(tensor([[1, 2], [3, 4]]))) as Maker, inputs: () => [normal([3, 2])] }, // biome-ignore format: a matrix
  "a Hessian": { run: hessian((x: Tensor) => x.square().sum().exp()) as Maker, inputs: () => [normal([3])] },
  "gradients from outside": {
    run: (w, x) => {
      const y = (vmap((one: Tensor, weights: Tensor) => one.mul(weights).tanh(), { inputs: [0, null] }) as unknown as Maker)(
        x as Tensor,
        w as Tensor,
      );
      return grad((weights: Tensor) => weights.mul(y.sum()).sum())(w as Tensor) as Tensor;
    },
    inputs: () => [normal([3]), normal([4, 3])],
  },
};

function recorded(name: string, compiled: boolean): Recording<Tensor> {
  manualSeed(11);
  const { run, inputs } = cases[name] as (typeof cases)[string];
  const given = inputs();
  const step = compiled ? (compile(run) as Maker) : run;
  return record(() => step(...given));
}

const computed = ({ tensors }: Recording): RecordedTensor[] =>
  tensors.filter(({ source, data }) => source?.program !== undefined && data.length > 0);

describe.each(availableBackends())("on %s", (backend) => {
  describe.each([false, true])("compiled: %s", (compiled) => {
    it.each(Object.keys(cases))("explains and replays %s", (name) => {
      setBackend(backend);
      const run = recorded(name, compiled);
      expect(run.ops.some(({ isMapped }) => isMapped)).toBe(true);
      const exact = replay(run, run.tensors, { double: true });
      for (const tensor of computed(run)) {
        const places = [...new Set([0, Math.floor(tensor.data.length / 2), tensor.data.length - 1])];
        for (const place of places) {
          const { explanation, value } = explainElement(tensor, positionOf(place, tensor.shape));
          const scale = 1 + Math.abs(value);
          expect(Math.abs((explanation?.value ?? Number.NaN) - value)).toBeLessThan(1e-5 * scale);
          expect(Math.abs((exact(tensor)[place] as number) - value)).toBeLessThan(1e-4 * scale);
        }
      }
      // Nothing that a vmap was given, or gave, is taken for data from outside.
      const result = run.tensorOf(run.result);
      expect(result.source).toBeDefined();
      expect(run.tensors.filter(({ origin }) => origin === "data" || origin === "parameter").length).toBeLessThanOrEqual(4);
    });

    it("reads as one example's formula, down to what all examples share", () => {
      setBackend(backend);
      const w = tensor([[1, 2], [3, 4]]); // biome-ignore format: a matrix
      const plain = vmap((x: Tensor, weights: Tensor) => weights.matmul(x).relu(), { inputs: [0, null] }) as unknown as Maker;
      const mapped = compiled ? (compile(plain) as Maker) : plain;
      const run = record(() => mapped(tensor([[1, 1], [2, -1]]), w).sum()); // biome-ignore format: a matrix
      const found = run.ops.find(({ op }) => op.name === "relu");
      expect(explanationTreeText(explainTree(found?.output as RecordedTensor, [1, 1]))).toMatchInlineSnapshot(`
        "y[1, 1] of relu = 2 = max(2, 0)
          y[1, 1, 0] of matmul = 2 = 3·2 + 4·(-1)
            a[1, 0] = 3, data
            b[1, 0] = 2, data
            a[1, 1] = 4, data"
      `);
      const again = replay(run, [run.tensorOf(run.result)], { changed: new Map([[run.tensorOf(w), Float32Array.from([1, 2, 3, 5])]]) });
      expect(again(run.tensorOf(run.result))[0]).toBe(3 + 8 + 0 + 1);
    });

    it("shows the chain rule of each example's gradient, and nudges", () => {
      setBackend(backend);
      const plain = (w: Tensor, x: Tensor): Tensor => {
        const each = (vmap((one: Tensor) => one.mul(w).sum().square()) as unknown as Maker)(x);
        const total = each.sum();
        total.backward();
        return total;
      };
      const step = compiled ? (compile(plain) as Maker) : plain;
      const w = tensor([2, 3], { requiresGrad: true });
      const run = record(() => step(w, tensor([[1, 0], [1, 1]]))); // biome-ignore format: a matrix
      const gradient = run.tensorOf(w).gradient as RecordedTensor;
      // 2·2·1 + 2·5·1, and 2·2·0 + 2·5·1.
      expect([...gradient.data]).toEqual([14, 10]);
      expect(explanationTreeText(explainTree(gradient, [0], { depth: 3 }))).toMatchInlineSnapshot(`
        "∂L/∂b[0] = 14 = 4 + 10
          gb[1, 0] of gradient of mul by b = ∂L/∂y[1, 0] · a[1, 0] = 10 × 1 = 10
            ∂L/∂(y of mul)[1, 0] = ∂L/∂y[1, 0] · 1 = 10 × 1 = 10
              ∂L/∂(y of sum)[1, 0] = ∂L/∂y[1] · 2·x[1] = 1 × 2·5 = 1 × 10 = 10
            a[1, 0] = 1, data
          gb[0, 0] of gradient of mul by b = ∂L/∂y[0, 0] · a[0, 0] = 4 × 1 = 4
            ∂L/∂(y of mul)[0, 0] = ∂L/∂y[0, 0] · 1 = 4 × 1 = 4
              ∂L/∂(y of sum)[0, 0] = ∂L/∂y[0] · 2·x[0] = 1 × 2·2 = 1 × 4 = 4
            a[0, 0] = 1, data"
      `);
      const { change, promised } = nudge(run, run.tensorOf(w), [0], { by: 1e-6 });
      expect(promised).toBeCloseTo(14e-6, 12);
      expect(change).toBeCloseTo(promised, 9);
    });
  });
});

describe("names", () => {
  it("call gradients of copies by what was copied", () => {
    const x = tensor([1, 2]);
    const run = record(() => grad((at: Tensor) => at.square().sum())(x) as Tensor);
    expect(elementText(explainElement(run.tensorOf(run.result), [1]))[0]).toBe("∂L/∂x[1] = ∂L/∂y[1] · 2·x[1] = 1 × 2·2 = 1 × 4 = 4");
  });
});
