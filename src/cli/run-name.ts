// The name of a run's folder, as the user would type it.

import { isAbsolute, relative } from "node:path";
import type { Terminal } from "./terminal.ts";

/** Relative to where the user is, unless that climbs out. */
export function nameOf({ host }: Terminal, path: string): string {
  const near = relative(host.cwd, path);
  return near === "" || near.startsWith("..") || isAbsolute(near) ? path : near;
}
