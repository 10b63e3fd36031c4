// Writes files in Node so that a reader, or a crash at any moment, sees either the old content or the new, never a part.

import { open, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FileError } from "../../util/errors.ts";
import { reasonFor } from "./file.ts";

let nextTemporary = 0;

/**
 * Writes to a temporary file in the same folder, flushes it to the disk and renames it over `path`. On failure the temporary file
 * is removed and what was at `path` before is untouched. A symbolic link at `path` stays and its target is replaced.
 *
 * @throws FileError when the folder does not exist or cannot be written, or the disk is full.
 */
export async function writeFileAtomic(path: string, content: Uint8Array | string): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const folder = dirname(target);
  const temporary = join(folder, `.${basename(target)}.${process.pid}-${nextTemporary++}.tmp`);
  let created = false;
  try {
    // "wx": never write into a file that someone else has put there.
    const file = await open(temporary, "wx");
    created = true;
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    if (created) await rm(temporary, { force: true }).catch(() => undefined);
    throw new FileError(`cannot write ${path}: ${reasonFor(error)}`, {
      hint: `check that the folder ${folder} exists and can be written`,
      cause: error,
    });
  }
  await syncFolder(folder);
}

/** Makes the rename itself durable. Windows cannot flush a folder and some file systems refuse; the content is safe either way. */
async function syncFolder(folder: string): Promise<void> {
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
