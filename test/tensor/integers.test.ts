// Integers: how numbers become them, through every door, and what is made of them: sums, means, comparisons, rounding.

import { expect, it } from "vitest";
import {
  arange,
  compile,
  defineOp,
  embedding,
  full,
  manualSeed,
  oneHot,
  randomIntegers,
  scatterAdd,
  type Tensor,
  tensor,
} from "../../src/index.ts";
import { messageOf, onEveryBackend } from "./support.ts";

const ints = (...values: number[]): Tensor => tensor(values, { dtype: "int32" });
const notInt32 = [0.9, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 32 + 1, -(2 ** 31) - 1];

onEveryBackend("integers", () => {
  const both = (run: (...tensors: Tensor[]) => Tensor, ...tensors: Tensor[]): number[] => {
    const eager = run(...tensors);
    const compiled = compile(run)(...tensors);
    expect(compiled.dtype).toBe(eager.dtype);
    expect([...compiled.data]).toEqual([...eager.data]);
    return [...eager.data];
  };

  it.each(notInt32)("%s is refused where single numbers are handed in as int32", (value) => {
    const shift = defineOp("y = x + n", { params: { n: "int" } });
    const w = tensor([[1], [2]]);
    for (const door of [
      () => tensor([value], { dtype: "int32" }),
      () => tensor(Float64Array.of(value), { dtype: "int32" }),
      () => full([2], value, { dtype: "int32" }),
      () => arange(value, value + 1, 1, { dtype: "int32" }),
      () => w.take([value]),
      () => w.take(tensor([value], { dtype: "float64" })),
      () => w.gather(tensor([[value]], { dtype: "float64" }), 0),
      () => embedding(w, tensor([value], { dtype: "float64" })),
      () => oneHot(tensor([value], { dtype: "float64" }), 3),
      () => scatterAdd(w, tensor([value, 0], { dtype: "float64" }), 3),
      () => shift.with({ attributes: { n: value } })(ints(1)),
      () => randomIntegers([1], value, value + 10),
      () => randomIntegers([1], -5, value + 1),
    ])
      expect(messageOf(door)).toMatch(/expected|must be an integer|holds whole numbers/);
  });

  it("formulas round toward zero and to the nearest number there is", () => {
    const x = tensor([1.9, -1.9, 3e9, -3e9, Number.NaN, 300, -1]);
    expect(both(defineOp("y = int(x)"), x)).toEqual([1, -1, 2147483647, -2147483648, 0, 300, -1]);
    expect(both((t) => t.to("int32"), x)).toEqual([1, -1, 2147483647, -2147483648, 0, 300, -1]);
    expect(both((t) => t.to("uint8"), x)).toEqual([1, 0, 255, 0, 0, 255, 0]);
    expect(both((t) => t.to("uint8"), ints(300, -1, 255, 7))).toEqual([255, 0, 255, 7]);
    expect(both((t) => t.add(1).to("uint8").to("int32"), x)).toEqual([2, 0, 255, 0, 0, 255, 0]);
  });

  it("a float index that is no whole number is outside", () => {
    const pick = defineOp("y[i] = w[x[i]]");
    const x = tensor([2, 0.9, Number.NaN, 1, 2 ** 32 + 1, -1, Number.POSITIVE_INFINITY, -0.5]);
    expect(both((w, at) => pick(w as Tensor, at as Tensor), tensor([5, 6, 7]), x)).toEqual([7, 0, 0, 6, 0, 0, 0, 0]);
  });

  it("rounding leaves them as they are", () => {
    const x = ints(16777217, -2147483648, 5);
    for (const round of [(t: Tensor) => t.floor(), (t: Tensor) => t.ceil(), (t: Tensor) => t.round(), (t: Tensor) => t.trunc()])
      expect(both(round, x)).toEqual([16777217, -2147483648, 5]);
  });

  it.each([
    [3e9, [true, true, false, false, false, true]],
    [2 ** 31, [true, true, false, false, false, true]],
    [-3e9, [false, false, true, true, false, true]],
    [Number.POSITIVE_INFINITY, [true, true, false, false, false, true]],
  ])("int32 compares with %s as numbers do", (number, expected) => {
    for (const x of [ints(2147483647), ints(-2147483648), ints(5)])
      expect(
        [x.less(number), x.lessEqual(number), x.greater(number), x.greaterEqual(number), x.equal(number), x.notEqual(number)].map(
          (result) => result.item() !== 0,
        ),
      ).toEqual(expected);
  });

  it("int32 with a number that it does not hold gives floats", () => {
    expect(both((t) => t.add(3e9), ints(5))).toEqual([3000000000]);
    expect(both((t) => t.maximum(3e9), ints(5))).toEqual([3000000000]);
    expect(both((t) => t.mul(2 ** 31), ints(2, -1))).toEqual([2 ** 32, -(2 ** 31)]);
  });

  it("means do not overflow, whatever they are over", () => {
    const many = tensor(new Int32Array(4096).fill(2 ** 30), [2, 2048]);
    expect(both((t) => t.mean(), many)).toEqual([2 ** 30]);
    expect(both((t) => t.mean(1), many)).toEqual([2 ** 30, 2 ** 30]);
    expect(both((t) => t.mean(0), many)).toEqual(Array(2048).fill(2 ** 30));
    const spread = tensor(Int32Array.of(2 ** 31 - 1, -(2 ** 31), 2 ** 31 - 1, 2 ** 31 - 1), [4]);
    expect(both((t) => t.mean(), spread)[0]).toBeCloseTo(2 ** 30, -3);
    expect(both(defineOp("y = sum[i](x[i]) / 2"), tensor(Int32Array.of(2 ** 30, 2 ** 30, 2 ** 30), [3]))).toEqual([1.5 * 2 ** 30]);
    expect(both((t) => t.variance(), ints(2 ** 30, 2 ** 30, -(2 ** 30), -(2 ** 30)))).toEqual([2 ** 60]);
  });

  it("means of few bytes and truths are exact", () => {
    expect(both((t) => t.mean(), tensor(new Uint8Array(100000).fill(255)))).toEqual([255]);
    expect(both((t) => t.greater(0).mean(), tensor(new Float32Array(100003).fill(1)))).toEqual([1]);
  });

  it("sums and products wrap around alike", () => {
    expect(both((t) => t.sum(), ints(2 ** 31 - 1, 1))).toEqual([-(2 ** 31)]);
    expect(both((t) => t.sum(), tensor(new Int32Array(5001).fill(2 ** 30 + 1)))).toEqual([((5001 * (2 ** 30 + 1)) % 2 ** 32) | 0]);
    expect(both((t) => t.prod(), ints(123456789, 987654321, 55555))).toEqual([Math.imul(Math.imul(123456789, 987654321), 55555)]);
    expect(both((t) => scatterAdd(t, ints(0, 0, 1), 2), ints(2 ** 31 - 1, 2, 7))).toEqual([-(2 ** 31) + 1, 7]);
  });

  it("random ones stay in their range and reach all of it", () => {
    manualSeed(1);
    const near = randomIntegers([4000], 1000, 1010).data;
    expect(new Set(near)).toEqual(new Set(Array.from({ length: 10 }, (_, n) => 1000 + n)));
    for (const [low, high] of [
      [-(2 ** 31), -1],
      [1, 2 ** 31],
      [-(2 ** 30), 2 ** 30],
      [5, 5 + 2 ** 24 + 1],
    ] as const) {
      const drawn = [...randomIntegers([20000], low, high).data];
      const span = high - low;
      expect(drawn.every((number) => number >= low && number < high)).toBe(true);
      expect(drawn.some((number) => number % 2 !== 0) && drawn.some((number) => number % 2 === 0)).toBe(true);
      const eighths = new Array(8).fill(0);
      for (const number of drawn) eighths[Math.floor(((number - low) / span) * 8)]++;
      for (const count of eighths) expect(Math.abs(count - 2500)).toBeLessThan(250);
    }
  });
});
