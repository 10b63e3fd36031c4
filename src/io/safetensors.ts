// Reads and writes the safetensors format: an 8-byte header length, a JSON header, then the values of every tensor.

import { type AnyNumberArray, type ArrayKind, arrayKind, toBytes } from "../nest/arrays.ts";
import { encodeBfloat16 } from "../nest/bfloat16.ts";
import type { DType } from "../nest/nest.ts";
import { FileError, InputError } from "../util/errors.ts";
import { kindOf } from "../util/kind-of.ts";
import { checkOptions, type OptionNames } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { fromUtf8, toUtf8 } from "../util/text.ts";
import { DamagedElement, type ElementTypeName, elementTypes, type StoredData } from "./bytes.ts";
import { reading } from "./file-kind.ts";
import { findDuplicateKey } from "./json-keys.ts";

/**
 * The element types that are written: that of the typed array, or what `dtype` says: BOOL for a Uint8Array of 0 and 1,
 * BF16 for a Float32Array (then numbers are rounded).
 */
export type WritableDtype = Exclude<ElementTypeName, "F8_E4M3" | "F8_E5M2">;

/** A tensor, or numbers with their shape. */
export interface TensorToStore {
  readonly shape: readonly number[];
  readonly data: AnyNumberArray;
  /** The file's name of the element type or a tensor's; default: what `data` holds. */
  readonly dtype?: WritableDtype | DType;
}

/** Notes of a file. */
export type SafetensorsMetadata = Readonly<Record<string, string>> | ReadonlyMap<string, string>;

/** One tensor of a file. */
export interface StoredTensor {
  readonly shape: readonly number[];
  /**
   * Floats of fewer than 32 bits arrive as Float32Array; whole numbers as Int32Array, as Float64Array where one of them
   * is beyond it; U8 as Uint8Array; BOOL as Uint8Array of 0 and 1.
   */
  readonly data: StoredData;
  /** The type in the file. */
  readonly dtype: ElementTypeName;
}

/** What a safetensors file holds. */
export interface SafetensorsFile {
  /** In the order of the data in the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Why a tensor is not among `tensors`, by its name; empty unless `skipUnreadable` was asked for. */
  readonly skipped: ReadonlyMap<string, string>;
}

/** How a file is read. */
export interface SafetensorsOptions {
  /**
   * Leave out tensors that hold what cannot be read (complex numbers, 4-bit floats, whole numbers beyond 2⁵³) and name
   * them in `skipped`. Default: an error.
   */
  readonly skipUnreadable?: boolean;
}

export const SAFETENSORS_OPTIONS: OptionNames<SafetensorsOptions> = { skipUnreadable: true };

/** The same limit as the format's own library. */
const LONGEST_HEADER = 100_000_000;
const METADATA_KEY = "__metadata__";

/** What the elements of typed arrays are called in files. */
const NAMES_OF_KINDS: Readonly<Record<ArrayKind, WritableDtype>> = {
  Float64Array: "F64",
  Float32Array: "F32",
  Float16Array: "F16",
  BigInt64Array: "I64",
  BigUint64Array: "U64",
  Int32Array: "I32",
  Uint32Array: "U32",
  Int16Array: "I16",
  Uint16Array: "U16",
  Int8Array: "I8",
  Uint8Array: "U8",
  Uint8ClampedArray: "U8",
};

/** What a tensor's element type is called in files. */
const NAMES_IN_FILES: Readonly<Record<DType, WritableDtype>> = {
  float32: "F32",
  float64: "F64",
  bfloat16: "BF16",
  int32: "I32",
  uint8: "U8",
  bool: "BOOL",
};

/**
 * Reads a whole safetensors file. Nothing is allocated before the header has been checked against the number of bytes
 * given.
 *
 * @param source the file's bytes, also as an ArrayBuffer.
 * @param name how errors call the file.
 * @throws FileError when the bytes are not a complete, valid file (https://github.com/huggingface/safetensors#format),
 * or a tensor holds what cannot be read.
 */
