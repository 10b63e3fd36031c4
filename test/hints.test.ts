// What errors tell people to try: the mistake is made, its hint is there, and what the hint says is done and works.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { DataLoader, Dataset, Imputer, ndArray, readTable } from "../src/data/index.ts";
import * as library from "../src/index.ts";
import { compile, defineOp, grad, jacobian, parameter, type Tensor, tensor, vmap, where, zeros } from "../src/index.ts";
import { examine, nudge, profile, Recorder, RunCursor, record, selectElement } from "../src/inspect/index.ts";
import * as layers from "../src/nn/index.ts";
import {
  batchNorm,
  conv2d,
  crossEntropy,
  flatten,
  lazy,
  linear,
  meanSquaredError,
  relu,
  residual,
  sequential,
  summary,
} from "../src/nn/index.ts";
import { adam, adamW, muon, sgd } from "../src/optim/index.ts";
import { evaluate, fit, type Metric } from "../src/train/index.ts";
import { runCommand } from "./cli/command.ts";

type Run = () => unknown;

interface Advice {
  readonly mistake: Run;
  /** Part of the hint. */
  readonly hint: string;
  /** What it says, done; several where it names several. */
  readonly remedies: readonly Run[];
}

const net = () => sequential(linear(2, 4), relu, linear(4, 2));
const x = (rows = 3): Tensor<[number, 2]> => tensor(new Float32Array(2 * rows).fill(0.5), [rows, 2]);
const labels = (rows = 3) => tensor(new Int32Array(rows), [rows], { dtype: "int32" });
const samples = (rows = 3) => new Dataset({ x: x(rows), y: labels(rows) } as never) as never;
const csv = (cell: string): string => `a,b,y\n1,"${cell}",2.5\n2,3,4.5\n`;
const once = (model = net(), more = {}) =>
  fit(model as never, samples(), { loss: crossEntropy, optimizer: adam(model.parameters()), epochs: 1, ...more } as never);

