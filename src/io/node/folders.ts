// Makes and lists folders and removes files, with errors that say why not.

import { lstat, mkdir, readdir, rm, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { FileError } from "../../util/errors.ts";
import { noFile, reasonFor } from "./file.ts";

/** @returns false when it is there already */
export async function makeFolder(path: string, recursive: boolean): Promise<boolean> {
  try {
    if (recursive) await makeParents(path);
    await mkdir(path);
    return true;
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === "EEXIST";
    if (exists && (!recursive || (await isFolder(path)))) return false;
    const reason = exists ? "there is a file of that name" : reasonFor(error);
    throw new FileError(`cannot make the folder ${path}: ${reason}`, { hint: "choose another folder with --out", cause: error });
  }
}

/** Node 20's own recursive mkdir never returns where a folder cannot be made in one that exists (/proc). */
async function makeParents(path: string): Promise<void> {
  const parent = dirname(path);
  if (parent === path || (await isFolder(parent))) return;
  await makeParents(parent);
  await mkdir(parent).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}

export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

export async function listFolder(path: string): Promise<string[]> {
  return readdir(path).catch((error: unknown) => {
    throw new FileError(`cannot read the folder ${path}: ${reasonFor(error)}`, { cause: error });
  });
}

/** Nothing, a file or a symbolic link: what may be replaced. @throws FileError when it is something else */
export async function requireReplaceable(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || found.isFile() || found.isSymbolicLink()) return;
  throw new FileError(`cannot write ${path}: ${noFile(found)}`, { hint: "move it elsewhere, or give another folder" });
}

/** A file that may be gone already; of a symbolic link only the link. @throws FileError when it stays */
export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true }).catch((error: unknown) => {
    throw new FileError(`cannot remove ${path}: ${reasonFor(error)}`, { cause: error });
  });
}

/** If it stays, the next process removes it. */
export async function removeQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => undefined);
}
