// Compiled functions are differentiable: by every way to take a derivative, what they give is what the function itself gives, or a refusal.

import * as fc from "fast-check";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import {
  availableBackends,
  checkpoint,
  compile,
  dropout,
  fromData,
  getBackend,
  grad,
  hessian,
  hessianVectorProduct,
  jacobian,
  jacobianVectorProduct,
  manualSeed,
  noGrad,
  parameter,
  setBackend,
  type Tensor,
  tensor,
  uniform,
  valueAndGrad,
  vectorJacobianProduct,
  vmap,
  where,
} from "../../src/index.ts";
import { checkGradients, record } from "../../src/inspect/index.ts";
import { batchNorm, conv2d, crossEntropy, flatten, layerNorm, linear, relu, sequential } from "../../src/nn/index.ts";
import { adam, sgd } from "../../src/optim/index.ts";
import { type Arguments, type Instruction, KINDS, makeArguments, makeState, runProgram } from "./programs.ts";
import { expectArray } from "./support.ts";

const original = getBackend().name;
afterAll(() => setBackend(original));

type Fn = (x: Tensor) => Tensor;

const weight = parameter(fromData(Float32Array.of(0.3, -0.2, 0.5, 0.1, 0.7, -0.4, 0.2, 0.6, -0.1), [3, 3], "float32")) as Tensor;

/** Functions of three numbers. */
const FUNCTIONS: Readonly<Record<string, Fn>> = {
  "a square": (x) => x.square(),
  "a weight": (x) => x.reshape([1, 3]).matmul(weight).tanh().reshape([3]),
  "a weight twice": (x) => x.reshape([1, 3]).matmul(weight).sigmoid().matmul(weight).reshape([3]),
  "several ops": (x) => x.mul(2).exp().add(x.sin()).div(x.square().add(1)),
  "a reduction": (x) => x.softmax().mul(x),
  "a choice": (x) => where(x.greater(0.1), x.mul(x), x.mul(3)),
  moves: (x) =>
    x
      .flip(0)
      .slice([0, 2])
      .pad([[1, 0]])
      .add(x),
  "the argument": (x) => x,
  "the argument's view": (x) => x.reshape([3, 1]).reshape([3]),
  "an inner compiled function": compile((x: Tensor) => compile((y: Tensor) => y.tanh())(x).mul(x)) as Fn,
  "an inner gradient": (x) => grad((y: Tensor) => y.pow(3).sum())(x) as Tensor,
  "a checkpoint": (x) => checkpoint((y: Tensor) => y.tanh().mul(y))(x),
  "a map over examples": (x) => vmap((y: Tensor) => y.mul(y.sin()))(x) as Tensor,
};

const WAYS: Readonly<Record<string, (f: Fn, x: Tensor) => Tensor | readonly Tensor[]>> = {
  value: (f, x) => f(x),
  grad: (f, x) => grad((y: Tensor) => f(y).sum())(x) as Tensor,
  "grad of a compiled number": (f, x) => grad(compile((y: Tensor) => f(y).sum()) as Fn)(x) as Tensor,
  valueAndGrad: (f, x) => {
    const { value, gradient } = valueAndGrad((y: Tensor) => f(y).square().mean())(x);
    return [value, gradient as Tensor];
  },
  jacobian: (f, x) => jacobian(f)(x),
  hessian: (f, x) => hessian((y) => f(y).mul(y).sum())(x),
  hessianVectorProduct: (f, x) => hessianVectorProduct((y: Tensor) => f(y).mul(y).sum())(x, tensor([1, -2, 0.5]) as Tensor),
  vectorJacobianProduct: (f, x) => vectorJacobianProduct(f)(x, tensor([1, -2, 0.5]) as Tensor),
  jacobianVectorProduct: (f, x) => jacobianVectorProduct(f)(x, tensor([1, -2, 0.5]) as Tensor),
  "vmap outside": (f, x) => vmap(grad((y: Tensor) => f(y).sum()))(x.reshape([1, 3]).broadcastTo([2, 3])) as Tensor,
  "the tape": (f, x) => {
    const leaf = parameter(x) as Tensor;
    weight.zeroGrad();
    f(leaf.mul(2)).square().sum().backward();
    return [leaf.grad as Tensor, ...(weight.grad === undefined ? [] : [weight.grad as Tensor])];
  },
  "the tape twice": (f, x) => {
    const leaf = parameter(x) as Tensor;
    weight.zeroGrad();
    f(leaf).pow(3).sum().backward(undefined, { createGraph: true });
    const first = leaf.grad as Tensor;
    leaf.zeroGrad();
    first.square().sum().backward();
    return [first, leaf.grad as Tensor, ...(weight.grad === undefined ? [] : [weight.grad as Tensor])];
  },
  "a third derivative": (f, x) =>
    grad((y: Tensor) => (grad((z: Tensor) => (grad((v: Tensor) => f(v).pow(2).sum())(z) as Tensor).sum())(y) as Tensor).sum())(x) as Tensor,
  "inside another compiled function": (f, x) => (compile((y: Tensor) => grad((z: Tensor) => f(z).sum())(y) as Tensor) as Fn)(x),
};

