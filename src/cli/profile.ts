// kasane profile: shows where a training step, or a module's compiled function, spends its time.

import { resolve } from "node:path";
import { chromeTrace, profile, type StepProfile } from "../inspect/index.ts";
import { writeFileAtomic } from "../io/node.ts";
import { compiledAt } from "./compiled.ts";
import type { Terminal } from "./terminal.ts";

export interface ProfileCommandOptions {
  readonly runs?: number;
  /** Where Chrome's trace goes. */
  readonly trace?: string;
}

/** @returns the exit code */
export async function profilePath(terminal: Terminal, path: string, { runs = 5, trace }: ProfileCommandOptions): Promise<number> {
  const [step, args] = await compiledAt(terminal.host.cwd, path);
  const profiled = profile(step, args, { runs });
  terminal.print(String(profiled));
  if (trace !== undefined) {
    await writeFileAtomic(resolve(terminal.host.cwd, trace), chromeTrace(profiled));
    terminal.print(`the trace is in ${trace}`);
  }
  terminal.result(asData(profiled));
  return 0;
}

function asData({ kernels, milliseconds, limits, byLayer, byPass, byLine }: StepProfile): object {
  const times = (by: ReadonlyMap<string, number>): object => Object.fromEntries(by);
  return {
    milliseconds,
    limits,
    byPass: times(byPass),
    byLayer: times(byLayer),
    byLine: times(byLine),
    kernels,
  };
}
