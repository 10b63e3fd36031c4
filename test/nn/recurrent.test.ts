// Recurrent layers in use: within sequential, state carried on, lengths as tensors, dropout, and what is refused.

import { describe, expect, it } from "vitest";
import { compile, manualSeed, noGrad, normal, type Tensor, tensor, zeros } from "../../src/index.ts";
import { embedding, gru, gruCell, linear, lstm, lstmCell, rnn, rnnCell, sequential, summary } from "../../src/nn/index.ts";

const numbers = (x: Tensor): number[] => [...x.data];

describe("a recurrent layer", () => {
  it("stands in sequential, as sequence or last step", () => {
    const tagger = sequential(embedding(10, 4), lstm(4, 6, { bidirectional: true }), linear(12, 3));
    expect(tagger(tensor([[1, 2, 3]], { dtype: "int32" })).shape).toEqual([1, 3, 3]);
    const classifier = sequential(embedding(10, 4), gru(4, 6, { returns: "last" }), linear(6, 2));
    expect(classifier(tensor([[1, 2, 3]], { dtype: "int32" })).shape).toEqual([1, 2]);
    expect([...classifier.namedParameters().keys()]).toContain("1.hiddenWeight0");
  });

  it("goes on where it stopped: two halves give what the whole gives", () => {
    const memory = lstm(3, 4, { layers: 2 });
    const x = normal([2, 6, 3]);
    const whole = memory.run(x);
    const { hidden, cell } = memory.run(x.slice(null, [0, 2]));
    const rest = memory.run(x.slice(null, [2, 6]), { state: { hidden, cell } });
    expect(numbers(rest.output)).toEqual(numbers(whole.output.slice(null, [2, 6])));
    expect(numbers(rest.cell)).toEqual(numbers(whole.cell));
  });

  it("does what its cell does", () => {
    const layer = gru(3, 4);
    const cell = gruCell(3, 4);
    cell.loadStateDict(new Map([...layer.stateDict()].map(([name, value]) => [name.replace(/\d+$/, ""), value])));
    const x = normal([2, 3, 3]);
    let hidden = zeros([2, 4]) as Tensor;
    for (let step = 0; step < 3; step++) hidden = cell(x.slice(null, step), hidden);
    const { hidden: last } = layer.run(x);
    for (const [n, value] of numbers(hidden).entries()) expect(last.data[n]).toBeCloseTo(value, 6);
  });

  it("takes lengths as a tensor that changes from run to run of a compiled step", () => {
    const layer = rnn(2, 3);
    const x = normal([2, 4, 2]);
    const run = compile((lengths: Tensor) => noGrad(() => layer(x, { lengths })));
    for (const lengths of [
      [1, 4],
      [3, 2],
    ])
      expect(numbers(run(tensor(lengths, { dtype: "int32" })))).toEqual(numbers(layer(x, { lengths })));
    expect(run.steps).toHaveLength(1);
    expect(() => run(tensor([5, 1], { dtype: "int32" }))).toThrow("rnn: expected lengths from 1 to 4, got 5 for sequence 0");
  });

  it("does not read what lies beyond a length", () => {
    const layer = lstm(2, 3, { bidirectional: true });
    const x = normal([1, 3, 2]);
    const spoilt = tensor([...numbers(x).slice(0, 4), Number.NaN, 1e30], [1, 3, 2]);
    expect(numbers(layer(spoilt, { lengths: [2] }))).toEqual(numbers(layer(x, { lengths: [2] })));
  });

  it("drops between layers in training only", () => {
    const layer = gru(3, 8, { layers: 2, dropout: 0.5 });
    const x = normal([1, 4, 3]);
    manualSeed(1);
    const first = numbers(layer(x));
    expect(numbers(layer(x))).not.toEqual(first);
    manualSeed(1);
    expect(numbers(layer(x))).toEqual(first);
    layer.eval();
    expect(numbers(layer(x))).toEqual(numbers(layer(x)));
  });

  it("counts its products in a summary", () => {
    const [row] = summary(lstm(3, 4, { layers: 2, bidirectional: true }), [2, 5, 3]).rows;
    expect(row?.outputShape).toEqual([2, 5, 8]);
    expect(row?.multiplyAdds).toBe(2 * 5 * 2 * 4 * 4 * (3 + 4 + 8 + 4));
  });
});

describe("errors", () => {
  const x = zeros([2, 3, 4]) as Tensor;
  const net = lstm(4, 5) as unknown as (x: Tensor, options?: object) => Tensor;
  it.each([
    ["lengths beyond the sequence", () => net(x, { lengths: [3, 4] }), "lstm: expected lengths from 1 to 3, got 4 for sequence 1"],
    ["a length of 0", () => net(x, { lengths: [0, 3] }), "lstm: expected lengths from 1 to 3, got 0 for sequence 0"],
    ["a length that is not whole", () => net(x, { lengths: [1.5, 3] }), "lstm: expected lengths from 1 to 3, got 1.5 for sequence 0"],
    ["too few lengths", () => net(x, { lengths: [3] }), "lstm: expected one length for each of 2 sequences, got shape [1]"],
    ["no steps", () => net(zeros([2, 0, 4])), "lstm: expected at least one step, got shape [2, 0, 4]"],
    ["other features", () => net(zeros([2, 3, 5])), "lstm: expected 4 input features, got 5: x is [2, 3, 5]"],
    ["two dimensions", () => net(zeros([3, 4])), "lstm: expected [batch, time, features], got shape [3, 4]"],
    [
      "a state of another shape",
      () => net(x, { state: { hidden: zeros([2, 5]), cell: zeros([2, 5]) } }),
      "lstm: expected the hidden state to have shape [1, 2, 5], got [2, 5]",
    ],
    ["half a state", () => net(x, { state: { hidden: zeros([1, 2, 5]) } }), "lstm: expected the state to be { hidden, cell }, got no cell"],
    [
      "a tensor for an LSTM cell's state",
      () => (lstmCell(4, 5) as (x: Tensor, state: unknown) => unknown)(zeros([2, 4]), zeros([2, 5])),
      "lstmCell: expected the state to be { hidden, cell }, both tensors",
    ],
    ["no layers", () => rnn(4, 5, { layers: 0 }), "rnn: layers must be a positive integer, got 0"],
    ["a dropout of 1", () => gru(4, 5, { dropout: 1 }), "gru: the dropout must be in [0, 1), got 1"],
    ["another activation", () => rnnCell(4, 5, { activation: "elu" as "relu" }), 'rnnCell: activation must be "tanh" or "relu", got "elu"'],
  ])("%s", (_name, run, message) => expect(run).toThrow(message));

  it("names the path of the layer", () => {
    const deep = sequential(embedding(5, 3), lstm(4 as number, 2));
    expect(() => deep(tensor([[1]], { dtype: "int32" }))).toThrow("lstm: expected 4 input features, got 3: x is [1, 1, 3] (in 1");
  });
});
