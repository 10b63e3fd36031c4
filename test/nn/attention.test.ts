// Attention, positions and transformers in use: masks, grouped heads, causality, distances, and what is refused.

import { describe, expect, it } from "vitest";
import { manualSeed, normal, type Tensor, tensor, zeros } from "../../src/index.ts";
import {
  embedding,
  learnedPositions,
  linear,
  multiHeadAttention,
  rotary,
  scaledDotProductAttention,
  sequential,
  sinusoidalPositions,
  transformerDecoderLayer,
  transformerEncoder,
  transformerEncoderLayer,
} from "../../src/nn/index.ts";

const numbers = (x: Tensor | undefined): number[] => [...(x as Tensor).data];
const bools = (values: readonly number[], shape: readonly number[]): Tensor => tensor(values, shape, { dtype: "bool" });

describe("attention", () => {
  it("gives 0 and no gradient, not NaN, to a query that may attend to nothing", () => {
    const [query, key, value] = [normal([2, 3]), normal([2, 3]), normal([2, 4])].map((x) =>
      tensor(x.data, x.shape, { requiresGrad: true }),
    );
    const y = scaledDotProductAttention(query as Tensor, key as Tensor, value as Tensor, { mask: bools([1, 0, 0, 0], [2, 2]) });
    expect(numbers(y.slice(0))).toEqual(numbers((value as Tensor).slice(0)));
    expect(numbers(y.slice(1))).toEqual([0, 0, 0, 0]);
    y.sum().backward();
    for (const leaf of [query, key, value]) expect(numbers(leaf?.grad).every(Number.isFinite)).toBe(true);
    expect(numbers(value?.grad)).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
  });

  it("does not see the future when causal", () => {
    const gpt = transformerEncoder(8, 2, { layers: 2, causal: true, norm: "pre", rotary: true });
    gpt.eval();
    const x = normal([1, 5, 8]);
    const later = x.add(tensor([0, 0, 0, 1, 1], [1, 5, 1]));
    const [before, after] = [gpt(x), gpt(later)].map((y) => numbers(y.slice(0, [0, 3])));
    expect(after).toEqual(before);
  });

  it("shares keys and values between groups of heads", () => {
    const grouped = multiHeadAttention(8, 4, { keyHeads: 2 });
    const full = multiHeadAttention(8, 4);
    const state = grouped.stateDict();
    const twice = (name: string): Tensor => {
      const value = state.get(name) as Tensor;
      const rest = value.shape.slice(1);
      const own = value.slice([8, 16]).reshape([4, 1, 2, ...rest]);
      const repeated = own.broadcastTo([4, 2, 2, ...rest]).reshape([16, ...rest]);
      return tensor([...numbers(value.slice([0, 8])), ...numbers(repeated)], [24, ...rest]);
    };
    full.loadStateDict(new Map([...state, ["inputWeight", twice("inputWeight")], ["inputBias", twice("inputBias")]]));
    const x = normal([2, 3, 8]);
    const [a, b] = [numbers(grouped(x)), numbers(full(x))];
    for (const [n, value] of a.entries()) expect(value).toBeCloseTo(b[n] as number, 5);
  });

  it("drops weights in training only", () => {
    const attention = multiHeadAttention(4, 2, { dropout: 0.5 });
    const x = normal([1, 6, 4]);
    manualSeed(3);
    expect(numbers(attention(x))).not.toEqual(numbers(attention(x)));
    attention.eval();
    expect(numbers(attention(x))).toEqual(numbers(attention(x)));
  });

  it("learns in sequential what a token's neighbour is", () => {
    const net = sequential(embedding(5, 8), learnedPositions(6, 8), transformerEncoder(8, 2, { layers: 1 }), linear(8, 5));
    expect(net(tensor([[1, 2, 3]], { dtype: "int32" })).shape).toEqual([1, 3, 5]);
  });
});

