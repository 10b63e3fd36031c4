// IDX files: every element type, every truncation, bytes flipped at random, gzip bombs, and the real MNIST images.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readIdx, readIdxFile } from "../../src/data/index.ts";
import { loadMnist } from "../../src/data/node.ts";
import { FileError, KasaneError } from "../../src/util/errors.ts";
import { realData } from "./shared.ts";

/** An IDX file of unsigned bytes. */
function idx(shape: readonly number[], values: ArrayLike<number>, type = 8): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + 4 * shape.length + values.length);
  bytes.set([0, 0, type, shape.length]);
  const view = new DataView(bytes.buffer);
  for (const [axis, size] of shape.entries()) view.setUint32(4 + 4 * axis, size);
  bytes.set(Uint8Array.from(values), 4 + 4 * shape.length);
  return bytes;
}

/** The same bytes in an ArrayBuffer of their own, as Blob wants them. */
function gzip(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(bytes));
}

describe("readIdx", () => {
  it("reads bytes with their shape", () => {
    const array = readIdx(idx([2, 3], [1, 2, 3, 4, 5, 255]));
    expect(array.shape).toEqual([2, 3]);
    expect(array.data).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 255));
  });

  it.each([
    { type: 9, bytes: [0xff, 0x05], expected: Int32Array.of(-1, 5) },
    { type: 11, bytes: [0xff, 0xfe, 0x01, 0x00], expected: Int32Array.of(-2, 256) },
    { type: 12, bytes: [0xff, 0xff, 0xff, 0xfd, 0, 0, 1, 0], expected: Int32Array.of(-3, 256) },
    { type: 13, bytes: [0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0], expected: Float32Array.of(1.5, -2) },
    { type: 14, bytes: [0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0], expected: Float64Array.of(1.5, -2) },
  ])("reads big-endian values of type $type", ({ type, bytes, expected }) => {
    expect(readIdx(idx([2], bytes, type)).data).toEqual(expected);
  });

  it("rejects every truncation and says how many bytes there should be", () => {
    const whole = idx(
      [3, 2, 2],
      Array.from({ length: 12 }, (_, index) => index),
    );
    for (let length = 0; length < whole.length; length++) {
      expect(() => readIdx(whole.subarray(0, length), "images"), `${length} bytes`).toThrow(FileError);
    }
    expect(() => readIdx(whole.subarray(0, 20), "images")).toThrow(/images: cut short: .*3 × 2 × 2.*28 bytes in all, but there are 20/);
  });

  it("rejects bytes after the end", () => {
    expect(() => readIdx(Uint8Array.of(...idx([2], [1, 2]), 0), "labels")).toThrow(/labels: too long/);
  });

  it("rejects other formats and names what it found", () => {
    expect(() => readIdx(Uint8Array.of(0x89, 0x50, 0x4e, 0x47), "a.png")).toThrow(/a\.png: not an IDX file.*89 50 4e 47/);
    expect(() => readIdx(Uint8Array.of(0, 0, 7, 1, 0, 0, 0, 0))).toThrow(/not an IDX file/);
  });

  it("does not believe a header that claims more than there is", () => {
    expect(() => readIdx(idx([0xffffffff, 0xffffffff, 0xffffffff], []))).toThrow(/more than the 2 GiB/);
    expect(() => readIdx(idx([0x7fffff00], []))).toThrow(/cut short/);
  });

  it("gives an array or a KasaneError for any bytes", () => {
    const whole = idx([2, 3], [9, 8, 7, 6, 5, 4]);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 4 }), fc.nat(whole.length), (flips, length) => {
        const bytes = whole.slice(0, length);
        for (const [place, value] of flips) if (place < length) bytes[place] = value;
        try {
          const { shape, data } = readIdx(bytes);
          expect(shape.reduce((a, b) => a * b, 1)).toBe(data.length);
        } catch (error) {
          expect(error).toBeInstanceOf(KasaneError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("readIdxFile", () => {
  const whole = idx([10, 10], new Uint8Array(100).fill(7));

  it("reads the same from a compressed file", async () => {
    expect(await readIdxFile(gzip(whole))).toEqual(readIdx(whole));
    expect(await readIdxFile(whole)).toEqual(readIdx(whole));
  });

  it("rejects every truncation of a compressed file", async () => {
    const compressed = gzip(whole);
    for (let length = 0; length < compressed.length; length++) {
      await expect(readIdxFile(compressed.slice(0, length)), `${length} bytes`).rejects.toThrow(FileError);
    }
  });

  it("stops a bomb as soon as more comes than the header announces", async () => {
    const bomb = gzip(Buffer.concat([idx([4], [1, 2, 3, 4]), Buffer.alloc(100_000_000)]));
    const before = process.memoryUsage().arrayBuffers;
    await expect(readIdxFile(bomb, "bomb.gz")).rejects.toThrow(/bomb\.gz: too long.*4 values/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  });

  it("gives an array or a KasaneError for damaged compressed bytes", async () => {
    const compressed = gzip(whole);
    await fc.assert(
      fc.asyncProperty(fc.nat(compressed.length - 1), fc.nat(255), async (place, value) => {
        const bytes = compressed.slice();
        bytes[place] = value;
        const outcome = await readIdxFile(bytes).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(KasaneError);
        else expect(outcome).toHaveProperty("shape");
      }),
      { numRuns: 300 },
    );
  });
});

describe("loadMnist", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "kasane-mnist-"));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it("says what it looks for in an empty folder and in one that does not exist", async () => {
    await expect(loadMnist(folder)).rejects.toThrow(/expected train-images-idx3-ubyte.*found nothing/);
    await expect(loadMnist(join(folder, "missing"))).rejects.toThrow(/cannot read the folder .*missing: there is no such file or folder/);
  });

  it("uses four fifths of a single pair for training, in order, then both pairs when both are there", async () => {
    const count = 10;
    const images = idx(
      [count, 2, 2],
      Array.from({ length: 4 * count }, (_, index) => index),
    );
    const labels = idx(
      [count],
      Array.from({ length: count }, (_, index) => index),
    );
    await writeFile(join(folder, "t10k-images-idx3-ubyte.gz"), gzip(images));
    await expect(loadMnist(folder)).rejects.toThrow(/found t10k-images-idx3-ubyte\.gz but not t10k-labels-idx1-ubyte/);
    await writeFile(join(folder, "t10k-labels-idx1-ubyte"), labels);
    const single = await loadMnist(folder);
    expect([...single.train.fields.y.data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...single.test.fields.y.data]).toEqual([8, 9]);
    expect(single.test.fields.x.shape).toEqual([2, 1, 2, 2]);
    expect(single.test.fields.x.data[0]).toBeCloseTo(32 / 255, 6);

    await writeFile(join(folder, "train-images.idx3-ubyte"), idx([2, 2, 2], [0, 0, 0, 0, 255, 255, 255, 255]));
    await writeFile(join(folder, "train-labels.idx1-ubyte"), idx([2], [3, 4]));
    const both = await loadMnist(folder);
    expect([both.train.size, both.test.size]).toEqual([2, count]);

    await writeFile(join(folder, "train-labels.idx1-ubyte"), idx([2], [3, 10]));
    await expect(loadMnist(folder)).rejects.toThrow(/train-labels.*class indices from 0 to 9, got 10 at sample 1/);
    await writeFile(join(folder, "train-labels.idx1-ubyte"), idx([3], [3, 1, 2]));
    await expect(loadMnist(folder)).rejects.toThrow(/has 2 images, but .* has 3 labels/);
  });

  const mnist = realData("mnist-10k");
  it.skipIf(mnist === undefined)("reads the real images: 8 000 to train, 2 000 to test", async () => {
    const { train, test } = await loadMnist(mnist as string);
    expect([train.size, test.size]).toEqual([8000, 2000]);
    expect(train.fields.x.shape).toEqual([8000, 1, 28, 28]);
    // The first labels of the MNIST test set, and its mean ink.
    expect([...train.fields.y.data.slice(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    const all = [...train.fields.x.data, ...test.fields.x.data];
    expect(all.reduce((sum, value) => sum + value, 0) / all.length).toBeCloseTo(0.1325, 4);
  });

  it("finds files in folders named like them, as Kaggle packs MNIST", async () => {
    const archive = await mkdtemp(join(tmpdir(), "kasane-kaggle-"));
    for (const [name, content] of [
      ["train-images.idx3-ubyte", idx([2, 1, 1], [0, 255])],
      ["train-labels.idx1-ubyte", idx([2], [3, 4])],
      ["t10k-images.idx3-ubyte", idx([3, 1, 1], [0, 1, 2])],
      ["t10k-labels.idx1-ubyte", idx([3], [1, 1, 1])],
    ] as const) {
      const folder = join(archive, name.replace(".", "-"));
      await mkdir(folder);
      await writeFile(join(folder, name.replace(".", "-")), content);
      if (name.startsWith("train")) await writeFile(join(archive, name), content);
    }
    const { train, test } = await loadMnist(archive);
    expect([[...train.fields.y.data], [...train.fields.x.data], test.size]).toEqual([[3, 4], [0, 1], 3]);
    await rm(archive, { recursive: true });
  });

  it("refuses images without pixels, and images for testing of another size", async () => {
    const part = await mkdtemp(join(tmpdir(), "kasane-sizes-"));
    const write = async (of: string, height: number): Promise<void> => {
      await writeFile(join(part, `${of}-images-idx3-ubyte`), idx([2, height, 3], new Uint8Array(6 * height)));
      await writeFile(join(part, `${of}-labels-idx1-ubyte`), idx([2], [0, 1]));
    };
    await write("train", 0);
    await expect(loadMnist(part)).rejects.toThrow(/expected images with pixels, got 0 × 3/);
    await write("train", 2);
    await write("t10k", 4);
    await expect(loadMnist(part)).rejects.toThrow(/the images for training are 2 × 3 pixels, those for testing 4 × 3/);
    await rm(part, { recursive: true });
  });

  it.each([
    ["letters", [1, 26], "A", "Z", 26],
    ["balanced", [0, 46], "0", "t", 47],
    ["byclass", [0, 61], "0", "z", 62],
    ["digits", [0, 9], "0", "9", 10],
  ] as const)("reads the part %s of EMNIST", async (split, labels, first, last, classes) => {
    const part = await mkdtemp(join(tmpdir(), "kasane-emnist-"));
    for (const of of ["train", "test"]) {
      await writeFile(join(part, `emnist-${split}-${of}-images-idx3-ubyte.gz`), gzip(idx([2, 1, 1], [0, 255])));
      await writeFile(join(part, `emnist-${split}-${of}-labels-idx1-ubyte`), idx([2], [...labels]));
      await writeFile(join(part, `emnist-mnist-${of}-images-idx3-ubyte`), idx([2, 1, 1], [0, 255]));
    }
    await expect(loadMnist(part)).rejects.toThrow(/several parts of EMNIST: .*mnist\n {2}try: loadMnist\(folder, \{ split: /);
    await expect(loadMnist(part, { split: "bymerge" })).rejects.toThrow(/there is no part bymerge of EMNIST/);
    await expect(loadMnist(part, { split: "mnist" })).rejects.toThrow(
      /found emnist-mnist-train-images-idx3-ubyte but not emnist-mnist-train-labels-idx1-ubyte/,
    );
    const { train, test } = await loadMnist(part, { split });
    const names = train.classNames ?? [];
    expect([names.length, names[train.fields.y.data[0] as number], names[test.fields.y.data[1] as number]]).toEqual([classes, first, last]);
    await rm(part, { recursive: true });
  });
});
