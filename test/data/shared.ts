// Helper: finds the real data beside the project, and says loudly when it is not there.

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** The folder of a real data set, or undefined (with a warning) when this machine does not have it. */
export function realData(name: string): string | undefined {
  const folder = join(process.env.KASANE_DATA ?? resolve(root, "../shared/data"), name);
  if (existsSync(folder)) return folder;
  console.warn(`SKIPPED: real data "${name}" is not at ${folder}; set KASANE_DATA to the folder that holds it`);
  return undefined;
}