export function parseSafetensors(
  source: Uint8Array | ArrayBuffer,
  name = "safetensors data",
  options: SafetensorsOptions = {},
): SafetensorsFile {
  const { skipUnreadable = false } = checkOptions("parseSafetensors", options, SAFETENSORS_OPTIONS);
  const bytes = toBytes(source, name);
  const { header, dataStart } = reading("a safetensors file", bytes, name, () => readHeader(bytes, name));
  const entries: Entry[] = [];
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [key, value] of Object.entries(header)) {
    if (key === METADATA_KEY) metadata = readMetadata(value, name);
    else entries.push(readEntry(key, value, name));
  }
  checkLayout(entries, bytes.length - dataStart, name);
  const tensors = new Map<string, StoredTensor>();
  const skipped = new Map<string, string>();
  for (const entry of entries) {
    const read = readTensor(entry, new DataView(bytes.buffer, bytes.byteOffset + dataStart + entry.begin, entry.end - entry.begin), name);
    if (typeof read !== "string") tensors.set(entry.key, read);
    else if (skipUnreadable) skipped.set(entry.key, read);
    else throw new FileError(`${name}: tensor ${quote(entry.key)}: ${read}`, { hint: "{ skipUnreadable: true } reads the other tensors" });
  }
  return { tensors, metadata, skipped };
}

