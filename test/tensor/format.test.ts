// How tensors are printed: lines of at most 80 characters, all numbers of a tensor alike.

import { describe, expect, it } from "vitest";
import { tensor, zeros } from "../../src/tensor/index.ts";

const lines = (value: object): string[] => String(value).split("\n");

describe("a printed tensor", () => {
  it("breaks long rows between numbers, under the first number", () => {
    const row = lines(tensor([Array.from({ length: 40 }, (_, n) => n + 1)]));
    expect(row.slice(1)).toEqual([
      "[[ 1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,",
      "  20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38,",
      "  39, 40]]",
    ]);
  });

  it.each([[[3, 100]], [[27]], [[26]], [[2, 25]], [[2, 2, 24]], [[1, 1, 1, 23]], [[40, 50]]])(
    "of shape %j stays within 80 columns and keeps every number",
    (shape) => {
      const printed = lines(zeros(shape));
      expect(Math.max(...printed.map((line) => line.length))).toBeLessThanOrEqual(80);
      const count = shape.reduce((a, b) => a * b, 1);
      if (count <= 1000) expect(printed.slice(1).join("").match(/0/g)).toHaveLength(count);
    },
  );

  it("leaves short rows in one line", () => {
    expect(
      lines(
        tensor([
          [1.5, 2],
          [-3, 4],
        ]),
      ),
    ).toEqual(["Tensor float32 [2, 2]", "[[ 1.5000,  2.0000],", " [-3.0000,  4.0000]]"]);
  });
});