const advice: Readonly<Record<string, Advice>> = {
  "a batch of one for batch norm": {
    mistake: () => once(sequential(linear(2, 4), batchNorm(4), linear(4, 2)) as never, { batchSize: 2, compile: false }),
    hint: "dropLast: true in fit and DataLoader",
    remedies: [
      () => once(sequential(linear(2, 4), batchNorm(4), linear(4, 2)) as never, { batchSize: 2, dropLast: true }),
      () => expect([...new DataLoader(samples(), { batchSize: 2, dropLast: true })]).toHaveLength(1),
      () => once(sequential(linear(2, 4), batchNorm(4), linear(4, 2)) as never, { batchSize: 3 }),
      () => (batchNorm(4).eval() as (x: Tensor) => Tensor)(zeros([1, 4])),
    ],
  },
  "a state with other names": {
    mistake: () => net().loadStateDict(new Map([...net().stateDict()].slice(1))),
    hint: "pass { strict: false }",
    remedies: [() => expect(net().loadStateDict(new Map([...net().stateDict()].slice(1)), { strict: false }).loaded).toHaveLength(3)],
  },
  "a state of which no name fits": {
    mistake: () => net().loadStateDict({ quite: tensor([1]), other: tensor([2]) }, { strict: false }),
    hint: "give the tensors of the state the model's names",
    remedies: [() => net().loadStateDict(new Map([...net().stateDict()]))],
  },
  "a state with other shapes": {
    mistake: () => linear(2, 3).loadStateDict(linear(2, 4).stateDict()),
    hint: "delete these names from the state and pass { strict: false }",
    remedies: [
      () => linear(2, 4).loadStateDict(linear(2, 4).stateDict()),
      () => {
        const state = new Map([...linear(2, 4).stateDict(), ["bias", zeros([3])]] as never) as Map<string, Tensor>;
        state.delete("weight");
        expect(linear(2, 3).loadStateDict(state, { strict: false })).toEqual({ loaded: ["bias"], missing: ["weight"], unexpected: [] });
      },
    ],
  },
  "a quoted 1,234": {
    mistake: () => readTable(csv("1,234"), { target: "y" }),
    hint: "write 1234 if the comma separates thousands, 1.234 if it separates decimals",
    remedies: [() => readTable(csv("1234"), { target: "y" }), () => readTable(csv("1.234"), { target: "y" })],
  },
  "text in a column": {
    mistake: () => readTable(csv("red"), { target: "y" }),
    hint: "name the columns to use without it (columns, --columns), or make it the target",
    remedies: [
      () => expect(readTable(csv("red"), { target: "y", columns: ["a"] }).columnNames).toEqual(["a"]),
      () => readTable(csv("red"), { target: "b", columns: ["a"] }),
    ],
  },
  "an imputer's empty column": {
    mistake: () => Imputer.fit(ndArray(new Float32Array([1, Number.NaN]), [1, 2])),
    hint: "new Imputer({ values })",
    remedies: [() => new Imputer({ values: [1, 0] }).apply(ndArray(new Float32Array([1, Number.NaN]), [1, 2]))],
  },
  "a value that is not finite": {
    mistake: () => new Dataset({ x: tensor([Number.NaN]), y: tensor([1]) } as never),
    hint: "allowNonFinite: true lets it through",
    remedies: [() => new Dataset({ x: tensor([Number.NaN]), y: tensor([1]) } as never, { allowNonFinite: true })],
  },
  "stratify without classes": {
    mistake: () => new Dataset({ x: x(), y: tensor([0.5, 1, 2]) } as never).split(0.5, { stratify: true }),
    hint: "stratify: false",
    remedies: [() => new Dataset({ x: x(), y: tensor([0.5, 1, 2]) } as never).split(0.5, { stratify: false })],
  },
  "a confusion matrix without names": {
    mistake: () => evaluate(net() as never, samples(), { loss: crossEntropy, confusion: true } as never),
    hint: "new Dataset(fields, { classNames })",
    remedies: [
      () =>
        evaluate(
          net() as never,
          new Dataset({ x: x(), y: labels() } as never, { classNames: ["a", "b"] }) as never,
          { loss: crossEntropy, confusion: true } as never,
        ),
    ],
  },
  "a metric that was not made": {
    mistake: () => once(net(), { metrics: ["accuracy"] as unknown as Metric[] }),
    hint: 'import { accuracy } from "kasane/train"; metrics: [accuracy()]',
    remedies: [async () => once(net(), { metrics: [(await import("../src/train/index.ts")).accuracy()] })],
  },
  "a loss of many numbers": {
    mistake: () => once(net(), { loss: (p: Tensor) => p.square(), compile: false }),
    hint: "take its mean over the batch",
    remedies: [() => once(net(), { loss: (p: Tensor) => p.square().mean() })],
  },
  "targets of another shape": {
    mistake: () => meanSquaredError(zeros([3, 1]), zeros([3])),
    hint: "target.reshape([3, 1])",
    remedies: [() => meanSquaredError(zeros([3, 1]), zeros([3]).reshape([3, 1]))],
  },
  "matrices among muon's parameters": {
    mistake: () => {
      const model = net();
      crossEntropy(model(x()) as Tensor, labels()).backward();
      muon(model.parameters()).step();
    },
    hint: "give biases and norms to adamW, matrices to muon",
    remedies: [
      () => {
        const all = net().parameters();
        return [muon(all.filter(({ shape }) => shape.length > 1)), adamW(all.filter(({ shape }) => shape.length < 2))];
      },
    ],
  },
  "an optimizer of nothing": {
    mistake: () => adam(relu as never),
    hint: "(net.parameters()",
    remedies: [() => adam(net().parameters())],
  },
  "a lazy layer before its first call": {
    mistake: () => lazy(([, features = 0]) => linear(features, 3)).parameters(),
    hint: "call the model once with a batch, net(x), before parameters()",
    remedies: [
      () => {
        const made = lazy(([, features = 0]) => linear(features, 3));
        (made as unknown as (x: Tensor) => Tensor)(x());
        expect(made.parameters()).toHaveLength(2);
      },
    ],
  },
  "a shortcut of another shape": {
    mistake: () => (residual(linear(2, 3)) as unknown as (x: Tensor) => Tensor)(x()),
    hint: "give a shortcut that makes the same shape",
    remedies: [() => (residual(linear(2, 3), linear(2, 3)) as unknown as (x: Tensor) => Tensor)(x())],
  },
  "a summary of a function": {
    mistake: () => summary(((v: Tensor) => v) as never, [1, 2]),
    hint: "put plain functions into sequential(…)",
    remedies: [() => summary(sequential((v: Tensor) => v) as never, [1, 2])],
  },
  "backward of many numbers": {
    mistake: () =>
      parameter(tensor([1, 2]))
        .mul(2)
        .backward(),
    hint: "call it on a single number (loss.mean().backward()), or pass a gradient of the same shape",
    remedies: [
      () =>
        parameter(tensor([1, 2]))
          .mul(2)
          .mean()
          .backward(),
      () =>
        parameter(tensor([1, 2]))
          .mul(2)
          .backward(tensor([1, 1])),
    ],
  },
  "backward of constants": {
    mistake: () => tensor([1]).sum().backward(),
    hint: "compute it from a parameter, or from tensor(…, { requiresGrad: true }), outside noGrad()",
    remedies: [
      () =>
        parameter(tensor([1]))
          .sum()
          .backward(),
      () => tensor([1], { requiresGrad: true }).sum().backward(),
    ],
  },
  "the gradient of many numbers": {
    mistake: () => grad((v: Tensor) => v.square())(tensor([1, 2])),
    hint: "reduce it (mean, sum), or use jacobian()",
    remedies: [() => grad((v: Tensor) => v.square().sum())(tensor([1, 2])), () => jacobian((v: Tensor) => v.square())(tensor([1, 2]))],
  },
  "writing into a parameter": {
    mistake: () => (parameter(tensor([1, 2])).mul(2) as Tensor).assign(tensor([1, 2])),
    hint: "assign to the parameter, or use detach()",
    remedies: [
      () => parameter(tensor([1, 2])).assign(tensor([3, 4])),
      () =>
        parameter(tensor([1, 2]))
          .mul(2)
          .detach()
          .assign(tensor([1, 2])),
    ],
  },
  "reading inside of compile": {
    mistake: () => compile((v: Tensor) => (v.sum().item() > 0 ? v : v.neg()))(tensor([1])),
    hint: "where(condition, a, b) instead of if",
    remedies: [() => compile((v: Tensor) => where(v.sum().greater(0), v, v.neg()))(tensor([1]))],
  },
  "vmap over nothing": {
    mistake: () => vmap((v: Tensor) => v.sum(), { inputs: [null] })(x()),
    hint: "give a dimension for at least one: { inputs: [0] }",
    remedies: [() => vmap((v: Tensor) => v.sum(), { inputs: [0] })(x())],
  },
  "a kernel larger than its input": {
    mistake: () => (conv2d(1, 1, 5) as (v: Tensor) => Tensor)(zeros([1, 1, 3, 3])),
    hint: "use a smaller kernel, more padding or a larger input",
    remedies: [
      () => (conv2d(1, 1, 3) as (v: Tensor) => Tensor)(zeros([1, 1, 3, 3])),
      () => (conv2d(1, 1, 5, { padding: 1 }) as (v: Tensor) => Tensor)(zeros([1, 1, 3, 3])),
      () => (conv2d(1, 1, 5) as (v: Tensor) => Tensor)(zeros([1, 1, 5, 5])),
    ],
  },
  "a layer that was not made": {
    mistake: () => (sequential(flatten as never) as unknown as (v: Tensor) => Tensor)(x()),
    hint: "write flatten() among the layers, or call x.flatten()",
    remedies: [() => (sequential(flatten()) as unknown as (v: Tensor) => Tensor)(x()), () => x().flatten()],
  },
  "a size that an op does not know": {
    mistake: () => defineOp("y[i] = x[i + n]")(tensor([1, 2, 3])),
    hint: "op.with({ attributes: { n: 3 } })(…)",
    remedies: [() => defineOp("y[i < 1] = x[i + n]").with({ attributes: { n: 2 } })(tensor([1, 2, 3]))],
  },
  "axes that an op does not know": {
    mistake: () => defineOp("y[...] = sum[@axes](x[...])")(tensor([1, 2, 3])),
    hint: "op.with({ attributes: { axes: [0] } })(…)",
    remedies: [() => defineOp("y[...] = sum[@axes](x[...])").with({ attributes: { axes: [0] } })(tensor([1, 2, 3]))],
  },
  "the shape of a scatter": {
    mistake: () => defineOp("y[id[i]] += x[i]")(tensor([1, 2, 3]), tensor([0, 1, 1], { dtype: "int32" })),
    hint: "op.with({ shape: [3] })(…)",
    remedies: [() => defineOp("y[id[i]] += x[i]").with({ shape: [3] })(tensor([1, 2, 3]), tensor([0, 1, 1], { dtype: "int32" }))],
  },
  "a recorder of something else": {
    mistake: () => new Recorder(relu as never),
    hint: "new Recorder(net)",
    remedies: [() => new Recorder(net())],
  },
  "a cursor over nothing": {
    mistake: () => new RunCursor(record(() => 1)),
    hint: "record the function that applies ops",
    remedies: [() => new RunCursor(record(() => tensor([1]).add(1)))],
  },
  "a gradient without a backward pass": {
    mistake: () =>
      selectElement(
        record(() => ({ y: net()(x()) })),
        "y.grad",
      ),
    hint: "the recorded run must call backward()",
    remedies: [
      () =>
        selectElement(
          record(() => {
            const y = net()(x()) as Tensor;
            y.sum().backward();
            return { y };
          }),
          "y.grad",
        ),
    ],
  },
  "an update that was not made": {
    mistake: () => {
      const model = net();
      return selectElement(
        record(() => crossEntropy(model(x()) as Tensor, labels()).backward(), model),
        "0.weight.new",
      );
    },
    hint: "the recorded run must call the optimizer's step()",
    remedies: [
      () => {
        const model = net();
        const optimizer = sgd(model.parameters(), { learningRate: 0.1 });
        const run = record(() => {
          crossEntropy(model(x()) as Tensor, labels()).backward();
          optimizer.step();
        }, model);
        return selectElement(run, "0.weight.new");
      },
    ],
  },
  "a nudge without a backward pass": {
    mistake: () => {
      const run = record(() => ({ y: parameter(tensor([1, 2])).sum() }));
      return nudge(run, run.tensors[0] as never, [0]);
    },
    hint: "call loss.backward() in the recorded function",
    remedies: [
      () => {
        const run = record(() =>
          parameter(tensor([1, 2]))
            .sum()
            .backward(),
        );
        return nudge(run, run.tensors[0] as never, [0]);
      },
    ],
  },
  "a profile of a plain function": {
    mistake: () => profile(((v: Tensor) => v) as never, [x()]),
    hint: "profile(compile((x) => …), [x])",
    remedies: [
      () =>
        profile(
          compile((v: Tensor) => v.add(1)),
          [x()],
        ),
    ],
  },
};

