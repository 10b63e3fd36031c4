// Creation, conversion, reading and printing of tensors.

import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { arange, eye, full, InputError, linspace, ones, parameter, ShapeError, tensor, zeros } from "../../src/index.ts";
import { messageOf } from "./support.ts";

describe("tensor", () => {
  it("takes numbers, nested arrays, booleans and typed arrays", () => {
    expect([tensor(3).shape, tensor(3).dtype, tensor(3).item()]).toEqual([[], "float32", 3]);
    expect(
      tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]).shape,
    ).toEqual([2, 3]);
    expect(tensor([[[]]]).shape).toEqual([1, 1, 0]);
    expect(tensor([]).shape).toEqual([0]);
    expect([tensor([true, false]).dtype, tensor([true, false]).toArray()]).toEqual(["bool", [1, 0]]);
    expect(tensor(new Int32Array([1, 2])).dtype).toBe("int32");
    expect(tensor(new Uint8Array([1, 2])).dtype).toBe("uint8");
    expect(tensor(new Float64Array([0.1])).item()).toBe(0.1);
    expect(tensor([0.1]).item()).toBe(Math.fround(0.1));
    expect(tensor([1, 2, 3, 4, 5, 6], [3, 2]).toArray()).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(() => tensor([1], { dtype: "float99" as never })).toThrow(/unknown dtype "float99"[\s\S]*float32/);
    expect(tensor([0, 2, -1], { dtype: "bool" }).toArray()).toEqual([0, 1, 1]);
  });

  it("says what is wrong with ragged rows, shapes and types", () => {
    expect(messageOf(() => tensor([[1, 2], [3]]))).toBe("tensor: rows differ in length: expected 2 at depth 1, got 1");
    expect(messageOf(() => tensor([[1, 2], 3]))).toBe("tensor: expected an array of 2 at depth 1, got the number 3");
    expect(messageOf(() => tensor([1, [2]]))).toContain("expected a number at depth 1, got an array of 1");
    expect(messageOf(() => tensor([1, 2, 3], [2, 2]))).toContain("3 numbers do not fill shape [2, 2]");
    expect(messageOf(() => tensor(new Float32Array(3), [-3]))).toContain("expected a shape of non-negative integers, got [-3]");
    expect(messageOf(() => tensor([1.5], { dtype: "int32" }))).toContain(
      "int32 holds whole numbers from -2147483648 to 2147483647, got 1.5 at position 0",
    );
    expect(messageOf(() => tensor([1], { dtype: "int32", requiresGrad: true }))).toContain("only floats can require a gradient, got int32");
    expect(messageOf(() => tensor(["a"] as unknown as number[]))).toContain("expected numbers, got the string a");
    expect(messageOf(() => tensor(null as unknown as number[]))).toContain("got null");
    expect(() => tensor([[1, 2], [3]])).toThrow(ShapeError);
    expect(() => tensor([1.5], { dtype: "int32" })).toThrow(InputError);
  });

  it("refuses numbers that an integer type cannot hold instead of changing them", () => {
    expect(messageOf(() => tensor([300], { dtype: "uint8" }))).toContain("uint8 holds whole numbers from 0 to 255, got 300 at position 0");
    expect(messageOf(() => tensor([-1], { dtype: "uint8" }))).toContain("got -1");
    expect(messageOf(() => tensor([1, 2 ** 31], { dtype: "int32" }))).toContain("got 2147483648 at position 1");
    expect(messageOf(() => full([2], 0.5, { dtype: "int32" }))).toContain("int32 holds whole numbers");
    expect(tensor([-(2 ** 31), 2 ** 31 - 1], { dtype: "int32" }).toArray()).toEqual([-2147483648, 2147483647]);
  });
});

