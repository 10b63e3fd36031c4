// Windows, slices, gathers and new tensors with attributes of any size: an error that says so, never a crash or other numbers.

import { expect, it } from "vitest";
import {
  adaptiveAveragePool,
  averagePool,
  conv,
  convTranspose,
  full,
  KasaneError,
  maxPool,
  oneHot,
  padding,
  scatterAdd,
  type Tensor,
  tensor,
  upsample,
  zeros,
} from "../../src/index.ts";
import { onEveryBackend } from "./support.ts";

const image = (): Tensor => tensor(new Float32Array(24).fill(1), [1, 2, 12], { requiresGrad: true });
const kernel = (): Tensor => tensor(new Float32Array(18).fill(1), [3, 2, 3], { requiresGrad: true });
const ids = (): Tensor => tensor([0, 1], { dtype: "int32" });

/** What each gives for a size beyond 32 bits: elements, or undefined where it is refused. */
const uses: Readonly<Record<string, readonly [use: (size: number) => Tensor, result?: readonly number[]]>> = {
  "conv, stride": [(stride) => conv(image(), kernel(), undefined, { stride })],
  "conv, dilation and padding": [(size) => conv(image(), kernel(), undefined, { dilation: size, padding: size })],
  "conv, dilation, same": [(dilation) => conv(image(), kernel(), undefined, { dilation, padding: "same" })],
  "convTranspose, stride": [(stride) => convTranspose(image(), tensor(new Float32Array(6).fill(1), [2, 1, 3]), undefined, { stride })],
  "maxPool, stride": [(stride) => maxPool(image(), 3, { stride })],
  "maxPool, dilation": [(dilation) => maxPool(image(), 3, { dilation })],
  "averagePool, kernel": [(size) => averagePool(image(), size)],
  adaptiveAveragePool: [(size) => adaptiveAveragePool(image(), size)],
  padding: [(size) => padding(image(), size)],
  "upsample, size": [(size) => upsample(image(), { size })],
  "upsample, scale": [(scale) => upsample(image(), { scale, mode: "linear" })],
  "slice, step": [(step) => image().slice(null, null, [3, null, step]), [1, 1]],
  "slice, backward": [(step) => image().slice(null, 0, [null, null, -step]), [1]],
  "slice, ends": [(size) => image().slice(null, null, [-size, size]).sum(), [24]],
  pad: [(size) => image().pad([[size, -size]])],
  take: [(id) => image().take([id])],
  oneHot: [(classes) => oneHot(ids(), classes)],
  scatterAdd: [(extent) => scatterAdd(tensor([1, 2]), ids(), extent)],
  reshape: [(size) => image().reshape([size, -1])],
  broadcastTo: [(size) => tensor(1).broadcastTo([size])],
  zeros: [(size) => zeros([size])],
  full: [(size) => full([2, size], 1)],
};

onEveryBackend("attributes beyond 32 bits", () => {
  for (const size of [2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53, 1e300])
    it.each(Object.entries(uses))(`%s of ${size}`, (_, [use, result]) => {
      if (result !== undefined) expect([...use(size).data]).toEqual(result);
      else expect(() => use(size)).toThrow(KasaneError);
    });
});
