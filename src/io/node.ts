// File versions of the formats, for Node only.

import { readable } from "../tensor/arrivals.ts";
import { checkOptions } from "../util/options.ts";
import { type AtomicOptions, writeFileAtomic } from "./node/atomic.ts";
import { readBytes } from "./node/file.ts";
import type { SafetensorsFile, SafetensorsMetadata, SafetensorsOptions, TensorToStore } from "./safetensors.ts";
import { parseSafetensors, SAFETENSORS_OPTIONS, serializeSafetensors } from "./safetensors.ts";

export { type AtomicOptions, writeFileAtomic } from "./node/atomic.ts";
export { type ReadOptions, readBytes, reasonFor } from "./node/file.ts";

/** @throws FileError when the file cannot be read, is not valid, or holds what cannot be read. */
export async function loadSafetensors(path: string, options: SafetensorsOptions = {}): Promise<SafetensorsFile> {
  checkOptions("loadSafetensors", options, SAFETENSORS_OPTIONS);
  return parseSafetensors(await readBytes(path), path, options);
}

/**
 * Replaces the file at once or, on failure, leaves it as it was.
 *
 * @throws InputError when the tensors cannot be stored, FileError when the file cannot be written.
 */
export async function saveSafetensors(
  path: string,
  tensors: Iterable<readonly [string, TensorToStore]> | Readonly<Record<string, TensorToStore>>,
  metadata: SafetensorsMetadata = {},
  options: AtomicOptions = {},
): Promise<void> {
  const entries = Symbol.iterator in tensors ? [...tensors] : Object.entries(tensors);
  await readable(entries.map(([, stored]) => stored));
  await writeFileAtomic(path, serializeSafetensors(entries, metadata), options);
}
