// Names of files while they are written, and removal of those whose writer was killed.

import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { removeQuietly } from "./folders.ts";
import { markText, ownMark, readMark, stateOf } from "./process-mark.ts";

/**
 * A name beside the file, never given twice: a process that is killed and one that follows it may have the same number.
 */
export function temporaryFor(path: string): string {
  return join(dirname(path), `.${basename(path)}.${markText(ownMark())}-${randomBytes(4).toString("hex")}.tmp`);
}

/** Whether it is a temporary file whose writer is gone. @param of the file that was to be written; undefined: any */
export function isOrphan(name: string, of?: string): boolean {
  const [, target, mark] = /^\.(.+?)\.(\d+(?:\.\d*\.\w*\.\w+)?)-\w+\.tmp$/.exec(name) ?? [];
  if (mark === undefined || (of !== undefined && target !== of)) return false;
  const writer = readMark(mark);
  return writer !== undefined && stateOf(writer) === "gone";
}

/** Removes them, where the folder can be read and written. */
export async function removeOrphans(folder: string, of?: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) if (isOrphan(name, of)) await removeQuietly(join(folder, name));
}
