// Transforms: each against its formula, the same numbers in any order of batches, and errors for what does not fit.

import { describe, expect, it } from "vitest";
import { Random } from "../../../src/data/generators/random.ts";
import {
  centerCrop,
  compose,
  cutmix,
  cutout,
  DataLoader,
  Dataset,
  Draws,
  type Fields,
  gaussianNoise,
  type LoaderOptions,
  mapField,
  mixup,
  type NdArray,
  ndArray,
  oneHot,
  randomAffine,
  randomBrightnessContrast,
  randomCrop,
  randomErasing,
  randomFlip,
  randomRotation,
  Standardizer,
  type Transform,
} from "../../../src/data/index.ts";
import { InputError } from "../../../src/util/errors.ts";

type Images = { readonly x: NdArray<Float32Array>; readonly y: NdArray<Int32Array> };

function images(count: number, channels: number, height: number, width: number, seed = 1): Images {
  const random = new Random(seed);
  const x = ndArray(
    Float32Array.from({ length: count * channels * height * width }, () => random.uniform()),
    [count, channels, height, width],
  );
  return {
    x,
    y: ndArray(
      Int32Array.from({ length: count }, (_, place) => place % 3),
      [count],
    ),
  };
}

const drawsOf = (count: number, seed = 0) => new Draws({ seed, samples: Array.from({ length: count }, (_, place) => place) });
const apply = <G extends Fields>(transform: Transform<Images, G>, batch: Images, seed = 0): G =>
  transform(batch, drawsOf(batch.x.shape[0] as number, seed));
const pixel = ({ shape, data }: NdArray, n: number, c: number, row: number, column: number): number => {
  const [, channels = 0, height = 0, width = 0] = shape;
  return data[((n * channels + c) * height + row) * width + column] as number;
};

/** A batch made from another one by a function of the place. */
function placed({ x }: Images, from: (row: number, column: number) => readonly [number, number]): Float32Array {
  const [count = 0, channels = 0, height = 0, width = 0] = x.shape;
  const values: number[] = [];
  for (let n = 0; n < count; n++)
    for (let c = 0; c < channels; c++)
      for (let row = 0; row < height; row++)
        for (let column = 0; column < width; column++) values.push(pixel(x, n, c, ...from(row, column)));
  return Float32Array.from(values);
}

const everything: readonly (readonly [string, Transform<Images>])[] = [
  ["randomCrop", randomCrop({ size: [5, 4], padding: 2 })],
  ["randomCrop, reflecting", randomCrop({ size: 6, padding: 3, paddingMode: "reflect" })],
  ["centerCrop", centerCrop({ size: 3 })],
  ["randomFlip", randomFlip({ vertical: 0.5 })],
  ["randomAffine", randomAffine({ rotation: 40, translation: 0.2, scale: [0.8, 1.3], shear: 10 })],
  ["randomErasing", randomErasing({ probability: 1 })],
  ["cutout", cutout({ size: 3 })],
  ["randomBrightnessContrast", randomBrightnessContrast({ brightness: 0.3, contrast: 0.3 })],
  ["gaussianNoise", gaussianNoise({ deviation: 0.1 })],
  ["a composition", compose(randomCrop({ size: 6, padding: 1 }), randomFlip(), gaussianNoise({ deviation: 0.1 }))],
];

describe.each(everything)("%s", (_, transform) => {
  const batch = images(8, 2, 6, 7);

  it("gives each sample the same numbers in any batch and order, and leaves its input alone", () => {
    const before = batch.x.data.slice();
    const all = transform(batch, drawsOf(8)).x;
    expect(batch.x.data).toEqual(before);
    const width = all.data.length / 8;
    const order = [5, 0, 7];
    const some = transform(new Dataset<Images>(batch).gather(order), new Draws({ samples: order })).x;
    expect(some.shape).toEqual([3, ...all.shape.slice(1)]);
    for (const [place, sample] of order.entries()) {
      expect(some.data.slice(place * width, (place + 1) * width)).toEqual(all.data.slice(sample * width, (sample + 1) * width));
    }
  });

  it("gives an empty batch for an empty batch", () => {
    const empty = { x: ndArray(new Float32Array(0), [0, 2, 6, 7]), y: ndArray(new Int32Array(0), [0]) };
    expect(transform(empty, drawsOf(0)).x.shape[0]).toBe(0);
  });

  it("asks for images", () => {
    const table = { x: ndArray(new Float32Array(6), [2, 3]), y: ndArray(new Int32Array(2), [2]) };
    expect(() => transform(table, drawsOf(2))).toThrow("expected images [batch, …, height, width]");
  });
});

