// Loads a folder of MNIST-style files in Node: images and labels in IDX format, compressed or not.

import { join } from "node:path";
import { readBytes } from "../../io/node/file.ts";
import { isFolder, listFolder } from "../../io/node/folders.ts";
import { dtypeOfArray } from "../../nest/arrays.ts";
import { requireKind, TEXT } from "../../util/arguments.ts";
import { FileError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import { shapeText } from "../../util/shape-text.ts";
import type { NdArray } from "../array.ts";
import { elementCount } from "../array.ts";
import { checkLabels, Dataset } from "../dataset.ts";
import { type EmnistName, emnistSplits } from "./emnist.ts";
import { readIdxFile } from "./idx.ts";

/** x [n, 1, height, width] with values from 0 to 1, y [n] with class indices. */
export type ImageFields = { readonly x: NdArray<Float32Array>; readonly y: NdArray<Int32Array> };

/** How the classes are called, and which files to take. */
export interface MnistOptions {
  /** Names of the classes, in the order of the labels; default the ten digits, for EMNIST those of its part. */
  readonly classNames?: readonly string[];
  /**
   * Which part of EMNIST to read, where the folder has several: "letters" for the files that begin with
   * emnist-letters-.
   */
  readonly split?: EmnistName;
}

const DIGIT_NAMES = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/**
 * The part of a folder that has only one pair of files which is used for training; the rest, in the files' order, is
 * for testing.
 */
const TRAINING_SHARE = 0.8;

/**
 * Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k-` or `test-` for testing; each may
 * end in `.gz`, have a point before `idx`, and lie in a folder of its own name, as in archives of Kaggle. Names may
 * begin with `emnist-` and a part of EMNIST; letters are numbered from 0 then (A), and images stay turned as EMNIST has
 * them, rows for columns. When only one pair is there its first four fifths are for training and its last fifth for
 * testing.
 *
 * @throws FileError when files are missing, damaged or do not belong together, or a label has no class.
 */
export async function loadMnist(
  folder: string,
  options: MnistOptions = {},
): Promise<{ train: Dataset<ImageFields>; test: Dataset<ImageFields> }> {
  requireKind("loadMnist: folder", TEXT, folder);
  const { classNames, split } = checkOptions<MnistOptions>("loadMnist", options, { classNames: true, split: true });
  const files = await imageFiles(folder);
  const chosen = chooseSplit(folder, files, split);
  const emnist = chosen === "" ? undefined : emnistSplits[chosen];
  const classes = { names: classNames ?? emnist?.classNames ?? DIGIT_NAMES, first: emnist?.firstLabel ?? 0 };
  const of = (part: ImageFile["part"]): readonly ImageFile[] => files.filter((file) => file.split === chosen && file.part === part);
  const train = await loadPair(folder, of("train"), classes);
  const test = await loadPair(folder, of("test"), classes);
  if (train !== undefined && test !== undefined) {
    const [ours, theirs] = [train, test].map(({ fields }) => fields.x.shape.slice(2).join(" × "));
    if (ours === theirs) return { train, test };
    throw new FileError(`${folder}: the images for training are ${ours} pixels, those for testing ${theirs}`, {
      hint: "files that belong together",
    });
  }
  const [first, last] = ((train ?? test) as Dataset<ImageFields>).split(TRAINING_SHARE, { inOrder: true });
  return { train: first, test: last };
}

/** A file of a folder, by what its name says. */
interface ImageFile {
  readonly name: string;
  readonly path: string;
  /** "" for files without the name of a part of EMNIST. */
  readonly split: EmnistName | "";
  readonly part: "train" | "test";
  readonly what: "images" | "labels";
}

const FILE_NAME = /^(?:emnist-([a-z]+)-)?(train|t10k|test)-(images|labels)[-.]idx([13])-ubyte(\.gz)?$/;

/**
 * Files by name, those that are compressed last, and those in folders named like a file after these.
 * @throws FileError when there is none
 */
async function imageFiles(folder: string): Promise<readonly ImageFile[]> {
  const names = await entriesOf(folder);
  const files = names.filter(({ isFolder }) => !isFolder).map(({ name }) => fileOf(name, join(folder, name)));
  for (const { name, isFolder } of names) {
    if (!isFolder || !FILE_NAME.test(name)) continue;
    const inside = (await entriesOf(join(folder, name))).filter((entry) => !entry.isFolder);
    files.push(...inside.map((entry) => fileOf(entry.name, join(folder, name, entry.name))));
  }
  const found = files.filter((file) => file !== undefined).sort((a, b) => Number(a.name.endsWith(".gz")) - Number(b.name.endsWith(".gz")));
  if (found.length > 0) return found;
  const others =
    names.length === 0
      ? "nothing"
      : names
          .slice(0, 5)
          .map(({ name }) => name)
          .join(", ") + (names.length > 5 ? ", …" : "");
  throw new FileError(
    `${folder}: expected train-images-idx3-ubyte and train-labels-idx1-ubyte (or t10k-…, each may end in .gz), found ${others}`,
    { hint: "give the folder that holds the MNIST files" },
  );
}

async function entriesOf(folder: string): Promise<readonly { readonly name: string; readonly isFolder: boolean }[]> {
  const names = await listFolder(folder);
  return Promise.all(names.map(async (name) => ({ name, isFolder: await isFolder(join(folder, name)) })));
}

function fileOf(name: string, path: string): ImageFile | undefined {
  const [, split = "", part, what, rank] = FILE_NAME.exec(name) ?? [];
  if (part === undefined || (what === "images") !== (rank === "3") || !(split === "" || Object.hasOwn(emnistSplits, split)))
    return undefined;
  return { name, path, split: split as EmnistName | "", part: part === "train" ? "train" : "test", what: what as ImageFile["what"] };
}

/** @throws FileError where the folder has several parts of EMNIST, or not the one that was asked for */
function chooseSplit(folder: string, files: readonly ImageFile[], wanted: EmnistName | undefined): EmnistName | "" {
  const splits = [...new Set(files.map(({ split }) => split))].sort();
  if (wanted !== undefined && splits.includes(wanted)) return wanted;
  const [first = ""] = splits;
  if (wanted === undefined && (splits.length === 1 || first === "")) return first;
  const named = splits.map((split) => split || "no part of EMNIST").join(", ");
  throw new FileError(
    `${folder}: ${wanted === undefined ? "there are several parts of EMNIST" : `there is no part ${wanted} of EMNIST`}: ${named}`,
    {
      hint: `loadMnist(folder, { split: "${splits.find((split) => split !== "") ?? "letters"}" }), or a folder with the files of one part`,
    },
  );
}

async function loadPair(
  folder: string,
  files: readonly ImageFile[],
  classes: { readonly names: readonly string[]; readonly first: number },
): Promise<Dataset<ImageFields> | undefined> {
  const imagesFile = files.find(({ what }) => what === "images");
  const labelsFile = files.find(({ what }) => what === "labels");
  if (imagesFile === undefined && labelsFile === undefined) return undefined;
  if (imagesFile === undefined || labelsFile === undefined) {
    const there = (imagesFile ?? labelsFile) as ImageFile;
    const missing = there.name.replace(/(images|labels)([-.])idx\d/, (_, what, mark) =>
      what === "images" ? `labels${mark}idx1` : `images${mark}idx3`,
    );
    throw new FileError(`${folder}: found ${there.name} but not ${missing.replace(/\.gz$/, "")}, its other half`);
  }
  const [imagesPath, labelsPath] = [imagesFile.path, labelsFile.path];
  const images = await readIdxFile(await readBytes(imagesPath), imagesPath);
  const labels = await readIdxFile(await readBytes(labelsPath), labelsPath);
  checkForm(images, 3, "images", imagesPath);
  checkForm(labels, 1, "labels", labelsPath);
  const [count = 0, height = 0, width = 0] = images.shape;
  if (count !== labels.shape[0]) {
    throw new FileError(`${imagesPath} has ${count} images, but ${labelsPath} has ${labels.shape[0]} labels`);
  }
  if (height * width === 0) throw new FileError(`${imagesPath}: expected images with pixels, got ${height} × ${width}`);
  if (count < 2) throw new FileError(`${imagesPath}: expected at least two images, got ${count}`);
  const numbers = Int32Array.from(labels.data, (label) => label - classes.first);
  checkLabels({ shape: [count], data: numbers }, classes.names.length, labelsPath);
  const grey = new Float32Array(elementCount(images.shape));
  for (let index = 0; index < grey.length; index++) grey[index] = images.data[index]! / 255;
  return new Dataset<ImageFields>(
    { x: { shape: [count, 1, height, width], data: grey }, y: { shape: [count], data: numbers } },
    { classNames: classes.names },
  );
}

function checkForm({ shape, data }: NdArray, rank: number, what: string, path: string): void {
  if (shape.length !== rank || dtypeOfArray(data) !== "uint8") {
    throw new FileError(`${path}: expected ${what} as bytes with ${rank} axes, got ${dtypeOfArray(data)} of shape ${shapeText(shape)}`);
  }
}
