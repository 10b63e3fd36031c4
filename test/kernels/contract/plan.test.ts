// Planning of contractions: residue classes cover every step once, roles follow the output, tiles and blocks fit.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bind } from "../../../src/formula/bind/bind.ts";
import { deriveGradient } from "../../../src/formula/gradient/derive.ts";
import { parseFormula } from "../../../src/formula/parse.ts";
import { chooseBlocking, chooseTile, evenly, splitRows } from "../../../src/kernels/contract/blocking.ts";
import { productOf } from "../../../src/kernels/contract/classify.ts";
import { residueClasses } from "../../../src/kernels/contract/divided.ts";
import { matchContraction } from "../../../src/kernels/contract/index.ts";
import { planContraction } from "../../../src/kernels/contract/plan.ts";
import { mergeAxes } from "../../../src/kernels/contract/tables.ts";
import type { AffineIndex } from "../../../src/nest/nest.ts";
import { machine } from "./run.ts";

const tensor = (...shape: number[]) => ({ dtype: "float32" as const, shape });
const nestOf = (source: string, inputs: Record<string, ReturnType<typeof tensor>>, sizes = {}, resultShape?: number[]) =>
  bind(parseFormula(source), { name: "test", inputs, sizes, ...(resultShape && { resultShape }) }).operations[0]!.nest;

describe("residue classes", () => {
  it("visit exactly the steps whose division is exact, each once", () => {
    const extents = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 3, maxLength: 3 });
    const term = (axis: number) => fc.integer({ min: -3, max: 3 }).map((coefficient) => ({ axis, coefficient }));
    const index = fc.record({
      terms: fc.tuple(term(0), term(1), term(2)).map((terms) => terms.filter(({ coefficient }) => coefficient !== 0)),
      offset: fc.integer({ min: -5, max: 5 }),
      divisor: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(extents, fc.array(index, { minLength: 1, maxLength: 2 }), (counts, list) => {
        const indices = list.map((item): AffineIndex => ({ kind: "affine", checked: true, ...item }));
        const classes = residueClasses(counts, 2, indices);
        if (classes === undefined) return;
        const seen = new Map<string, number>();
        const heads = new Set<string>();
        for (const { free, segments } of classes) {
          steps(free).forEach((at) => void heads.add(at.join()));
          for (const segment of segments) for (const at of steps(segment)) seen.set(at.join(), (seen.get(at.join()) ?? 0) + 1);
        }
        const whole = { extents: counts, factors: [1, 1, 1], residues: [0, 0, 0] };
        for (const at of steps(whole)) {
          const exact = indices.every(
            ({ terms, offset, divisor }) => terms.reduce((sum, t) => sum + t.coefficient * at[t.axis]!, offset) % divisor === 0,
          );
          expect(seen.get(at.join()) ?? 0).toBe(exact ? 1 : 0);
          expect(heads.has(at.slice(0, 2).join())).toBe(true);
        }
      }),
    );
  });

  it("do a strided convolution's gradient without a multiplication by a missing value", () => {
    const formula = parseFormula("y[n, o, i, j] = sum[c, p, q](x[n, c, i*2 + p - 1, j*2 + q - 1] * w[o, c, p, q])");
    const [gradient] = deriveGradient(formula, "x");
    const inputs = { gy: tensor(2, 5, 6, 6), w: tensor(5, 3, 3, 3) };
    const program = bind(gradient!, { name: "gx", inputs, resultShape: [2, 3, 12, 12] });
    const plan = planContraction(program.operations[0]!.nest)!;
    expect(plan.classes).toHaveLength(4);
    // Nine taps fall on four classes of a quarter of the positions each: 9/4 taps per position.
    expect(plan.flops).toBe((2 * 2 * 5 * 3 * 12 * 12 * 9) / 4);
  });
});

function steps({
  extents,
  factors,
  residues,
}: {
  extents: readonly number[];
  factors: readonly number[];
  residues: readonly number[];
}): number[][] {
  return extents.reduce<number[][]>(
    (heads, extent, axis) =>
      heads.flatMap((head) => Array.from({ length: extent }, (_, step) => [...head, factors[axis]! * step + residues[axis]!])),
    [[]],
  );
}

