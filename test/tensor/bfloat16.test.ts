// bfloat16 tensors: rounding, special numbers, promotion, gradients, fusion that keeps roundings, scatters, checkpoints and autocast.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { availableBackends, getBackend } from "../../src/backends/choose.ts";
import {
  autocast,
  checkpoint,
  compile,
  embedding,
  fromData,
  full,
  layerNorm,
  matmul,
  parameter,
  setBackend,
  type Tensor,
  tensor,
} from "../../src/index.ts";
import { decodeBfloat16, encodeBfloat16, roundToBfloat16 } from "../../src/nest/bfloat16.ts";

const before = getBackend().name;
const words = Uint16Array.from({ length: 65536 }, (_, word) => word);
const bits = (numbers: ArrayLike<number>): number[] => {
  const encoded = new Uint16Array(numbers.length);
  encodeBfloat16(numbers, encoded);
  return [...encoded];
};

/** To nearest, halves to even, by comparing with the neighbours in double precision. */
function nearest(value: number): number {
  const single = Math.fround(value);
  if (!Number.isFinite(single)) return single;
  const word = new Uint32Array(Float32Array.of(single).buffer)[0] as number;
  const [low, high] = decodeBfloat16([word >>> 16, (word >>> 16) + 1]) as unknown as [number, number];
  const above = Number.isFinite(high) ? high : Math.sign(single) * 2 ** 128;
  const gap = Math.abs(single - low) - Math.abs(above - single);
  return gap < 0 || (gap === 0 && (word >>> 16) % 2 === 0) ? low : high;
}

const samples = [
  0,
  -0,
  1,
  1.00390625,
  1.01171875,
  1 / 3,
  -1e-3,
  3.39e38,
  3.3961776e38,
  1e-38,
  1e-39,
  9.2e-41,
  4.6e-41,
  4.5e-41,
  -1e-45,
  65535,
  1e5,
];

describe("the format", () => {
  it("rounds to the nearest, halves to even, up to infinity and down to subnormal numbers", () => {
    for (const value of samples) expect(roundToBfloat16(value), `${value}`).toBe(nearest(value));
    expect(roundToBfloat16(3.4e38)).toBe(Number.POSITIVE_INFINITY);
    expect(roundToBfloat16(Number.NaN)).toBeNaN();
  });

  it("keeps every word but the payloads of NaN through decoding and encoding", () => {
    const back = bits(decodeBfloat16(words));
    words.forEach((word, n) => {
      if ((word & 0x7f80) === 0x7f80 && (word & 0x7f) !== 0) expect(back[n]).toBe(word | 0x40);
      else if (back[n] !== word) expect(back[n]).toBe(word);
    });
  });
});

