// Broadcasting, slicing, reshaping, joining, gathering: values and the sentences of errors.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arange, concat, embedding, oneHot, scatterAdd, stack, type Tensor, tensor, where, zeros } from "../../src/index.ts";
import { messageOf, onEveryBackend } from "./support.ts";

const matrix = (): Tensor =>
  tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
const loose = (t: unknown): Tensor => t as Tensor;

onEveryBackend("broadcasting", () => {
  it("repeats dimensions of 1 and missing ones", () => {
    expect(
      loose(matrix())
        .add(tensor([10, 20, 30]))
        .toArray(),
    ).toEqual([
      [11, 22, 33],
      [14, 25, 36],
    ]);
    expect(
      loose(matrix())
        .mul(tensor([[2], [3]]))
        .toArray(),
    ).toEqual([
      [2, 4, 6],
      [12, 15, 18],
    ]);
    expect(
      tensor([[1], [2]])
        .add(tensor([10, 20]))
        .toArray(),
    ).toEqual([
      [11, 21],
      [12, 22],
    ]);
    expect(matrix().sub(1).toArray()).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    expect(zeros([0, 3]).add(tensor([1])).shape).toEqual([0, 3]);
    expect(tensor([1, 2]).broadcastTo([2, 2]).toArray()).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it("says which dimensions of which tensors do not match, and where", () => {
    const message = messageOf(() => loose(matrix()).add(loose(tensor([1, 2]))));
    expect(message).toContain("add: cannot broadcast dimensions 3 and 2: a is [2, 3], b is [2]");
    expect(message).toMatch(/\(in .*shapes\.test\.ts:\d+:\d+\)/);
    expect(message).toContain("try: dimensions are matched from the last one");
    expect(messageOf(() => loose(matrix()).matmul(loose(tensor([[1, 2]]))))).toContain(
      "matmul: inner dimensions 3 and 1 differ: a is [2, 3], b is [1, 2]",
    );
    expect(messageOf(() => tensor([1, 2]).broadcastTo([3]))).toContain("broadcastTo: [2] cannot be repeated to [3]");
    expect(messageOf(() => loose(tensor([1])).add("2" as unknown as number))).toContain("expected a tensor or a number");
    expect(messageOf(() => tensor([1]).add(undefined as unknown as number))).toContain("expected a tensor or a number");
  });

  it("promotes integers and keeps bool logic", () => {
    const i = tensor([1, 2], { dtype: "int32" });
    expect([i.add(1).dtype, i.add(0.5).dtype, i.div(2).dtype, i.less(2).dtype]).toEqual(["int32", "float32", "float32", "bool"]);
    expect(i.div(2).toArray()).toEqual([0.5, 1]);
    expect(where(i.less(2), 10, tensor([20, 30])).toArray()).toEqual([10, 30]);
    expect(
      tensor([true, false])
        .add(tensor([true, true]))
        .toArray(),
    ).toEqual([2, 1]);
    expect(tensor([2147483647], { dtype: "int32" }).add(1).toArray()).toEqual([-2147483648]);
    expect(tensor([65537], { dtype: "int32" }).mul(65537).toArray()).toEqual([131073]);
    expect(
      tensor([7, -7, 7, -7], { dtype: "int32" })
        .mod(tensor([3, 3, -3, -3], { dtype: "int32" }))
        .toArray(),
    ).toEqual([1, 2, -2, -1]);
    expect(tensor([1.9, -1.9, 1e10, -1e10, Number.NaN]).to("int32").toArray()).toEqual([1, -1, 2147483647, -2147483648, 0]);
  });
});

onEveryBackend("slice", () => {
  it("takes positions, ranges, steps, and counts negative ones from the end", () => {
    const t = arange(0, 10);
    expect(t.slice([2, 5]).toArray()).toEqual([2, 3, 4]);
    expect(t.slice([-3]).toArray()).toEqual([7, 8, 9]);
    expect(t.slice([null, -7]).toArray()).toEqual([0, 1, 2]);
    expect(t.slice([null, null, -3]).toArray()).toEqual([9, 6, 3, 0]);
    expect(t.slice([7, 2, -2]).toArray()).toEqual([7, 5, 3]);
    expect(t.slice([2, 2]).shape).toEqual([0]);
    expect(t.slice([5, 100]).toArray()).toEqual([5, 6, 7, 8, 9]);
    expect(t.slice(-1).item()).toBe(9);
    expect(matrix().slice(null, 1).toArray()).toEqual([2, 5]);
    expect(matrix().slice(1).toArray()).toEqual([4, 5, 6]);
    expect(matrix().flip(1).toArray()).toEqual([
      [3, 2, 1],
      [6, 5, 4],
    ]);
    expect(matrix().flip([0, 1]).toArray()).toEqual([
      [6, 5, 4],
      [3, 2, 1],
    ]);
  });

  it("agrees with a plain loop for any start, end and step", () => {
    const bound = fc.option(fc.integer({ min: -9, max: 9 }), { nil: null });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 6 }), bound, bound, fc.constantFrom(1, 2, 3, -1, -2, -3), (size, start, end, step) => {
        expect(arange(0, size).slice([start, end, step]).toArray()).toEqual(sliced(size, start, end, step));
      }),
      { numRuns: 300 },
    );
  });

  it("says what is out of range", () => {
    expect(messageOf(() => matrix().slice(2))).toContain("slice: position 2 is outside dimension 0 of extent 2");
    expect(messageOf(() => matrix().slice(null, null, null))).toContain("slice: 3 ranges for a tensor of shape [2, 3]");
    expect(messageOf(() => matrix().slice([0, 1, 0]))).toContain("slice: the step must be an integer other than 0, got 0");
    expect(messageOf(() => matrix().slice([0.5, 1]))).toContain("slice: expected integers");
  });
});

