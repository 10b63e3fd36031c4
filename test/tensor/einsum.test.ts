// einsum against naive loops, for random subscripts with repeated letters, batches and scalar results.

import fc from "fast-check";
import { expect, it } from "vitest";
import { einsum, gradients, setBackend, type Tensor, tensor } from "../../src/index.ts";
import { messageOf, onEveryBackend } from "./support.ts";

/** Extents by letter: all different, so that a mix-up shows. */
const EXTENTS: Readonly<Record<string, number>> = { a: 2, b: 3, c: 4, d: 1, e: 5 };
const LETTERS = Object.keys(EXTENTS);

const filled = (shape: readonly number[], seed: number): Tensor =>
  tensor(
    Float64Array.from({ length: shape.reduce((x, y) => x * y, 1) }, (_, n) => Math.sin(seed + n * 1.7)),
    shape,
  ) as Tensor;

/** Sums over all letters in nested loops. */
function naive(operands: readonly string[], result: string, tensors: readonly Tensor[]): number[] {
  const letters = [...new Set([...result, ...operands.join("")])];
  const total = new Array<number>([...result].reduce((size, letter) => size * (EXTENTS[letter] as number), 1)).fill(0);
  const at: Record<string, number> = {};
  const place = (text: string): number =>
    [...text].reduce((offset, letter) => offset * (EXTENTS[letter] as number) + (at[letter] as number), 0);
  const walk = (depth: number): void => {
    const letter = letters[depth];
    if (letter === undefined) {
      const product = operands.reduce((value, text, n) => value * ((tensors[n] as Tensor).data[place(text)] as number), 1);
      total[place(result)] = (total[place(result)] as number) + product;
      return;
    }
    for (let step = 0; step < (EXTENTS[letter] as number); step++) {
      at[letter] = step;
      walk(depth + 1);
    }
  };
  walk(0);
  return total;
}

const subscript = fc.array(fc.constantFrom(...LETTERS), { maxLength: 3 }).map((letters) => letters.join(""));
const expression = fc
  .array(subscript, { minLength: 1, maxLength: 3 })
  .chain((operands) => fc.shuffledSubarray([...new Set(operands.join(""))]).map((result) => ({ operands, result: result.join("") })));

onEveryBackend("einsum", () => {
  it("equals nested loops for any subscripts", () => {
    fc.assert(
      fc.property(expression, ({ operands, result }) => {
        const tensors = operands.map((text, n) =>
          filled(
            [...text].map((letter) => EXTENTS[letter] as number),
            n + 1,
          ),
        );
        const y = einsum(`${operands.join(",")}->${result}`, ...tensors.map((t) => t.to("float32")));
        expect(y.shape).toEqual([...result].map((letter) => EXTENTS[letter]));
        naive(operands, result, tensors).forEach((value, n) => expect(y.data[n]).toBeCloseTo(value, 4));
      }),
      { numRuns: 150 },
    );
  });

  it("traces, transposes, takes diagonals and sums with one operand", () => {
    const m = tensor([
      [1, 2],
      [3, 4],
    ]) as Tensor;
    expect(einsum("ii->", m).item()).toBe(5);
    expect(einsum("ij->ji", m).toArray()).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(einsum("ii->i", m).toArray()).toEqual([1, 4]);
    expect(einsum("ij->", m).item()).toBe(10);
    expect(einsum("ij->j", m).toArray()).toEqual([4, 6]);
    expect(einsum("ij,ij->", m, m).item()).toBe(30);
    expect(einsum("i , j -> ij", tensor([1, 2]), tensor([3, 4])).toArray()).toEqual([
      [3, 4],
      [6, 8],
    ]);
    expect(einsum("...ij,...jk->...ik", m, m).toArray()).toEqual([
      [7, 10],
      [15, 22],
    ]);
    expect(einsum("...i->...", m).toArray()).toEqual([3, 7]);
  });

  it("says what is wrong", () => {
    const m = tensor([
      [1, 2],
      [3, 4],
    ]) as Tensor;
    expect(messageOf(() => einsum("ij->k", m))).toContain("output axis k appears in no operand");
    expect(messageOf(() => einsum("ij,jk->ik", m))).toContain("einsum takes 2 tensors (x0, x1), got 1");
    expect(messageOf(() => einsum("ij->ij->i", m))).toContain("expected subscripts such as");
    expect(messageOf(() => einsum("i1->i", m))).toContain("expected subscripts such as");
    expect(messageOf(() => einsum("ij,jk->ik", m, tensor([[1, 2, 3]]) as Tensor))).toContain("2 and 1 differ");
    expect(messageOf(() => einsum("ijk->i", m))).toContain("must have 3 dimensions, got shape [2, 2]");
    expect(messageOf(() => einsum("ij->ii", m))).toContain("an output axis appears twice");
  });
});

it("einsum's gradients equal those of loops", () => {
  setBackend("reference");
  fc.assert(
    fc.property(expression, ({ operands, result }) => {
      const tensors = operands.map((text, n) =>
        filled(
          [...text].map((letter) => EXTENTS[letter] as number),
          n + 1,
        ),
      );
      const inputs = tensors.map((t) => tensor(Float64Array.from(t.data), t.shape, { requiresGrad: true }) as Tensor);
      const y = einsum(`${operands.join(",")}->${result}`, ...inputs);
      const found = gradients(y.sum(), inputs);
      // The result is linear in every operand: moving one element by 1 gives its gradient.
      inputs.forEach((input, n) => {
        const changed = tensors.map((t) => t);
        const place = Math.floor(input.size / 2);
        const data = Float64Array.from(input.data);
        data[place] = (data[place] as number) + 1;
        changed[n] = tensor(data, input.shape) as Tensor;
        const slope =
          naive(operands, result, changed).reduce((a, b) => a + b, 0) - naive(operands, result, tensors).reduce((a, b) => a + b, 0);
        expect(found[n]?.data[place]).toBeCloseTo(slope, 8);
      });
    }),
    { numRuns: 100 },
  );
});