describe("classification", () => {
  it("puts the output's contiguous axis among the columns", () => {
    const plan = planContraction(nestOf("y[n, m] = sum[k](a[m, k] * b[k, n])", { a: tensor(30, 40), b: tensor(40, 50) }))!;
    // m is contiguous in the output, so a gives the columns and b the rows.
    expect([plan.a, plan.b]).toEqual([1, 0]);
    expect(plan.classes[0]).toMatchObject({ batch: 1, m: 50, n: 30 });
  });

  it("sorts a convolution's axes", () => {
    const nest = nestOf(
      "y[n, o, i, j] = sum[c, p, q](x[n, c, i + p - 1, j + q - 1] * w[o, c, p, q])",
      { x: tensor(2, 3, 8, 8), w: tensor(5, 3, 3, 3) },
      {},
      [2, 5, 8, 8],
    );
    const plan = planContraction(nest)!;
    const names = (axes: readonly number[]) => axes.map((axis) => nest.axes[axis]!.name);
    expect(names(plan.roles.m)).toEqual(["o"]);
    expect(names(plan.roles.n)).toEqual(["n", "i", "j"]);
    expect(names(plan.roles.k)).toEqual(["c", "p", "q"]);
    expect(plan.classes[0]!.segments[0]!.b.checks).toHaveLength(2);
    expect(plan.classes[0]!.segments[0]!.a.checks).toHaveLength(0);
  });

  it("takes constants and params out of the product and declines anything else", () => {
    const inputs = { a: tensor(3, 4), b: tensor(4, 5) };
    const body = nestOf("y[m, n] = sum[k](a[m, k] * 2 * -b[k, n])", inputs).body;
    expect(productOf(body)?.scale).toBeDefined();
    expect(planContraction(nestOf("y[m, n] = sum[k](a[m, k] + b[k, n])", inputs))).toBeUndefined();
    expect(planContraction(nestOf("y[m, n] = max[k](a[m, k] * b[k, n])", inputs))).toBeUndefined();
    expect(planContraction(nestOf("y[m] = sum[k](a[m, k])", inputs))).toBeUndefined();
  });
});

describe("the choice between the engine and the general lowering", () => {
  const product = (m: number, k: number, n: number) => nestOf("y[m, n] = sum[k](a[m, k] * b[k, n])", { a: tensor(m, k), b: tensor(k, n) });
  it.each([
    [64, 64, 64],
    [2, 512, 512],
    [128, 784, 10],
    [8, 8, 8],
  ])("%i×%i×%i goes to the engine", (m, k, n) => {
    expect(matchContraction(product(m, k, n), machine)).toBeDefined();
  });
  it.each([
    [1, 512, 512],
    [512, 512, 1],
    [3, 3, 3],
    [1024, 1, 1024],
    [0, 4, 4],
    [4, 0, 4],
  ])("%i×%i×%i does not", (m, k, n) => {
    expect(matchContraction(product(m, k, n), machine)).toBeUndefined();
  });
});

describe("blocking", () => {
  it("splits rows into tiles of nearly equal height", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 9 }), (m, most) => {
        const { height, count, tall } = splitRows(m, most);
        expect(height).toBeLessThanOrEqual(most);
        expect(tall).toBeGreaterThan(0);
        expect(tall).toBeLessThanOrEqual(count);
        expect(tall * height + (count - tall) * (height - 1)).toBe(m);
      }),
    );
  });

  it("keeps tiles within the registers and blocks within the caches", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 9000 }), (m, n, k) => {
        const tile = chooseTile(machine, m, n);
        // WebAssembly engines load all rows of a step before they use them; machine code broadcasts one at a time.
        const rows = machine.name === "wasm" ? tile.rows : 1;
        expect(tile.rows * tile.vectors + tile.vectors + rows).toBeLessThan(machine.registers);
        const b = chooseBlocking(machine, m, n, k);
        expect(b.columnsPerBlock % b.width).toBe(0);
        expect((b.width + b.rows.height) * b.depth * 4).toBeLessThanOrEqual(machine.caches[0]);
        expect(b.rowTilesPerBlock * b.rows.height * b.depth * 4).toBeLessThanOrEqual(machine.caches[1]);
      }),
    );
  });

  it("gives few columns a narrow tile", () => {
    expect(chooseTile(machine, 1000, 3).vectors).toBe(1);
    expect(chooseTile(machine, 1000, 1000)).toEqual(machine.tile);
    expect(evenly(1000, 300)).toBe(250);
  });
});

describe("axes", () => {
  it("merge when every column walks them in one stride", () => {
    const columns = [
      { base: 1, steps: [12, 4, 1] },
      { base: 0, steps: [24, 8, 2] },
    ];
    expect(mergeAxes([5, 3, 4], columns)).toEqual({
      extents: [60],
      columns: [
        { base: 1, steps: [1] },
        { base: 0, steps: [2] },
      ],
    });
    expect(mergeAxes([5, 3, 4], [columns[0]!, { base: 0, steps: [0, 8, 2] }]).extents).toEqual([5, 12]);
  });
});
