// A backward pass gives the gradient of what the forward pass computed, whatever tensors hold by then.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkpoint, compile, grad, parameter, type Tensor, tensor, vmap } from "../../src/index.ts";
import { batchNorm, crossEntropy, linear, sequential } from "../../src/nn/index.ts";
import { adam, sgd } from "../../src/optim/index.ts";

type Program = (w: Tensor, x: Tensor) => Tensor;

/** Programs whose gradients read the numbers of w, in different ways. */
const programs: Readonly<Record<string, Program>> = {
  "product with itself": (w) => w.mul(w).sum(),
  "matrix product of both": (w, x) => x.matmul(w).matmul(w).sum(),
  "composite without a written gradient": (w, x) => x.mul(w).logSumExp().mul(w.variance()).sum(),
  "view that is read later": (w, x) =>
    w
      .reshape([4])
      .mul(x.reshape([4]))
      .mul(w.reshape([4]))
      .sum(),
  "gathered rows": (w) =>
    w
      .take(tensor([1, 0], { dtype: "int32" }))
      .mul(w)
      .sum(),
  "checkpoint with w as argument": (w, x) => checkpoint((a: Tensor) => a.mul(a).mul(x).exp())(w).sum(),
  "checkpoint that reads w by itself": (w, x) => checkpoint((a: Tensor) => a.mul(w).mul(w).tanh())(x).sum(),
  "checkpoint in a checkpoint": (w, x) => checkpoint((a: Tensor) => checkpoint((b: Tensor) => b.mul(w).sin())(a).mul(w))(x).sum(),
  vmap: (w, x) => vmap((row: Tensor) => w.mul(row).mul(w).sum())(x).sum(),
  "vmap over w": (w, x) =>
    vmap((row: Tensor) => row.mul(row).mul(row).sum())(w)
      .mul(x.sum())
      .sum(),
  "checkpoint in vmap": (w, x) => vmap((row: Tensor) => checkpoint((a: Tensor) => a.mul(w).mul(w))(row).sum())(x).sum(),
  "gradient in the loss": (w, x) =>
    grad((v: Tensor) => v.mul(v).mul(v).mul(x).sum())(w)
      .mul(w)
      .sum(),
};
const numbers = [
  [0.5, -1.25],
  [2, 0.75],
];
const others = [
  [10, 20],
  [30, -40],
];
const x = tensor([
  [0.1, 0.2],
  [-0.3, 0.4],
]);

function expected(program: Program): number[] {
  const w = parameter(numbers);
  program(w, x).backward();
  return [...(w.grad as Tensor).data] as number[];
}

describe.each(Object.entries(programs))("%s", (_, program) => {
  it("has the gradient of its forward pass after assign, eager", () => {
    const w = parameter(numbers);
    const loss = program(w, x);
    w.assign(tensor(others));
    loss.backward();
    expect([...(w.grad as Tensor).data]).toEqual(expected(program));
    expect(w.toArray()).toEqual(others);
  });

  it("has it in a compiled function, at every run", () => {
    const w = parameter(numbers);
    const next = tensor(others);
    const step = compile((input) => {
      w.zeroGrad();
      const loss = program(w, input);
      w.assign(next);
      loss.backward();
      return (w.grad as Tensor).clone();
    });
    for (let run = 0; run < 2; run++) {
      w.assign(tensor(numbers));
      step(x).data.forEach((value, n) => {
        expect(value).toBeCloseTo(expected(program)[n] as number, 4);
      });
      expect(w.toArray()).toEqual(others);
    }
  });

  it("has it after a compiled step took the tensor's memory", () => {
    const w = parameter(numbers);
    const step = compile(() => w.assign(w.mul(3).add(1)));
    step();
    w.assign(tensor(numbers));
    const loss = program(w, x);
    step();
    loss.backward();
    expect([...(w.grad as Tensor).data]).toEqual(expected(program));
  });

  it("has it where the backward pass is compiled and the forward pass is not", () => {
    const w = parameter(numbers);
    const loss = program(w, x);
    const step = compile(() => {
      w.zeroGrad();
      loss.backward();
      return (w.grad as Tensor).clone();
    });
    for (const now of [numbers, others, numbers]) {
      w.assign(tensor(now));
      step().data.forEach((value, n) => {
        expect(value).toBeCloseTo(expected(program)[n] as number, 4);
      });
    }
  });

  it("has it twice from one forward pass with a step between", () => {
    const w = parameter(numbers);
    const optimizer = sgd([w], { learningRate: 0.5 });
    const loss = program(w, x);
    loss.backward();
    const first = [...(w.grad as Tensor).data];
    optimizer.step();
    optimizer.zeroGrad();
    loss.backward();
    expect([...(w.grad as Tensor).data]).toEqual(first);
  });
});