/** What Python's range(size)[start:end:step] gives. */
function sliced(size: number, start: number | null, end: number | null, step: number): number[] {
  const found: number[] = [];
  const low = step > 0 ? 0 : -1;
  const high = step > 0 ? size : size - 1;
  const at = (position: number): number => Math.min(high, Math.max(low, position < 0 ? position + size : position));
  const last = end === null ? (step > 0 ? size : -1) : at(end);
  for (let n = start === null ? (step > 0 ? 0 : size - 1) : at(start); step > 0 ? n < last : n > last; n += step) found.push(n);
  return found;
}

onEveryBackend("reshape and its family", () => {
  it("reshape fills in −1 and shares the numbers", () => {
    const t = arange(0, 6);
    expect(t.reshape([2, -1]).shape).toEqual([2, 3]);
    expect(t.reshape([-1]).shape).toEqual([6]);
    expect(t.reshape([2, 3]).data).toBe(t.data);
    expect(messageOf(() => loose(t).reshape([4, -1]))).toContain("reshape: 6 elements of shape [6] do not fill [4, -1]");
    expect(messageOf(() => loose(t).reshape([-1, -1]))).toContain("at most one −1");
    expect(messageOf(() => loose(t).reshape([5]))).toContain("reshape: 6 elements of shape [6] do not fill [5]");
    expect(zeros([0, 3]).reshape([3, 0]).shape).toEqual([3, 0]);
    expect(messageOf(() => loose(zeros([0, 3])).reshape([0, -1]))).toContain("reshape");
  });

  it("squeeze, unsqueeze, flatten, transpose", () => {
    expect(zeros([1, 2, 1]).squeeze().shape).toEqual([2]);
    expect(zeros([1, 2, 1]).squeeze(-1).shape).toEqual([1, 2]);
    expect(zeros([2, 3]).unsqueeze(1).shape).toEqual([2, 1, 3]);
    expect(zeros([2, 3]).unsqueeze(-1).shape).toEqual([2, 3, 1]);
    expect(zeros([2, 3, 4]).flatten().shape).toEqual([2, 12]);
    expect(zeros([2, 3, 4]).transpose().shape).toEqual([2, 4, 3]);
    expect(zeros([2, 3, 4]).transpose([2, 0, 1]).shape).toEqual([4, 2, 3]);
    expect(matrix().transpose().toArray()).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ]);
    expect(messageOf(() => zeros([2]).squeeze(0))).toContain("squeeze: dimension 0 has extent 2, not 1");
    expect(messageOf(() => zeros([2]).transpose())).toContain("transpose: expected at least two dimensions, got shape [2]");
    expect(messageOf(() => zeros([2, 3]).transpose([0, 0]))).toContain("transpose: expected each of the 2 axes once, got [0, 0]");
    expect(messageOf(() => tensor(1).flatten())).toContain("flatten: expected at least one dimension");
  });

  it("pad", () => {
    expect(
      matrix()
        .pad(
          [
            [1, 0],
            [0, 2],
          ],
          9,
        )
        .toArray(),
    ).toEqual([
      [9, 9, 9, 9, 9],
      [1, 2, 3, 9, 9],
      [4, 5, 6, 9, 9],
    ]);
    expect(
      matrix()
        .pad([[-1, 1]])
        .toArray(),
    ).toEqual([
      [2, 3, 0],
      [5, 6, 0],
    ]);
    expect(messageOf(() => matrix().pad([[-2, -2]]))).toContain("pad: [-2, -2] does not fit dimension 1 of extent 3");
  });

  it("concat, stack and split", () => {
    const a = tensor([[1, 2]]);
    const b = tensor([
      [3, 4],
      [5, 6],
    ]);
    expect(concat([a, b]).toArray()).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(concat([a, a, a], 1).toArray()).toEqual([[1, 2, 1, 2, 1, 2]]);
    expect(concat([a]).toArray()).toEqual([[1, 2]]);
    expect(concat([zeros([0, 2]), b]).toArray()).toEqual([
      [3, 4],
      [5, 6],
    ]);
    expect(stack([tensor([1, 2]), tensor([3, 4])], -1).toArray()).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(stack([tensor(1), tensor(2)]).toArray()).toEqual([1, 2]);
    expect(
      arange(0, 7)
        .split(3)
        .map((part) => part.toArray()),
    ).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect(
      matrix()
        .split([1, 2], 1)
        .map((part) => part.toArray()),
    ).toEqual([
      [[1], [4]],
      [
        [2, 3],
        [5, 6],
      ],
    ]);
    expect(messageOf(() => concat([a, tensor([1])]))).toContain(
      "concatenate: all dimensions but 0 must agree: tensor 0 is [1, 2], tensor 1 is [1]",
    );
    expect(messageOf(() => concat([]))).toContain("expected at least one tensor, got none");
    expect(messageOf(() => matrix().split([1, 1], 1))).toContain("split: parts [1, 1] do not add up to 3");
    expect(messageOf(() => matrix().split(0))).toContain("split");
  });

  it("concat carries gradients to every part", () => {
    const a = tensor([1, 2], { requiresGrad: true });
    const b = tensor([3], { requiresGrad: true });
    concat([a, b, a])
      .mul(tensor([1, 10, 100, 1000, 10000]))
      .sum()
      .backward();
    expect([a.grad?.toArray(), b.grad?.toArray()]).toEqual([[1001, 10010], [100]]);
  });
});

