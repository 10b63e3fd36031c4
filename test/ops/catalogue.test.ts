// The catalogue: complete, unique names, examples that run and give the numbers they claim.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { applyOp, tensor } from "../../src/index.ts";
import { type CatalogueEntry, catalogue, findOp } from "../../src/ops/catalogue.ts";

const folder = new URL("../../src/ops/", import.meta.url);
/** Files of the folder that hold no rows. */
const WITHOUT_ROWS = ["op.ts", "catalogue.ts", "index.ts"];

const run = (entry: CatalogueEntry): ReturnType<typeof applyOp> =>
  applyOp(
    entry.op,
    Object.values(entry.example.inputs).map(({ data, shape, dtype }) => tensor([...data], shape, { dtype })),
    entry.example.attributes,
    entry.example.resultShape,
  );

const result = (name: string): unknown => run(findOp(name) as CatalogueEntry).toArray();

describe("the catalogue", () => {
  it("has every op and family that a file of src/ops exports", async () => {
    const listed = new Set(catalogue.map((entry) => `${entry.file} ${entry.exported}`));
    const missing: string[] = [];
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".ts") && !WITHOUT_ROWS.includes(name))) {
      const module = (await import(new URL(file, folder).href)) as Record<string, unknown>;
      for (const exported of Object.keys(module)) if (!listed.has(`src/ops/${file} ${exported}`)) missing.push(`${file}: ${exported}`);
    }
    expect(missing).toEqual([]);
    expect(catalogue.length).toBeGreaterThan(110);
  });

  it("names every entry once, and the place of its row", () => {
    const names = catalogue.map((entry) => entry.name);
    expect(names.filter((name, n) => names.indexOf(name) !== n)).toEqual([]);
    for (const { file, exported } of catalogue)
      expect(readFileSync(new URL(`../../${file}`, import.meta.url), "utf8")).toContain(`export const ${exported} =`);
  });

  it("finds entries by name and by export", () => {
    expect(findOp("conv2d")?.file).toBe("src/ops/contractions.ts");
    expect(findOp("convolution")?.name).toBe("conv1d");
    expect(findOp("isNaN_")?.name).toBe("isNaN");
    expect(findOp("nothing")).toBeUndefined();
  });

  it.each(catalogue)("$name: has a doc, an example for every input, and the example runs", (entry) => {
    expect(entry.op.doc.en).toMatch(/^\S.*\.$/);
    expect(Object.keys(entry.example.inputs)).toEqual(entry.op.formula.inputs);
    for (const { shape, data } of Object.values(entry.example.inputs)) expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
    const y = run(entry);
    expect(y.size).toBeGreaterThan(0);
    expect([...y.data].filter((value) => !Number.isFinite(value))).toEqual([]);
    if (entry.example.resultShape) expect(y.shape).toEqual(entry.example.resultShape);
  });

  it("shows examples whose results can be checked by hand", () => {
    expect(result("mod")).toEqual([1, 2, -0.5]);
    expect(result("round")).toEqual([-2, 0, 0, 2, 2].map((value, n) => (n === 1 ? -0 : value)));
    expect(result("linear")).toEqual([[11, -14]]);
    expect(result("conv2d")).toEqual([
      [
        [
          [4 * 2 + 1 - 5, 3 - 4 + 14, 2 - 7 + 2],
          [5 - 2 + 16, 4 - 8 + 12, 7 - 6 + 6],
          [2 - 0 + 2, 8 - 1 + 18, 6 - 9 + 8],
        ],
      ],
    ]);
    expect(result("convTranspose1d")).toEqual([[[1, 10, 2, 20, 3, 30]]]);
    expect(result("maxPool2d")).toEqual([
      [
        [
          [5, 7],
          [8, 9],
        ],
      ],
    ]);
    expect(result("averagePool2d")).toEqual([
      [
        [
          [13 / 4, 10 / 4],
          [11 / 4, 22 / 4],
        ],
      ],
    ]);
    expect(result("slice")).toEqual([
      [4, 3, 2],
      [12, 11, 10],
    ]);
    expect(result("pad")).toEqual([0, 1, 2, 3, 0, 0]);
    expect(result("concatenate")).toEqual([
      [1, 2],
      [1, 2],
      [3, 4],
    ]);
    expect(result("scatterAdd")).toEqual([
      [3, 4],
      [6, 8],
    ]);
    expect(result("einsumTrace")).toEqual(15);
  });
});