for (const name of availableBackends())
  describe(`bfloat16 on ${name}`, () => {
    beforeAll(() => setBackend(name));
    afterAll(() => setBackend(before));

    it("rounds all samples and their neighbours as the host does, eager and compiled", () => {
      const numbers = samples.flatMap((value) => [value, -value, value * (1 + 2 ** -9), value * (1 + 2 ** -8), value * (1 - 2 ** -10)]);
      const x = tensor([...numbers, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
      const expected = bits(x.data.map(roundToBfloat16));
      expect(bits(x.to("bfloat16").data)).toEqual(expected);
      expect(bits(compile((v: Tensor) => v.to("bfloat16"))(x).data)).toEqual(expected);
      // Rounded in registers, between two ops of one kernel.
      expect(bits(compile((v: Tensor) => v.to("bfloat16").to("float32"))(x).data)).toEqual(expected);
    });

    it("reads and writes every finite word", () => {
      const finite = [...decodeBfloat16(words)].filter(Number.isFinite);
      const x = tensor(finite, { dtype: "bfloat16" });
      expect([...x.data]).toEqual(finite);
      expect([...x.neg().data]).toEqual(finite.map((value) => -value));
      expect([...compile((v: Tensor) => v.abs())(x).data]).toEqual(finite.map(Math.abs));
    });

    it("stays bfloat16 beside numbers, becomes float32 beside float32", () => {
      const x = tensor([1.5, 2.5], { dtype: "bfloat16" });
      expect(x.mul(0.1).dtype).toBe("bfloat16");
      expect(x.mul(0.1).toArray()).toEqual([roundToBfloat16(Math.fround(1.5 * Math.fround(0.1))), 0.25]);
      expect(x.add(tensor([1, 2])).dtype).toBe("float32");
      expect(x.greater(2).dtype).toBe("bool");
      expect(x.sum().dtype).toBe("bfloat16");
      expect(x.add(tensor([1, 2], { dtype: "float64" })).dtype).toBe("float64");
    });

    it("sums in float32 and rounds once", () => {
      const x = full([3000], 1.0078125, { dtype: "bfloat16" });
      expect(x.sum().item()).toBe(roundToBfloat16(3000 * 1.0078125));
      const a = full([40, 300], 1.0078125, { dtype: "bfloat16" });
      expect(new Set(matmul(a, full([300, 40], 1, { dtype: "bfloat16" })).data)).toEqual(new Set([roundToBfloat16(300 * 1.0078125)]));
    });

    it("adds up scattered gradients in float32", () => {
      const weight = parameter(tensor([0, 0, 0, 0], [2, 2], { dtype: "bfloat16" }));
      const ids = fromData(new Int32Array(1000), [1000], "int32");
      embedding(weight, ids).sum().backward();
      expect(weight.grad?.dtype).toBe("bfloat16");
      expect(weight.grad?.toArray()).toEqual([
        [1000, 1000],
        [0, 0],
      ]);
    });

    it("gives tensors gradients of their own dtype", () => {
      const x = parameter(tensor([1, 2, 3, 4], [2, 2], { dtype: "bfloat16" }));
      const weight = parameter(tensor([0.5, 1, 1.5, 2], [2, 2]));
      autocast("bfloat16", () => matmul(x, weight))
        .sum()
        .backward();
      expect(x.grad?.dtype).toBe("bfloat16");
      expect(weight.grad?.dtype).toBe("float32");
      expect(weight.grad?.toArray()).toEqual([
        [4, 4],
        [6, 6],
      ]);
    });

    it("compiled functions round where the function itself does", () => {
      const a = tensor(
        Array.from({ length: 35 * 19 }, (_, n) => Math.sin(n)),
        [35, 19],
      );
      const b = tensor(
        Array.from({ length: 19 * 41 }, (_, n) => Math.cos(n)),
        [19, 41],
      );
      const c = tensor(Array.from({ length: 41 }, (_, n) => 1 + n / 100));
      const net = (x: Tensor, y: Tensor, z: Tensor): Tensor[] =>
        autocast("bfloat16", () => {
          const hidden = matmul(x, y).relu();
          return [hidden.add(hidden.mul(z)).tanh(), layerNorm(hidden, z, z), hidden.sum(1)];
        });
      const eager = net(a, b, c);
      const compiled = compile(net)(a, b, c) as Tensor[];
      eager.forEach((one, n) => {
        const other = compiled[n] as Tensor;
        expect(other.dtype).toBe(one.dtype);
        one.data.forEach((value, place) => {
          // A sum in another order may tip a rounding over.
          expect(Math.abs((other.data[place] as number) - value)).toBeLessThanOrEqual(2 ** -7 * Math.abs(value) + 1e-6);
        });
      });
      expect(eager.map(({ dtype }) => dtype)).toEqual(["float32", "bfloat16", "float32"]);
    });

    it("repeats a checkpoint in the precision it ran in", () => {
      const weight = parameter(tensor([0.3, -0.7, 1.1, 0.2], [2, 2]));
      const x = tensor([1, 2, 3, 4], [2, 2]);
      const slope = (block: (v: Tensor) => Tensor): unknown => {
        weight.zeroGrad();
        autocast("bfloat16", () => block(x))
          .sum()
          .backward();
        return weight.grad?.toArray();
      };
      const plain = (v: Tensor): Tensor => matmul(matmul(v, weight).tanh(), weight).square();
      expect(slope(checkpoint(plain))).toEqual(slope(plain));
    });
  });

describe("autocast", () => {
  it("stores products as bfloat16, sums as float32, and ends with the function", () => {
    const x = tensor([1, 2, 3, 4], [2, 2]);
    const dtypes = autocast("bfloat16", () => {
      const y = matmul(x, x);
      return [y, y.relu(), y.sum(), matmul(y, y).softmax(1), autocast("float32", () => matmul(x, x)), y.add(x)].map(({ dtype }) => dtype);
    });
    expect(dtypes).toEqual(["bfloat16", "bfloat16", "float32", "bfloat16", "float32", "float32"]);
    expect(matmul(x, x).dtype).toBe("float32");
    expect(() =>
      autocast("bfloat16", () => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(matmul(x, x).dtype).toBe("float32");
  });

  it("leaves float64 alone", () => {
    const x = tensor([1, 2, 3, 4], [2, 2], { dtype: "float64" });
    expect(autocast("bfloat16", () => matmul(x, x)).dtype).toBe("float64");
  });

  it("refuses other precisions and async functions", () => {
    expect(() => autocast("float16" as "bfloat16", () => 1)).toThrow(/expected "bfloat16" or "float32", got "float16"/);
    expect(() => autocast("bfloat16", async () => 1)).toThrow(/must not be async/);
  });

  it("is part of what a trace holds for", () => {
    const step = compile((x: Tensor) => matmul(x, x));
    const x = tensor([1, 2, 3, 4], [2, 2]);
    expect(step(x).dtype).toBe("float32");
    expect(autocast("bfloat16", () => step(x)).dtype).toBe("bfloat16");
    expect(step(x).dtype).toBe("float32");
  });
});
