// Loads a folder of MNIST-style files in Node: images and labels in IDX format, compressed or not.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { dtypeOfArray } from "../../formula/arrays.ts";
import { readBytes, reasonFor } from "../../io/node/file.ts";
import { FileError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import type { NdArray } from "../array.ts";
import { elementCount } from "../array.ts";
import { checkLabels, Dataset } from "../dataset.ts";
import { readIdxFile } from "./idx.ts";

/** x [n, 1, height, width] with values from 0 to 1, y [n] with class indices. */
export type ImageFields = { readonly x: NdArray<Float32Array>; readonly y: NdArray<Int32Array> };

/** How the classes are called. */
export interface MnistOptions {
  /** Names of the classes, in the order of the labels; default the ten digits. */
  readonly classNames?: readonly string[];
}

const digitNames = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/** The part of a folder that has only one pair of files which is used for training; the rest, in the files' order, is for testing. */
const trainingShare = 0.8;

/**
 * Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k-` for testing; each may end in `.gz`.
 * When only one pair is there its first four fifths are for training and its last fifth for testing.
 *
 * @throws FileError when files are missing, damaged or do not belong together, or a label has no class.
 */
export async function loadMnist(
  folder: string,
  options: MnistOptions = {},
): Promise<{ train: Dataset<ImageFields>; test: Dataset<ImageFields> }> {
  const { classNames = digitNames } = checkOptions<MnistOptions>("loadMnist", options, { classNames: true });
  const names = await readdir(folder).catch((error: unknown) => {
    throw new FileError(`cannot read the folder ${folder}: ${reasonFor(error)}`, { cause: error });
  });
  const train = await loadPair(folder, names, "train", classNames);
  const test = await loadPair(folder, names, "t10k", classNames);
  if (train !== undefined && test !== undefined) return { train, test };
  const only = train ?? test;
  if (only === undefined) {
    const found = names.length === 0 ? "nothing" : names.slice(0, 5).join(", ") + (names.length > 5 ? ", …" : "");
    throw new FileError(
      `${folder}: expected train-images-idx3-ubyte and train-labels-idx1-ubyte (or t10k-…, each may end in .gz), found ${found}`,
      {
        hint: "give the folder that holds the MNIST files",
      },
    );
  }
  const [first, last] = only.split(trainingShare, { inOrder: true });
  return { train: first, test: last };
}

async function loadPair(
  folder: string,
  names: readonly string[],
  part: string,
  classNames: readonly string[],
): Promise<Dataset<ImageFields> | undefined> {
  const imagesName = findFile(names, part, "images", 3);
  const labelsName = findFile(names, part, "labels", 1);
  if (imagesName === undefined && labelsName === undefined) return undefined;
  if (imagesName === undefined || labelsName === undefined) {
    const missing = imagesName === undefined ? "images-idx3" : "labels-idx1";
    throw new FileError(`${folder}: found ${imagesName ?? labelsName} but not ${part}-${missing}-ubyte, its other half`);
  }
  const imagesPath = join(folder, imagesName);
  const labelsPath = join(folder, labelsName);
  const images = await readIdxFile(await readBytes(imagesPath), imagesPath);
  const labels = await readIdxFile(await readBytes(labelsPath), labelsPath);
  checkForm(images, 3, "images", imagesPath);
  checkForm(labels, 1, "labels", labelsPath);
  const [count = 0, height = 0, width = 0] = images.shape;
  if (count !== labels.shape[0]) {
    throw new FileError(`${imagesPath} has ${count} images, but ${labelsPath} has ${labels.shape[0]} labels`);
  }
  if (count < 2) throw new FileError(`${imagesPath}: expected at least two images, got ${count}`);
  checkLabels(labels, classNames.length, labelsPath);
  const grey = new Float32Array(elementCount(images.shape));
  for (let index = 0; index < grey.length; index++) grey[index] = (images.data[index] as number) / 255;
  return new Dataset<ImageFields>(
    { x: { shape: [count, 1, height, width], data: grey }, y: { shape: [count], data: Int32Array.from(labels.data) } },
    { classNames },
  );
}

/** Accepts the names of the original files and those with dots that some archives unpack to. */
function findFile(names: readonly string[], part: string, what: string, rank: number): string | undefined {
  const stem = `${part}-${what}`;
  const wanted = ["-", "."].flatMap((mark) => ["", ".gz"].map((ending) => `${stem}${mark}idx${rank}-ubyte${ending}`));
  return wanted.find((name) => names.includes(name));
}

function checkForm({ shape, data }: NdArray, rank: number, what: string, path: string): void {
  if (shape.length !== rank || dtypeOfArray(data) !== "uint8") {
    throw new FileError(`${path}: expected ${what} as bytes with ${rank} axes, got ${dtypeOfArray(data)} of shape [${shape.join(", ")}]`);
  }
}
