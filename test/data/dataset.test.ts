// Datasets, loaders and the standardizer: every sample once, orders that repeat, honest splits, errors with a place.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NdArray } from "../../src/data/index.ts";
import { DataLoader, Dataset, Standardizer } from "../../src/data/index.ts";
import { InputError } from "../../src/util/errors.ts";

type XY = { readonly x: NdArray<Float32Array>; readonly y: NdArray<Int32Array> };

/** Row i holds [i, -i] and has label i modulo `classes`. */
function numbered(count: number, classes = 3): Dataset<XY> {
  const x = {
    shape: [count, 2],
    data: Float32Array.from({ length: 2 * count }, (_, index) => (index % 2 === 0 ? index / 2 : -(index - 1) / 2)),
  };
  const y = { shape: [count], data: Int32Array.from({ length: count }, (_, index) => index % classes) };
  return new Dataset({ x, y }, { classNames: Array.from({ length: classes }, (_, index) => `class ${index}`) });
}

/** The row numbers in batches of `numbered`, after checking that fields stayed together. */
function rowsOf(batches: Iterable<XY>, classes = 3): number[] {
  const rows: number[] = [];
  for (const { x, y } of batches) {
    expect(x.shape).toEqual([y.shape[0], 2]);
    for (const [index, label] of y.data.entries()) {
      const row = x.data[2 * index] as number;
      expect(x.data[2 * index + 1]).toBeCloseTo(-row, 10);
      expect(label).toBe(row % classes);
      rows.push(row);
    }
  }
  return rows;
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);

describe("Dataset", () => {
  it("gives views that copy only what is asked for", () => {
    const view = numbered(10).subset([7, 2, 7]).subset([2, 1]);
    expect(view.size).toBe(2);
    expect(rowsOf([view.fields])).toEqual([7, 2]);
    expect(rowsOf([view.gather([1])])).toEqual([2]);
    expect(rowsOf([numbered(10).slice(3, 6).fields])).toEqual([3, 4, 5]);
    expect(view.classNames).toEqual(["class 0", "class 1", "class 2"]);
  });

  it("splits into parts without a common sample, the same way for the same seed", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 60 }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        fc.nat(1000),
        fc.boolean(),
        (count, fraction, seed, stratify) => {
          const [first, second] = numbered(count).split(fraction, { seed, stratify });
          expect(first.size).toBe(Math.min(count - 1, Math.max(1, Math.round(count * fraction))));
          expect(sorted([...rowsOf([first.fields]), ...rowsOf([second.fields])])).toEqual(upTo(count));
          const [again] = numbered(count).split(fraction, { seed, stratify });
          expect(rowsOf([again.fields])).toEqual(rowsOf([first.fields]));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("keeps the share of rare classes when stratified", () => {
    const count = 1000;
    const y = { shape: [count], data: Int32Array.from({ length: count }, (_, index) => (index % 50 === 0 ? 1 : 0)) };
    const x = { shape: [count, 1], data: new Float32Array(count) };
    const [train, test] = new Dataset({ x, y }, { classNames: ["common", "rare"] }).split(0.8, { seed: 3 });
    const rare = (part: Dataset<XY>) => part.fields.y.data.filter((label) => label === 1).length;
    expect([rare(train), rare(test)]).toEqual([16, 4]);
  });

  it("keeps the order when asked", () => {
    const [first, second] = numbered(10).split(0.7, { inOrder: true });
    expect(rowsOf([first.fields])).toEqual(upTo(7));
    expect(rowsOf([second.fields])).toEqual([7, 8, 9]);
  });

  const x = { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) };
  const y = { shape: [2], data: Int32Array.of(0, 1) };
  it.each([
    ["no fields", () => new Dataset({}), /expected at least one field/],
    ["nested arrays", () => new Dataset({ x: [[1, 2]] as never }), /field "x" must be numbers with their shape[\s\S]*tensor\(\[…\]\)/],
    ["no samples", () => new Dataset({ x: { shape: [0, 3], data: new Float32Array(0) } }), /at least one sample, got none/],
    ["unequal lengths", () => new Dataset({ x, y: { shape: [3], data: new Int32Array(3) } }), /same number of samples, got x 2, y 3/],
    ["a shape that does not fit", () => new Dataset({ x: { shape: [2, 3], data: new Float32Array(4) } }), /shape \[2, 3\] but 4 values/],
    ["a label without a class", () => new Dataset({ x, y }, { classNames: ["only"] }), /class indices from 0 to 0, got 1 at sample 1/],
    [
      "a negative label",
      () => new Dataset({ x, y: { shape: [2], data: Int32Array.of(0, -1) } }, { classNames: ["a", "b"] }),
      /got -1 at sample 1/,
    ],
    [
      "NaN",
      () => new Dataset({ x: { shape: [2, 2], data: Float32Array.of(1, 2, 3, Number.NaN) } }, { columnNames: ["age", "smell"] }),
      /field "x": expected finite numbers, got NaN at sample 1, column "smell"/,
    ],
    ["wrong column names", () => new Dataset({ x }, { columnNames: ["age"] }), /1 column names for x of shape \[2, 2\]/],
    ["an empty subset", () => numbered(3).subset([]), /at least one sample, got none/],
    ["a position outside", () => numbered(3).subset([3]), /positions from 0 to 2, got 3/],
    ["a fraction of one", () => numbered(3).split(1), /fraction between 0 and 1, got 1/],
    ["a split of one sample", () => numbered(1).split(0.5), /at least two samples, got 1/],
    ["stratifying without labels", () => new Dataset({ x }).split(0.5, { stratify: true }), /class indices .* in a field y/],
  ])("refuses %s", (_, run, message) => {
    expect(run).toThrow(InputError);
    expect(run).toThrow(message);
  });

  it("lets NaN through when told to", () => {
    expect(new Dataset({ x: { shape: [1], data: Float32Array.of(Number.NaN) } }, { allowNonFinite: true }).size).toBe(1);
  });
});

