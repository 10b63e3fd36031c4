// What index maps say an element is made from, against poison: a NaN in an input shows up in exactly the elements that are made from it.

import { describe, expect, it } from "vitest";
import { applyOp, einsum, fromData, type HostArray, type Tensor, zeros } from "../../src/index.ts";
import { evaluateProgram } from "../../src/nest/evaluate.ts";
import { type Box, hull, productsOf, reachOf, reshapedBox } from "../../src/nest/reach.ts";
import * as nn from "../../src/nn/index.ts";
import { catalogue, type ExampleTensor } from "../../src/ops/catalogue.ts";
import { type Application, observing } from "../../src/tensor/observe.ts";
import { arrayOf } from "../tensor/support.ts";

function applications(run: () => unknown): Application[] {
  const found: Application[] = [];
  observing({ key: "test", applied: (one) => found.push(one) }, run);
  return found;
}

function toTensor({ dtype, shape, data }: ExampleTensor): Tensor {
  return fromData(arrayOf(dtype, data), shape, dtype);
}

function placeOf(flat: number, shape: readonly number[]): number[] {
  let rest = flat;
  const place = shape.map(() => 0);
  for (let d = shape.length - 1; d >= 0; d--) {
    place[d] = rest % (shape[d] as number);
    rest = Math.floor(rest / (shape[d] as number));
  }
  return place;
}

const pointBox = (place: readonly number[]): Box => place.map((position) => [position, position] as const);

const entries = catalogue.filter(({ op }) => !["view", "random"].includes(op.kind) && op.formula.inputs.length > 0);

describe("reach", () => {
  it.each(entries.map((entry) => [entry.name, entry] as const))("of %s", (_, { op, example }) => {
    const inputs = Object.values(example.inputs);
    const [application] = applications(() => applyOp(op, inputs.map(toTensor), example.attributes, example.resultShape));
    const program = application?.program;
    if (program === undefined) throw new Error("nothing was computed");
    const params = op.formula.params.map((name) => (example.attributes?.[name] ?? op.defaults[name]) as number);
    const arrays = inputs.map(({ dtype, data }) => arrayOf(dtype, data));
    const { shape } = program.buffers[program.result] as { shape: readonly number[] };
    const clean = evaluateProgram(program, arrays, params);
    const poisoned: (Box | undefined)[][] = Array.from(clean, () => inputs.map(() => undefined));
    inputs.forEach((input, number) => {
      if (!input.dtype.startsWith("float")) return;
      input.data.forEach((_value, flat) => {
        const changed = arrays.map((array, n) => (n === number ? array.slice() : array));
        (changed[number] as HostArray)[flat] = Number.NaN;
        evaluateProgram(program, changed, params).forEach((value: number, element: number) => {
          if (Number.isNaN(value) && !Number.isNaN(clean[element] as number))
            (poisoned[element] as (Box | undefined)[])[number] = hull(poisoned[element]?.[number], pointBox(placeOf(flat, input.shape)));
        });
      });
    });
    poisoned.forEach((found, element) => {
      const reached = reachOf(program, pointBox(placeOf(element, shape)));
      found.forEach((box, number) => {
        if (box !== undefined) expect(hull(reached[number], box), `element ${element}, input ${number}`).toEqual(reached[number]);
      });
      // Every step of these counts: no comparison chooses, and no index is read from data.
      if (op.kind === "contract" && inputs.every(({ dtype }) => dtype.startsWith("float"))) expect(found).toEqual(reached);
    });
  });

  it("follows a box through a reshape", () => {
    expect(
      reshapedBox(
        [
          [0, 1],
          [1, 1],
          [0, 5],
        ],
        [2, 3, 6],
        [2, 1, 18],
      ),
    ).toEqual([
      [0, 1],
      [0, 0],
      [6, 11],
    ]);
    expect(reshapedBox([[7, 9]], [24], [2, 3, 4])).toEqual([
      [0, 0],
      [1, 2],
      [0, 3],
    ]);
    expect(reshapedBox([[7, 7]], [24], [4, 6])).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(reshapedBox([[0, 0]], [1], [])).toEqual([]);
  });
});

describe("products", () => {
  const count = (run: () => unknown): number =>
    applications(run).reduce((sum, one) => sum + (one.op.kind === "contract" ? productsOf(one.program as never) : 0), 0);
  it.each([
    ["a matrix product", () => zeros([3, 4]).matmul(zeros([4, 5])), 60],
    ["einsum", () => einsum("abc,cd->ad", zeros([2, 3, 4]), zeros([4, 5])), 2 * 3 * 4 * 5],
    ["a convolution over its padding", () => nn.conv2d(2, 4, 3, { padding: 1, stride: 2 })(zeros([1, 2, 8, 8])), 16 * 4 * 18],
    ["a grouped convolution", () => nn.conv2d(4, 6, 3, { groups: 2 })(zeros([1, 4, 5, 5])), 9 * 6 * 18],
    ["a transposed convolution", () => nn.convTranspose2d(2, 3, 4, { stride: 2 })(zeros([1, 2, 5, 5])), 2 * 25 * 3 * 16],
    ["sums without products", () => zeros([3, 4]).sum(), 0],
  ])("of %s", (_, run, expected) => {
    expect(count(run)).toBe(expected);
  });
});
