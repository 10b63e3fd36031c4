// Conversions between dtypes: eager and compiled, with gradients, under vmap, on every backend.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { availableBackends, getBackend } from "../../src/backends/choose.ts";
import { compile, type DType, grad, setBackend, type Tensor, tensor, vmap } from "../../src/index.ts";
import { roundToBfloat16 } from "../../src/nest/bfloat16.ts";

const before = getBackend().name;
const numbers = [1.9, -1.9, 0, 0.1, 300.5, 1e10, -1e10, Number.NaN, Number.POSITIVE_INFINITY, 3e-39];
const dtypes: readonly DType[] = ["float32", "float64", "bfloat16", "int32", "uint8", "bool"];

/** What each dtype makes of the numbers. */
const converted: Readonly<Record<DType, (number: number) => number>> = {
  float32: Math.fround,
  float64: (number) => number,
  bfloat16: roundToBfloat16,
  int32: whole,
  uint8: (number) => Math.max(0, Math.min(255, whole(number))),
  bool: (number) => Number(number !== 0),
};

for (const name of availableBackends())
  describe(`conversions on ${name}`, () => {
    beforeAll(() => setBackend(name));
    afterAll(() => setBackend(before));

    for (const from of dtypes)
      for (const to of dtypes)
        it(`${from} to ${to}, eager and compiled`, () => {
          const given = tensor(
            numbers.map((number) => (from === "uint8" ? converted.uint8(number) : converted[from](number))),
            { dtype: from },
          );
          const expected = [...given.data].map(converted[to]);
          const eager = given.to(to);
          const compiled = compile((x: Tensor) => x.to(to).reshape([2, 5]))(given);
          expect(eager.dtype).toBe(to);
          expect(compiled.dtype).toBe(to);
          expect([...eager.data]).toEqual(expected);
          expect([...compiled.data]).toEqual(expected);
        });

    it("carry gradients back in the dtype they came from", () => {
      const x = tensor([1, 2, 3], { requiresGrad: true });
      const loss = (): Tensor =>
        x
          .to("float64")
          .mul(tensor([0.1, 0.2, 0.3], { dtype: "float64" }))
          .to("float32")
          .square()
          .sum();
      loss().backward();
      const eager = x.grad as Tensor;
      const step = compile(() => {
        x.zeroGrad();
        loss().backward();
        return x.grad as Tensor;
      });
      const compiled = step();
      for (const gradient of [eager, compiled]) {
        expect(gradient.dtype).toBe("float32");
        [0.02, 0.16, 0.54].forEach((wanted, n) => expect(gradient.data[n]).toBeCloseTo(wanted, 6));
      }
    });

    it("round where they pass through float32, also when compiled", () => {
      const through = (x: Tensor): Tensor => x.to("float32").to("float64").add(x.mul(0).to("float32").to("float64"));
      const third = tensor([1 / 3], { dtype: "float64" });
      expect(through(third).item()).toBe(Math.fround(1 / 3));
      expect(compile(through)(third).item()).toBe(Math.fround(1 / 3));
    });

    it("work under vmap, with gradients", () => {
      const slope = vmap(grad((x: Tensor) => x.to("float64").square().sum().to("float32")));
      const found = slope(
        tensor([
          [1, 2],
          [3, 4],
        ]),
      );
      expect(found.dtype).toBe("float32");
      expect(found.toArray()).toEqual([
        [2, 4],
        [6, 8],
      ]);
    });
  });

function whole(number: number): number {
  return Math.max(-2147483648, Math.min(2147483647, Math.trunc(number))) | 0;
}