describe("DataLoader", () => {
  it("covers every sample exactly once per epoch", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 45 }), fc.boolean(), (count, batchSize, shuffle) => {
        const loader = new DataLoader(numbered(count), { batchSize, shuffle });
        const batches = [...loader];
        expect(batches).toHaveLength(loader.length as number);
        expect(sorted(rowsOf(batches))).toEqual(upTo(count));
      }),
      { numRuns: 200 },
    );
  });

  it("drops a small last batch when asked", () => {
    const batches = [...new DataLoader(numbered(10), { batchSize: 4, dropLast: true })];
    expect(batches.map(({ y }) => y.shape[0])).toEqual([4, 4]);
    expect(() => new DataLoader(numbered(3), { batchSize: 4, dropLast: true })).toThrow(/dropLast leaves no batch: 3 samples, batchSize 4/);
  });

  it("takes a new order each epoch, and the same one again when set back", () => {
    const loader = new DataLoader(numbered(50), { batchSize: 8, shuffle: true, seed: 5 });
    const epochs = [rowsOf(loader), rowsOf(loader), rowsOf(loader)];
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect(epochs[0]).not.toEqual(upTo(50));
    expect(loader.epoch).toBe(3);
    const resumed = new DataLoader(numbered(50), { batchSize: 8, shuffle: true, seed: 5, epoch: 1 });
    expect(rowsOf(resumed)).toEqual(epochs[1]);
    expect(rowsOf(resumed.batches({ epoch: 2, skip: 3 }))).toEqual((epochs[2] as number[]).slice(24));
    expect(rowsOf(new DataLoader(numbered(50), { batchSize: 8, shuffle: true, seed: 6 }))).not.toEqual(epochs[0]);
  });

  it("gives every batch arrays of its own", () => {
    const dataset = numbered(4);
    for (const { x } of new DataLoader(dataset, { batchSize: 2 })) x.data.fill(99);
    expect(rowsOf([dataset.fields])).toEqual(upTo(4));
  });

  it("gives the same batches asynchronously", async () => {
    const options = { batchSize: 3, shuffle: true, seed: 2 };
    const batches: XY[] = [];
    for await (const batch of new DataLoader(numbered(11), options)) batches.push(batch);
    expect(batches).toEqual([...new DataLoader(numbered(11), options)]);
  });

  async function* stream(count: number): AsyncGenerator<XY> {
    for (let row = 0; row < count; row++) {
      yield { x: { shape: [2], data: Float32Array.of(row, -row) }, y: { shape: [], data: Int32Array.of(row % 3) } };
    }
  }

  it("batches a stream of samples, in order or shuffled within a window", async () => {
    const collect = async (loader: DataLoader<XY>) => {
      const batches: XY[] = [];
      for await (const batch of loader) batches.push(batch);
      return batches;
    };
    const plain = await collect(new DataLoader(stream(10), { batchSize: 4 }));
    expect(plain.map(({ y }) => y.shape)).toEqual([[4], [4], [2]]);
    expect(rowsOf(plain)).toEqual(upTo(10));
    const shuffled = await collect(new DataLoader(stream(40), { batchSize: 4, shuffle: true, shuffleWindow: 8, seed: 1 }));
    expect(sorted(rowsOf(shuffled))).toEqual(upTo(40));
    expect(rowsOf(shuffled)).not.toEqual(upTo(40));
    expect(new DataLoader(stream(1), { batchSize: 1 }).length).toBeUndefined();
    expect(() => [...new DataLoader(stream(3), { batchSize: 2 })]).toThrow(/only be read with for await/);
  });

  it("stops the stream when the loop stops", async () => {
    let closed = false;
    async function* endless(): AsyncGenerator<XY> {
      try {
        for (;;) yield* stream(5);
      } finally {
        closed = true;
      }
    }
    for await (const _ of new DataLoader(endless(), { batchSize: 2 })) break;
    expect(closed).toBe(true);
  });

  it.each([0, -1, 1.5, Number.NaN, "8" as unknown as number])("refuses a batch size of %s", (batchSize) => {
    expect(() => new DataLoader(numbered(3), { batchSize })).toThrow(/batchSize: expected a whole number of at least 1/);
  });
});