/** The tensor, or why it cannot be read though the file is as it should be. */
function readTensor({ key, dtype, shape, count }: Entry, view: DataView, name: string): StoredTensor | string {
  if (!isReadable(dtype)) return `the dtype is ${quote(dtype)}; the types that can be read are ${Object.keys(elementTypes).join(", ")}`;
  try {
    return { shape, data: elementTypes[dtype].read(view, count), dtype };
  } catch (error) {
    if (error instanceof DamagedElement) throw damaged(name, `tensor ${quote(key)}: ${error.message}`, error);
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

function isReadable(dtype: string): dtype is ElementTypeName {
  return Object.hasOwn(elementTypes, dtype);
}

/**
 * The bytes of a safetensors file. The same tensors give the same bytes whatever order they come in: wider types first,
 * so that every tensor is aligned, then by name.
 *
 * @param metadata notes by name, also as a file's were read
 * @throws InputError when a name repeats, is reserved or no text, or a shape does not fit its values.
 */
export function serializeSafetensors(
  tensors: Iterable<readonly [string, TensorToStore]> | Readonly<Record<string, TensorToStore>>,
  metadata: SafetensorsMetadata = {},
): Uint8Array<ArrayBuffer> {
  const seen = new Set<string>();
  const items = namedIn<TensorToStore>(tensors, "tensors", "net.stateDict(), or { weight: tensor }").map(([key, tensor]) => {
    if (seen.has(key)) throw new InputError(`safetensors: two tensors are named ${quote(key)}`);
    seen.add(key);
    const dtype = checkTensor(key, tensor);
    // Read once: a tensor's numbers are looked up at each reading.
    const { shape, data } = tensor;
    return { key, shape, dtype, data: dtype === "BF16" ? wordsOf(data as Float32Array) : data };
  });
  items.sort((a, b) => elementTypes[b.dtype].bytes - elementTypes[a.dtype].bytes || (a.key < b.key ? -1 : 1));

  const header: [string, unknown][] = [];
  const notes = namedIn<unknown>(metadata, "metadata", '{ license: "MIT" }').sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, value] of notes) {
    if (typeof value !== "string") throw new InputError(`safetensors: metadata ${quote(key)} must be text, got ${kindOf(value)}`);
    if (!isUnicode(key + value)) throw new InputError(`safetensors: metadata ${quote(key)} is not valid Unicode`);
  }
  if (notes.length > 0) header.push([METADATA_KEY, Object.fromEntries(notes)]);
  let offset = 0;
  for (const { key, shape, dtype, data } of items) {
    const end = offset + data.byteLength;
    header.push([key, { dtype, shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // Written entry by entry: an object would move names that look like numbers to the front and lose "__proto__".
  const json = `{${header.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`;
  const text = toUtf8(json);
  const headerLength = Math.ceil(text.length / 8) * 8;
  if (headerLength > LONGEST_HEADER)
    throw new InputError(`safetensors: the header would take ${headerLength} bytes, more than ${LONGEST_HEADER}`);

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

/**
 * Pairs of a name and a value.
 * @throws InputError for anything else, such as a list, whose places would become names
 */
function namedIn<Item>(given: unknown, what: string, hint: string): (readonly [string, Item])[] {
  const isObject = typeof given === "object" && given !== null && arrayKind(given) === undefined;
  if (!isObject) throw new InputError(`safetensors: expected ${what} by name, got ${kindOf(given)}`, { hint });
  const list: readonly unknown[] = Symbol.iterator in given ? [...(given as Iterable<unknown>)] : Object.entries(given);
  for (const [place, pair] of list.entries())
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== "string")
      throw new InputError(
        `safetensors: ${what}: expected a name and its value at place ${place}, got ${kindOf(Array.isArray(pair) ? pair[0] : pair)}`,
        { hint },
      );
  return list as (readonly [string, Item])[];
}

function isUnicode(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

interface Entry {
  readonly key: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly count: number;
  readonly begin: number;
  readonly end: number;
}

function readHeader(bytes: Uint8Array, name: string): { header: object; dataStart: number } {
  if (bytes.length < 8) throw damaged(name, `expected at least 8 bytes, got ${bytes.length}`);
  const declared = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (declared > BigInt(LONGEST_HEADER))
    throw damaged(name, `the header claims ${declared} bytes, more than the format allows (${LONGEST_HEADER})`);
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
    throw damaged(name, `${METADATA_KEY} must be an object whose values are text`);
  }
  return new Map(entries);
}

function readEntry(key: string, value: unknown, name: string): Entry {
  const where = `tensor ${quote(key)}`;
  if (!isRecord(value)) throw damaged(name, `${where}: expected an object with dtype, shape and data_offsets`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string") throw damaged(name, `${where}: the dtype is missing or not text`);
  if (!isSizes(shape)) throw damaged(name, `${where}: shape must be a list of non-negative whole numbers`);
  if (!isSizes(offsets) || offsets.length !== 2) throw damaged(name, `${where}: data_offsets must be two non-negative whole numbers`);
  const [begin, end] = offsets as [number, number];
  const count = shape.includes(0) ? 0 : shape.reduce((product, dimension) => product * dimension, 1);
  // Of a type that cannot be read it is not known how many bytes an element takes.
  const expected = isReadable(dtype) ? count * elementTypes[dtype].bytes : Math.max(0, end - begin);
  if (!Number.isSafeInteger(expected) || end - begin !== expected) {
    throw damaged(
      name,
      `${where}: ${dtype} of shape [${shape.slice(0, 16).join(", ")}] takes ${expected} bytes, but data_offsets span ${end - begin}`,
    );
  }
  return { key, dtype, shape, count, begin, end };
}

/**
 * The data of all tensors must fill the rest of the file exactly, without holes or overlaps. Sorts the entries by
 * place.
 */
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

function checkTensor(key: string, tensor: TensorToStore): WritableDtype {
  const where = `safetensors: tensor ${quote(key)}`;
  const kind = arrayKind(tensor?.data);
  if (kind === undefined)
    throw new InputError(`${where}: expected numbers with their shape, got ${kindOf(tensor)}`, {
      hint: "tensor([…]), or { shape, data: new Float32Array(…) }",
    });
  const { shape, data, dtype: given } = tensor;
  if (key === METADATA_KEY) throw new InputError(`${where}: this name is reserved for notes`);
  if (!isUnicode(key)) throw new InputError(`${where}: the name is not valid Unicode`);
  const count = isSizes(shape) ? shape.reduce((product, dimension) => product * dimension, 1) : undefined;
  if (count !== data.length) throw new InputError(`${where}: shape ${shapeText(shape)} does not fit ${data.length} values`);
  const natural = NAMES_OF_KINDS[kind];
  const dtype = given === undefined ? undefined : (NAMES_IN_FILES[given as DType] ?? (given as WritableDtype));
  if (dtype === undefined || dtype === natural) return natural;
  if (dtype === "BF16" && kind === "Float32Array") return dtype;
  if (dtype !== "BOOL" || kind !== "Uint8Array") throw new InputError(`${where}: dtype ${dtype} does not fit ${kindOf(data)}`);
  if ((data as Uint8Array).some((value) => value > 1)) throw new InputError(`${where}: a BOOL tensor may hold only 0 and 1`);
  return "BOOL";
}

function wordsOf(data: Float32Array): Uint16Array {
  const words = new Uint16Array(data.length);
  encodeBfloat16(data, words);
  return words;
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