it("differs by seed, epoch, sample and stage", () => {
  const first = (draws: Draws, place = 0) => draws.sample(place).uint32();
  const base = new Draws({ seed: 3, epoch: 1, samples: [4, 5] });
  const others = [
    new Draws({ seed: 4, epoch: 1, samples: [4] }),
    new Draws({ seed: 3, epoch: 2, samples: [4] }),
    new Draws({ seed: 3, epoch: 1, samples: [5] }),
    base.stage(0),
    base.stage(1),
    base.stage(0).stage(0),
  ];
  expect(new Set([first(base), base.batch().uint32(), ...others.map((draws) => first(draws))]).size).toBe(others.length + 2);
  expect(first(base)).toBe(first(new Draws({ seed: 3, epoch: 1, samples: [9, 4] }), 1));
  expect(() => new Draws({ seed: -1, samples: [] })).toThrow(InputError);
});

describe("crops and flips", () => {
  it("cut windows that are in the padded image, at every place", () => {
    const batch = images(400, 1, 3, 4);
    const size = [3, 3] as const;
    const seen = new Set<string>();
    const { x } = apply(randomCrop({ size, padding: 1, fill: 9 }), batch);
    for (let n = 0; n < 400; n++) {
      for (let top = -1; top <= 1; top++)
        for (let left = -1; left <= 2; left++) {
          const matches = [0, 1, 2].every((row) =>
            [0, 1, 2].every((column) => {
              const [r, c] = [row + top, column + left];
              return pixel(x, n, 0, row, column) === (r >= 0 && r < 3 && c >= 0 && c < 4 ? pixel(batch.x, n, 0, r, c) : 9);
            }),
          );
          if (matches) seen.add(`${top} ${left}`);
        }
    }
    expect(seen.size).toBe(12);
  });

  it("reflects without repeating the border", () => {
    const x = ndArray(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), [1, 1, 3, 3]);
    const whole = randomCrop({ size: 7, padding: 2, paddingMode: "reflect" })({ x }, drawsOf(1)).x;
    expect([...whole.data.slice(0, 7)]).toEqual([9, 8, 7, 8, 9, 8, 7]);
    expect([...whole.data.slice(14, 21)]).toEqual([3, 2, 1, 2, 3, 2, 1]);
  });

  it("take the middle, and the same window of image and mask", () => {
    const batch = images(1, 1, 4, 5);
    const { x } = apply(centerCrop({ size: 2 }), batch);
    expect([...x.data]).toEqual([
      pixel(batch.x, 0, 0, 1, 1),
      pixel(batch.x, 0, 0, 1, 2),
      pixel(batch.x, 0, 0, 2, 1),
      pixel(batch.x, 0, 0, 2, 2),
    ]);
    const both = {
      x: batch.x,
      mask: ndArray(
        Int32Array.from(batch.x.data, (value) => value * 1e6),
        [1, 4, 5],
      ),
    };
    const cut = compose(randomCrop({ size: 3, fields: ["x", "mask"] }), randomFlip({ fields: ["x", "mask"] }))(both, drawsOf(1, 5));
    expect([...cut.mask.data]).toEqual([...cut.x.data].map((value) => Math.trunc(value * 1e6)));
    expect(cut.mask.shape).toEqual([1, 3, 3]);
  });

  it("mirror exactly, with the given probability", () => {
    const batch = images(3, 2, 4, 5);
    expect(apply(randomFlip({ horizontal: 1 }), batch).x.data).toEqual(placed(batch, (row, column) => [row, 4 - column]));
    expect(apply(randomFlip({ horizontal: 0, vertical: 1 }), batch).x.data).toEqual(placed(batch, (row, column) => [3 - row, column]));
    expect(apply(randomFlip({ horizontal: 1, vertical: 1 }), batch).x.data).toEqual(placed(batch, (row, column) => [3 - row, 4 - column]));
    const many = images(2000, 1, 1, 2);
    const flipped = apply(randomFlip({ horizontal: 0.3 }), many).x.data.filter(
      (value, index) => index % 2 === 0 && value !== many.x.data[index],
    );
    expect(flipped.length / 2000).toBeCloseTo(0.3, 1);
  });

  it("reject windows that do not fit and options out of range", () => {
    const batch = images(1, 1, 4, 5);
    expect(() => apply(randomCrop({ size: 7, padding: 1 }), batch)).toThrow(
      "cannot cut 7 × 7 out of images of 4 × 5 with 1 pixels of padding",
    );
    expect(() => apply(centerCrop({ size: [4, 6] }), batch)).toThrow("cannot cut 4 × 6");
    expect(() => apply(randomCrop({ size: 3, padding: 4, paddingMode: "reflect" }), batch)).toThrow("a reflection of 4 pixels");
    expect(() => randomCrop({ size: 0 })).toThrow(InputError);
    expect(() => randomFlip({ horizontal: 1.5 })).toThrow("from 0 to 1");
    expect(() => apply(randomFlip({ fields: ["z"] }), batch)).toThrow('expected a field "z", the batch has x, y');
    expect(() => randomFlip({ fields: [] })).toThrow(InputError);
  });
});

