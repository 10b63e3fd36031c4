// Encodings of tables: categories, one-hot rows, imputed values, joined columns, statistics per channel, all through JSON.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CategoryEncoder, Dataset, Imputer, joinColumns, mapField, ndArray, oneHot, Standardizer } from "../../src/data/index.ts";
import { InputError } from "../../src/util/errors.ts";

const through = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("oneHot", () => {
  it("adds an axis of classes", () => {
    const rows = oneHot(ndArray(Int32Array.of(2, 0, 1, 1), [2, 2]), 3);
    expect(rows.shape).toEqual([2, 2, 3]);
    expect([...rows.data]).toEqual([0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0]);
    expect(() => oneHot(ndArray(Int32Array.of(0, 3), [2]), 3)).toThrow("from 0 to 2, got 3 at position 1");
    expect(() => oneHot(ndArray(Float32Array.of(0.5), [1]), 3)).toThrow(InputError);
  });
});

describe("CategoryEncoder", () => {
  it("numbers categories and gives them back", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.integer()), { minLength: 1 }), (values) => {
        const encoder = CategoryEncoder.fromJSON(through(CategoryEncoder.fit(values)));
        expect(encoder.decode(encoder.encode(values).data)).toEqual(values);
        const { shape, data } = encoder.oneHot(values);
        expect(shape).toEqual([values.length, new Set(values).size]);
        expect(data.reduce((sum, value) => sum + value, 0)).toBe(values.length);
      }),
    );
    expect(CategoryEncoder.fit(["b", "a", "é", 10, 9]).categories).toEqual([9, 10, "a", "b", "é"]);
  });

  it("rejects unknown values, or gives zeros when asked", () => {
    expect(() => CategoryEncoder.fit(["red", "green"]).encode(["red", "gren"])).toThrow(/"gren" at position 1 .*\n.*"green"/);
    const open = CategoryEncoder.fit(["red", "green"], { unknown: "zeros" });
    expect([...open.encode(["blue", "red"]).data]).toEqual([-1, 1]);
    expect([...CategoryEncoder.fromJSON(through(open)).oneHot(["blue", "red"]).data]).toEqual([0, 0, 0, 1]);
    expect(() => open.decode([-1])).toThrow(InputError);
  });

  it("rejects no values and damaged files", () => {
    expect(() => CategoryEncoder.fit([])).toThrow("at least one category");
    for (const state of [
      null,
      {},
      { categories: [] },
      { categories: ["a", "a"] },
      { categories: [null] },
      { categories: ["a"], unknown: "x" },
    ]) {
      expect(() => CategoryEncoder.fromJSON(state)).toThrow(InputError);
    }
  });
});

describe("Imputer", () => {
  const table = ndArray(Float32Array.of(1, 5, Number.NaN, 5, 2, Number.NaN, 6, 8), [4, 2]);

  it("puts mean, median or most frequent value where one is missing", () => {
    expect(Imputer.fit(table).values).toEqual([3, 6]);
    expect(Imputer.fit(table, "median").values).toEqual([2, 5]);
    expect(Imputer.fit(ndArray(Float32Array.of(4, 1, 2, 3), [4, 1]), "median").values).toEqual([2.5]);
    expect(Imputer.fit(table, "mostFrequent").values).toEqual([1, 5]);
    const fill = Imputer.fromJSON(through(Imputer.fit(table)));
    expect([...fill.apply(table).data]).toEqual([1, 5, 3, 5, 2, 6, 6, 8]);
    const data = new Dataset({ x: table }, { allowNonFinite: true, columnNames: ["a", "b"] }).map(mapField("x", (x) => fill.apply(x)));
    expect(data.columnNames).toEqual(["a", "b"]);
  });

  it("needs a value to learn from", () => {
    expect(() => Imputer.fit(ndArray(Float32Array.of(1, Number.NaN), [1, 2]))).toThrow("column 1 has no value");
    expect(() => Imputer.fit(ndArray(new Float32Array(0), [0, 2]))).toThrow(InputError);
    expect(() => Imputer.fit(ndArray(Float32Array.of(Number.POSITIVE_INFINITY), [1, 1]))).toThrow("finite");
    expect(() => Imputer.fit(table).apply(ndArray(new Float32Array(3), [1, 3]))).toThrow("fitted on 2 columns");
    for (const state of [null, {}, { values: [] }, { values: ["1"] }]) expect(() => Imputer.fromJSON(state)).toThrow(InputError);
  });
});

it("joinColumns puts tables side by side", () => {
  const joined = joinColumns(ndArray(Float32Array.of(1, 2, 3, 4), [2, 2]), ndArray(Int32Array.of(7, 8), [2]));
  expect(joined).toEqual({ shape: [2, 3], data: Float64Array.of(1, 2, 7, 3, 4, 8) });
  expect(joinColumns(ndArray(Float32Array.of(1), [1]), ndArray(Uint8Array.of(2), [1])).data).toEqual(Float32Array.of(1, 2));
  expect(() => joinColumns(ndArray(new Float32Array(2), [2]), ndArray(new Float32Array(3), [3]))).toThrow("got [2], [3]");
  expect(() => joinColumns()).toThrow(InputError);
});

it("Standardizer counts channels on the axis it is given", () => {
  const images = ndArray(Float32Array.of(1, 3, 10, 30, 5, 7, 50, 70), [2, 2, 1, 2]);
  const scale = Standardizer.fromJSON(through(Standardizer.fit(images, { axis: 1 })));
  expect(scale.mean).toEqual([4, 40]);
  const result = scale.apply(images);
  expect(Standardizer.fit(result, { axis: 1 }).mean.every((mean) => Math.abs(mean) < 1e-6)).toBe(true);
  for (const [index, value] of scale.invert(result).data.entries()) expect(value).toBeCloseTo(images.data[index] as number, 5);
  expect(() => Standardizer.fit(images, { axis: 4 })).toThrow("axis 4");
  expect(() => Standardizer.fromJSON({ mean: [0], deviation: [1], axis: -1 })).toThrow(InputError);
});

it.each([-320, -300, -160, -15, 0, 15, 160, 300])("Standardizer takes measurements in any unit: 10^%s", (exponent) => {
  const unit = 10 ** exponent;
  const given = Float64Array.from([1, 3, 5, 7], (value) => value * unit);
  const scale = Standardizer.fit(ndArray(given, [4, 1]));
  expect(scale.deviation[0]! / unit).toBeCloseTo(Math.sqrt(5), exponent < -310 ? 2 : 10);
  const { data } = scale.apply(ndArray(given, [4, 1]));
  expect([...data].map((value) => Number(value.toPrecision(3)))).toEqual([-1.34, -0.447, 0.447, 1.34]);
});

it("Standardizer leaves a constant column, and names one that is too wide", () => {
  const constant = Standardizer.fit(ndArray(Float64Array.of(0.1, 1e300, 0.1, 1e300, 0.1, 1e300), [3, 2]));
  expect(constant.deviation).toEqual([1, 1]);
  expect(() => Standardizer.fit(ndArray(Float64Array.of(0, 1.7e308, 0, -1.7e308, 0, -1.7e308), [3, 2]))).toThrow(
    /column 1: its values are too far apart/,
  );
});
