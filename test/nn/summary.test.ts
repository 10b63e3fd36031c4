// summary(): multiply-adds, activation memory and receptive fields, found from the formulas of whatever a model runs.

import { describe, expect, it } from "vitest";
import { type Tensor, tensor, vmap } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { summary } from "../../src/nn/index.ts";

const { conv1d, conv2d, flatten, globalAveragePool, layer, linear, maxPool2d, relu, residual, sequential } = nn;

function fields(model: nn.LayerMembers, shape: readonly number[]): Record<string, unknown> {
  return Object.fromEntries(
    summary(model, shape).rows.map(({ path, receptiveField }) => [path, receptiveField && [[...receptiveField.size], receptiveField.jump]]),
  );
}

describe("receptive fields", () => {
  it("grow by (kernel − 1) · dilation · jump with every window", () => {
    const net = sequential({
      a: conv2d(3, 4, 3, { padding: 1 }),
      act: relu,
      pool: maxPool2d(2),
      b: conv2d(4, 4, 3, { padding: 2, dilation: 2 }),
      c: conv2d(4, 2, 3, { stride: 2, padding: 1 }),
      all: globalAveragePool(),
      out: linear(2, 5),
    });
    expect(fields(net, [2, 3, 64, 48])).toEqual({
      a: [
        [1, 3, 3, 3],
        [1, 0, 1, 1],
      ],
      act: [
        [1, 3, 3, 3],
        [1, 0, 1, 1],
      ],
      pool: [
        [1, 3, 4, 4],
        [1, 0, 2, 2],
      ],
      b: [
        [1, 3, 12, 12],
        [1, 0, 2, 2],
      ],
      c: [
        [1, 3, 16, 16],
        [1, 0, 4, 4],
      ],
      all: [
        [1, 3, 64, 48],
        [1, 0, 0, 0],
      ],
      out: [
        [1, 3, 64, 48],
        [1, 0, 0, 0],
      ],
    });
  });

  it.each([
    [8, 16, 3],
    [4, 24, 5],
    [3, 20, 3],
    [6, 28, 5],
  ])(
    "are those of its input after flatten, and of what goes on element by element (%i channels, %i pixels, kernel %i)",
    (channels, size, kernel) => {
      const net = sequential({
        a: conv2d(1, channels, kernel),
        pool: maxPool2d(2),
        b: conv2d(channels, channels, 3, { padding: 1 }),
        pooled: maxPool2d(2),
        flat: flatten(),
        act: relu,
      });
      const found = Object.fromEntries(
        summary(net, [2, 1, size, size]).rows.map(({ path, receptiveField }) => [path, receptiveField?.size]),
      );
      expect(found.flat).toEqual(found.pooled);
      expect(found.act).toEqual(found.pooled);
      expect(found.pooled).toEqual([1, 1, kernel + 7, kernel + 7]);
    },
  );

  it("see the batch where examples are mixed, and go through views, containers and plain functions", () => {
    const spread = (x: Tensor): Tensor => x.transpose([0, 2, 1]).reshape([4, 3, 8]).transpose([0, 2, 1]).slice(null, null, [1, 3]);
    const net = sequential({ spread, body: residual(conv1d(8, 8, 1), conv1d(8, 8, 1)), flat: flatten() });
    const found = fields(net, [4, 8, 3]);
    expect(found.spread).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
    expect(found.body).toEqual([
      [1, 8, 1],
      [1, 0, 1],
    ]);
    const mixed = layer({}, (x) => x.sub(x.mean(0)));
    expect(fields(mixed, [4, 2])).toEqual({
      "": [
        [4, 1],
        [0, 1],
      ],
    });
  });

  it("are told of depthwise convolutions and tokens as they are", () => {
    expect(fields(nn.depthwiseConv2d(4, 3, { padding: 1 }), [1, 4, 9, 9])).toEqual({
      "": [
        [1, 1, 3, 3],
        [0, 1, 1, 1],
      ],
    });
    expect(fields(linear(4, 3), [2, 5, 4])).toEqual({
      "": [
        [1, 1, 4],
        [1, 1, 0],
      ],
    });
    const attention = nn.multiHeadAttention(4, 2);
    expect(fields(attention, [2, 5, 4])[""]).toEqual([
      [1, 5, 4],
      [1, 0, 0],
    ]);
  });

  it("are unknown behind numbers that were read, and behind vmap", () => {
    expect(
      fields(
        layer({}, (x) => tensor(Array.from(x.data)).mul(2)),
        [3],
      ),
    ).toEqual({ "": undefined });
    expect(
      fields(
        layer({}, (x) => vmap((row: Tensor) => row.exp())(x)),
        [3, 2],
      ),
    ).toEqual({ "": undefined });
  });
});

describe("multiply-adds and activation memory", () => {
  it("counts what attention and transformers do", () => {
    const [batch, tokens, size, heads, inner] = [2, 6, 8, 2, 16];
    const products = 4 * size * size * tokens * batch + 2 * batch * tokens * tokens * size;
    expect(summary(nn.multiHeadAttention(size, heads), [batch, tokens, size]).multiplyAdds).toBe(products);
    const options = { layers: 3, feedForward: inner };
    expect(summary(nn.transformerEncoder(size, heads, options), [batch, tokens, size]).multiplyAdds).toBe(
      3 * (products + 2 * batch * tokens * size * inner),
    );
    const grouped = nn.multiHeadAttention(size, heads, { keyHeads: 1 });
    expect(summary(grouped, [batch, tokens, size]).multiplyAdds).toBe(products - size * size * tokens * batch);
  });

  it("counts what functions of one's own do, once, in the layer that ran them", () => {
    const inner = linear(4, 4);
    const model = layer({ inner }, (x) => {
      const own = x.matmul(x.transpose());
      return own.matmul(inner(x));
    });
    const found = summary(model, [5, 4]);
    expect(found.rows.map(({ path, multiplyAdds }) => [path, multiplyAdds])).toEqual([
      ["inner", 5 * 16],
      ["", 2 * 5 * 5 * 4],
    ]);
    expect(found.multiplyAdds).toBe(5 * 16 + 2 * 5 * 5 * 4);
    const mapped = layer({}, (x) => vmap((row: Tensor) => row.reshape([1, 4]).matmul(row.reshape([4, 1])))(x));
    expect(summary(mapped, [5, 4]).multiplyAdds).toBe(20);
    // The transpose, both products, and the inner layer's output.
    expect(found.activationBytes).toBe(4 * (20 + 25 + 20 + 20));
  });

  it("takes the bytes of what is made, nothing for views", () => {
    const found = summary(sequential({ conv: conv2d(1, 2, 3, { padding: 1 }), act: relu, flat: flatten() }), [2, 1, 4, 4]);
    expect(found.rows.map(({ activationBytes }) => activationBytes)).toEqual([256, 256, 0]);
    expect(JSON.parse(JSON.stringify(found)).rows[0].receptiveField).toEqual({ size: [1, 1, 3, 3], jump: [1, 0, 1, 1] });
    const [head, rule, first] = String(found).split("\n").slice(1);
    expect(head).toMatch(/layer +kind +output shape +parameters +mult-adds +memory +field$/);
    expect(rule).toMatch(/^─+$/);
    expect(first).toMatch(/^conv +conv2d +\[2, 2, 4, 4\] +20 +576 +256 B +3×3$/);
  });
});
