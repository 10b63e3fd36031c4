// Single operations: matrix products of many sizes, convolutions in their three directions, pooling, pointwise functions, reductions.

import { conv, embedding, gelu, gradients, layerNorm, matmul, maxPool, noGrad, ones, type Tensor, tensor, zeros } from "kasane";
import { labels, uniform } from "../data.ts";
import type { Workload } from "../workload.ts";

const matrix = (m: number, k: number, n: number, name = `gemm-${m}x${k}x${n}`): Workload => ({
  name, what: `matrix product ${m}×${k} · ${k}×${n}`, flops: 2 * m * k * n, bytes: 4 * (m * k + k * n + m * n),
  prepare: () => {
    const [a, b] = [uniform(1, [m, k]), uniform(2, [k, n])];
    return { run: () => matmul(a, b) };
  },
});

/** Forward and backward of a pointwise function on 1024×4096 numbers: x and dy read, y and dx written. */
const pointwise = (name: string, f: (x: Tensor) => Tensor, bytes: number): Workload => ({
  name, what: `${name.replace("eltwise-", "")} on 1024×4096, forward and backward`, bytes: bytes * 1024 * 4096,
  prepare: () => {
    const x = tensor(uniform(71, [1024, 4096], 3).data, [1024, 4096], { requiresGrad: true });
    const upstream = uniform(72, [1024, 4096]);
    return { run: () => gradients(f(x), [x], { upstream }) };
  },
});

const CONV = 2 * 8 * 64 * 64 * 9 * 56 * 56;

const convolution = (name: string, which: "forward" | "input" | "weight"): Workload => ({
  name, what: `conv 3×3 64→64 on 56×56, batch 8: ${which === "forward" ? "forward" : `gradient by ${which}`}`, flops: CONV,
  prepare: () => {
    const x = uniform(61, [8, 64, 56, 56]);
    const w = uniform(62, [64, 64, 3, 3], 0.05);
    if (which === "forward") return { run: () => conv(x, w, undefined, { padding: 1 }) };
    const leaf = tensor((which === "input" ? x : w).data, (which === "input" ? x : w).shape, { requiresGrad: true });
    const y = which === "input" ? conv(leaf, w, undefined, { padding: 1 }) : conv(x, leaf, undefined, { padding: 1 });
    const upstream = uniform(63, [8, 64, 56, 56]);
    return { run: () => gradients(y, [leaf], { upstream }) };
  },
});

const SQUARE = [61, 64, 96, 127, 128, 129, 255, 256, 257, 384, 511, 512, 513, 767, 768, 1023, 1024, 1025, 1100];

