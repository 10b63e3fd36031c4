// The recorder: what it tells of a step, the same eagerly and compiled, and nothing where it does not look.

import { describe, expect, it } from "vitest";
import { Dataset } from "../../../src/data/index.ts";
import { percentile, Recorder, type RecorderEvent, type RecorderOptions } from "../../../src/inspect/index.ts";
import { batchNorm, conv2d, crossEntropy, flatten, linear, relu, sequential, sigmoid } from "../../../src/nn/index.ts";
import { adam } from "../../../src/optim/index.ts";
import { compile, manualSeed, normal, type Tensor, tensor } from "../../../src/tensor/index.ts";
import { fit } from "../../../src/train/index.ts";

function net() {
  return sequential(conv2d(1, 4, 3), batchNorm(4), relu, flatten(), linear(4 * 36, 10));
}

/** The events of some steps on random images. */
function recorded(options: RecorderOptions & { readonly compiled: boolean; readonly times: number }): readonly RecorderEvent[] {
  manualSeed(7);
  const model = net();
  const optimizer = adam(model.parameters(), { learningRate: 0.01 });
  const plain = (x: Tensor, t: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = crossEntropy(model(x as Tensor<[6, 1, 8, 8]>), t);
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
  const { compiled, times, ...watched } = options;
  const step = compiled ? compile(plain) : plain;
  const recorder = new Recorder(model, watched);
  const [x, t] = [normal([6, 1, 8, 8]), tensor(Int32Array.from([0, 1, 2, 3, 4, 5]), [6])];
  for (let n = 0; n < times; n++)
    recorder.step(
      () => step(x, t),
      (loss) => ({ loss: loss.item() }),
    );
  return recorder.events;
}

/** Numbers to five digits: machines round sums differently. */
function rounded(events: readonly RecorderEvent[]): unknown {
  return JSON.parse(
    JSON.stringify(events, (_, value) => (typeof value === "number" ? Number(Math.fround(value).toPrecision(4)) + 0 : value)),
  );
}

describe("Recorder", () => {
  it("tells of every layer, gradient and update of a step", () => {
    const events = recorded({ compiled: false, times: 1 });
    const paths = (kind: RecorderEvent["event"]): string[] =>
      events.flatMap((event) => (event.event === kind ? ["path" in event ? event.path : "parameter" in event ? event.parameter : ""] : []));
    expect(paths("forward")).toEqual(["0", "1", "2", "3", "4"]);
    expect(paths("backward")).toEqual(["4", "3", "2", "1", "0"]);
    const parameters = ["0.weight", "0.bias", "1.weight", "1.bias", "4.weight", "4.bias"];
    expect(paths("gradient").sort()).toEqual(parameters.slice().sort());
    expect(paths("update")).toEqual(parameters);
    expect(events.at(-1)).toMatchObject({ event: "report", step: 0, report: { loss: expect.any(Number) } });
  });

  it("says what the numbers are", () => {
    const events = recorded({ compiled: true, times: 1 });
    const activation = events.find((event) => event.event === "forward" && event.path === "2");
    if (activation?.event !== "forward") throw new Error("no event");
    const { output, active } = activation;
    expect(output).toMatchObject({ count: 6 * 4 * 36, min: 0, nans: 0, infinities: 0 });
    expect(output.zeros).toBeGreaterThan(200);
    expect(active?.reduce((a, b) => a + b, 0)).toBe(output.count - output.zeros);
    const normalized = events.find((event) => event.event === "forward" && event.path === "1");
    if (normalized?.event !== "forward") throw new Error("no event");
    expect(normalized.output.mean).toBeCloseTo(0, 5);
    expect(normalized.output.std).toBeCloseTo(1, 3);
    const update = events.find((event) => event.event === "update" && event.parameter === "4.bias");
    if (update?.event !== "update") throw new Error("no event");
    // Adam's first step is the learning rate for each number.
    expect(update.change).toBeCloseTo(0.01 * Math.sqrt(10), 5);
  });

  it("tells the same of a compiled step, at every run", () => {
    const [eager, compiled] = [false, true].map((on) => recorded({ compiled: on, times: 3 })) as [RecorderEvent[], RecorderEvent[]];
    const byKind = (events: readonly RecorderEvent[]): RecorderEvent[] =>
      events.slice().sort((a, b) => a.step - b.step || JSON.stringify(a).slice(0, 60).localeCompare(JSON.stringify(b).slice(0, 60)));
    expect(compiled).toHaveLength(eager.length);
    const [first, second] = [rounded(byKind(eager)), rounded(byKind(compiled))] as [RecorderEvent[], RecorderEvent[]];
    expect(first.map(({ event, step }) => `${event} ${step}`)).toEqual(second.map(({ event, step }) => `${event} ${step}`));
    const loss = (events: readonly RecorderEvent[]): number[] =>
      events.flatMap((event) => (event.event === "report" ? [event.report.loss as number] : []));
    loss(eager).forEach((value, n) => expect(loss(compiled)[n]).toBeCloseTo(value, 5));
    // Not of the convolution: its bias, which the normalization takes away again, has rounding noise for a gradient, and Adam full steps along it.
    const means = (events: readonly RecorderEvent[]): number[] =>
      events.flatMap((event) => (event.event === "forward" && event.path !== "0" ? [event.output.std, event.output.max] : []));
    means(eager).forEach((value, n) => expect(means(compiled)[n]).toBeCloseTo(value, 4));
  });

  it("counts what is not finite, and describes the rest", () => {
    const model = sequential(sigmoid, linear(3, 1));
    const recorder = new Recorder(model);
    const x = tensor([
      [1, Number.NaN, 2],
      [Number.POSITIVE_INFINITY, 0, -9],
    ]);
    recorder.step(() => model(x));
    const [first, second] = recorder.events;
    expect(first).toMatchObject({ path: "0", kind: "sigmoid", saturated: 2, output: { count: 6, nans: 1, infinities: 0, max: 1 } });
    expect(second).toMatchObject({ path: "1", output: { count: 2, nans: 1 } });
  });

  it("looks only where and when it is told to", () => {
    const events = recorded({ compiled: true, times: 5, layers: "2", events: ["forward"], steps: (step) => step % 2 === 1 });
    expect(events.map(({ event, step }) => `${event} ${step}`)).toEqual(["forward 1", "forward 3"]);
    expect(recorded({ compiled: false, times: 2, layers: /weight$/, events: ["update"] })).toHaveLength(6);
    expect(recorded({ compiled: false, times: 4, events: ["report"], most: 2 }).map(({ step }) => step)).toEqual([2, 3]);
  });

  it.each([false, true])("gives histograms and percentiles of the steps they are asked for (compiled: %s)", (compiled) => {
    const events = recorded({ compiled, times: 4, layers: "1", histograms: 3, events: ["forward", "backward"] });
    const forward = events.filter((event) => event.event === "forward");
    expect(forward.map(({ histogram }) => histogram !== undefined)).toEqual([true, false, false, true]);
    const [{ histogram, output }] = forward as [(typeof forward)[number]];
    if (histogram === undefined) throw new Error("no histogram");
    expect(histogram.counts.reduce((a, b) => a + b, 0)).toBe(output.count);
    expect([histogram.low, histogram.high]).toEqual([output.min, output.max]);
    // Normalized: half lies below about 0, two thirds within one standard deviation.
    expect(Math.abs(percentile(histogram, 0.5))).toBeLessThan(0.2);
    expect(percentile(histogram, 0.84) - percentile(histogram, 0.16)).toBeGreaterThan(1.6);
    expect(percentile(histogram, 1)).toBeCloseTo(output.max, 5);
    expect(events.filter((event) => event.event === "backward" && event.histogram !== undefined)).toHaveLength(2);
  });

  it("watches the steps of fit, whose numbers stay as they are", async () => {
    const losses = async (watched: boolean): Promise<{ losses: number[]; recorder: Recorder }> => {
      manualSeed(1);
      const model = sequential(flatten(), linear(64, 16), relu, linear(16, 10));
      const recorder = new Recorder(model, { events: ["forward", "report"] });
      const data = new Dataset({
        x: normal([64, 8, 8]),
        y: tensor(
          Int32Array.from({ length: 64 }, (_, n) => n % 10),
          [64],
        ),
      });
      const result = await fit(model, data, {
        loss: crossEntropy,
        optimizer: adam(model.parameters()),
        epochs: 2,
        batchSize: 32,
        seed: 3,
        ...(watched ? { recorder } : {}),
      });
      return { losses: result.history.map(({ train }) => train.loss), recorder };
    };
    const [plain, watched] = [await losses(false), await losses(true)];
    watched.losses.forEach((loss, epoch) => expect(loss).toBeCloseTo(plain.losses[epoch] as number, 5));
    expect(watched.recorder.steps).toBe(4);
    expect(watched.recorder.events.filter((event) => event.event === "report").map((event) => event.report.epoch)).toEqual([1, 1, 2, 2]);
  });

  it("refuses what it cannot name", () => {
    expect(() => new Recorder((() => {}) as never)).toThrow("expected a layer");
    expect(() => new Recorder(net(), { steps: 0 })).toThrow("positive whole number");
  });
});