describe("Standardizer", () => {
  const values = { shape: [4, 2], data: Float32Array.of(1, 10, 2, 10, 3, 10, 6, 10) };

  it("brings columns to mean 0 and deviation 1, and leaves constant ones at 0", () => {
    const scale = Standardizer.fit(values);
    expect(scale.mean).toEqual([3, 10]);
    expect(scale.deviation[0]).toBeCloseTo(Math.sqrt(3.5), 12);
    const { data } = scale.apply(values);
    expect([...data].map((value) => Math.round(value * 1e4) / 1e4)).toEqual([-1.069, 0, -0.5345, 0, 0, 0, 1.6036, 0]);
    expect([...Float32Array.from(scale.invert(scale.apply(values)).data)]).toEqual([...values.data]);
  });

  it("survives large means and JSON", () => {
    const far = { shape: [3], data: Float64Array.of(1e8 + 1, 1e8 + 2, 1e8 + 3) };
    const scale = Standardizer.fromJSON(JSON.parse(JSON.stringify(Standardizer.fit(far))));
    expect([...scale.apply(far).data][2]).toBeCloseTo(Math.sqrt(1.5), 5);
  });

  it("refuses what it cannot use", () => {
    expect(() => Standardizer.fit({ shape: [0, 2], data: new Float32Array(0) })).toThrow(/at least one row/);
    expect(() => Standardizer.fit({ shape: [1, 2], data: Float32Array.of(1, Number.NaN) })).toThrow(/row 0, column 1.*got NaN/);
    expect(() => Standardizer.fit(values).apply({ shape: [1, 3], data: new Float32Array(3) })).toThrow(
      /fitted on 2 columns, got shape \[1, 3\]/,
    );
    for (const state of [null, {}, { mean: [1], deviation: [0] }, { mean: [1], deviation: [] }, { mean: ["1"], deviation: [1] }]) {
      expect(() => Standardizer.fromJSON(state)).toThrow(InputError);
    }
  });
});