describe("affine maps", () => {
  const turn = (degrees: number) => randomRotation([degrees, degrees]);

  it("are exact for quarter turns", () => {
    for (const size of [4, 5, 28]) {
      const batch = images(2, 2, size, size);
      const end = size - 1;
      const interior = (data: Float32Array) => Array.from(data, (value) => Math.round(value * 1e6));
      expect(interior(apply(turn(90), batch).x.data)).toEqual(interior(placed(batch, (row, column) => [column, end - row])));
      expect(interior(apply(turn(180), batch).x.data)).toEqual(interior(placed(batch, (row, column) => [end - row, end - column])));
      expect(apply(turn(0), batch).x.data).toEqual(batch.x.data);
      const nearest = randomRotation([-90, -90], { interpolation: "nearest" });
      expect(apply(nearest, batch).x.data).toEqual(placed(batch, (row, column) => [end - column, row]));
    }
  });

  it("read what the composition of shear, zoom, turn and shift says, bilinearly", () => {
    const batch = images(1, 1, 7, 9);
    const [angle, lean, zoom, shift] = [25, 12, 1.2, 0.1];
    const transform = randomAffine({
      rotation: [angle, angle],
      shear: [lean, lean],
      scale: [zoom, zoom],
      translation: [shift, shift],
      fill: 0.5,
    });
    const { x } = apply(transform, batch);
    // Forwards, as the documentation puts it, with y upwards; then solved for the source.
    const [cos, sin, tan] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180), Math.tan((lean * Math.PI) / 180)];
    // Upright lines lean to the left: (x, y) → (x − tan y, y). Then zoom, then turn counter-clockwise.
    const [a, b, c, d] = [zoom * cos, zoom * (-tan * cos - sin), zoom * sin, zoom * (-tan * sin + cos)];
    const determinant = a * d - b * c;
    for (let row = 0; row < 7; row++)
      for (let column = 0; column < 9; column++) {
        const [right, up] = [column - 4 - shift * 9, -(row - 3 - shift * 7)];
        const sourceColumn = (d * right - b * up) / determinant + 4;
        const sourceRow = -((-c * right + a * up) / determinant) + 3;
        let expected = 0;
        for (let r = -2; r < 10; r++)
          for (let q = -2; q < 12; q++) {
            const weight = Math.max(0, 1 - Math.abs(sourceRow - r)) * Math.max(0, 1 - Math.abs(sourceColumn - q));
            expected += weight * (r >= 0 && r < 7 && q >= 0 && q < 9 ? pixel(batch.x, 0, 0, r, q) : 0.5);
          }
        // Far outside no corner is in the range of the sum.
        if (sourceRow < -1 || sourceRow > 7 || sourceColumn < -1 || sourceColumn > 9) expected = 0.5;
        expect(pixel(x, 0, 0, row, column)).toBeCloseTo(expected, 6);
      }
  });

  it("keep labels of pixels whole with nearest, and refuse to blend them", () => {
    const x = ndArray(
      Uint8Array.from({ length: 64 }, (_, index) => (index % 2 === 0 ? 7 : 200)),
      [1, 8, 8],
    );
    const turned = randomRotation(30, { interpolation: "nearest" })({ x }, drawsOf(1)).x;
    expect(turned.data).toBeInstanceOf(Uint8Array);
    expect(turned.data.every((value) => [0, 7, 200].includes(value))).toBe(true);
    expect(() => randomRotation(30)({ x }, drawsOf(1))).toThrow("holds whole numbers");
    expect(() => randomAffine({ scale: [0, 1] })).toThrow(InputError);
    expect(() => randomAffine({ rotation: [10, -10] })).toThrow("the smaller first");
    expect(() => randomAffine({ shear: 90 })).toThrow(InputError);
  });
});

