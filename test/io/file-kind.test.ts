// A file given to the wrong reader is named for what it is; damaged files of the right kind are not taken for others.

import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCsv, readIdx, readIdxFile } from "../../src/data/index.ts";
import { parseSafetensors, serializeSafetensors } from "../../src/io/index.ts";
import { FileError } from "../../src/util/errors.ts";

const bytes = (...parts: readonly (string | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...part].map((letter) => letter.charCodeAt(0)) : [...part])));
const filled = (start: Uint8Array): Uint8Array => {
  const whole = new Uint8Array(512);
  whole.set(start);
  return whole;
};
/** The beginning of a zip archive whose first file has this name. */
const zip = (name: string): Uint8Array => filled(bytes("PK\x03\x04", new Array(22).fill(0), [name.length & 255, 0, 0, 0], name));

const files: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
  "torch.save": [zip("model/data.pkl"), /a PyTorch file\n {2}try: in Python: safetensors\.torch\.save_file/],
  "old torch.save": [filled(bytes("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M")), /a PyTorch file of the old form/],
  pickle: [filled(bytes("\x80\x04\x95\x10\0\0\0\0\0\0\0}")), /a Python pickle/],
  ONNX: [filled(bytes([8, 7, 0x12, 7], "pytorch", [0x1a, 5], "2.0.1:")), /an ONNX model/],
  Keras: [zip("metadata.json"), /a Keras model/],
  HDF5: [filled(bytes("\x89HDF\r\n\x1a\n")), /an HDF5 file/],
  npy: [filled(bytes("\x93NUMPY\x01\0v\0{'descr': '<f4'")), /a NumPy array \(npy\)/],
  npz: [zip("x.npy"), /an archive of NumPy arrays/],
  GGUF: [filled(bytes("GGUF\x03\0\0\0")), /a GGUF file/],
  zip: [zip("readme.txt"), /a zip archive/],
  xlsx: [zip("[Content_Types].xml"), /an Excel workbook/],
  gzip: [new Uint8Array(gzipSync("a,b\n1,2\n")), /compressed with gzip/],
  tar: [bytes(new Array(257).fill(0), "ustar", new Array(250).fill(0)), /a tar archive/],
  Parquet: [filled(bytes("PAR1\x15\x04")), /a Parquet file/],
  SQLite: [filled(bytes("SQLite format 3\0")), /an SQLite database/],
  PNG: [filled(bytes("\x89PNG\r\n\x1a\n")), /a PNG image/],
  "a web page": [bytes("<!DOCTYPE html>\n<html><head><title>Sign in, please</title></head></html>\n"), /a web page/],
  "a pointer": [
    bytes("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
    /what Git LFS leaves.*\n {2}try: git lfs pull/,
  ],
  JSON: [bytes('[{"a": 1,\n"b": 2}]'), /this is JSON/],
  safetensors: [serializeSafetensors({ x: { shape: [2], data: Float32Array.of(1, 2) } }), /a safetensors file/],
  IDX: [bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 6]), /an IDX file/],
};

const readers: Readonly<Record<string, (file: Uint8Array<ArrayBuffer>) => unknown>> = {
  safetensors: (file) => parseSafetensors(file, "the.file"),
  IDX: (file) => readIdx(file, "the.file"),
  "IDX, compressed or not": (file) => readIdxFile(file, "the.file"),
  CSV: (file) => parseCsv(file, { name: "the.file" }),
};

describe.each(Object.keys(readers))("the reader of %s", (reader) => {
  // A compressed file is read as what is in it where that may be compressed.
  const others = Object.keys(files).filter((kind) => !reader.startsWith(kind) && !(kind === "gzip" && reader.includes("compressed")));
  it.each(others)("names %s", async (kind) => {
    const [file, what] = files[kind] as (typeof files)[string];
    const read = async () => (readers[reader] as (file: Uint8Array) => unknown)(file);
    await expect(read()).rejects.toThrow(FileError);
    await expect(read()).rejects.toThrow(/^the\.file: expected (a safetensors file|an IDX file|a CSV table), but this is /);
    await expect(read()).rejects.toThrow(what);
  });
});

it("tables may begin like the marks of other files", () => {
  for (const mark of ["GGUF", "PAR1", "BZh", "GIF8", "PK", "ARROW1", "{", "[1"])
    expect(parseCsv(`${mark},b\n1,2\n`).columnNames).toEqual([mark, "b"]);
  expect(() => parseCsv("PAR1,b\n1,2,3\n")).toThrow(/line 2: expected 2 cells/);
});

it("a damaged safetensors file is called damaged", () => {
  const whole = serializeSafetensors({ weight: { shape: [64], data: new Float32Array(64) } });
  fc.assert(
    fc.property(fc.integer({ min: 16, max: whole.length - 1 }), (length) => {
      expect(() => parseSafetensors(whole.slice(0, length))).toThrow(/not a valid safetensors file/);
    }),
  );
});