afterEach(() => void vi.restoreAllMocks());

describe("what errors tell people to try works", () => {
  it.each(Object.entries(advice))("%s", async (_, { mistake, hint, remedies }) => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const error = await (async () => mistake())().then(
      () => undefined,
      (thrown: unknown) => thrown as Error & { readonly hint?: string },
    );
    expect(error, "the mistake must be refused").toBeInstanceOf(Error);
    expect(error?.hint ?? "").toContain(hint);
    for (const remedy of remedies) await remedy();
  });
});

describe("a layer's maker that got a tensor", () => {
  it.each(Object.entries(layers).filter(([, make]) => typeof make === "function"))("%s names what there is", (_, make) => {
    let hint = "";
    try {
      (make as (value: unknown) => unknown)(x());
    } catch (error) {
      if (/makes a layer, but got a tensor/.test(String(error))) hint = (error as { readonly hint: string }).hint;
    }
    const [, func] = /import the function (\w+) from "kasane"/.exec(hint) ?? [];
    if (func !== undefined) expect(library).toHaveProperty(func);
    const [, method] = /call x\.(\w+)\(/.exec(hint) ?? [];
    if (method !== undefined) expect(x()).toHaveProperty(method);
    const [, layer] = /write (\w+)\(\)/.exec(hint) ?? [];
    if (layer !== undefined) expect(layers).toHaveProperty(layer);
  });
});

describe("a state that fits in part", () => {
  it("is loaded with a word of what was not", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const model = net();
    const report = model.loadStateDict({ "0.weight": tensor([[1, 2], [3, 4], [5, 6], [7, 8]]), head: tensor([1]) }, { strict: false }); // biome-ignore format: a matrix
    expect(report).toEqual({ loaded: ["0.weight"], missing: ["0.bias", "2.weight", "2.bias"], unexpected: ["head"] });
    expect(warn.mock.calls).toEqual([
      ["kasane: sequential: loaded 1 of 4 names: 0.weight; missing 0.bias, 2.weight, 2.bias; unexpected head"],
    ]);
    model.loadStateDict(net().stateDict());
    expect(warn).toHaveBeenCalledTimes(1);
  });
});

