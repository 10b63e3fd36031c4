// Watching tensors: the same things are told eagerly and compiled, and numbers come at every run.

import { describe, expect, it } from "vitest";
import { linear, meanSquaredError, relu, sequential } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { compile, manualSeed, normal, type Tensor, tensor } from "../../src/tensor/index.ts";
import { type Application, observing } from "../../src/tensor/observe.ts";
import { valueOf } from "../../src/tensor/tensor.ts";
import { tap } from "../../src/tensor/trace/trace.ts";
import type { Value } from "../../src/tensor/value.ts";

function training(): { step: (x: Tensor, t: Tensor) => Tensor; weight: Tensor; x: Tensor; t: Tensor } {
  manualSeed(3);
  const net = sequential(linear(3, 4), relu, linear(4, 1));
  const optimizer = adam(net.parameters(), { learningRate: 0.1 });
  const step = (x: Tensor, t: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = meanSquaredError(net(x as never) as Tensor, t);
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
  return { step, weight: net.parameters()[0] as Tensor, x: normal([5, 3]), t: normal([5, 1]) };
}

/** What happened in so many steps: names, passes, paths and the numbers of every result. */
function watched(run: (step: (x: Tensor, t: Tensor) => Tensor) => (x: Tensor, t: Tensor) => Tensor, times: number): string[][] {
  const { step, x, t } = training();
  const stepped = run(step);
  const seen: string[][] = [];
  const numbers = (data: ArrayLike<number>): string => Array.from(data, (number) => Math.fround(number).toPrecision(4)).join(" ");
  const observer = {
    key: "watch",
    applied: ({ op, pass, scope, output, attributes }: Application) =>
      tap(output, (data, read) => {
        const rate = attributes.rate === undefined ? "" : ` at ${read(attributes.rate as number)}`;
        seen.at(-1)?.push(`${pass} ${scope.join(".")} ${op.name}${rate}: ${numbers(data)}`);
      }),
    differentiated: (_: Value, gradient: Value) => tap(gradient, (data) => seen.at(-1)?.push(`gradient ${numbers(data)}`)),
    assigned: (_: Value, value: Value) => tap(value, (data) => seen.at(-1)?.push(`assigned ${numbers(data)}`)),
  };
  for (let n = 0; n < times; n++) {
    seen.push([]);
    observing(observer, () => stepped(x, t));
  }
  return seen;
}

describe("observing", () => {
  it("tells passes, layers, ops, gradients and assignments with their numbers", () => {
    const [[...lines]] = watched((step) => step, 1) as [string[]];
    expect(lines.find((line) => line.startsWith("forward 0 linearBias: "))).toBeDefined();
    expect(lines.find((line) => line.startsWith("backward 2 gradient of linearBias by w: "))).toBeDefined();
    expect(lines.filter((line) => line.startsWith("update") && line.includes("adamStep at 0.1"))).toHaveLength(4);
    expect(lines.filter((line) => line.startsWith("assigned"))).toHaveLength(12);
    expect(lines.filter((line) => line.startsWith("gradient")).length).toBeGreaterThan(6);
  });

  it("tells the same of a compiled function, at every run", () => {
    const eager = watched((step) => step, 3);
    const compiled = watched((step) => compile(step), 3);
    expect(compiled.map((lines) => lines.length)).toEqual(eager.map((lines) => lines.length));
    expect(compiled).toEqual(eager);
    expect(eager[0]).not.toEqual(eager[1]);
  });

  it("leaves the program of a compiled function alone when nobody watches", () => {
    const { step, x, t } = training();
    const compiled = compile(step);
    compiled(x, t);
    observing({ key: "a", applied: ({ output }) => tap(output, () => {}) }, () => compiled(x, t));
    compiled(x, t);
    expect(compiled.steps).toHaveLength(2);
    const [plain, tapped] = compiled.steps;
    expect(tapped?.graph.results.length).toBeGreaterThan(plain?.graph.results.length as number);
    expect(plain?.graph.results).toHaveLength(1);
  });

  it("gives a cell's numbers as they were where it was tapped", () => {
    const weight = tensor([1, 2], { requiresGrad: true });
    const seen: number[][] = [];
    const note = (): void => tap(valueOf(weight), (data) => seen.push([...data]));
    const step = compile(() => {
      note();
      weight.assign(weight.detach().mul(10));
      note();
      return weight.detach().sum();
    });
    step();
    step();
    expect(seen).toEqual([
      [1, 2],
      [10, 20],
      [10, 20],
      [100, 200],
    ]);
  });
});
