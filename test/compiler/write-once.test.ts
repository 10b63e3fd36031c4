// Updates that write straight into their cell: every element exactly once, whatever the extent leaves over after full vectors.

import { describe, expect, it } from "vitest";
import { compile, type Tensor, tensor } from "../../src/index.ts";

const EXTENTS = [1, 3, 4, 5, 10, 13, 30, 101];

function counting(shape: readonly number[]): Tensor {
  const count = shape.reduce((total, extent) => total * extent, 1);
  return tensor(
    Float32Array.from({ length: count }, (_, n) => n + 1),
    shape,
  );
}

describe("updates in place", () => {
  it.each(EXTENTS)("double %i numbers once", (extent) => {
    const cell = counting([extent]);
    const double = compile(() => cell.assign(cell.mul(2)));
    double();
    double();
    expect([...cell.data]).toEqual(Array.from({ length: extent }, (_, n) => 4 * (n + 1)));
  });

  it.each(EXTENTS)("add a transposed matrix of %i columns once", (extent) => {
    const cell = counting([7, extent]);
    const other = counting([extent, 7]);
    const expected = cell.mul(3).add(other.transpose());
    compile(() => cell.assign(cell.mul(3).add(other.transpose())))();
    expect([...cell.data]).toEqual([...expected.data]);
  });
});