onEveryBackend("reductions", () => {
  it("keepDims, negative and several axes", () => {
    expect(matrix().sum().item()).toBe(21);
    expect(matrix().sum(0).toArray()).toEqual([5, 7, 9]);
    expect(matrix().sum(-1, { keepDims: true }).toArray()).toEqual([[6], [15]]);
    expect(matrix().mean([0, 1]).item()).toBe(3.5);
    expect(matrix().max(1).toArray()).toEqual([3, 6]);
    expect(matrix().sum([]).toArray()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(matrix().variance(1, { correction: 1 }).toArray()).toEqual([1, 1]);
    expect(zeros([0, 2]).sum(0).toArray()).toEqual([0, 0]);
    expect(zeros([0, 2]).prod(0).toArray()).toEqual([1, 1]);
    expect(zeros([0]).mean().item()).toBeNaN();
  });

  it("argmax and argmin give the first of equal elements; NaN wins", () => {
    expect(tensor([3, 7, 7, 1]).argmax().item()).toBe(1);
    expect(tensor([3, 1, 7, 1]).argmin().item()).toBe(1);
    expect(tensor([3, Number.NaN, 7]).argmax().item()).toBe(1);
    expect(
      tensor([
        [1, 5],
        [5, 2],
      ])
        .argmax()
        .item(),
    ).toBe(1);
    expect(
      tensor([
        [1, 5],
        [5, 2],
      ])
        .argmax(0)
        .toArray(),
    ).toEqual([1, 0]);
    expect(tensor([1]).argmax().dtype).toBe("int32");
    expect(tensor([Number.NaN, 1]).max().item()).toBeNaN();
  });

  it("say what is wrong", () => {
    expect(messageOf(() => matrix().sum(2))).toContain("sum: axis 2 does not exist: the tensor has 2 dimensions");
    expect(messageOf(() => matrix().sum([0, 0]))).toContain("named twice");
    expect(messageOf(() => matrix().sum([0, -2]))).toContain("named twice");
    expect(messageOf(() => tensor(1).sum(0))).toContain("leave the axis out: a single number has none");
    expect(messageOf(() => zeros([0, 2]).max(0))).toContain("max: no elements to compare: the shape is [0, 2]");
    expect(messageOf(() => zeros([0]).argmax())).toContain("argmax: no elements to compare");
  });
});

onEveryBackend("positions that are data", () => {
  it("take, gather, embedding, oneHot, scatterAdd", () => {
    expect(matrix().take([1, 0, 1]).toArray()).toEqual([
      [4, 5, 6],
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(
      matrix()
        .take(tensor([[2, 0]], { dtype: "int32" }), 1)
        .toArray(),
    ).toEqual([[[3, 1]], [[6, 4]]]);
    expect(
      matrix()
        .gather(tensor([[2], [0]], { dtype: "int32" }))
        .toArray(),
    ).toEqual([[3], [4]]);
    expect(
      matrix()
        .gather(tensor([[1, 0, 1]], { dtype: "int32" }), 0)
        .toArray(),
    ).toEqual([[4, 2, 6]]);
    expect(embedding(matrix(), tensor([[1], [0]], { dtype: "int32" })).toArray()).toEqual([[[4, 5, 6]], [[1, 2, 3]]]);
    expect(oneHot(tensor([2, 0], { dtype: "int32" }), 3).toArray()).toEqual([
      [0, 0, 1],
      [1, 0, 0],
    ]);
    expect(
      scatterAdd(
        tensor([
          [1, 2],
          [10, 20],
          [100, 200],
        ]),
        tensor([1, 0, 1], { dtype: "int32" }),
        3,
      ).toArray(),
    ).toEqual([
      [10, 20],
      [101, 202],
      [0, 0],
    ]);
    expect(scatterAdd(matrix(), tensor([1, 1, 0], { dtype: "int32" }), 2, 1).toArray()).toEqual([
      [3, 3],
      [6, 9],
    ]);
  });

  it("name the id that is out of range, its position and the range", () => {
    const ids = tensor([0, 3, 1], { dtype: "int32" });
    expect(messageOf(() => embedding(matrix(), ids))).toContain(
      "embedding: expected ids from 0 to 1 (rows of a table of shape [2, 3]), got 3 at position 1",
    );
    expect(messageOf(() => oneHot(ids, 3))).toContain("oneHot: expected ids from 0 to 2 (classes), got 3 at position 1");
    expect(messageOf(() => matrix().take([0, -1]))).toContain(
      "take: expected ids from 0 to 1 (dimension 0 of [2, 3]), got -1 at position 1",
    );
    expect(messageOf(() => matrix().gather(tensor([[3], [0]], { dtype: "int32" })))).toContain(
      "gather: expected ids from 0 to 2 (dimension 1 of [2, 3]), got 3 at position 0",
    );
    expect(messageOf(() => scatterAdd(tensor([1, 2]), tensor([0, 9], { dtype: "int32" }), 3))).toContain(
      "scatterAdd: expected ids from 0 to 2 (axis 0 of the result), got 9 at position 1",
    );
    expect(messageOf(() => oneHot(tensor([0.5]), 3))).toContain("got 0.5 at position 0");
    expect(messageOf(() => matrix().gather(tensor([1], { dtype: "int32" })))).toContain(
      "gather: ids must have as many dimensions as the tensor: [1] and [2, 3]",
    );
  });

  it("gather wants ids of the tensor's shape in the other dimensions", () => {
    const ids = tensor([[1], [0]], { dtype: "int32" });
    expect(
      messageOf(() =>
        tensor([
          [1, 2],
          [3, 4],
          [5, 6],
        ]).gather(ids),
      ),
    ).toContain("gather: ids must agree with the tensor in all dimensions but 1: [2, 1] and [3, 2]");
  });

  it("gradients add up where ids repeat", () => {
    const table = tensor(
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      { requiresGrad: true },
    );
    embedding(table, tensor([2, 0, 2], { dtype: "int32" }))
      .sum()
      .backward();
    expect(table.grad?.toArray()).toEqual([
      [1, 1],
      [0, 0],
      [2, 2],
    ]);
    const x = tensor([1, 2, 3], { requiresGrad: true });
    x.take([1, 1, 1])
      .mul(tensor([1, 10, 100]))
      .sum()
      .backward();
    expect(x.grad?.toArray()).toEqual([0, 111, 0]);
  });
});

describe("any two shapes that broadcast", () => {
  it("add like nested loops", () => {
    const extents = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 });
    fc.assert(
      fc.property(
        extents,
        fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
        fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
        fc.nat(3),
        fc.nat(3),
        (full, squashA, squashB, dropA, dropB) => {
          const shape = (squash: boolean[], drop: number): number[] =>
            full.map((extent, d) => (squash[d] ? 1 : extent)).slice(Math.min(drop, full.length));
          const a = shape(squashA, dropA);
          const b = shape(squashB, dropB);
          const make = (s: number[], step: number): Tensor =>
            loose(
              tensor(
                Float32Array.from({ length: s.reduce((x, y) => x * y, 1) }, (_, n) => n * step),
                s,
              ),
            );
          const y = make(a, 1).add(make(b, 100));
          const rank = Math.max(a.length, b.length);
          const expected = Array.from({ length: rank }, (_, d) => Math.max(a[d - rank + a.length] ?? 1, b[d - rank + b.length] ?? 1));
          expect(y.shape).toEqual(expected);
          y.data.forEach((value, n) => {
            expect(value).toBe(flat(n, expected, a) + 100 * flat(n, expected, b));
          });
        },
      ),
      { numRuns: 100 },
    );
  });
});

/** The flat position in a tensor of shape `own` that position n of the broadcast result reads. */
function flat(n: number, shape: readonly number[], own: readonly number[]): number {
  let rest = n;
  let place = 0;
  let stride = 1;
  for (let d = 1; d <= shape.length; d++) {
    const extent = shape[shape.length - d] as number;
    const step = rest % extent;
    rest = Math.floor(rest / extent);
    const mine = own[own.length - d];
    if (mine === undefined) continue;
    if (mine !== 1) place += step * stride;
    stride *= mine;
  }
  return place;
}