export const kernels: readonly Workload[] = [
  {
    name: "eager-op", what: "one eager op on four numbers",
    prepare: () => {
      const [a, b] = [tensor([1, 2, 3, 4]), tensor([5, 6, 7, 8])];
      return { run: () => a.add(b) };
    },
  },
  {
    name: "eager-op-recorded", what: "one recorded eager op on four numbers",
    prepare: () => {
      const [a, b] = [tensor([1, 2, 3, 4], { requiresGrad: true }), tensor([5, 6, 7, 8])];
      return { run: () => a.mul(b) };
    },
  },
  ...SQUARE.map((size) => matrix(size, size, size, `gemm-${size}`)),
  matrix(2048, 2048, 2048, "gemm-2048"),
  matrix(128, 785, 257),
  matrix(1, 1024, 1024),
  matrix(1024, 1024, 1),
  convolution("conv3x3-fwd", "forward"),
  convolution("conv3x3-bwd-data", "input"),
  convolution("conv3x3-bwd-weight", "weight"),
  {
    name: "conv1x1-fwd", what: "conv 1×1 64→64 on 56×56, batch 8: forward", flops: CONV / 9,
    prepare: () => {
      const [x, w] = [uniform(61, [8, 64, 56, 56]), uniform(62, [64, 64, 1, 1], 0.05)];
      return { run: () => conv(x, w) };
    },
  },
  {
    name: "conv3x3s2-fwd", what: "conv 3×3 64→64 stride 2 on 56×56, batch 8: forward", flops: CONV / 4,
    prepare: () => {
      const [x, w] = [uniform(61, [8, 64, 56, 56]), uniform(62, [64, 64, 3, 3], 0.05)];
      return { run: () => conv(x, w, undefined, { padding: 1, stride: 2 }) };
    },
  },
  {
    name: "conv3x3s2-bwd-data", what: "conv 3×3 64→64 stride 2 on 56×56, batch 8: gradient by input", flops: CONV / 4,
    prepare: () => {
      const x = tensor(uniform(61, [8, 64, 56, 56]).data, [8, 64, 56, 56], { requiresGrad: true });
      const y = conv(x, uniform(62, [64, 64, 3, 3], 0.05), undefined, { padding: 1, stride: 2 });
      const upstream = uniform(63, [8, 64, 28, 28]);
      return { run: () => gradients(y, [x], { upstream }) };
    },
  },
  {
    name: "conv3x3-depthwise", what: "depthwise conv 3×3, 64 channels on 56×56, batch 8: forward", flops: CONV / 64,
    prepare: () => {
      const [x, w] = [uniform(61, [8, 64, 56, 56]), uniform(62, [64, 1, 3, 3], 0.3)];
      return { run: () => conv(x, w, undefined, { padding: 1, groups: 64 }) };
    },
  },
  {
    name: "maxpool", what: "max pool 2×2 on 8×64×224×224, forward and backward", bytes: 256_901_120,
    prepare: () => {
      const x = tensor(uniform(70, [8, 64, 224, 224]).data, [8, 64, 224, 224], { requiresGrad: true });
      const upstream = ones([8, 64, 112, 112]);
      return { run: () => gradients(maxPool(x, 2), [x], { upstream }) };
    },
  },
  pointwise("eltwise-sigmoid", (x) => x.sigmoid(), 20),
  pointwise("eltwise-gelu", (x) => gelu(x), 20),
  pointwise("eltwise-softmax", (x) => x.softmax(-1), 20),
  {
    name: "add", what: "sum of two 1024×4096 matrices", bytes: 12 * 1024 * 4096,
    prepare: () => {
      const [a, b] = [uniform(1, [1024, 4096]), uniform(2, [1024, 4096])];
      return { run: () => a.add(b) };
    },
  },
  {
    name: "sum-rows", what: "sum of every row of 1024×4096", bytes: 4 * 1024 * 4096,
    prepare: () => {
      const x = uniform(1, [1024, 4096]);
      return { run: () => x.sum(-1) };
    },
  },
  {
    name: "sum-columns", what: "sum of every column of 1024×4096", bytes: 4 * 1024 * 4096,
    prepare: () => {
      const x = uniform(1, [1024, 4096]);
      return { run: () => x.sum(0) };
    },
  },
  {
    name: "transpose", what: "transpose of 2048×2048", bytes: 8 * 2048 * 2048,
    prepare: () => {
      const x = uniform(1, [2048, 2048]);
      return { run: () => x.transpose() };
    },
  },
  {
    name: "layer-norm", what: "layer norm of 1024×1024, forward", bytes: 8 * 1024 * 1024,
    prepare: () => {
      const [x, weight, bias] = [uniform(1, [1024, 1024]), ones([1024]), zeros([1024])];
      return { run: () => noGrad(() => layerNorm(x, weight, bias)) };
    },
  },
  {
    name: "embedding", what: "4096 rows of 256 out of a table of 10 000, forward and backward", bytes: 4 * 256 * (3 * 4096 + 10_000),
    prepare: () => {
      const table = tensor(uniform(1, [10_000, 256]).data, [10_000, 256], { requiresGrad: true });
      const ids = labels(2, 4096, 10_000);
      const upstream = uniform(3, [4096, 256]);
      return { run: () => gradients(embedding(table, ids), [table], { upstream }) };
    },
  },
];
