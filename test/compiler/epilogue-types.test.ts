// Epilogues of products and convolutions that read truths, bytes and whole numbers: each as its own type, on every backend.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  availableBackends,
  compile,
  conv,
  type DType,
  getBackend,
  matmul,
  setBackend,
  type Tensor,
  tensor,
  uniform,
  where,
} from "../../src/index.ts";

const original = getBackend().name;
afterAll(() => setBackend(original));

/** 0, 1, 2, 0, … in the dtype. */
function pattern(shape: readonly number[], dtype: DType): Tensor {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const numbers = Array.from({ length: size }, (_, n) => (dtype === "bool" ? Number(n % 3 === 0) : (n * 7) % 5));
  return tensor(dtype === "int32" ? Int32Array.from(numbers) : Uint8Array.from(numbers), shape, { dtype });
}

const products: Record<
  string,
  { readonly args: readonly Tensor[]; readonly shape: readonly number[]; readonly of: (a: Tensor, b: Tensor) => Tensor }
> = {
  "a product": { args: [uniform([37, 48]), uniform([48, 50])], shape: [37, 50], of: matmul },
  "a product with a vector": { args: [uniform([1, 48]), uniform([48, 50])], shape: [1, 50], of: matmul },
  "a convolution": {
    args: [uniform([2, 3, 9, 9]), uniform([4, 3, 3, 3])],
    shape: [2, 4, 9, 9],
    of: (a, b) => conv(a, b, undefined, { padding: 1 }),
  },
  // Enough channels for Winograd's algorithm.
  "a wide convolution": {
    args: [uniform([2, 32, 16, 16]), uniform([32, 32, 3, 3])],
    shape: [2, 32, 16, 16],
    of: (a, b) => conv(a, b, undefined, { padding: 1 }),
  },
};

const epilogues: Record<string, { readonly dtype: DType; readonly of: (y: Tensor, leaf: Tensor) => Tensor }> = {
  "a mask": { dtype: "bool", of: (y, mask) => where(mask, y, 0) },
  bytes: { dtype: "uint8", of: (y, bytes) => where(bytes.greater(2), y, y.neg()) },
  "whole numbers": { dtype: "int32", of: (y, numbers) => where(numbers.equal(3), 1, y) },
};

describe.each(availableBackends())("on %s", (name) => {
  beforeAll(() => setBackend(name));

  for (const [product, { args, shape, of }] of Object.entries(products))
    it.each(Object.entries(epilogues))(`${product} with %s`, (_, epilogue) => {
      const whole = pattern(shape, epilogue.dtype);
      const row = pattern(shape.slice(-1), epilogue.dtype);
      for (const leaf of [whole, row]) {
        const fn = (a: Tensor, b: Tensor, given: Tensor): Tensor => epilogue.of(of(a, b), given);
        const found = compile(fn)(args[0] as Tensor, args[1] as Tensor, leaf).data;
        const wanted = fn(args[0] as Tensor, args[1] as Tensor, leaf).data;
        wanted.forEach((value, n) => expect(found[n], `element ${n}`).toBeCloseTo(value, 4));
      }
    });
});