describe("second derivatives", () => {
  it("are those at the numbers of the forward pass", () => {
    const w = parameter([3]);
    const loss = w.mul(w).mul(w).sum();
    w.assign(tensor([10]));
    loss.backward(undefined, { createGraph: true });
    const first = w.grad as Tensor;
    expect(first.item()).toBe(27);
    w.zeroGrad();
    w.assign(tensor([100]));
    first.sum().backward();
    expect((w.grad as Tensor).item()).toBe(18);
  });
});

describe("training", () => {
  const batch = tensor([
    [0.5, -1, 2],
    [1.5, 0.25, -0.75],
  ]);
  const target = tensor([1, 0], { dtype: "int32" });
  const weights = (net: ReturnType<typeof network>): number[] => net.parameters().flatMap((one) => [...one.data] as number[]);
  const network = () => sequential(linear(3, 4), batchNorm(4), (h: Tensor) => h.tanh(), linear(4, 2));

  it.each([["sgd"], ["adam"]] as const)("steps twice from one forward pass alike, eager and compiled: %s", (name) => {
    const start = network().stateDict();
    const trained = [false, true].map((isCompiled) => {
      const net = network();
      net.loadStateDict(start);
      const optimizer = name === "sgd" ? sgd(net.parameters(), { learningRate: 0.1 }) : adam(net.parameters(), { learningRate: 0.1 });
      const twice = (input: Tensor, labels: Tensor): Tensor => {
        optimizer.zeroGrad();
        const loss = crossEntropy(net(input), labels);
        loss.backward();
        optimizer.step();
        optimizer.zeroGrad();
        loss.backward();
        optimizer.step();
        return loss;
      };
      const step = isCompiled ? compile(twice) : twice;
      for (let run = 0; run < 3; run++) step(batch, target);
      return weights(net);
    });
    trained[1]?.forEach((value, n) => {
      expect(value).toBeCloseTo(trained[0]?.[n] as number, 4);
    });
  });
});

describe("a checkpoint", () => {
  it("refuses to compute again in another mode", () => {
    const norm = batchNorm(2);
    const loss = checkpoint((input: Tensor) => norm(input))(x)
      .mul(x)
      .sum();
    norm.eval();
    expect(() => loss.backward()).toThrow(
      /a layer's mode.*changed between the forward and the backward pass[\s\S]*before train\(\) or eval\(\)/,
    );
    norm.train();
    loss.backward();
    expect(norm.parameters()[0]?.grad?.data.some((value: number) => value !== 0)).toBe(true);
  });
});

describe("a tensor from inside a compiled function", () => {
  it("has no gradient outside of it", () => {
    const w = parameter(numbers);
    let inside = w as Tensor;
    compile(() => {
      inside = w.mul(w).sum();
      return inside;
    })();
    w.assign(tensor(others));
    expect(() => inside.backward()).toThrow(
      /computed inside a compiled function[\s\S]*return it from the function, or call backward\(\) inside/,
    );
  });
});

describe("property", () => {
  const ops: readonly ((h: Tensor, w: Tensor) => Tensor)[] = [
    (h, w) => h.mul(w),
    (h, w) => h.add(w.square()),
    (h, w) => h.matmul(w),
    (h, w) => w.matmul(h).tanh(),
    (h, w) => h.sub(w.transpose()).sin(),
    (h, w) => checkpoint((a: Tensor) => a.mul(w).sigmoid())(h),
    (h, w) => h.div(w.square().add(1)),
  ];

  it("random programs have the gradients of their forward pass, with two tensors that change", () => {
    const place = fc.nat({ max: ops.length - 1 });
    fc.assert(
      fc.property(fc.array(fc.tuple(place, fc.boolean()), { minLength: 1, maxLength: 6 }), fc.boolean(), (picks, afterwards) => {
        const gradients = [false, true].map((changes) => {
          const both = [parameter(numbers), parameter(others.map((row) => row.map((value) => value / 100)))] as const;
          const loss = picks
            .reduce<Tensor>((h, [op, second]) => (ops[op] as (typeof ops)[number])(h, both[Number(second)] as Tensor), x)
            .sum();
          if (changes) both[0].assign(tensor(others));
          if (changes && afterwards) both[1].assign(tensor(numbers));
          loss.backward();
          return both.map(({ grad: found }) => (found === undefined ? [] : [...found.data]));
        });
        expect(gradients[1]).toEqual(gradients[0]);
      }),
      { numRuns: 60 },
    );
  });
});
