// The name of a run's folder, as the user would type it.

import { isAbsolute, relative } from "node:path";
import type { Terminal } from "./terminal.ts";

/** Relative to where the user is, unless that climbs out; never what would be taken for a flag. */
export function nameOf({ host }: Terminal, path: string): string {
  const near = relative(host.cwd, path);
  if (near === "" || near.startsWith("..") || isAbsolute(near)) return path;
  return near.startsWith("-") ? `./${near}` : near;
}
