// Every op of the catalogue mapped over examples equals the op applied to each.

import { describe, expect, it } from "vitest";
import { applyOp, fromData, stack, type Tensor, vmap } from "../../src/index.ts";
import type { ExampleTensor } from "../../src/ops/catalogue.ts";
import { catalogue } from "../../src/ops/catalogue.ts";
import { arrayOf } from "./support.ts";

function toTensor({ dtype, shape, data }: ExampleTensor, scale: number): Tensor {
  const numbers = dtype.startsWith("float") ? data.map((value) => value * scale) : data;
  return fromData(arrayOf(dtype, numbers), shape, dtype);
}

describe("vmap", () => {
  const entries = catalogue.filter(({ op }) => op.kind !== "random" && op.kind !== "view" && op.formula.inputs.length > 0);
  it.each(entries.map((entry) => [entry.name, entry] as const))("maps %s", (_, { op, example }) => {
    const inputs = Object.values(example.inputs);
    const run = (...tensors: readonly Tensor[]): Tensor => applyOp(op, tensors, example.attributes, example.resultShape);
    const each = [1, 0.75, 0.5].map((scale) => inputs.map((input) => toTensor(input, scale)));
    const all = inputs.map((_input, n) => stack(each.map((tensors) => tensors[n] as Tensor)));
    const expected = each.map((tensors) => run(...tensors));
    const found = vmap(run)(...all);
    expect(found.shape).toEqual([3, ...(expected[0] as Tensor).shape]);
    expected.forEach((one, n) => {
      one.data.forEach((value, place) => {
        const got = found.data[n * one.size + place] as number;
        if (Number.isFinite(value)) expect(Math.abs(got - value)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(value)));
        else expect(got).toBe(value);
      });
    });
    // The first input differs, all examples share the others.
    const shared = vmap(run, { inputs: inputs.map((_input, n) => (n === 0 ? 0 : null)) })(
      all[0] as Tensor,
      ...(each[0] as Tensor[]).slice(1),
    );
    const last = run((each[2] as Tensor[])[0] as Tensor, ...(each[0] as Tensor[]).slice(1));
    last.data.forEach((value, place) => {
      const got = shared.data[2 * last.size + place] as number;
      if (Number.isFinite(value)) expect(Math.abs(got - value)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(value)));
    });
  });
});
