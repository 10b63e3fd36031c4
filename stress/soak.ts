// A training runs on and on while its memory is watched: it must come to rest.

import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "./command.ts";

export interface Soak {
  readonly minutes: number;
  /** The path of dist/cli/main.js. */
  readonly program: string;
}

export interface SoakOutcome {
  readonly epochs: number;
  /** Of the process, in MiB: after a third of the time, and at most in the last third. */
  readonly memory: readonly [before: number, after: number];
  readonly faults: readonly string[];
}

/** MiB that come and go with the collector, and a share of what is there. */
const slack = { absolute: 64, share: 0.15 };

export async function soak({ minutes, program }: Soak): Promise<SoakOutcome> {
  const home = await mkdtemp(join(tmpdir(), "kasane-soak-"));
  const faults: string[] = [];
  const words = "train spirals --samples 600 --epochs 1000000000 --hidden 32,32 --dropout 0.1 --metric f1Score --out run --json".split(" ");
  const { child, end } = start(program, home, words);
  const sizes: number[] = [];
  try {
    while (child.exitCode === null && !existsSync(join(home, "run", "checkpoint.safetensors"))) await pause(100);
    const until = performance.now() + 60_000 * minutes;
    while (child.exitCode === null && performance.now() < until) {
      sizes.push(await residentOf(child.pid as number));
      await pause(Math.min(1000, 6000 * minutes));
    }
    child.kill("SIGINT");
    const { code, out, err } = await end;
    if (code !== 130) faults.push(`it ended with ${code} instead of 130: ${err.slice(-500)}`);
    const third = Math.max(1, Math.floor(sizes.length / 3));
    const [before, after] = [Math.max(...sizes.slice(0, third)), Math.max(...sizes.slice(-third))];
    if (after > before * (1 + slack.share) + slack.absolute) faults.push(`its memory grew from ${before} to ${after} MiB`);
    return { epochs: code === 130 ? (JSON.parse(out) as { epochs: number }).epochs : 0, memory: [before, after], faults };
  } finally {
    child.kill("SIGKILL");
    await rm(home, { recursive: true, force: true });
  }
}

/** In MiB; 0 where the system does not tell. */
async function residentOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
