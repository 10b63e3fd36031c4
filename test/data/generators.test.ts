// Generated data: the same bits from the same seed, balanced classes, and as hard as they are meant to be.

import { describe, expect, it } from "vitest";
import { permutation, Random } from "../../src/data/generators/random.ts";
import type { ClassificationTable, NdArray } from "../../src/data/index.ts";
import { digits, moons, Standardizer, spirals, wine, xor } from "../../src/data/index.ts";
import { InputError } from "../../src/util/errors.ts";

describe("Random", () => {
  it("repeats itself and differs between seeds and streams", () => {
    const first = (seed: number, stream?: number) =>
      Array.from({ length: 4 }, (_, __, random = new Random(seed, stream)) => random.uint32());
    expect(first(1)).toEqual(first(1));
    expect(first(1)).not.toEqual(first(2));
    expect(first(1, 1)).not.toEqual(first(1, 2));
    expect(first(2 ** 40)).not.toEqual(first(2 ** 41));
  });

  it("keeps its numbers from one version to the next", () => {
    const random = new Random(42, 7);
    expect([random.uint32(), random.uint32(), random.uint32()]).toMatchInlineSnapshot(`
      [
        726902242,
        2427469570,
        3016077688,
      ]
    `);
  });

  it("is uniform and Gaussian as far as means and variances tell", () => {
    const random = new Random(3);
    const count = 200_000;
    const moments = (draw: () => number) => {
      let sum = 0;
      let squares = 0;
      for (let index = 0; index < count; index++) {
        const value = draw();
        sum += value;
        squares += value * value;
      }
      return { mean: sum / count, variance: squares / count - (sum / count) ** 2 };
    };
    const uniform = moments(() => random.uniform());
    expect(uniform.mean).toBeCloseTo(1 / 2, 2);
    expect(uniform.variance).toBeCloseTo(1 / 12, 3);
    const normal = moments(() => random.normal(2, 3));
    expect(normal.mean).toBeCloseTo(2, 1);
    expect(normal.variance / 9).toBeCloseTo(1, 1);
    const faces = new Array<number>(6).fill(0);
    for (let index = 0; index < 60_000; index++) {
      const face = random.integer(6);
      faces[face] = (faces[face] as number) + 1;
    }
    for (const face of faces) expect(Math.abs(face - 10_000)).toBeLessThan(500);
  });

  it("shuffles every element into the result once", () => {
    expect([...permutation(100, 5)].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(permutation(100, 5)).not.toEqual(permutation(100, 6));
  });

  it("refuses seeds that would silently be rounded", () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => new Random(seed)).toThrow(InputError);
  });
});

describe("digits", () => {
  const { images, labels, classNames } = digits({ count: 2000, seed: 1 });

  it("gives images, labels and ten balanced classes in random order", () => {
    expect(images.shape).toEqual([2000, 1, 28, 28]);
    expect(labels.shape).toEqual([2000]);
    expect(classNames).toHaveLength(10);
    for (let digit = 0; digit < 10; digit++) expect(labels.data.filter((label) => label === digit)).toHaveLength(200);
    expect([...labels.data.slice(0, 10)]).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(images.data.every((value) => value >= 0 && value <= 1)).toBe(true);
  });

  it("gives the same bits for the same seed and other images for another", () => {
    expect(digits({ count: 50, seed: 9 })).toEqual(digits({ count: 50, seed: 9 }));
    expect(digits({ count: 50, seed: 9 }).images.data).not.toEqual(digits({ count: 50, seed: 10 }).images.data);
  });

  it("draws something on every image, inside it", () => {
    for (let index = 0; index < 2000; index++) {
      const image = images.data.subarray(784 * index, 784 * (index + 1));
      const ink = image.reduce((sum, value) => sum + value, 0);
      expect(ink).toBeGreaterThan(12);
      expect(ink).toBeLessThan(350);
    }
  });

  it("is learnable by a linear model, but only so far", () => {
    const test = digits({ count: 1000, seed: 2 });
    const accuracy = linearAccuracy(images, labels, test.images, test.labels, 10, { epochs: 15, rate: 0.02 });
    expect(accuracy).toBeGreaterThan(0.72);
    expect(accuracy).toBeLessThan(0.93);
  });

  it("refuses a count that is not a positive whole number", () => {
    expect(() => digits({ count: 0 })).toThrow(/digits: count: expected a whole number of at least 1, got 0/);
    expect(() => digits({ count: 2.5 })).toThrow(InputError);
  });
});