describe("pixels", () => {
  it("erase one box of the given share in all channels, in the given share of images", () => {
    const batch = images(600, 2, 20, 20);
    const { x } = apply(randomErasing({ probability: 0.4, area: [0.1, 0.2], aspect: [0.5, 2], fill: -1 }), batch);
    let erased = 0;
    for (let n = 0; n < 600; n++) {
      const [first, second] = [0, 1].map((c) =>
        Array.from(x.data.subarray((2 * n + c) * 400, (2 * n + c + 1) * 400), (value, at) => (value === -1 ? at : -1)).filter(
          (at) => at >= 0,
        ),
      );
      expect(first).toEqual(second);
      if (first === undefined || first.length === 0) continue;
      erased++;
      const [rows, columns] = [new Set(first.map((at) => Math.floor(at / 20))).size, new Set(first.map((at) => at % 20)).size];
      expect(rows * columns).toBe(first.length);
      // Sides are whole pixels: at most half a pixel from the drawn box on each.
      expect(first.length).toBeGreaterThan(0.1 * 400 * 0.8);
      expect(first.length).toBeLessThan(0.2 * 400 * 1.2);
    }
    expect(erased / 600).toBeCloseTo(0.4, 1);
  });

  it("cut out squares about any pixel, clipped at the border", () => {
    const { x } = apply(cutout({ size: 3, fill: -1 }), images(500, 1, 5, 5));
    const areas = new Set(
      Array.from({ length: 500 }, (_, n) => x.data.subarray(25 * n, 25 * (n + 1)).filter((value) => value === -1).length),
    );
    expect([...areas].sort((a, b) => a - b)).toEqual([4, 6, 9]);
  });

  it("change brightness and contrast by one line per image, within limits", () => {
    const batch = images(50, 2, 4, 4);
    const { x } = apply(randomBrightnessContrast({ brightness: 0.2, contrast: 0.5 }), batch);
    for (let n = 0; n < 50; n++) {
      const [before, after] = [batch.x.data.subarray(32 * n, 32 * (n + 1)), x.data.subarray(32 * n, 32 * (n + 1))];
      const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value / 32, 0);
      const slope = ((after[0] as number) - (after[1] as number)) / ((before[0] as number) - (before[1] as number));
      expect(Math.abs(slope - 1)).toBeLessThanOrEqual(0.501);
      expect(Math.abs(mean(after) - mean(before))).toBeLessThanOrEqual(0.2001);
      for (const [index, value] of before.entries()) expect(after[index]).toBeCloseTo(mean(after) + slope * (value - mean(before)), 3);
    }
    const limited = apply(randomBrightnessContrast({ brightness: 3, limits: [0, 1] }), batch).x.data;
    expect(Math.min(...limited)).toBe(0);
    expect(Math.max(...limited)).toBe(1);
  });

  it("add noise of the given deviation", () => {
    const batch = images(40, 1, 16, 16);
    const noise = apply(gaussianNoise({ deviation: 0.5 }), batch).x.data.map((value, index) => value - (batch.x.data[index] as number));
    const mean = noise.reduce((sum, value) => sum + value / noise.length, 0);
    expect(mean).toBeCloseTo(0, 1);
    expect(Math.sqrt(noise.reduce((sum, value) => sum + (value - mean) ** 2 / noise.length, 0))).toBeCloseTo(0.5, 1);
    expect(() => gaussianNoise({ deviation: -1 })).toThrow(InputError);
  });
});

