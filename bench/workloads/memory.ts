// Work bound by memory more than by arithmetic: pooling, pointwise functions, reductions, moves.

import { embedding, gelu, gradients, layerNorm, maxPool, noGrad, ones, type Tensor, tensor, zeros } from "kasane";
import { labels, uniform } from "../data.ts";
import { resident } from "../resident.ts";
import type { Workload } from "../workload.ts";

interface Function {
  readonly name: string;
  readonly what: string;
  readonly f: (x: Tensor) => Tensor;
  readonly seed: number;
  readonly bound: number;
  readonly input: readonly number[];
  readonly output: readonly number[];
  /** Also reads what forward saved. */
  readonly saves: boolean;
}

const count = (shape: readonly number[]): number => shape.reduce((total, extent) => total * extent, 1);

/** Forward and backward (x and dy read, y and dx written), and forward alone. */
function both({ name, what, f, seed, bound, input, output, saves }: Function): Workload[] {
  const [read, written] = [4 * count(input), 4 * count(output)];
  return [
    {
      name,
      what: `${what}, forward and backward`,
      bytes: 2 * (read + written) + (saves ? read : 0),
      prepare: () => {
        const x = tensor(uniform(seed, input, bound).data, input, { requiresGrad: true });
        const upstream = uniform(seed + 1, output);
        return resident(() => {
          const y = f(x);
          return [y, ...gradients(y, [x], { upstream })];
        });
      },
    },
    {
      name: `${name}-fwd`,
      what: `${what}, forward`,
      bytes: read + written,
      prepare: () => {
        const x = uniform(seed, input, bound);
        return resident(() => [noGrad(() => f(x))]);
      },
    },
  ];
}

const pointwise = (name: string, f: (x: Tensor) => Tensor): Workload[] =>
  both({
    name: `eltwise-${name}`,
    what: `${name} on 1024×4096`,
    f,
    seed: 110,
    bound: 4,
    input: [1024, 4096],
    output: [1024, 4096],
    saves: true,
  });

const MATRIX = 4 * 1024 * 4096;

function simple(name: string, what: string, bytes: number, compute: () => () => Tensor): Workload {
  return {
    name,
    what,
    bytes,
    prepare: () => {
      const run = compute();
      return resident(() => [run()]);
    },
  };
}

export const memory: readonly Workload[] = [
  ...both({
    name: "maxpool",
    what: "max pool 2×2 on 8×64×224×224",
    f: (x) => maxPool(x, 2),
    seed: 98,
    bound: 1,
    input: [8, 64, 224, 224],
    output: [8, 64, 112, 112],
    saves: false,
  }),
  ...pointwise("sigmoid", (x) => x.sigmoid()),
  ...pointwise("gelu", (x) => gelu(x)),
  ...pointwise("softmax", (x) => x.softmax(-1)),
  simple("add", "sum of two 1024×4096 matrices", 3 * MATRIX, () => {
    const [a, b] = [uniform(1, [1024, 4096]), uniform(2, [1024, 4096])];
    return () => a.add(b);
  }),
  simple("sum-rows", "sum of every row of 1024×4096", MATRIX, () => {
    const x = uniform(1, [1024, 4096]);
    return () => x.sum(-1);
  }),
  simple("sum-columns", "sum of every column of 1024×4096", MATRIX, () => {
    const x = uniform(1, [1024, 4096]);
    return () => x.sum(0);
  }),
  simple("transpose", "transpose of 2048×2048", 8 * 2048 * 2048, () => {
    const x = uniform(1, [2048, 2048]);
    return () => x.transpose();
  }),
  simple("layer-norm", "layer norm of 1024×1024, forward", 8 * 1024 * 1024, () => {
    const [x, weight, bias] = [uniform(1, [1024, 1024]), ones([1024]), zeros([1024])];
    return () => noGrad(() => layerNorm(x, weight, bias));
  }),
  {
    name: "embedding",
    what: "4096 rows of 256 out of a table of 10 000, forward and backward",
    bytes: 4 * 256 * (3 * 4096 + 10_000),
    prepare: () => {
      const table = tensor(uniform(1, [10_000, 256]).data, [10_000, 256], { requiresGrad: true });
      const ids = labels(2, 4096, 10_000);
      const upstream = uniform(3, [4096, 256]);
      return resident(() => {
        const rows = embedding(table, ids);
        return [rows, ...gradients(rows, [table], { upstream })];
      });
    },
  },
];