const list = (found: Tensor | readonly Tensor[]): readonly Tensor[] => (Array.isArray(found) ? found : [found as Tensor]);

describe.each(availableBackends())("on %s", (backend) => {
  beforeEach(() => {
    setBackend(backend);
    manualSeed(3);
  });

  for (const [way, take] of Object.entries(WAYS))
    it.each(Object.entries(FUNCTIONS))(`${way} of %s`, (_, f) => {
      const x = tensor([0.4, -0.3, 0.7]) as Tensor;
      const expected = list(take(f, x));
      const compiled = compile(f) as Fn;
      for (let call = 0; call < 2; call++) {
        const found = list(take(compiled, x));
        expect(found.length).toBe(expected.length);
        found.forEach((one, n) => {
          expect([one.dtype, one.shape]).toEqual([expected[n]?.dtype, expected[n]?.shape]);
          expectArray(one.data, (expected[n] as Tensor).data, `${way}, ${n}, call ${call}`);
        });
      }
    });

  it("an eager step that calls compiled parts trains as without compile()", () => {
    const losses = [false, true].map((isCompiled) => {
      manualSeed(5);
      const body = sequential(conv2d(1, 2, 3), batchNorm(2), relu, flatten());
      const head = sequential(linear(8, 6), layerNorm(6), linear(6, 2));
      const parts = [body, head].map((part) => (isCompiled ? compile((x: Tensor) => part(x as never) as Tensor) : part)) as Fn[];
      const parameters = [...body.parameters(), ...head.parameters()];
      const optimizer = adam(parameters, { learningRate: 0.02 });
      const [x, target] = [uniform([4, 1, 4, 4]) as Tensor, tensor([0, 1, 1, 0], { dtype: "int32" })];
      return Array.from({ length: 4 }, () => {
        optimizer.zeroGrad();
        const loss = crossEntropy((parts[1] as Fn)((parts[0] as Fn)(x)) as never, target as never) as Tensor;
        loss.backward();
        optimizer.step();
        return loss.item();
      });
    });
    expectArray(losses[1] as number[], losses[0] as number[], "losses");
    expect(losses[1]?.[3]).toBeLessThan(losses[1]?.[0] as number);
  });

  it("random numbers of the run are those of its derivative", () => {
    const f = compile((x: Tensor) => dropout(x, 0.5)) as Fn;
    for (let call = 0; call < 3; call++) {
      const x = parameter(tensor([1, 1, 1, 1, 1, 1, 1, 1])) as Tensor;
      const y = f(x);
      f(x);
      y.sum().backward();
      expect([...(x.grad as Tensor).data]).toEqual([...y.data]);
    }
  });

  it("a checkpoint around a compiled function draws and counts once", () => {
    const [a, b] = [parameter(uniform([8])) as Tensor, parameter(uniform([8])) as Tensor];
    b.assign(a);
    const counter = tensor([0]) as Tensor;
    const noisy = (x: Tensor): Tensor => {
      counter.assign(counter.add(1));
      return dropout(x, 0.5).square();
    };
    const outcomes = [
      [noisy, a],
      [compile(noisy) as Fn, b],
    ].map(([f, leaf]) => {
      manualSeed(9);
      checkpoint(f as Fn)(leaf as Tensor)
        .sum()
        .backward();
      return (leaf as Tensor).grad?.toArray();
    });
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(counter.item()).toBe(2);
  });

  it("recordings see through it: gradients agree with finite differences", () => {
    const net = sequential(linear(3, 4), layerNorm(4), linear(4, 2));
    const run = compile((x: Tensor) => net(x as never) as Tensor);
    const [x, target] = [uniform([5, 3]) as Tensor, tensor([0, 1, 1, 0, 1], { dtype: "int32" })];
    net.zeroGrad();
    const recorded = record(() => {
      const loss = crossEntropy(run(x) as never, target as never) as Tensor;
      loss.backward();
      return loss;
    }, net);
    const report = checkGradients(recorded);
    expect(String(report)).toMatch(/^\d+ gradients agree/);
  });

  it("is that at the numbers of the run, whatever arguments and weights hold by now", () => {
    const w = parameter(tensor([2])) as Tensor;
    const x = parameter(tensor([3])) as Tensor;
    const f = compile((value: Tensor) => value.square().mul(w)) as Fn;
    const y = f(x);
    noGrad(() => {
      w.assign(tensor([100]) as Tensor);
      x.assign(tensor([100]) as Tensor);
    });
    y.backward();
    expect([x.grad?.item(), w.grad?.item()]).toEqual([12, 9]);
  });
});