describe("positions", () => {
  it("are waves in the sinusoidal encoding", () => {
    const y = sinusoidalPositions(4)(zeros([1, 3, 4]));
    for (const [n, value] of numbers(y).entries()) {
      const angle = Math.floor(n / 4) / 10000 ** (Math.floor((n % 4) / 2) / 2);
      expect(value).toBeCloseTo(n % 2 === 0 ? Math.sin(angle) : Math.cos(angle), 6);
    }
  });

  it("are rows of a table when they are learned", () => {
    const positions = learnedPositions(4, 2, {
      init: tensor([
        [1, 2],
        [3, 4],
        [5, 6],
        [7, 8],
      ]),
    });
    const y = positions(tensor([10, 20, 30, 40, 50, 60, 70, 80], [2, 2, 2]));
    expect(numbers(y)).toEqual([11, 22, 33, 44, 51, 62, 73, 84]);
    y.sum().backward();
    expect(numbers(positions.parameters()[0]?.grad)).toEqual([2, 2, 2, 2, 0, 0, 0, 0]);
  });

  it("are the same whenever rotary is called, however many offsets lie between", () => {
    const x = normal([3, 4]);
    const first = numbers(rotary(x));
    for (let offset = 1; offset < 20; offset++) expect(numbers(rotary(x, { offset }))).not.toEqual(first);
    expect(numbers(rotary(x))).toEqual(first);
    expect(numbers(rotary(x, { base: 100 }))).not.toEqual(first);
  });

  it.each(["neighbours", "halves"] as const)("tell only distances when rotary turns %s", (pairs) => {
    const [query, key] = [normal([1, 8]), normal([1, 8])];
    const score = (at: number, other: number): number =>
      rotary(query, { offset: at, pairs })
        .mul(rotary(key, { offset: other, pairs }))
        .sum()
        .item();
    expect(score(7, 4)).toBeCloseTo(score(3, 0), 5);
    expect(score(7, 4)).not.toBeCloseTo(score(4, 4), 3);
    const pair = pairs === "neighbours" ? [0, 1] : [0, 4];
    const one = rotary(tensor([1, 0, 0, 0, 0, 0, 0, 0], [1, 8]), { offset: 2, pairs });
    expect(one.data[pair[0] as number]).toBeCloseTo(Math.cos(2), 6);
    expect(one.data[pair[1] as number]).toBeCloseTo(Math.sin(2), 6);
  });
});

describe("errors", () => {
  const x = zeros([2, 3, 8]) as Tensor;
  const attention = multiHeadAttention(8, 2) as unknown as (x: Tensor, options?: object) => Tensor;
  it.each([
    [
      "heads that do not divide",
      () => multiHeadAttention(8, 3),
      "multiHeadAttention: the size must be a multiple of the heads, got 8 and 3",
    ],
    ["key heads that do not divide", () => multiHeadAttention(8, 4, { keyHeads: 3 }), "heads must be a multiple of keyHeads, got 4 and 3"],
    ["an odd head with rotary", () => multiHeadAttention(6, 2, { rotary: true }), "rotary needs an even size of each head, got 3"],
    [
      "a mask of another shape",
      () => attention(x, { mask: bools([1, 1], [2]) }),
      "multiHeadAttention: expected a mask that broadcasts to [2, 3, 3], got shape [2]",
    ],
    ["a mask of floats", () => attention(x, { mask: zeros([3, 3]) }), "expected a mask of bool or whole numbers"],
    ["a key mask of another shape", () => attention(x, { keyMask: bools([1, 1], [2]) }), "expected keyMask to have shape [2, 3], got [2]"],
    [
      "a memory of another batch",
      () => attention(x, { key: zeros([1, 3, 8]) }),
      "expected keys and values of the same [batch, tokens], the batch 2",
    ],
    ["other features", () => attention(zeros([2, 3, 4])), "multiHeadAttention: expected 8 features, got 4: x is [2, 3, 4]"],
    [
      "causal across",
      () => (multiHeadAttention(8, 2, { causal: true }) as typeof attention)(x, { key: zeros([2, 5, 8]) }),
      "multiHeadAttention: causal needs as many queries as keys, got 3 and 5",
    ],
    ["another norm", () => transformerEncoderLayer(8, 2, { norm: "before" as "pre" }), 'norm must be "pre" or "post", got "before"'],
    [
      "no memory",
      () => (transformerDecoderLayer(8, 2) as unknown as (x: Tensor) => Tensor)(x),
      "transformerDecoderLayer: expected the encoder's output as the second argument",
    ],
    ["too many tokens", () => learnedPositions(2, 8)(x), "learnedPositions: expected at most 2 tokens, got 3"],
    ["an odd size", () => sinusoidalPositions(3), "sinusoidalPositions: size must be even, got 3"],
  ])("%s", (_name, run, message) => expect(run).toThrow(message));

  it("names the path of the layer", () => {
    const deep = transformerEncoder(8, 2, { layers: 1 }) as unknown as (x: Tensor) => Tensor;
    expect(() => deep(zeros([1, 3, 4]))).toThrow("(in 0.selfAttention");
  });
});
