// Numbers may live elsewhere: the conformance table, trainings, the recorder and files on a backend whose memory the host cannot see.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { offerBackend, useBackend } from "../../src/backends/choose.ts";
import { moons, tableDataset } from "../../src/data/index.ts";
import { compile, type HostArray, initBackend, manualSeed, parameter, setBackend, type Tensor, tensor } from "../../src/index.ts";
import { explainTree, explanationTreeText, Recorder, record, recordAsync } from "../../src/inspect/index.ts";
import { loadSafetensors, saveSafetensors } from "../../src/io/node.ts";
import { batchNorm, crossEntropy, dropout, linear, relu, sequential } from "../../src/nn/index.ts";
import { catalogue } from "../../src/ops/catalogue.ts";
import { adam, sgd } from "../../src/optim/index.ts";
import { accuracy, evaluate, fit, predict } from "../../src/train/index.ts";
import { applyCase, type Case, drawInputs, float, gradientsByTape, type Numbers, tensorsOf } from "../conformance/support.ts";
import { type Spec, table } from "../conformance/table.ts";
import { makeRemote, type Remote } from "./remote.ts";

let remote: Remote;
beforeEach(() => {
  remote = makeRemote();
  useBackend(remote.backend);
});
afterEach(() => setBackend("reference"));

/** What a function gives on the reference. */
function onReference<Result>(run: () => Result): Result {
  setBackend("reference");
  try {
    return run();
  } finally {
    useBackend(remote.backend);
  }
}

const bits = (data: HostArray): string => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");

describe("every op of the catalogue gives the same bits as on the reference", () => {
  const values = (given: Case, numbers: Numbers, op: (typeof catalogue)[number]["op"], isCompiled: boolean): Tensor => {
    const inputs = tensorsOf(given, numbers, "float32");
    return isCompiled ? compile((...all: Tensor[]) => applyCase(op, given, all))(...inputs) : applyCase(op, given, inputs);
  };
  const gradients = (given: Case, numbers: Numbers, op: (typeof catalogue)[number]["op"]): (Tensor | undefined)[] => {
    const inputs = tensorsOf(given, numbers, "float32", true);
    const result = applyCase(op, given, inputs);
    const upstream = float(
      new Float64Array(result.size).map((_, n) => Math.sin(n + 1)),
      result.shape,
      "float32",
    );
    return gradientsByTape(result, inputs, upstream);
  };

  it.each(catalogue)("$name", async ({ name, op }) => {
    const spec = table[name] as Spec;
    for (const given of spec.cases) {
      const numbers = drawInputs(given, name);
      for (const isCompiled of [false, true]) {
        const result = values(given, numbers, op, isCompiled);
        // A view of what the host made is at hand.
        if (result.size > 0 && op.kind !== "view") expect(() => result.data).toThrow(/memory of the backend remote/);
        const expected = onReference(() => values(given, numbers, op, isCompiled));
        expect(result.shape).toEqual(expected.shape);
        expect(bits(await result.read()), given.label).toBe(bits(expected.data));
      }
      if (spec.constant) continue;
      const found = gradients(given, numbers, op);
      const wanted = onReference(() => gradients(given, numbers, op));
      for (const [n, gradient] of found.entries()) {
        expect(gradient === undefined).toBe(wanted[n] === undefined);
        if (gradient !== undefined) expect(bits(await gradient.read()), given.label).toBe(bits((wanted[n] as Tensor).data));
      }
    }
  });
});

describe("training", () => {
  const network = (): ReturnType<typeof sequential> =>
    sequential(linear(2, 16), batchNorm(16), relu, dropout(0.1), linear(16, 2)) as ReturnType<typeof sequential>;

  const train = async (isCompiled: boolean) => {
    manualSeed(5);
    const data = tableDataset(moons({ count: 96, seed: 3 }));
    const net = network();
    const recorder = new Recorder(net);
    const result = await fit(net, data, {
      ...{ loss: crossEntropy, optimizer: adam(net.parameters(), { learningRate: 0.02 }), epochs: 3, batchSize: 24, seed: 1 },
      ...{ metrics: [accuracy()], validation: 0.25, earlyStopping: { patience: 2 }, compile: isCompiled, recorder, clip: { norm: 1 } },
    });
    const measured = await evaluate(net, data, { loss: crossEntropy, metrics: [accuracy()], confusion: true });
    const predicted = await (await predict(net, data.fields.x)).read();
    const weights: string[] = [];
    for (const weight of net.stateDict().values()) weights.push(bits(await weight.read()));
    const history = result.history.map(({ seconds: _, ...report }) => report);
    return { history, weights, events: recorder.events, scores: measured.scores, predicted: bits(predicted) };
  };

  it.each([true, false])("gives the same bits, history and events as on the reference (compile: %s)", async (isCompiled) => {
    const found = await train(isCompiled);
    setBackend("reference");
    const expected = await train(isCompiled);
    expect(found.events.length).toBeGreaterThan(100);
    expect(found).toEqual(expected);
  });

  it("holds no more memory after many steps", async () => {
    const net = network();
    const x = tensor(Array.from({ length: 8 }, (_, n) => [n, -n]));
    const target = tensor([0, 1, 0, 1, 0, 1, 0, 1], { dtype: "int32" });
    const optimizer = sgd(net.parameters(), { learningRate: 0.01 });
    const step = compile(
      (input: Tensor, wanted: Tensor) => {
        optimizer.zeroGrad();
        const loss = crossEntropy(net(input), wanted);
        loss.backward();
        optimizer.step();
        return loss;
      },
      { guard: (loss: Tensor) => loss },
    );
    await (await step.async(x, target)).read();
    const before = remote.bytes();
    // Each loss holds 4 bytes until it is collected, and nothing else is held.
    for (let n = 0; n < 50; n++) await (await step.async(x, target)).read();
    expect(remote.bytes() - before).toBeLessThanOrEqual(200);
  });
});

