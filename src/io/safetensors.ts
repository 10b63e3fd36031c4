// Reads and writes the safetensors format: an 8-byte header length, a JSON header, then the values of every tensor.

import { encodeBfloat16 } from "../formula/bfloat16.ts";
import type { DType } from "../formula/nest.ts";
import { FileError, InputError } from "../util/errors.ts";
import { fromUtf8, toUtf8 } from "../util/text.ts";
import type { ElementType, ElementTypeName } from "./bytes.ts";
import { elementTypes } from "./bytes.ts";
import { findDuplicateKey } from "./json-keys.ts";

/** Numbers as they are read. */
export type StoredData = Float32Array | Float64Array | Int32Array | Uint8Array;

/** The element types that are written; a Uint8Array is U8 unless `dtype` says BOOL, a Float32Array F32 unless it says BF16 (then numbers are rounded). */
export type WritableDtype = "F32" | "F64" | "BF16" | "I32" | "U8" | "BOOL";

/** A tensor, or numbers with their shape. */
export interface TensorToStore {
  readonly shape: readonly number[];
  readonly data: StoredData;
  /** The file's name of the element type or a tensor's; default: what `data` holds. */
  readonly dtype?: WritableDtype | DType;
}

/** One tensor of a file. */
export interface StoredTensor {
  readonly shape: readonly number[];
  /** F16 and BF16 arrive as Float32Array, I64 as Int32Array, BOOL as Uint8Array of 0 and 1. */
  readonly data: StoredData;
  /** The type in the file. */
  readonly dtype: ElementTypeName;
}

/** What a safetensors file holds. */
export interface SafetensorsFile {
  /** In the order of the data in the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** The same limit as the format's own library. */
const longestHeader = 100_000_000;
const metadataKey = "__metadata__";

/** What a tensor's element type is called in files. */
const namesInFiles: Readonly<Record<DType, WritableDtype>> = {
  float32: "F32",
  float64: "F64",
  bfloat16: "BF16",
  int32: "I32",
  uint8: "U8",
  bool: "BOOL",
};

/**
 * Reads a whole safetensors file. Nothing is allocated before the header has been checked against the number of bytes given.
 *
 * @param name how errors call the file.
 * @throws FileError when the bytes are not a complete, valid file (https://github.com/huggingface/safetensors#format).
 */
export function parseSafetensors(bytes: Uint8Array, name = "safetensors data"): SafetensorsFile {
  const { header, dataStart } = readHeader(bytes, name);
  const entries: Entry[] = [];
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [key, value] of Object.entries(header)) {
    if (key === metadataKey) metadata = readMetadata(value, name);
    else entries.push(readEntry(key, value, name));
  }
  checkLayout(entries, bytes.length - dataStart, name);
  const tensors = new Map<string, StoredTensor>();
  for (const { key, dtype, shape, count, begin, end } of entries) {
    const type: ElementType = elementTypes[dtype];
    try {
      const data = type.read(new DataView(bytes.buffer, bytes.byteOffset + dataStart + begin, end - begin), count);
      tensors.set(key, { shape, data, dtype });
    } catch (error) {
      if (error instanceof RangeError) throw damaged(name, `tensor ${quote(key)}: ${error.message}`, error);
      throw error;
    }
  }
  return { tensors, metadata };
}

/**
 * The bytes of a safetensors file. The same tensors give the same bytes whatever order they come in: wider types first, so that
 * every tensor is aligned, then by name.
 *
 * @throws InputError when a name repeats or is reserved, or a shape does not fit its values.
 */
