// Writes files atomically in Node: a reader, or a crash, sees the old content or the new, never a part.

import { type FileHandle, lstat, open, realpath, rename, stat, writeFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { FileError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import { noFile, reasonFor } from "./file.ts";
import { removeQuietly } from "./folders.ts";
import { removeOrphans, temporaryFor } from "./temporary.ts";

/** How a file is written. */
export interface AtomicOptions {
  /**
   * A symbolic link at the path stays and its target is replaced (default); false: the link is replaced and its target
   * stays.
   */
  readonly followLinks?: boolean;
}

/** What this process has written before: only the first time can an earlier process have left a part there. */
const written = new Set<string>();

/**
 * Writes to a temporary file in the same folder, flushes it to the disk and renames it over `path`. On failure the
 * temporary file is removed and what was at `path` before is untouched. What a process that was killed meanwhile left
 * beside it is removed by the next that writes the same file. A file that is there keeps its permissions. A pipe or a
 * device (/dev/stdout, /dev/null) is written into, never replaced; where links are not followed the name is to be a
 * file's own, and it is refused.
 *
 * @throws FileError when the folder does not exist or cannot be written, the path is a folder, or the disk is full.
 */
export async function writeFileAtomic(path: string, content: Uint8Array | string, options: AtomicOptions = {}): Promise<void> {
  const { followLinks = true } = checkOptions<AtomicOptions>("writeFileAtomic", options, { followLinks: true });
  const found = await (followLinks ? stat : lstat)(path).catch(() => undefined);
  if (found !== undefined && !found.isFile() && !found.isSymbolicLink()) {
    if (followLinks && !found.isDirectory()) return writeInto(path, content);
    throw new FileError(`cannot write ${path}: ${noFile(found)}`);
  }
  const target = followLinks ? await realpath(path).catch(() => path) : path;
  const folder = dirname(target);
  if (!written.has(resolve(target))) await removeOrphans(folder, basename(target));
  const temporary = temporaryFor(target);
  let created = false;
  try {
    // "wx": never write into a file that someone else has put there.
    const file = await open(temporary, "wx");
    created = true;
    try {
      // Before there is anything to read. Not every file system has permissions to keep.
      if (found?.isFile()) await file.chmod(found.mode & 0o7777).catch(() => undefined);
      await file.writeFile(content);
      await flush(file);
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    if (created) await removeQuietly(temporary);
    throw new FileError(`cannot write ${path}: ${reasonFor(error)}`, {
      hint: isFull(error) ? "free some space, or write elsewhere" : `check that the folder ${folder} exists and can be written`,
      cause: error,
    });
  }
  written.add(resolve(target));
  await flushFolder(folder);
}

function isFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT", "EFBIG"].includes((error as NodeJS.ErrnoException).code ?? "");
}

/** Somebody reads at the other end: there is no old content to keep, and the name is not ours. */
async function writeInto(path: string, content: Uint8Array | string): Promise<void> {
  try {
    await writeFile(path, content);
  } catch (error) {
    throw new FileError(`cannot write ${path}: ${reasonFor(error)}`, { cause: error });
  }
}

/**
 * Codes with which a system, or Node's own permissions, says that it does not flush here at all, not that flushing
 * failed.
 */
const UNABLE: ReadonlySet<string | undefined> = new Set(["ERR_ACCESS_DENIED", "EPERM", "EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"]);
let isToldOf = false;

/** Where nothing can be flushed the content is as safe as the system makes it: that is said once. */
async function flush(file: FileHandle): Promise<void> {
  try {
    await file.sync();
  } catch (error) {
    if (!UNABLE.has((error as NodeJS.ErrnoException).code)) throw error;
    if (!isToldOf)
      process.emitWarning(
        `files are written without being flushed to the disk (${reasonFor(error)}): a loss of power may lose the newest ones`,
        "KasaneWarning",
      );
    isToldOf = true;
  }
}

/**
 * Makes the rename itself durable. Windows cannot flush a folder and some file systems refuse; the content is safe
 * either way.
 */
async function flushFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    return;
  }
}