describe("mixing", () => {
  it("mixes inputs and targets by the same share of two samples, drawn from Beta(alpha, alpha)", () => {
    for (const alpha of [0.2, 1, 4]) {
      const count = 4000;
      // Sample n holds n, so that its mixture tells share and partner together with the target.
      const x = ndArray(
        Float32Array.from({ length: count }, (_, n) => n),
        [count, 1],
      );
      const y = ndArray(
        Float32Array.from({ length: 2 * count }, (_, at) => (at % 2 === 0 ? at / 2 : 1)),
        [count, 2],
      );
      const mixed = mixup({ alpha })({ x, y }, drawsOf(count));
      for (let n = 0; n < count; n++) {
        expect(mixed.y.data[2 * n]).toBe(mixed.x.data[n]);
        expect(mixed.y.data[2 * n + 1]).toBeCloseTo(1, 6);
      }
      // With x one half for all but its own sample, shares are seen directly: variance of Beta(a, a) is 1 / (4 (2a + 1)).
      const halves = mixup({ alpha, classes: count })(
        {
          x,
          y: ndArray(
            Int32Array.from({ length: count }, (_, n) => n),
            [count],
          ),
        },
        drawsOf(count, 7),
      );
      const shares = Array.from({ length: count }, (_, n) => halves.y.data[n * count + n] as number);
      const mean = shares.reduce((sum, share) => sum + share / count, 0);
      const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2 / count, 0);
      expect(mean).toBeCloseTo(0.5, 1);
      expect(variance * 4 * (2 * alpha + 1)).toBeGreaterThan(0.9);
      expect(variance * 4 * (2 * alpha + 1)).toBeLessThan(1.1);
    }
  });

  it("stays finite for tiny alpha", () => {
    const mixed = apply(mixup({ classes: 3, alpha: 1e-4 }), images(200, 1, 2, 2));
    expect(mixed.y.data.every((share) => share >= 0 && share <= 1)).toBe(true);
  });

  it("pastes boxes whose area is in the target", () => {
    const batch = images(300, 2, 8, 6);
    const partnerless = ndArray(
      Int32Array.from({ length: 300 }, (_, n) => n),
      [300],
    );
    const mixed = cutmix({ classes: 300 })({ x: batch.x, y: partnerless }, drawsOf(300));
    let pasted = 0;
    for (let n = 0; n < 300; n++) {
      const row = mixed.y.data.subarray(300 * n, 300 * (n + 1));
      const partner = row.findIndex((share, other) => share > 0 && other !== n);
      if (partner === -1) continue;
      pasted++;
      let own = 0;
      for (let at = 0; at < 96; at++) {
        const value = mixed.x.data[96 * n + at];
        if (value === batch.x.data[96 * n + at]) own++;
        else expect(value).toBe(batch.x.data[96 * partner + at]);
      }
      expect(row[n]).toBeCloseTo(own / 96, 5);
      expect((row[n] as number) + (row[partner] as number)).toBeCloseTo(1, 5);
    }
    expect(pasted).toBeGreaterThan(200);
  });

  it("asks for targets that can be mixed", () => {
    const batch = images(4, 1, 2, 2);
    expect(() => apply(mixup(), batch)).toThrow("holds whole numbers, which cannot be mixed");
    expect(() => apply(mixup({ classes: 2 }), batch)).toThrow("expected class numbers from 0 to 1, got 2");
    expect(() => mixup({ alpha: 0 })).toThrow("positive alpha");
    const soft = compose(mixup({ classes: 3 }), cutmix({ classes: 3 }))(batch, drawsOf(4));
    for (let n = 0; n < 4; n++) expect(soft.y.data.slice(3 * n, 3 * n + 3).reduce((sum, share) => sum + share)).toBeCloseTo(1, 5);
  });
});

