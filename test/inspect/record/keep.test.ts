// Recorders that keep chosen steps with every number: the same explanations as of a recorded step, eager and compiled, within a memory limit.

import { afterAll, describe, expect, it } from "vitest";
import { availableBackends, getBackend, setBackend } from "../../../src/backends/choose.ts";
import { Dataset } from "../../../src/data/index.ts";
import {
  checkGradients,
  explainElement,
  explainTree,
  explanationTreeText,
  type KeepOptions,
  Recorder,
  type RecorderOptions,
  RunCursor,
  record,
} from "../../../src/inspect/index.ts";
import { crossEntropy, linear, relu, sequential } from "../../../src/nn/index.ts";
import { adam } from "../../../src/optim/index.ts";
import { compile, manualSeed, normal, type Tensor, tensor } from "../../../src/tensor/index.ts";
import { fit } from "../../../src/train/index.ts";

const before = getBackend().name;
afterAll(() => setBackend(before));

/** A small training: its step, and the model. */
function training(compiled: boolean) {
  manualSeed(3);
  const net = sequential(linear(3, 4), relu, linear(4, 2));
  const optimizer = adam(net.parameters(), { learningRate: 0.1 });
  const [x, t] = [normal([5, 3]), tensor(Int32Array.from([0, 1, 1, 0, 1]), [5])];
  const plain = (input: Tensor, target: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = crossEntropy(net(input as Tensor<[5, 3]>) as Tensor, target);
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
  const step = compiled ? compile(plain) : plain;
  return { net, step: () => step(x, t) };
}

function kept(options: RecorderOptions & { readonly keep: KeepOptions }, times: number, compiled = false): Recorder {
  const { net, step } = training(compiled);
  const recorder = new Recorder(net, options);
  for (let n = 0; n < times; n++) recorder.step(step);
  return recorder;
}

describe.each(availableBackends())("on %s", (backend) => {
  describe.each([false, true])("compiled: %s", (compiled) => {
    it("keeps what record() would have seen, and the training goes on as without it", () => {
      setBackend(backend);
      const { recordings } = kept({ keep: { steps: [0, 2] } }, 4, compiled);
      expect(recordings.map(({ step }) => step)).toEqual([0, 2]);
      const { net, step } = training(compiled);
      step();
      step();
      const third = record(step, net);
      const again = recordings[1]?.recording;
      if (again === undefined) throw new Error("nothing kept");
      expect(again.tensors.map(({ name, data }) => [name, ...data])).toEqual(third.tensors.map(({ name, data }) => [name, ...data]));
      expect(again.calls.map(({ path }) => path)).toEqual(third.calls.map(({ path }) => path));
      expect(again.updates.length).toBe(third.updates.length);
    });

    it("explains every number as it was then, while the training has gone on", () => {
      setBackend(backend);
      const recorder = kept({ keep: { steps: [1] } }, 5, compiled);
      const recording = recorder.recordings[0]?.recording;
      if (recording === undefined) throw new Error("nothing kept");
      for (const stored of recording.tensors) {
        if (stored.source === undefined || stored.data.length === 0) continue;
        const { explanation, value } = explainElement(
          stored,
          stored.shape.map(() => 0),
        );
        if (explanation !== undefined) expect(explanation.value).toBeCloseTo(value, 5);
      }
      expect(new RunCursor(recording).goTo("0.weight.grad").element?.chain?.paths.length).toBeGreaterThan(0);
      expect(explanationTreeText(explainTree(recording.updates.at(-1)?.after as never, [0]))).toMatch(/^new 2\.bias\[0\] = /);
      expect(checkGradients(recording).failures).toEqual([]);
      // Watched as every other step.
      const kinds = (step: number) => recorder.events.filter((event) => event.step === step).map(({ event }) => event);
      expect(kinds(1)).toEqual(kinds(0));
      expect(kinds(1).length).toBeGreaterThan(10);
    });
  });
});

describe("keep", () => {
  it("picks steps by number, list and function, also those that are not watched", () => {
    const steps = (keep: KeepOptions, times: number) => kept({ keep, steps: [] }, times).recordings.map(({ step }) => step);
    expect(steps({ steps: 2 }, 5)).toEqual([0, 2, 4]);
    expect(steps({ steps: [3, 1] }, 5)).toEqual([1, 3]);
    expect(steps({ steps: (step) => step > 3 }, 6)).toEqual([4, 5]);
    expect(kept({ keep: { steps: 1 }, steps: [] }, 1).events).toEqual([]);
  });

  it("stays within its limits: the newest, and of the others as many as there is room for", () => {
    const { recordings } = kept({ keep: { steps: 1, most: 2 } }, 5);
    expect(recordings.map(({ step }) => step)).toEqual([3, 4]);
    const { bytes, recording } = recordings[0] as (typeof recordings)[number];
    const numbers = new Set(recording.tensors.map(({ data }) => data.buffer));
    expect(bytes).toBe([...numbers].reduce((sum, buffer) => sum + buffer.byteLength, 0));
    expect(kept({ keep: { steps: 1, bytes: 2.5 * bytes } }, 5).recordings.map(({ step }) => step)).toEqual([3, 4]);
    expect(kept({ keep: { steps: 1, bytes: 1 } }, 3).recordings.map(({ step }) => step)).toEqual([2]);
    expect(kept({ keep: { steps: 1 } }, 9).recordings).toHaveLength(4);
    const recorder = kept({ keep: { steps: 1 } }, 1);
    recorder.clear();
    expect(recorder.recordings).toEqual([]);
  });

  it("works in fit", async () => {
    manualSeed(1);
    const net = sequential(linear(3, 4), relu, linear(4, 2));
    const recorder = new Recorder(net, { steps: 100, keep: { steps: [3] } });
    const x = { data: Float32Array.from({ length: 60 }, (_, n) => Math.sin(n)), shape: [20, 3] };
    const y = { data: Int32Array.from({ length: 20 }, (_, n) => n % 2), shape: [20] };
    await fit(net as never, new Dataset({ x, y }) as never, {
      loss: crossEntropy as never,
      optimizer: adam(net.parameters()),
      epochs: 1,
      batchSize: 4,
      recorder,
    });
    expect(recorder.recordings.map(({ step }) => step)).toEqual([3]);
    expect(new RunCursor(recorder.recordings[0]?.recording as never).goTo("2").inputs[0]?.tensor.shape).toEqual([4, 4]);
  });

  it("refuses limits and steps that make no sense", () => {
    const { net } = training(false);
    expect(() => new Recorder(net, { keep: { steps: 0 } })).toThrow(
      "keep.steps must be a positive whole number, a list of steps or a function",
    );
    expect(() => new Recorder(net, { keep: { steps: 1, most: 0 } })).toThrow("keep.most must be above 0, got 0");
    expect(() => new Recorder(net, { keep: { steps: 1, bytes: Number.NaN } })).toThrow("keep.bytes must be above 0, got NaN");
  });
});