describe("other makers", () => {
  it("make what they say", () => {
    expect(zeros([2, 2]).toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(ones([2], { dtype: "int32" }).data).toEqual(new Int32Array([1, 1]));
    expect(full([], 7).item()).toBe(7);
    expect(full([2], 3, { dtype: "bool" }).toArray()).toEqual([1, 1]);
    expect(eye(2).toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(arange(0, 5).toArray()).toEqual([0, 1, 2, 3, 4]);
    expect(arange(5, 0, -2).toArray()).toEqual([5, 3, 1]);
    expect(arange(3, 3).toArray()).toEqual([]);
    expect(linspace(0, 1, 5).toArray()).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(linspace(2, 9, 1).toArray()).toEqual([2]);
  });

  it("say what is wrong", () => {
    expect(messageOf(() => arange(0, 5, 0))).toContain("a step other than 0");
    expect(messageOf(() => arange(0, Number.POSITIVE_INFINITY))).toContain("expected finite numbers");
    expect(messageOf(() => linspace(0, 1, 0))).toContain("the count must be a positive integer, got 0");
    expect(messageOf(() => zeros([2, 1.5]))).toContain("expected a shape of non-negative integers, got [2, 1.5]");
    expect(messageOf(() => zeros([Number.NaN]))).toContain("got [NaN]");
  });

  it("parameter copies and requires a gradient", () => {
    const source = tensor([1, 2]);
    const weight = parameter(source);
    source.data[0] = 9;
    expect([weight.requiresGrad, weight.toArray(), source.requiresGrad]).toEqual([true, [1, 2], false]);
    expect(messageOf(() => parameter(tensor([1], { dtype: "int32" })))).toContain("only floats can require a gradient, got int32");
  });
});

describe("reading", () => {
  it("item, toArray, data and read agree", async () => {
    const t = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(t.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(await t.read()).toEqual(new Float32Array([1, 2, 3, 4]));
    expect(tensor([[5]]).item()).toBe(5);
    expect(messageOf(() => t.item())).toContain("item: expected a tensor of one element, got shape [2, 2]");
    expect(messageOf(() => tensor([]).item())).toContain("got shape [0]");
    expect(zeros([2, 0, 3]).toArray()).toEqual([[], []]);
  });
});

describe("printing", () => {
  it("aligns numbers and names dtype and shape", () => {
    expect(String(tensor(2.5))).toBe("Tensor float32 [] 2.5000");
    expect(String(tensor([1, 2, 3]))).toBe("Tensor float32 [3]\n[1, 2, 3]");
    expect(
      String(
        tensor([
          [1, -2],
          [30, 4],
        ]),
      ),
    ).toBe("Tensor float32 [2, 2]\n[[ 1, -2],\n [30,  4]]");
    expect(
      String(
        tensor([
          [[1], [2]],
          [[3], [4]],
        ]),
      ),
    ).toBe("Tensor float32 [2, 2, 1]\n[[[1],\n  [2]],\n\n [[3],\n  [4]]]");
    expect(String(tensor([0.5, 1.25]))).toBe("Tensor float32 [2]\n[0.5000, 1.2500]");
    expect(String(tensor([true, false]))).toBe("Tensor bool [2]\n[ true, false]");
    expect(String(tensor([3, -4], { dtype: "int32" }))).toBe("Tensor int32 [2]\n[ 3, -4]");
    expect(String(zeros([2, 0]))).toBe("Tensor float32 [2, 0] (no elements)");
  });

  it("keeps NaN and infinities visible and switches to exponents where sizes differ much", () => {
    expect(String(tensor([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1]))).toBe(
      "Tensor float32 [4]\n[NaN,   ∞,  −∞,   1]",
    );
    expect(String(tensor([1e-6, 0.5]))).toBe("Tensor float32 [2]\n[1.0000e-6, 5.0000e-1]");
    expect(String(tensor([1e20]))).toBe("Tensor float32 [1]\n[1.0000e+20]");
  });

  it("shortens long tensors in the middle", () => {
    expect(String(arange(0, 2000))).toBe("Tensor float32 [2000]\n[   0,    1,    2, …, 1997, 1998, 1999]");
    const wide = String(zeros([100, 100]));
    expect(wide.split("\n").length).toBe(8);
    expect(wide.split("\n")[1]).toBe("[[0, 0, 0, …, 0, 0, 0],");
    expect(wide.split("\n")[4]).toBe(" …,");
  });

  it("console.log shows the same", () => {
    expect(inspect(tensor([1, 2]))).toBe("Tensor float32 [2]\n[1, 2]");
  });
});