describe("data sets and loaders", () => {
  const data = new Dataset<Images>(images(10, 1, 4, 4), { classNames: ["a", "b", "c"] });
  const augment = compose(randomCrop({ size: 4, padding: 1 }), randomFlip());

  it("map keeps names while they fit", () => {
    const scale = Standardizer.fit(data.fields.x, { axis: 1 });
    const mapped = data.map(mapField("x", (x) => scale.apply(x)));
    expect(mapped.classNames).toEqual(["a", "b", "c"]);
    expect(mapped.fields.x.data).toEqual(scale.apply(data.fields.x).data);
    const soft = data.map(mapField("y", (y) => oneHot(y, 3)));
    expect(soft.classNames).toBeUndefined();
    expect(soft.fields.y.shape).toEqual([10, 3]);
    expect(data.subset([3]).map(augment).size).toBe(1);
    expect(() => data.map(mapField("y", () => ndArray(new Float32Array(1), [1])))).toThrow(InputError);
  });

  it("loaders give each sample the same in shuffled and in resumed epochs, and something new in each epoch", () => {
    const seen = (shuffle: boolean, batchSize: number, epoch: number, skip = 0) => {
      const numbered = new Dataset({
        ...data.fields,
        id: ndArray(
          Int32Array.from({ length: 10 }, (_, n) => n),
          [10],
        ),
      });
      const loader = new DataLoader(numbered, { batchSize, shuffle, seed: 5, transform: augment });
      const found = new Map<number, string>();
      for (const { x, id } of loader.batches({ epoch, skip }))
        for (const [at, n] of id.data.entries()) found.set(n, String(x.data.slice(16 * at, 16 * at + 16)));
      return found;
    };
    const all = seen(true, 3, 2);
    expect(all.size).toBe(10);
    expect(new Map([...seen(false, 4, 2)])).toEqual(new Map([...all].sort(([a], [b]) => a - b)));
    for (const [n, values] of seen(true, 3, 2, 2)) expect(values).toBe(all.get(n));
    expect([...seen(true, 3, 3)].filter(([n, values]) => all.get(n) !== values).length).toBeGreaterThan(5);
  });

  it("streams give the same as data sets", async () => {
    const source = {
      async *[Symbol.asyncIterator]() {
        for (let n = 0; n < 10; n++)
          yield {
            x: ndArray(data.fields.x.data.slice(16 * n, 16 * n + 16), [1, 4, 4]),
            y: ndArray(data.fields.y.data.slice(n, n + 1), []),
          };
      },
    };
    const options: LoaderOptions<Images> = { batchSize: 4, transform: augment, seed: 2 };
    const streamed: number[] = [];
    for await (const { x } of new DataLoader<Images>(source, options)) streamed.push(...x.data);
    expect(streamed).toEqual([...new DataLoader(data, options)].flatMap(({ x }) => [...x.data]));
  });

  it("compositions nest, and their types follow", () => {
    const five = compose(randomFlip(), randomFlip(), randomFlip(), randomFlip(), randomFlip());
    const loader = new DataLoader(data, { batchSize: 10, transform: compose(five, mixup({ classes: 3 })) });
    const [batch] = [...loader];
    const shares: NdArray<Float32Array> | undefined = batch?.y;
    expect(shares?.shape).toEqual([10, 3]);
  });

  it("compose refuses what is no function", () => {
    expect(() => compose({} as unknown as Transform<Images>)).toThrow("got object as number 1");
  });
});
