// Advice of data sets, tables, images, loaders, transforms and tokenizers.

import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import {
  CategoryEncoder,
  centerCrop,
  compose,
  cutmix,
  DataLoader,
  Dataset,
  Draws,
  Imputer,
  mixup,
  ndArray,
  parseCsv,
  randomBrightnessContrast,
  randomCrop,
  randomFlip,
  readIdx,
  readIdxFile,
  readTable,
  Standardizer,
  tokenWindows,
  VocabularyTokenizer,
} from "../../src/data/index.ts";
import { loadMnist } from "../../src/data/node.ts";
import { tensor } from "../../src/index.ts";
import { type Advice, advice } from "./advice.ts";
import { inFolder, labels, samples, x } from "./models.ts";

const floats = (...shape: number[]) => ndArray(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
const table = (text: string, more: object = {}) => readTable(text, { target: "y", ...more });
const cell = (text: string): string => `a,b,y\n1,${text},2.5\n2,3,4.5\n`;
const labelled = (y: readonly number[], more: object = {}) =>
  new Dataset({ x: x(y.length), y: tensor(y as number[], { dtype: "int32" }) } as never, more);
const images = () => ({ x: floats(2, 1, 4, 4), y: ndArray(new Int32Array(2), [2]) });
const draws = () => new Draws({ seed: 1, epoch: 1, samples: [0, 1] });
const changed = (transform: unknown, batch: object = images()) => (transform as (batch: object, draws: Draws) => object)(batch, draws());
const loaded = (transform: unknown) => [...new DataLoader(samples(), { batchSize: 2, transform: transform as never })];

/** An IDX file of bytes, 2 × 3 of them. */
const idx = (values = 6, rows = 2): Uint8Array<ArrayBuffer> =>
  Uint8Array.of(0, 0, 8, 2, 0, 0, 0, rows, 0, 0, 0, 3, ...new Uint8Array(values));
const imagesFile = (count = 2) => Uint8Array.of(0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28, ...new Uint8Array(count * 784));
const labelsFile = (count = 2) => Uint8Array.of(0, 0, 8, 1, 0, 0, 0, count, ...new Uint8Array(count).fill(1));

/** A folder with MNIST files of the names. */
async function imagesIn(path: (...names: string[]) => string, ...parts: readonly string[]): Promise<void> {
  for (const part of parts)
    for (const set of ["train", "test"]) {
      await writeFile(path(`emnist-${part}-${set}-images-idx3-ubyte`), imagesFile());
      await writeFile(path(`emnist-${part}-${set}-labels-idx1-ubyte`), labelsFile());
    }
}

async function* stream() {
  yield { x: floats(2), y: ndArray(new Int32Array(1), []) };
  yield { x: floats(2), y: ndArray(new Int32Array(1), []) };
}

async function* mixed() {
  yield { x: floats(2) };
  yield { x: ndArray(new Float64Array(2), [2]) };
}

async function allOf(batches: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}

export const dataAdvice: readonly Advice[] = [
  // Data sets.
  advice(
    "ndArray(data, [rows, columns])",
    () => ndArray(new Float32Array(4), 2 as never),
    () => ndArray(new Float32Array(4), [2, 2]),
  ),
  advice(
    "split: stratify chooses samples by class and cannot keep them in order; choose one of the two",
    () => labelled([0, 1, 0, 1]).split(0.5, { stratify: true, inOrder: true }),
    () => labelled([0, 1, 0, 1]).split(0.5, { stratify: true }),
    () => labelled([0, 1, 0, 1]).split(0.5, { inOrder: true }),
  ),
  advice(
    "stratify: false",
    () => new Dataset({ x: x(), y: tensor([0.5, 1, 2]) } as never).split(0.5, { stratify: true }),
    () => new Dataset({ x: x(), y: tensor([0.5, 1, 2]) } as never).split(0.5, { stratify: false }),
  ),
  advice(
    "number the classes from 0, or give as many class names as there are classes",
    () => labelled([1, 2], { classNames: ["a", "b"] }),
    () => labelled([0, 1], { classNames: ["a", "b"] }),
    () => labelled([1, 2], { classNames: ["none", "a", "b"] }),
  ),
  advice(
    "repair or drop that sample; allowNonFinite: true lets it through",
    () => new Dataset({ x: tensor([Number.NaN, 2]), y: tensor([1, 2]) } as never),
    () => new Dataset({ x: tensor([0, 2]), y: tensor([1, 2]) } as never),
    () => new Dataset({ x: tensor([2]), y: tensor([2]) } as never),
    () => new Dataset({ x: tensor([Number.NaN, 2]), y: tensor([1, 2]) } as never, { allowNonFinite: true }),
  ),
  advice(
    "x: tensor([…]), or x: ndArray(new Float32Array(…), [rows, columns])",
    () => new Dataset({ x: [[1, 2]], y: labels(1) } as never),
    () => new Dataset({ x: tensor([[1, 2]]), y: labels(1) } as never),
    () => new Dataset({ x: ndArray(new Float32Array(2), [1, 2]), y: labels(1) } as never),
  ),
  // Columns.
  advice(
    'fit on data that has it, or unknown: "zeros"',
    () => CategoryEncoder.fit(["red", "green"]).encode(["violet"]),
    () => CategoryEncoder.fit(["red", "green", "violet"]).encode(["violet"]),
    () => CategoryEncoder.fit(["red", "green"], { unknown: "zeros" }).encode(["violet"]),
  ),
  advice(
    '"green", or unknown: "zeros"',
    () => CategoryEncoder.fit(["red", "green"]).encode(["gren"]),
    () => CategoryEncoder.fit(["red", "green"]).encode(["green"]),
    () => CategoryEncoder.fit(["red", "green"], { unknown: "zeros" }).encode(["gren"]),
  ),
  advice(
    "read the table without that column (columns of readTable and loadCsv), or give the numbers yourself: new Imputer({ values })",
    () => Imputer.fit(ndArray(new Float32Array([1, Number.NaN]), [1, 2])),
    () => Imputer.fit(ndArray(new Float32Array([1]), [1, 1])),
    () => table(cell("3"), { columns: ["a"] }),
    () => new Imputer({ values: [1, 0] }).apply(ndArray(new Float32Array([1, Number.NaN]), [1, 2])),
  ),
  advice(
    "give the same columns in the same order as for fit",
    () => Standardizer.fit(floats(3, 2)).apply(floats(3, 4)),
    () => Standardizer.fit(floats(3, 2)).apply(floats(5, 2)),
  ),
  // Tables.
  advice(
    "save the table as CSV in UTF-8",
    () => parseCsv("a,b\n1,\0\n"),
    () => parseCsv(new TextEncoder().encode("a,b\n1,2\n")),
  ),
  advice(
    "save the table as CSV with the encoding UTF-8",
    () => parseCsv(Uint8Array.of(0x61, 0x2c, 0x62, 0x0a, 0xe9, 0x2c, 0x31)),
    () => parseCsv(new TextEncoder().encode("a,b\né,1")),
  ),
  advice(
    'put a quote at both ends of the cell and double the quotes inside it ("")',
    () => parseCsv('a,b\n"one "two" three,2\n'),
    () => parseCsv('a,b\n"one ""two"" three",2\n'),
  ),
  advice(
    'repair that line; cells are taken to be separated by ",", another separator can be given',
    () => parseCsv("a,b\n1;2\n"),
    () => parseCsv("a,b\n1,2\n"),
    () => parseCsv("a;b,c\n1;2\n", { separator: ";" }),
  ),
  advice(
    'remove what stands above the names of the columns: line 1 is taken for them ("Table 1")',
    () => parseCsv("Table 1\na,b\n1,2\n"),
    () => parseCsv("a,b\n1,2\n"),
  ),
  advice(
    "name what separates the cells (separator, --separator)",
    () => table("a:y\n1:0\n2:1\n"),
    () => table("a:y\n1:0\n2:1\n", { separator: ":" }),
  ),
  advice(
    "add a line with the names of the columns: the first line is taken for them",
    () => table("1,2,red\n3,4,blue\n"),
    () => table("a,b,y\n1,2,red\n3,4,blue\n"),
  ),
  advice(
    "name it, or leave it out: pandas writes no row numbers with to_csv(path, index=False)",
    () => table(",a,y\n0,1,0\n1,2,1\n"),
    () => table("row,a,y\n0,1,0\n1,2,1\n"),
    () => table("a,y\n1,0\n2,1\n"),
  ),
  advice(
    "name it",
    () => table("a,,y\n0,1,0\n1,2,1\n"),
    () => table("a,b,y\n0,1,0\n1,2,1\n"),
  ),
  advice(
    'did you mean "y"?',
    () => readTable(cell("3"), { target: "Y" }),
    () => readTable(cell("3"), { target: "y" }),
  ),
  advice(
    "fill it in or leave that row out",
    () => table(cell("")),
    () => table(cell("7")),
    () => table("a,b,y\n2,3,4.5\n1,2,2.5\n"),
  ),
  advice(
    "fill it in or leave that row out",
    () => table("a,y\n1,red\n2,\n3,blue\n"),
    () => table("a,y\n1,red\n2,red\n3,blue\n"),
    () => table("a,y\n1,red\n3,blue\n"),
  ),
  advice(
    "repair the value or leave that row out",
    () => table(cell("inf")),
    () => table(cell("7")),
    () => table("a,b,y\n2,3,4.5\n1,2,2.5\n"),
  ),
  advice(
    "write numbers for this column, name the columns to use without it (columns, --columns), or make it the target if it names classes",
    () => table(cell("red")),
    () => table(cell("7")),
    () => table(cell("red"), { columns: ["a"] }),
    () => readTable("a,b\n1,red\n2,blue\n", { target: "b" }),
  ),
  advice(
    "write it without separators of thousands: 1234567",
    () => table(cell('"1,234,567"')),
    () => table(cell("1234567")),
  ),
  advice(
    "write 1234 if the comma separates thousands, 1.234 if it separates decimals",
    () => table(cell('"1,234"')),
    () => table(cell("1234")),
    () => table(cell("1.234")),
  ),
  advice(
    "write decimals with a point, and no separators of thousands: 3.5",
    () => table(cell('"3,5"')),
    () => table(cell("3.5")),
  ),
  advice(
    "rename one of them",
    () => parseCsv("a,a\n1,2\n"),
    () => parseCsv("a,b\n1,2\n"),
  ),
  advice(
    "add a header line",
    () => parseCsv("1,2\n3,4\n"),
    () => parseCsv("a,b\n1,2\n3,4\n"),
  ),
  advice(
    "choose another target column",
    () => table(`a,y\n${Array.from({ length: 1200 }, (_, n) => `${n},t${n}`).join("\n")}\n`),
    () => readTable(`a,y,z\n${Array.from({ length: 1200 }, (_, n) => `${n},${n},${n % 3}`).join("\n")}\n`, { target: "z" }),
  ),
  // Files of images.
  advice(
    "download the file again",
    () => readIdx(idx(7)),
    () => readIdx(idx()),
  ),
  advice(
    "download the file again",
    () => readIdxFile(gzipSync(idx()).subarray(0, 20) as never),
    () => readIdxFile(new Uint8Array(gzipSync(idx()))),
  ),
  advice(
    "download the file again",
    () => readIdxFile(new Uint8Array(gzipSync(idx(9)))),
    () => readIdxFile(new Uint8Array(gzipSync(idx()))),
  ),
  advice(
    "download or copy the file again",
    () => readIdx(idx(5)),
    () => readIdx(idx()),
  ),
  advice(
    "give an MNIST-style file such as train-images-idx3-ubyte, as it is or compressed with gzip",
    () => readIdxFile(Uint8Array.of(1, 2, 3, 4, 5, 6)),
    () => readIdxFile(imagesFile()),
    () => readIdxFile(new Uint8Array(gzipSync(imagesFile()))),
  ),
  advice(
    "if the file is smaller than that it is damaged: download it again",
    () => readIdx(Uint8Array.of(0, 0, 8, 2, 127, 0, 0, 0, 127, 0, 0, 0)),
    () => readIdx(idx()),
  ),
  advice(
    "decompress it with gzip first, if that is right",
    () => readIdxFile(new Uint8Array(gzipSync(large()))),
    () =>
      inFolder(async (path) => {
        await writeFile(path("a.gz"), gzipSync(large()));
        await promisify(execFile)("gzip", ["-d", path("a.gz")]);
        readIdx(large());
      }),
  ),
  advice(
    "give the folder that holds the MNIST files",
    () => inFolder((path) => loadMnist(path())),
    () =>
      inFolder(async (path) => {
        await imagesIn(path, "letters");
        return loadMnist(path());
      }),
  ),
  advice(
    'loadMnist(folder, { split: "digits" }), or a folder with the files of one part',
    () =>
      inFolder(async (path) => {
        await imagesIn(path, "letters", "digits");
        return loadMnist(path());
      }),
    () =>
      inFolder(async (path) => {
        await imagesIn(path, "letters", "digits");
        return loadMnist(path(), { split: "digits" });
      }),
    () =>
      inFolder(async (path) => {
        await imagesIn(path, "digits");
        return loadMnist(path());
      }),
  ),
  advice(
    "files that belong together",
    () =>
      inFolder(async (path) => {
        await imagesIn(path, "digits");
        await writeFile(path("emnist-digits-test-images-idx3-ubyte"), Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9));
        return loadMnist(path());
      }),
    () =>
      inFolder(async (path) => {
        await imagesIn(path, "digits");
        return loadMnist(path());
      }),
  ),
  // Loaders and transforms.
  advice(
    "new DataLoader(new Dataset({ x, y }), …)",
    () => new DataLoader({ x: x(), y: labels() } as never, { batchSize: 2 }),
    () => new DataLoader(new Dataset({ x: x(), y: labels() } as never), { batchSize: 2 }),
  ),
  advice(
    "a smaller batchSize, or dropLast: false",
    () => new DataLoader(samples(), { batchSize: 8, dropLast: true }),
    () => new DataLoader(samples(), { batchSize: 2, dropLast: true }),
    () => new DataLoader(samples(), { batchSize: 8, dropLast: false }),
  ),
  advice(
    "for await (const batch of loader)",
    () => [...new DataLoader(stream() as never, { batchSize: 2 })],
    () => allOf(new DataLoader(stream() as never, { batchSize: 2 }) as never),
  ),
  advice(
    "give all samples the same kind of array",
    () => allOf(new DataLoader(mixed() as never, { batchSize: 2 }) as never),
    () => allOf(new DataLoader(stream() as never, { batchSize: 2 }) as never),
  ),
  advice(
    "a transform that is not async",
    () => loaded(async (batch: object) => batch),
    () => loaded((batch: object) => batch),
  ),
  advice(
    "return { ...batch, x: changed }",
    () => loaded(() => undefined),
    () => loaded((batch: { x: object }) => ({ ...batch, x: batch.x })),
  ),
  advice(
    "return { ...batch, x: changed }",
    () => loaded((batch: object) => ({ ...batch, x: 1 })),
    () => loaded((batch: { x: object }) => ({ ...batch, x: batch.x })),
  ),
  advice(
    "compose(randomFlip(), …), with parentheses",
    () => compose("randomFlip" as never),
    () => changed(compose(randomFlip(), randomFlip())),
  ),
  advice(
    'fields: ["x"]',
    () => randomFlip({ fields: [] }),
    () => changed(randomFlip({ fields: ["x"] })),
  ),
  advice(
    'less padding, or paddingMode: "constant"',
    () => changed(randomCrop({ size: 4, padding: 4, paddingMode: "reflect" })),
    () => changed(randomCrop({ size: 4, padding: 2, paddingMode: "reflect" })),
    () => changed(randomCrop({ size: 4, padding: 4, paddingMode: "constant" })),
  ),
  advice(
    "a smaller size, or more padding with randomCrop",
    () => changed(centerCrop({ size: 6 })),
    () => changed(centerCrop({ size: 3 })),
    () => changed(randomCrop({ size: 6, padding: 1 })),
  ),
  advice(
    "standardize or scale the images to float32 before",
    () => changed(randomBrightnessContrast({}), { x: ndArray(new Uint8Array(32), [2, 1, 4, 4]) }),
    () =>
      changed(randomBrightnessContrast({}), { x: Standardizer.fit(floats(2, 1, 4, 4)).apply(ndArray(new Uint8Array(32), [2, 1, 4, 4])) }),
    () =>
      changed(randomBrightnessContrast({}), {
        x: ndArray(
          Float32Array.from(new Uint8Array(32), (v) => v / 255),
          [2, 1, 4, 4],
        ),
      }),
  ),
  advice(
    "classes: the number of classes",
    () => changed(mixup({})),
    () => changed(mixup({ classes: 2 })),
    () => changed(cutmix({ classes: 2 })),
  ),
  // Text.
  advice(
    "a smaller minimumCount",
    () => VocabularyTokenizer.fit("abc", { level: "character", minimumCount: 2 } as never),
    () => VocabularyTokenizer.fit("abc", { level: "character", minimumCount: 1 } as never),
  ),
  advice(
    'fit on text that has it, or with unknown: "<unknown>"',
    () => VocabularyTokenizer.fit("abc", { level: "character" } as never).encode("d"),
    () => VocabularyTokenizer.fit("abcd", { level: "character" } as never).encode("d"),
    () => VocabularyTokenizer.fit("abc", { level: "character", unknown: "<unknown>" } as never).encode("d"),
  ),
  advice(
    "more text, or a smaller length",
    () => tokenWindows([1, 2, 3], { length: 3 }),
    () => tokenWindows([1, 2, 3, 4], { length: 3 }),
    () => tokenWindows([1, 2, 3], { length: 2 }),
  ),
];

/** More bytes than a few compressed ones may become. */
function large(): Uint8Array<ArrayBuffer> {
  const rows = 2 ** 27;
  const bytes = new Uint8Array(12 + rows);
  bytes.set([0, 0, 8, 2, 8, 0, 0, 0, 0, 0, 0, 1]);
  return bytes;
}