describe("numbers with marks between their digits", () => {
  it.each([
    ["1,234", "write 1234 if the comma separates thousands, 1.234 if it separates decimals"],
    ["-12,345", "write -12345 if the comma separates thousands, -12.345 if it separates decimals"],
    ["3,5", "write decimals with a point, and no separators of thousands: 3.5"],
    ["1,23", "write decimals with a point, and no separators of thousands: 1.23"],
    ["1.234,5", "write decimals with a point, and no separators of thousands: 1234.5"],
    ["1,234.5", "write decimals with a point, and no separators of thousands: 1234.5"],
    ["1,234,567", "write it without separators of thousands: 1234567"],
    ["1.234.567", "write it without separators of thousands: 1234567"],
    ["1 234", "write it without separators of thousands: 1234"],
    ["1'234", "write it without separators of thousands: 1234"],
  ])("%s", (cell, hint) => {
    let error: { readonly hint?: string } = {};
    try {
      readTable(csv(cell), { target: "y" });
    } catch (thrown) {
      error = thrown as typeof error;
    }
    expect(error.hint).toBe(hint);
  });
});

describe("kasane train --csv", () => {
  it("leaves a column out as its hint says, and predicts without it", async () => {
    const cwd = await mkdtemp(join(tmpdir(), "kasane-hints-"));
    try {
      const rows = Array.from({ length: 40 }, (_, n) => `${n % 7},note ${n},${n % 5},${n % 7 > 3 ? "yes" : "no"}`);
      await writeFile(join(cwd, "t.csv"), `a,remark,b,y\n${rows.join("\n")}\n`);
      const train = ["train", "--csv", "t.csv", "--target", "y", "--epochs", "1", "--out", "run"];
      const refused = await runCommand(cwd, train);
      expect(refused.err).toContain("--columns");
      const { code } = await runCommand(cwd, [...train, "--columns", "a,b"]);
      expect(code).toBe(0);
      expect((await runCommand(cwd, ["predict", "run", "t.csv"])).code).toBe(0);
    } finally {
      await rm(cwd, { recursive: true });
    }
  });
});

describe("findings", () => {
  it("recommend options that examine takes", async () => {
    const model = net();
    const { evidence } = await examine(model as never, samples(40), { loss: crossEntropy, optimizer: adam(model.parameters()), epochs: 1, control: true, clip: { norm: 1 } } as never); // biome-ignore format: one call
    expect(evidence.control).toHaveLength(1);
  });
});
