// Advice about files: what they are instead of what was expected, and what cannot be written.

import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { parseCsv, readIdx, readIdxFile } from "../../src/data/index.ts";
import { loadMnist } from "../../src/data/node.ts";
import { tensor } from "../../src/index.ts";
import { parseSafetensors, serializeSafetensors } from "../../src/io/index.ts";
import { loadSafetensors, saveSafetensors } from "../../src/io/node.ts";
import { type Advice, advice } from "./advice.ts";
import { inFolder, net } from "./models.ts";

const latin = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
/** The beginning of a file, with more after it. */
const begins = (text: string): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(512);
  whole.set(latin(text));
  return whole;
};
const table = latin("a,b\n1,2\n");
const stored = () => serializeSafetensors({ a: tensor([1, 2]) });
const images = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28, ...new Uint8Array(2 * 784));
const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 0, 1);

/** A file whose tensor "a" is of a type that cannot be read. */
function partly(): Uint8Array<ArrayBuffer> {
  const entry = (dtype: string, ...offsets: number[]) => ({ dtype, shape: [1], data_offsets: offsets });
  const header = JSON.stringify({ a: entry("C64", 0, 8), b: entry("F32", 8, 12) });
  return Uint8Array.of(header.length, 0, 0, 0, 0, 0, 0, 0, ...latin(header), ...new Uint8Array(12));
}

export const ioAdvice: readonly Advice[] = [
  advice(
    "save the table as CSV in UTF-8",
    () => parseCsv(begins("PAR1\x15\x04")),
    () => parseCsv(table),
  ),
  advice(
    "unpack it, and give the file inside",
    () => parseCsv(new Uint8Array(gzipSync(table))),
    () =>
      inFolder(async (path) => {
        await writeFile(path("t.csv.gz"), gzipSync(table));
        await promisify(execFile)("gzip", ["-d", path("t.csv.gz")]);
        parseCsv(await readFile(path("t.csv")));
      }),
  ),
  advice(
    "take the model's safetensors files",
    () => parseSafetensors(begins("GGUF\x03\0\0\0")),
    () => parseSafetensors(stored()),
  ),
  advice(
    "download the file itself: this may be a notice or a login",
    () => parseCsv(latin("<!DOCTYPE html>\n<html><head><title>Sign in, please</title></head></html>\n")),
    () => parseCsv(table),
  ),
  advice(
    "parseSafetensors(bytes), or loadSafetensors(path) in Node",
    () => readIdx(stored()),
    () => parseSafetensors(stored()),
    () =>
      inFolder(async (path) => {
        await writeFile(path("a"), stored());
        return loadSafetensors(path("a"));
      }),
  ),
  advice(
    "readIdxFile(bytes), or loadMnist(folder) in Node",
    () => parseSafetensors(images),
    () => readIdxFile(images),
    () =>
      inFolder(async (path) => {
        for (const part of ["train", "t10k"]) {
          await writeFile(path(`${part}-images-idx3-ubyte`), images);
          await writeFile(path(`${part}-labels-idx1-ubyte`), labels);
        }
        await loadMnist(path());
      }),
  ),
  advice(
    "JSON.parse(text) reads it, and tensor(…) takes its lists of numbers",
    () => parseCsv("[[1, 2],\n[3, 4]]"),
    () => tensor(JSON.parse("[[1, 2],\n[3, 4]]")),
  ),
  advice(
    "{ skipUnreadable: true } reads the other tensors",
    () => parseSafetensors(partly()),
    () => parseSafetensors(partly(), "m", { skipUnreadable: true }),
  ),
  advice(
    "net.stateDict(), or { weight: tensor }",
    () => serializeSafetensors(1 as never),
    () => serializeSafetensors(net().stateDict()),
    () => serializeSafetensors({ weight: tensor([1, 2]) }),
  ),
  advice(
    '{ license: "MIT" }',
    () => serializeSafetensors({}, ["MIT"] as never),
    () => serializeSafetensors({}, { license: "MIT" }),
  ),
  advice(
    "copy or download the file again, or save the model again",
    () => parseSafetensors(stored().subarray(0, 40)),
    () => parseSafetensors(stored().slice()),
    () =>
      inFolder(async (path) => {
        await saveSafetensors(path("a"), net().stateDict());
        return loadSafetensors(path("a"));
      }),
  ),
  advice(
    "check that the folder … exists and can be written",
    () => inFolder((path) => saveSafetensors(path("none", "a"), net().stateDict())),
    () =>
      inFolder(async (path) => {
        await mkdir(path("none"));
        return saveSafetensors(path("none", "a"), net().stateDict());
      }),
  ),
];