describe("random programs", () => {
  const instruction: fc.Arbitrary<Instruction> = fc.tuple(fc.nat(KINDS - 1), fc.nat(63), fc.nat(63), fc.nat(63));
  const programs = fc.array(instruction, { minLength: 1, maxLength: 16, size: "max" });

  it.each(availableBackends())("compiled, then differentiated, equal eager, on %s", (backend) => {
    setBackend(backend);
    let compared = 0;
    fc.assert(
      fc.property(programs, fc.boolean(), (program, twice) => {
        const outcome = (isCompiled: boolean): (Float64Array | undefined)[] | string => {
          manualSeed(7);
          const state = makeState();
          const step = (...args: Arguments): Tensor[] => runProgram(program, state, args, []);
          const run = isCompiled ? (compile(step) as typeof step) : step;
          const x = makeArguments(0);
          const image = parameter(x[1]) as Tensor;
          for (const one of state.weights) one.zeroGrad();
          const results = run(x[0], image, ...(x.slice(2) as [Tensor, Tensor, Tensor]));
          const leaves = [...state.weights, image];
          for (const one of leaves) one.zeroGrad();
          try {
            const sums = results.filter((one) => one.requiresGrad).map((one) => one.tanh().sum());
            if (sums.length === 0) return "nothing to differentiate";
            sums.reduce((a, b) => a.add(b)).backward(undefined, { createGraph: twice });
            if (twice) {
              const squares = leaves.flatMap(({ grad: one }) => (one?.requiresGrad ? [one.tanh().sum()] : []));
              for (const one of leaves) one.zeroGrad();
              if (squares.length > 0) squares.reduce((a, b) => a.add(b)).backward();
            }
          } catch (error) {
            return String(error);
          }
          return leaves.map(({ grad: one }) => one && Float64Array.from(one.data));
        };
        const [expected, found] = [outcome(false), outcome(true)];
        if (typeof found === "string") {
          if (found !== expected) expect(found).toMatch(/the compiled function .* itself changed/);
          return;
        }
        compared++;
        found.forEach((one, n) => {
          const other = (expected as (Float64Array | undefined)[])[n];
          expect(one === undefined).toBe(other === undefined);
          if (one !== undefined) expectArray(one, other as Float64Array, `gradient ${n}`);
        });
      }),
      { numRuns: 40, seed: 2 },
    );
    expect(compared).toBeGreaterThan(8);
    setBackend(original);
  });
});

describe("what cannot be differentiated after a run says so", () => {
  const x = tensor([1, 2]) as Tensor;

  it("a step that trains", () => {
    const w = parameter(tensor([1, 2])) as Tensor;
    const optimizer = sgd([w], { learningRate: 0.1 });
    const step = compile((value: Tensor) => {
      optimizer.zeroGrad();
      const loss = w.mul(value).square().sum();
      loss.backward();
      optimizer.step();
      return loss;
    });
    const loss = step(x);
    expect(() => loss.mul(2).backward()).toThrow(/backward: the compiled function "step" itself changed the tensors/);
    expect(loss.detach().mul(2).requiresGrad).toBe(false);
    // Nothing of the batch is kept for it.
    expect((loss as unknown as { node: { inputs: readonly unknown[] } }).node.inputs).toEqual([]);
  });

  it("a step whose gradient needs numbers that it replaced", () => {
    const mean = tensor([5, 6]) as Tensor;
    const a = parameter(x) as Tensor;
    const f = compile((value: Tensor) => {
      const y = value.mul(mean);
      mean.assign(mean.mul(0.5).add(value.detach()));
      return y;
    });
    const y = f(a);
    expect(() => y.sum().backward()).toThrow(/itself changed a tensor of shape \[2\] that its gradient is computed from/);
  });

  it("a run before another compiled step moved the weights", () => {
    const w = parameter(tensor([1, 2])) as Tensor;
    const f = compile((value: Tensor) => w.mul(value).square().sum());
    const grow = compile(() => noGrad(() => w.assign(w.mul(2))));
    grow();
    const y = f(x);
    grow();
    expect(() => y.backward()).toThrow(/was called before other code changed a tensor of shape \[2\]/);
    f(x).backward();
    expect(w.grad?.toArray()).toEqual([8, 64]);
  });

  it("a result that another compiled function differentiates", () => {
    const w = parameter(tensor([1, 2])) as Tensor;
    const y = compile((value: Tensor) => w.mul(value))(x);
    expect(() => compile(() => y.sum().backward())()).toThrow(/is differentiated inside another one/);
    expect(() => compile((value: Tensor) => value.square().sum().backward())(y)).toThrow(/argument 0, which was itself computed/);
  });

  it("nothing is on the tape in noGrad(), or without anything that requires a gradient", () => {
    const w = parameter(tensor([1, 2])) as Tensor;
    const f = compile((value: Tensor) => w.mul(value));
    expect(noGrad(() => f(x)).requiresGrad).toBe(false);
    expect(f(x).requiresGrad).toBe(true);
    expect(compile((value: Tensor) => value.mul(2))(x).requiresGrad).toBe(false);
  });
});

it("derivatives are still there after the program was evicted", () => {
  const f = compile((value: Tensor) => value.square().sum());
  const a = parameter(tensor([1, 2])) as Tensor;
  const y = f(a);
  f(a).backward();
  for (let n = 3; n < 40; n++) f(parameter(uniform([n])) as Tensor).backward();
  a.zeroGrad();
  y.backward();
  expect(a.grad?.toArray()).toEqual([2, 4]);
});