describe("reading", () => {
  it("takes time, and says so where it must be at once; afterwards the numbers are at hand", async () => {
    const y = tensor([1, 2]).mul(3);
    expect(() => y.item()).toThrow(/one element/);
    expect(() => y.data).toThrow(/memory of the backend remote.*\n?.*await tensor\.read\(\)/s);
    expect(String(y)).toBe("tensor float32 [2], not read yet");
    expect([...(await y.read())]).toEqual([3, 6]);
    expect([...y.data]).toEqual([3, 6]);
    expect(y.toArray()).toEqual([3, 6]);
  });

  it("gives the numbers of the time of asking, whatever is written meanwhile", async () => {
    const w = parameter([1, 2]);
    const double = compile(() => w.assign(w.mul(2)));
    double();
    const before = w.read();
    double();
    expect([...(await before)]).toEqual([2, 4]);
    expect([...(await w.read())]).toEqual([4, 8]);
  });

  it("keeps what a forward pass found, a view, a clone and a detached tensor from later updates", async () => {
    const w = parameter([10]);
    const scale = compile(() => w.assign(w.mul(2)));
    scale();
    const [view, clone, detached] = [w.reshape([1, 1]).detach(), w.clone().detach(), w.detach()];
    const loss = w.mul(w).sum();
    scale();
    w.assign(w.detach().add(1));
    loss.backward();
    expect([...(await (w.grad as Tensor).read())]).toEqual([40]);
    for (const kept of [view, clone, detached]) expect([...(await kept.read())]).toEqual([20]);
    expect([...(await w.read())]).toEqual([41]);
  });

  it("is asked for where a compiled function looks at numbers after every run, and awaited by async()", async () => {
    const labels = tensor([0, 5], { dtype: "int32" });
    const logits = parameter([
      [1, 2],
      [3, 4],
    ]);
    const step = compile(() => crossEntropy(logits, labels.sub(0)));
    expect(() => step()).toThrow(/await step\.async/);
    await expect(step.async()).rejects.toThrow(/label|class/);
    const guarded = compile((x: Tensor) => x.log().sum(), { guard: (loss: Tensor) => loss });
    expect(() => guarded(tensor([1]))).toThrow(/looked at after every run/);
    expect([...(await (await guarded.async(tensor([1]))).read())]).toEqual([0]);
  });

  it("comes before a check of positions that were computed", async () => {
    const ids = tensor([0, 1], { dtype: "int32" }).add(1);
    expect(() => tensor([5, 6, 7]).take(ids)).toThrow(/await their read\(\) first/);
    await ids.read();
    expect([...(await tensor([5, 6, 7]).take(ids).read())]).toEqual([6, 7]);
  });
});

describe("around it", () => {
  it("is recorded whole where the recording is awaited, and explains the same number", async () => {
    const told = async (): Promise<string> => {
      manualSeed(3);
      const net = sequential(linear(2, 3), relu, linear(3, 2));
      const [x, target] = [tensor([[1, -2]]), tensor([1], { dtype: "int32" })];
      const step = async (): Promise<Tensor> => {
        const loss = crossEntropy(net(x), target);
        loss.backward();
        return loss;
      };
      const run = await recordAsync(step, net);
      const weight = run.tensorOf(net.parameters()[2] as Tensor);
      return explanationTreeText(explainTree(weight.gradient ?? weight, [1, 0], { depth: 9 }));
    };
    expect(() => record(() => tensor([1]).add(1))).toThrow(/await recordAsync/);
    await Promise.resolve();
    const found = await told();
    setBackend("reference");
    expect(found).toBe(await told());
    expect(found).toMatch(/upstream|=/);
  });

  it("saves and loads weights that only the machine has", async () => {
    const folder = mkdtempSync(join(tmpdir(), "kasane-remote-"));
    try {
      const net = linear(2, 3);
      const double = compile(() => {
        for (const weight of net.parameters()) weight.assign(weight.mul(2));
      });
      double();
      const state = net.stateDict();
      await saveSafetensors(join(folder, "w.safetensors"), state);
      const { tensors } = await loadSafetensors(join(folder, "w.safetensors"));
      double();
      const changed = await (net.stateDict().get("weight") as Tensor).read();
      net.loadStateDict(state);
      const back = await (net.stateDict().get("weight") as Tensor).read();
      expect(bits(back)).toBe(bits(tensors.get("weight")?.data as HostArray));
      expect(bits(changed)).not.toBe(bits(back));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("is ready before it is taken, by a name that nobody knew", async () => {
    const calls: string[] = [];
    const withdraw = offerBackend("elsewhere", {
      runsHere: () => true,
      make: () => ({ ...remote.backend, name: "elsewhere" }),
      init: async ({ name }) => void calls.push(name),
    });
    try {
      expect(() => setBackend("elsewhere")).toThrow(/await initBackend\("elsewhere"\)/);
      await initBackend("elsewhere");
      await initBackend("elsewhere");
      setBackend("elsewhere");
      expect(calls).toEqual(["elsewhere"]);
      expect([...(await tensor([1]).add(1).read())]).toEqual([2]);
    } finally {
      withdraw();
    }
    expect(() => setBackend("elsewhere")).toThrow(/expected a backend among x64, wasm, reference/);
  });

  it("computes float64 on the reference", () => {
    expect([...tensor([1, 2], { dtype: "float64" }).add(1).data]).toEqual([2, 3]);
  });
});
