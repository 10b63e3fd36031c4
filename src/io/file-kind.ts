// Recognizes a file's format by its first bytes, for readers that were given another format.

import { FileError } from "../util/errors.ts";

/** A kind of file: what it is called, how to tell it, and what to do about it. */
interface FileKind {
  readonly name: string;
  /** Where there is something to do with the file. */
  readonly hint?: string;
  /** Text, which a table could begin with too; the other kinds hold control characters, which no text does. */
  readonly isText?: true;
  readonly is: (start: Start) => boolean;
}

/** The beginning of a file, as bytes and as characters, one for each byte. */
interface Start {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** The readers of this library. */
export type Reader = "a safetensors file" | "an IDX file" | "a CSV table";

const PICKLED = "in Python: safetensors.torch.save_file(model.state_dict(), path)";
const UNPACK = "unpack it, and give the file inside";
const ARRAYS = 'in Python: safetensors.numpy.save_file({"x": array}, path)';
const AS_CSV = "save the table as CSV in UTF-8";

const begins =
  (mark: string, at = 0) =>
  ({ text }: Start): boolean =>
    text.startsWith(mark, at);

const isZip = ({ text }: Start): boolean => ["PK\x03\x04", "PK\x05\x06", "PK\x07\x08"].some((mark) => text.startsWith(mark));

/** A zip archive with one of these names inside. */
const zipOf =
  (...names: readonly string[]) =>
  (start: Start): boolean =>
    isZip(start) && names.some((name) => start.text.includes(name));

/** What a pickle begins with: its mark and a version. */
const isPickle = ({ bytes: [mark, version = 0] }: Start): boolean => mark === 0x80 && version >= 2 && version <= 5;

/** The first that holds is what the file is: special archives come before other archives. */
const kinds: readonly FileKind[] = [
  { name: "a PyTorch file", hint: PICKLED, is: zipOf("/data.pkl", "data.pkl", "/byteorder", ".format_version") },
  { name: "an archive of NumPy arrays (npz)", hint: ARRAYS, is: zipOf(".npy") },
  { name: "an Excel workbook (xlsx)", hint: AS_CSV, is: zipOf("[Content_Types].xml", "xl/") },
  { name: "a Keras model", hint: "save its weights with safetensors", is: zipOf("model.weights.h5", "metadata.json") },
  { name: "a zip archive", hint: UNPACK, is: isZip },
  {
    name: "a PyTorch file of the old form",
    hint: PICKLED,
    is: (start) => isPickle(start) && begins("\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", 2)(start),
  },
  { name: "a Python pickle", hint: PICKLED, is: isPickle },
  {
    name: "an HDF5 file, as Keras writes it",
    hint: "in Python: read it with h5py, and save with safetensors",
    is: begins("\x89HDF\r\n\x1a\n"),
  },
  { name: "a NumPy array (npy)", hint: ARRAYS, is: begins("\x93NUMPY") },
  { name: "a GGUF file", hint: "take the model's safetensors files", is: begins("GGUF") },
  { name: "a TensorFlow Lite model", hint: "save its weights with safetensors", is: begins("TFL3", 4) },
  { name: "a MATLAB file", hint: "in MATLAB: writematrix(x, path)", is: begins("MATLAB 5.0") },
  { name: "compressed with gzip", hint: UNPACK, is: begins("\x1f\x8b") },
  { name: "compressed with bzip2", hint: UNPACK, is: begins("BZh") },
  { name: "compressed with xz", hint: UNPACK, is: begins("\xfd7zXZ\0") },
  { name: "compressed with zstd", hint: UNPACK, is: begins("\x28\xb5\x2f\xfd") },
  { name: "a 7z archive", hint: UNPACK, is: begins("7z\xbc\xaf\x27\x1c") },
  { name: "a RAR archive", hint: UNPACK, is: begins("Rar!\x1a\x07") },
  { name: "a tar archive", hint: UNPACK, is: begins("ustar", 257) },
  { name: "a Parquet file", hint: AS_CSV, is: begins("PAR1") },
  { name: "an Arrow file", hint: AS_CSV, is: begins("ARROW1") },
  { name: "an SQLite database", hint: "export the table as CSV", is: begins("SQLite format 3\0") },
  { name: "an old Office file (xls, doc)", hint: AS_CSV, is: begins("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") },
  { name: "a PNG image", is: begins("\x89PNG\r\n\x1a\n") },
  { name: "a JPEG image", is: begins("\xff\xd8\xff") },
  { name: "a GIF image", is: begins("GIF8") },
  { name: "a PDF document", is: begins("%PDF-"), isText: true },
  {
    name: "what Git LFS leaves in the place of a file",
    hint: "git lfs pull",
    is: begins("version https://git-lfs.github.com/spec/"),
    isText: true,
  },
  {
    name: "a web page",
    hint: "download the file itself: this may be a notice or a login",
    is: ({ text }) => /^\W*<(!doctype html|html)\b/i.test(text),
    isText: true,
  },
  { name: "an XML document", is: ({ text }) => /^\W*<\?xml\b/.test(text), isText: true },
  { name: "a safetensors file", hint: "parseSafetensors(bytes), or loadSafetensors(path) in Node", is: isSafetensors },
  { name: "an ONNX model", hint: "in Python: save its weights with safetensors", is: isOnnx },
  { name: "an IDX file", hint: "readIdxFile(bytes), or loadMnist(folder) in Node", is: isIdx },
  {
    name: "JSON",
    hint: "JSON.parse(text) reads it, and tensor(…) takes its lists of numbers",
    is: ({ text }) => /^\s*(\{\s*"|\[\s*[[{"\-\d])/.test(text),
    isText: true,
  },
];

/** How much of a file is looked at: an archive tells the names of its files. */
const LOOKED = 4096;

/**
 * Runs a reader; where it fails on a file of another kind, the error says what the file is.
 * @param where how errors call the file
 */
export function reading<Result>(reader: Reader, source: Uint8Array | string, where: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    const found = error instanceof FileError ? misread(reader, source, where, error) : undefined;
    throw found ?? error;
  }
}

/** The error of a file of another kind than the reader reads; undefined where nothing tells that it is. */
export function misread(reader: Reader, source: Uint8Array | string, where: string, cause?: unknown): FileError | undefined {
  const bytes =
    typeof source === "string" ? Uint8Array.from(source.slice(0, LOOKED), (letter) => letter.charCodeAt(0)) : source.subarray(0, LOOKED);
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const isText = !bytes.some((byte) => byte < 32 && byte !== 9 && byte !== 10 && byte !== 13);
  const kind = kinds.find((one) => (!isText || one.isText === true) && one.is({ bytes, text }));
  if (kind === undefined || kind.name === reader) return undefined;
  return new FileError(`${where}: expected ${reader}, but this is ${kind.name}`, {
    hint: kind.hint,
    cause,
  });
}

/** A length that fits a header, and the JSON that follows. */
function isSafetensors({ bytes, text }: Start): boolean {
  return bytes.length > 9 && bytes[5] === 0 && bytes[6] === 0 && bytes[7] === 0 && /^\{\s*["}]/.test(text.slice(8));
}

/**
 * A protocol buffer: the format's version, a small number, and then another field of a model, from the producer to the
 * operator sets.
 */
function isOnnx({ bytes: [first, version = 0, field = 0] }: Start): boolean {
  return first === 0x08 && version > 0 && version < 32 && [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72].includes(field);
}

function isIdx({ bytes: [first, second, type = 0, rank = 0] }: Start): boolean {
  return first === 0 && second === 0 && [8, 9, 11, 12, 13, 14].includes(type) && rank > 0 && rank < 9;
}
