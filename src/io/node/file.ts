// Reads whole files in Node, with errors that say which file and why.

import { constants } from "node:buffer";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { FileError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";

/** What may be read. */
export interface ReadOptions {
  /** Bytes at most; default as many as fit in one array everywhere (2 GiB). */
  readonly most?: number;
  /** Whether a pipe will do, which is read until it ends: something that the user names, and that is read once. */
  readonly pipes?: boolean;
}

/** What Node reads at once. */
const mostBytes = Math.min(2 ** 31 - 1, constants.MAX_LENGTH);

/**
 * Nothing is read before it is known to be a file, and of a size that may be.
 * @throws FileError when the file cannot be read, is no file, or is too large
 */
export async function readBytes(path: string, options: ReadOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const { most = mostBytes, pipes = false } = checkOptions<ReadOptions>("readBytes", options, { most: true, pipes: true });
  try {
    const found = await stat(path);
    if (pipes && (found.isFIFO() || found.isSocket())) return await readPipe(path, most);
    if (!found.isFile()) throw new FileError(`cannot read ${path}: ${noFile(found)}`);
    if (found.size > most) throw tooLarge(path, most, found.size);
    return await readFile(path);
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError(`cannot read ${path}: ${reasonFor(error)}`, { cause: error });
  }
}

/** "it is a folder, a file was expected" */
export function noFile(found: { isDirectory(): boolean; isFIFO(): boolean; isSocket(): boolean }): string {
  const kind = found.isDirectory() ? "folder" : found.isFIFO() ? "pipe" : found.isSocket() ? "socket" : "device";
  return `it is a ${kind}, a file was expected`;
}

async function readPipe(path: string, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of createReadStream(path) as AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > most) throw tooLarge(path, most);
    parts.push(part);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function tooLarge(path: string, most: number, size?: number): FileError {
  const has = size === undefined ? "more comes" : `it has ${bytesText(size)}`;
  return new FileError(`cannot read ${path}: ${has}, at most ${bytesText(most)} are read`);
}

/** "3.2 GiB" */
function bytesText(count: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let value = count;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 || Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EISDIR: "it is a folder, a file was expected",
  ERR_FS_EISDIR: "it is a folder, a file was expected",
  ENOTDIR: "a part of the path is a file, a folder was expected",
  EACCES: "permission was denied",
  ERR_ACCESS_DENIED: "Node's permissions do not allow it",
  EPERM: "the operation is not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left on the device",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file would be larger than the system allows",
  EIO: "the device failed",
  ENXIO: "nobody is at its other end",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open in the whole system",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "it is a symbolic link, or leads through too many",
  ENOTEMPTY: "the folder is not empty",
  ERR_FS_FILE_TOO_LARGE: "it is larger than 2 GiB",
};

/** Why a file operation failed, as the end of a sentence. */
export function reasonFor(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return REASONS[code ?? ""] ?? (error instanceof Error ? error.message : String(error));
}
