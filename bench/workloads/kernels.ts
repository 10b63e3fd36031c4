// Matrix products of many sizes and convolutions in their three directions.

import { conv, gradients, matmul, type Tensor, tensor } from "kasane";
import { uniform } from "../data.ts";
import { eagerly, resident } from "../resident.ts";
import type { Workload } from "../workload.ts";

const operands = (m: number, k: number, n: number): [Tensor, Tensor] => [uniform(1, [m, k]), uniform(2, [k, n])];

const matrix = (m: number, k: number, n: number, name = `gemm-${m}x${k}x${n}`): Workload => ({
  name,
  what: `matrix product ${m}×${k} · ${k}×${n}`,
  flops: 2 * m * k * n,
  bytes: 4 * (m * k + k * n + m * n),
  prepare: () => {
    const [a, b] = operands(m, k, n);
    return resident(() => [matmul(a, b)]);
  },
});

const SQUARE = [61, 64, 65, 96, 127, 128, 129, 255, 256, 257, 384, 511, 512, 513, 767, 768, 1023, 1024, 1025, 1100, 2048];

interface Convolution {
  readonly name: string;
  readonly kernel?: number;
  readonly stride?: number;
  readonly groups?: number;
  readonly outputs?: number;
}

/** 64 channels on 56×56, batch 8, in one direction. */
function convolution(shape: Convolution, direction: "forward" | "input" | "weight"): Workload {
  const { kernel = 3, stride = 1, groups = 1, outputs = 64 } = shape;
  const padding = kernel >> 1;
  const [size, inputs] = [56 / stride, 64 / groups];
  const kind = `${groups === 1 ? "" : groups === 64 ? "depthwise " : "grouped "}conv ${kernel}×${kernel}${stride === 1 ? "" : ` stride ${stride}`} 64→${outputs} on 56×56, batch 8`;
  return {
    name: shape.name,
    what: `${kind}: ${direction === "forward" ? "forward" : `gradient by ${direction}`}`,
    flops: 2 * 8 * outputs * inputs * kernel * kernel * size * size,
    prepare: () => {
      const requiresGrad = (which: string) => ({ requiresGrad: direction === which });
      const x = tensor(uniform(95, [8, 64, 56, 56]).data, [8, 64, 56, 56], requiresGrad("input"));
      const w = tensor(
        uniform(96, [outputs, inputs, kernel, kernel], 1 / (8 * kernel)).data,
        [outputs, inputs, kernel, kernel],
        requiresGrad("weight"),
      );
      const forward = (): Tensor => conv(x, w, undefined, { padding, stride, groups });
      if (direction === "forward") return resident(() => [forward()]);
      const upstream = uniform(97, [8, outputs, size, size]);
      return resident(() => gradients(forward(), [direction === "input" ? x : w], { upstream }));
    },
  };
}

const eagerPair = (name: string, what: string, requiresGrad: boolean): Workload => ({
  name,
  what,
  prepare: () => {
    const [a, b] = [tensor([1, 2, 3, 4], { requiresGrad }), tensor([5, 6, 7, 8])];
    return eagerly(() => a.mul(b));
  },
});

export const kernels: readonly Workload[] = [
  eagerPair("eager-op", "one eager op on four numbers", false),
  eagerPair("eager-op-recorded", "one recorded eager op on four numbers", true),
  {
    name: "eager-gemm-1024",
    what: "matrix product 1024×1024 · 1024×1024, eagerly",
    flops: 2 * 1024 ** 3,
    prepare: () => {
      const [a, b] = operands(1024, 1024, 1024);
      return eagerly(() => matmul(a, b));
    },
  },
  ...SQUARE.map((size) => matrix(size, size, size, `gemm-${size}`)),
  matrix(128, 785, 257),
  matrix(1, 1024, 1024),
  matrix(1024, 1024, 1),
  matrix(2048, 16, 2048),
  convolution({ name: "conv3x3-fwd" }, "forward"),
  convolution({ name: "conv3x3-bwd-data" }, "input"),
  convolution({ name: "conv3x3-bwd-weight" }, "weight"),
  convolution({ name: "conv3x3o8-bwd-weight", outputs: 8 }, "weight"),
  convolution({ name: "conv1x1-fwd", kernel: 1 }, "forward"),
  convolution({ name: "conv1x1s2-fwd", kernel: 1, stride: 2 }, "forward"),
  convolution({ name: "conv1x1s2-bwd-data", kernel: 1, stride: 2 }, "input"),
  convolution({ name: "conv3x3s2-fwd", stride: 2 }, "forward"),
  convolution({ name: "conv3x3s2-bwd-data", stride: 2 }, "input"),
  convolution({ name: "conv3x3-depthwise", groups: 64 }, "forward"),
];
