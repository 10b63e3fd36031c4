// Reads IDX, the format of MNIST: four bytes saying type and rank, the sizes, then the values, all big-endian.

import { reading } from "../../io/file-kind.ts";
import { toBytes } from "../../nest/arrays.ts";
import { FileError } from "../../util/errors.ts";
import type { NdArray, Storage } from "../array.ts";
import { elementCount } from "../array.ts";

interface IdxType {
  readonly name: string;
  /** Bytes per value in the file. */
  readonly bytes: number;
  readonly read: (view: DataView, count: number) => Storage;
}

/** Type codes, the third byte of a file. Narrow integers other than unsigned bytes are widened to 32 bits. */
const types: Readonly<Record<number, IdxType>> = {
  8: { name: "unsigned byte", bytes: 1, read: (view, count) => new Uint8Array(view.buffer, view.byteOffset, count).slice() },
  9: { name: "signed byte", bytes: 1, read: (view, count) => Int32Array.from({ length: count }, (_, index) => view.getInt8(index)) },
  11: { name: "short", bytes: 2, read: (view, count) => Int32Array.from({ length: count }, (_, index) => view.getInt16(2 * index)) },
  12: { name: "int", bytes: 4, read: (view, count) => Int32Array.from({ length: count }, (_, index) => view.getInt32(4 * index)) },
  13: { name: "float", bytes: 4, read: (view, count) => Float32Array.from({ length: count }, (_, index) => view.getFloat32(4 * index)) },
  14: { name: "double", bytes: 8, read: (view, count) => Float64Array.from({ length: count }, (_, index) => view.getFloat64(8 * index)) },
};

interface IdxHeader {
  readonly type: IdxType;
  readonly shape: readonly number[];
  readonly headerBytes: number;
  readonly totalBytes: number;
}

/** The largest array that is read; larger ones do not fit in one typed array everywhere. */
const MOST_BYTES = 2 ** 31;

/** Photographs compress to a half, drawings and masks to a hundredth; below so many bytes it does not matter. */
const MOST_RATIO = 300;
const HARMLESS_BYTES = 2 ** 26;

/**
 * Reads an IDX file that is not compressed. Nothing is allocated before the header has been checked against the number
 * of bytes given.
 *
 * @param name how errors call the file.
 * @throws FileError when the bytes are not exactly one complete IDX array.
 */
export function readIdx(source: Uint8Array | ArrayBuffer, name = "IDX data"): NdArray {
  const bytes = toBytes(source, name);
  const header = reading("an IDX file", bytes, name, () => readHeader(bytes, name));
  if (header === "incomplete") throw truncated(name, `the header alone is longer than the ${bytes.length} bytes there are`);
  const { type, shape, headerBytes, totalBytes } = header;
  if (bytes.length !== totalBytes) {
    const what = `the header says ${describe(header)}, that is ${totalBytes} bytes in all, but there are ${bytes.length}`;
    throw bytes.length < totalBytes
      ? truncated(name, what)
      : new FileError(`${name}: too long: ${what}`, { hint: "download the file again" });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + headerBytes, bytes.length - headerBytes);
  return { shape, data: type.read(view, elementCount(shape)) };
}

/**
 * Reads an IDX file, compressed with gzip or not. Decompression stops as soon as there is more than the header
 * announces, so a small file cannot fill the memory.
 *
 * @throws FileError as `readIdx`, and when the compressed data is damaged.
 */
export async function readIdxFile(source: Uint8Array | ArrayBuffer, name = "IDX data"): Promise<NdArray> {
  const bytes = toBytes(source, name);
  const compressed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return readIdx(compressed ? await decompress(bytes, name) : bytes, name);
}

/** The header, or "incomplete" when it is right as far as it goes. */
function readHeader(bytes: Uint8Array, name: string): IdxHeader | "incomplete" {
  const type = types[bytes[2]!];
  if ((bytes.length > 0 && bytes[0] !== 0) || (bytes.length > 1 && bytes[1] !== 0) || (bytes.length > 2 && type === undefined)) {
    const start = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new FileError(`${name}: not an IDX file: expected it to begin with 00 00, a type (08 for bytes) and the rank, got ${start}`, {
      hint: "give an MNIST-style file such as train-images-idx3-ubyte, as it is or compressed with gzip",
    });
  }
  const rank = bytes[3];
  if (type === undefined || rank === undefined || bytes.length < 4 + 4 * rank) return "incomplete";
  const view = new DataView(bytes.buffer, bytes.byteOffset + 4, 4 * rank);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 * axis));
  const headerBytes = 4 + 4 * rank;
  const totalBytes = headerBytes + (shape.includes(0) ? 0 : elementCount(shape) * type.bytes);
  const header = { type, shape, headerBytes, totalBytes };
  if (totalBytes > MOST_BYTES) {
    throw new FileError(`${name}: the header says ${describe(header)}, more than the 2 GiB that can be read`, {
      hint: "if the file is smaller than that it is damaged: download it again",
    });
  }
  return header;
}

async function decompress(bytes: Uint8Array<ArrayBuffer>, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  let header: IdxHeader | "incomplete" = "incomplete";
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      length += value.length;
      if (header === "incomplete") {
        const start = join(chunks, length);
        header = reading("an IDX file", start, name, () => readHeader(start, name));
        if (header !== "incomplete") checkRatio(header, bytes.length, name);
      }
      if (header !== "incomplete" && length > header.totalBytes) {
        throw new FileError(
          `${name}: too long: the header says ${describe(header)}, that is ${header.totalBytes} bytes in all, but more come`,
          {
            hint: "download the file again",
          },
        );
      }
    }
  } catch (error) {
    reader.cancel().catch(() => undefined);
    if (error instanceof FileError) throw error;
    const expected = header === "incomplete" ? "" : `; ${header.totalBytes} bytes were expected and ${length} came out`;
    throw new FileError(`${name}: the gzip data is damaged or cut short${expected}`, { hint: "download the file again", cause: error });
  }
  return join(chunks, length);
}

/** A few bytes that become gigabytes are no measurements: said before the memory for them is taken. */
function checkRatio(header: IdxHeader, compressed: number, name: string): void {
  if (header.totalBytes <= HARMLESS_BYTES || header.totalBytes <= MOST_RATIO * compressed) return;
  throw new FileError(
    `${name}: the header says ${describe(header)}, that is ${header.totalBytes} bytes from ${compressed} compressed ones; at most ${MOST_RATIO} times as many are read`,
    { hint: "decompress it with gzip first, if that is right" },
  );
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const joined = new Uint8Array(length);
  let position = 0;
  for (const chunk of chunks) {
    joined.set(chunk, position);
    position += chunk.length;
  }
  return joined;
}

function describe({ type, shape }: Pick<IdxHeader, "type" | "shape">): string {
  const sizes = shape.length > 8 ? `${shape.slice(0, 8).join(" × ")} × …` : shape.join(" × ");
  return `${sizes || "one"} values of type ${type.name}`;
}

function truncated(name: string, what: string): FileError {
  return new FileError(`${name}: cut short: ${what}`, { hint: "download or copy the file again" });
}