describe("points in the plane", () => {
  it.each([
    ["moons", moons({ count: 401, seed: 4 }), 2],
    ["spirals", spirals({ count: 401, seed: 4, classes: 5 }), 5],
    ["xor", xor({ count: 401, seed: 4 }), 2],
  ])("%s are balanced and not separable by a line", (_, table, classes) => {
    expect(table.x.shape).toEqual([401, 2]);
    expect(table.classNames).toHaveLength(classes);
    const counts = table.classNames.map((_, label) => table.y.data.filter((value) => value === label).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    expect(linearAccuracy(table.x, table.y, table.x, table.y, classes, { epochs: 50, rate: 0.05 })).toBeLessThan(0.93);
  });

  it("lie on the shapes they are named after when there is no noise", () => {
    const { x, y } = moons({ count: 100, noise: 0 });
    for (let row = 0; row < 100; row++) {
      const [px, py] = [x.data[2 * row] as number, x.data[2 * row + 1] as number];
      const [cx, cy] = y.data[row] === 0 ? [0, 0] : [1, 0.5];
      expect(Math.hypot(px - cx, py - cy)).toBeCloseTo(1, 5);
    }
    const crossed = xor({ count: 100, noise: 0 });
    for (let row = 0; row < 100; row++) {
      const product = (crossed.x.data[2 * row] as number) * (crossed.x.data[2 * row + 1] as number);
      expect(product).toBe(crossed.y.data[row] === 0 ? 1 : -1);
    }
  });

  it("repeat for a seed and refuse nonsense", () => {
    expect(spirals({ seed: 3 })).toEqual(spirals({ seed: 3 }));
    expect(() => spirals({ classes: 1 })).toThrow(/spirals: classes: expected a whole number of at least 2, got 1/);
    expect(() => moons({ noise: -1 })).toThrow(/moons: noise/);
  });
});

describe("wine", () => {
  const table = wine();

  it("is the textbook's table", () => {
    expect(table.columnNames).toEqual(["age", "alcohol", "colour", "smell"]);
    expect(table.classNames).toEqual(["white", "red"]);
    expect(table.x.shape).toEqual([600, 4]);
    expect(wine({ seed: 1 })).toEqual(wine({ seed: 1 }));
  });

  it("needs more than one column", () => {
    for (const [column, name] of table.columnNames.entries()) expect(bestThreshold(table, column), name).toBeLessThan(0.93);
    const scale = Standardizer.fit(table.x);
    const test = wine({ seed: 8, count: 2000 });
    const accuracy = linearAccuracy(scale.apply(table.x), table.y, scale.apply(test.x), test.y, 2, { epochs: 60, rate: 0.05 });
    expect(accuracy).toBeGreaterThan(0.97);
    expect(accuracy).toBeLessThan(1);
  });
});

/** The accuracy on the second pair of a softmax regression trained on the first by stochastic gradient descent. */
function linearAccuracy(
  x: NdArray<Float32Array | Float64Array>,
  y: NdArray<Int32Array>,
  testX: NdArray<Float32Array | Float64Array>,
  testY: NdArray<Int32Array>,
  classes: number,
  { epochs, rate }: { epochs: number; rate: number },
): number {
  const rows = x.shape[0] as number;
  const width = x.data.length / rows;
  const weights = Array.from({ length: classes }, () => new Float64Array(width + 1));
  const logits = (input: Float32Array | Float64Array) =>
    weights.map((row) => {
      let sum = row[width] as number;
      for (let index = 0; index < width; index++) sum += (row[index] as number) * (input[index] as number);
      return sum;
    });
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const sample of permutation(rows, epoch)) {
      const input = x.data.subarray(sample * width, (sample + 1) * width);
      const scores = logits(input);
      const highest = Math.max(...scores);
      const total = scores.reduce((sum, score) => sum + Math.exp(score - highest), 0);
      for (const [label, row] of weights.entries()) {
        const error = Math.exp((scores[label] as number) - highest) / total - (y.data[sample] === label ? 1 : 0);
        const step = rate * (1 - epoch / epochs) * error;
        for (let index = 0; index < width; index++) row[index] = (row[index] as number) - step * (input[index] as number);
        row[width] = (row[width] as number) - step;
      }
    }
  }
  const testRows = testX.shape[0] as number;
  let correct = 0;
  for (let sample = 0; sample < testRows; sample++) {
    const scores = logits(testX.data.subarray(sample * width, (sample + 1) * width));
    if (scores.indexOf(Math.max(...scores)) === testY.data[sample]) correct++;
  }
  return correct / testRows;
}

/** The best accuracy of "red when the value is above (or below) some number". */
function bestThreshold({ x, y }: ClassificationTable, column: number): number {
  const rows = Array.from(y.data, (label, row) => ({ label, value: x.data[row * (x.shape[1] as number) + column] as number }));
  return Math.max(
    ...rows.map(({ value: limit }) => {
      const correct = rows.filter(({ label, value }) => (value > limit ? 1 : 0) === label).length / rows.length;
      return Math.max(correct, 1 - correct);
    }),
  );
}
