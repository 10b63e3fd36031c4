// What recordings call things: results and inputs by the names a function gave them; functions that wait are recorded, too.

import { afterAll, describe, expect, it } from "vitest";
import { availableBackends, getBackend, setBackend } from "../../../src/backends/choose.ts";
import { elementName, firstElement, record, recordAsync, selectableNames, selectElement } from "../../../src/inspect/index.ts";
import { linear } from "../../../src/nn/index.ts";
import { compile, type Tensor, tensor } from "../../../src/tensor/index.ts";

const before = getBackend().name;
afterAll(() => setBackend(before));

describe.each(availableBackends())("on %s", (backend) => {
  it.each([false, true])("tensors are called as the function's record calls them (compiled: %s)", (compiled) => {
    setBackend(backend);
    const plain = (a: Tensor, b: Tensor) => ({ sum: a.add(b), difference: a.sub(b) });
    const step = compiled ? compile(plain as never) : plain;
    const [left, right] = [tensor([1, 2]), tensor([3, 4], { requiresGrad: true })];
    const run = record(() => ({ left, right, result: (step as typeof plain)(left, right) }));
    expect([...run.results.keys()]).toEqual(["left", "right", "result.sum", "result.difference"]);
    expect([...(run.results.get("result.difference")?.data ?? [])]).toEqual([-2, -2]);
    expect(selectElement(run, "left").tensor).toBe(run.tensorOf(left));
    expect(run.ops[0]?.inputs.map((input) => elementName(input, [1]))).toEqual(["left[1]", "right[1]"]);
    expect(run.tensorOf(right).origin).toBe("parameter");
    expect(selectableNames(run)).toEqual(["right", "left", "result.sum", "result.difference"]);
    const first = firstElement(run);
    expect(elementName(first.tensor, first.position)).toBe("result.difference[0] of sub");
  });
});

describe("record", () => {
  it("names the parameters of layers among the results", () => {
    const make = () => linear(2, 1);
    const one = record(() => {
      const net = make();
      return { net, y: net(tensor([[1, 2]]) as never) };
    });
    expect(one.ops.at(-1)?.inputs.map(({ name, origin }) => `${name} ${origin}`)).toEqual(["x data", "weight parameter", "bias parameter"]);
    const two = record(() => {
      const [first, second] = [make(), make()];
      return { first, second, y: (second(tensor([[1, 2]]) as never) as Tensor).add(first(tensor([[1, 2]]) as never) as Tensor) };
    });
    expect(two.tensors.filter(({ origin }) => origin === "parameter").map(({ name }) => name)).toEqual(
      expect.arrayContaining(["first.weight", "second.weight"]),
    );
  });

  it("keeps the names of parameters that a model has", () => {
    const net = linear(2, 1);
    const run = record(() => ({ other: net.parameters()[0] as Tensor, y: net(tensor([[1, 2]]) as never) }), net);
    expect(run.results.get("other")?.name).toBe("weight");
  });

  it("says what to look at where a run gave nothing", () => {
    const run = record(() => void tensor([1, -7]).mul(2));
    expect(firstElement(run).position).toEqual([1]);
    expect(() => firstElement(record(() => 3))).toThrow("no number in the recorded run");
    expect(() => selectElement(run, "loss")).toThrow("no backward pass");
  });
});

describe("recordAsync", () => {
  it("records what happens before and after waiting, and nothing afterwards", async () => {
    const x = tensor([1, 2]);
    const run = await recordAsync(async () => {
      const y = x.mul(2);
      await Promise.resolve();
      return { x, y: y.add(1) };
    });
    x.sub(1);
    expect(run.ops.map(({ op }) => op.name)).toEqual(["mul", "add"]);
    expect(elementName(run.ops[0]?.inputs[0] as never, [0])).toBe("x[0]");
  });

  it("ends where its function fails", async () => {
    await expect(recordAsync(() => Promise.reject(new Error("no file")))).rejects.toThrow("no file");
    expect(record(() => tensor([1]).add(1)).ops).toHaveLength(1);
  });
});