export function serializeSafetensors(
  tensors: Iterable<readonly [string, TensorToStore]> | Readonly<Record<string, TensorToStore>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const list = Symbol.iterator in tensors ? [...(tensors as Iterable<readonly [string, TensorToStore]>)] : Object.entries(tensors);
  const seen = new Set<string>();
  const items = list.map(([key, tensor]) => {
    if (seen.has(key)) throw new InputError(`safetensors: two tensors are named ${quote(key)}`);
    seen.add(key);
    const dtype = checkTensor(key, tensor);
    return { key, tensor, dtype, data: dtype === "BF16" ? wordsOf(tensor.data) : tensor.data };
  });
  items.sort((a, b) => elementTypes[b.dtype].bytes - elementTypes[a.dtype].bytes || (a.key < b.key ? -1 : 1));

  const header: [string, unknown][] = [];
  const notes = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, value] of notes) {
    if (typeof value !== "string") throw new InputError(`safetensors: metadata "${key}" must be text, got ${typeof value}`);
  }
  if (notes.length > 0) header.push([metadataKey, Object.fromEntries(notes)]);
  let offset = 0;
  for (const { key, tensor, dtype, data } of items) {
    const end = offset + data.byteLength;
    header.push([key, { dtype, shape: tensor.shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // Written entry by entry: an object would move names that look like numbers to the front and lose "__proto__".
  const json = `{${header.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`;
  const text = toUtf8(json);
  const headerLength = Math.ceil(text.length / 8) * 8;
  if (headerLength > longestHeader)
    throw new InputError(`safetensors: the header would take ${headerLength} bytes, more than ${longestHeader}`);

  const bytes = new Uint8Array(8 + headerLength + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.set(text, 8);
  bytes.fill(0x20, 8 + text.length, 8 + headerLength);
  let position = 8 + headerLength;
  for (const { data } of items) {
    const { buffer, byteOffset, byteLength } = data;
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), position);
    position += byteLength;
  }
  return bytes;
}

interface Entry {
  readonly key: string;
  readonly dtype: ElementTypeName;
  readonly shape: readonly number[];
  readonly count: number;
  readonly begin: number;
  readonly end: number;
}

function readHeader(bytes: Uint8Array, name: string): { header: object; dataStart: number } {
  if (bytes.length < 8) throw damaged(name, `expected at least 8 bytes, got ${bytes.length}`);
  const declared = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (declared > BigInt(longestHeader))
    throw damaged(name, `the header claims ${declared} bytes, more than the format allows (${longestHeader})`);
  const dataStart = 8 + Number(declared);
  if (dataStart > bytes.length) throw damaged(name, `the header needs ${dataStart} bytes, but there are only ${bytes.length}`);
  if (bytes[8] !== 0x7b || declared === 0n) throw damaged(name, 'the header must begin with "{"');
  let text: string;
  let header: unknown;
  let duplicate: string | undefined;
  try {
    text = fromUtf8(bytes.subarray(8, dataStart), { fatal: true, ignoreBOM: true });
    header = JSON.parse(text);
    duplicate = findDuplicateKey(text);
  } catch (error) {
    throw damaged(name, "the header is not JSON in UTF-8", error);
  }
  if (!isRecord(header)) throw damaged(name, "the header is not a JSON object");
  if (duplicate !== undefined) throw damaged(name, `the header has the key ${quote(duplicate)} twice`);
  return { header, dataStart };
}

function readMetadata(value: unknown, name: string): ReadonlyMap<string, string> {
  const entries = isRecord(value) ? Object.entries(value) : undefined;
  if (entries === undefined || !entries.every((entry): entry is [string, string] => typeof entry[1] === "string")) {
    throw damaged(name, `${metadataKey} must be an object whose values are text`);
  }
  return new Map(entries);
}

function readEntry(key: string, value: unknown, name: string): Entry {
  const where = `tensor ${quote(key)}`;
  if (!isRecord(value)) throw damaged(name, `${where}: expected an object with dtype, shape and data_offsets`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(elementTypes, dtype)) {
    const known = Object.keys(elementTypes).join(", ");
    const got = typeof dtype === "string" ? quote(dtype) : "missing or not text";
    throw new FileError(`${name}: ${where}: the dtype is ${got}; the types that can be read are ${known}`);
  }
  if (!isSizes(shape)) throw damaged(name, `${where}: shape must be a list of non-negative whole numbers`);
  if (!isSizes(offsets) || offsets.length !== 2) throw damaged(name, `${where}: data_offsets must be two non-negative whole numbers`);
  const [begin, end] = offsets as [number, number];
  const count = shape.includes(0) ? 0 : shape.reduce((product, dimension) => product * dimension, 1);
  const type: ElementType = elementTypes[dtype as ElementTypeName];
  const expected = count * type.bytes;
  if (!Number.isSafeInteger(expected) || end - begin !== expected) {
    throw damaged(
      name,
      `${where}: ${dtype} of shape [${shape.slice(0, 16).join(", ")}] takes ${expected} bytes, but data_offsets span ${end - begin}`,
    );
  }
  return { key, dtype: dtype as ElementTypeName, shape, count, begin, end };
}

/** The data of all tensors must fill the rest of the file exactly, without holes or overlaps. Sorts the entries by place. */
function checkLayout(entries: Entry[], dataLength: number, name: string): void {
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let position = 0;
  for (const { key, begin, end } of entries) {
    if (begin !== position) {
      const what = begin < position ? "overlaps the tensor before it" : "leaves a hole before it";
      throw damaged(name, `tensor ${quote(key)} ${what}: expected its data at ${position}, got ${begin}`);
    }
    position = end;
  }
  if (position !== dataLength) {
    const what = position > dataLength ? "the file is cut short" : "there are bytes that belong to no tensor";
    throw damaged(name, `${what}: the header describes ${position} bytes of data, but there are ${dataLength}`);
  }
}

function checkTensor(key: string, { shape, data, dtype: given }: TensorToStore): WritableDtype {
  const where = `safetensors: tensor ${quote(key)}`;
  if (key === metadataKey) throw new InputError(`${where}: this name is reserved for notes`);
  if (/\p{Surrogate}/u.test(key)) throw new InputError(`${where}: the name is not valid Unicode`);
  const count = isSizes(shape) ? shape.reduce((product, dimension) => product * dimension, 1) : undefined;
  if (count !== data.length) throw new InputError(`${where}: shape [${shape.join(", ")}] does not fit ${data.length} values`);
  const natural = naturalDtype(data);
  const dtype = given === undefined ? undefined : (namesInFiles[given as DType] ?? (given as WritableDtype));
  if (dtype === undefined || dtype === natural) return natural;
  if (dtype === "BF16" && data instanceof Float32Array) return dtype;
  if (dtype !== "BOOL" || !(data instanceof Uint8Array))
    throw new InputError(`${where}: dtype ${dtype} does not fit a ${data.constructor.name}`);
  if (data.some((value) => value > 1)) throw new InputError(`${where}: a BOOL tensor may hold only 0 and 1`);
  return "BOOL";
}

function wordsOf(data: StoredData): Uint16Array {
  const words = new Uint16Array(data.length);
  encodeBfloat16(data, words);
  return words;
}

function naturalDtype(data: StoredData): WritableDtype {
  if (data instanceof Float32Array) return "F32";
  if (data instanceof Float64Array) return "F64";
  return data instanceof Int32Array ? "I32" : "U8";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** A name as errors show it: quoted, and no longer than a line even when a hostile file says so. */
function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}…` : name);
}

function damaged(name: string, reason: string, cause?: unknown): FileError {
  return new FileError(`${name}: not a valid safetensors file: ${reason}`, {
    hint: "copy or download the file again, or save the model again",
    cause,
  });
}
