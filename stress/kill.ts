// Trainings are killed at any moment, again and again, and resumed: what comes out is what an undisturbed training gives, bit for bit.

import { watch } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Ended, randomFrom, runToEnd, start } from "./command.ts";

export interface Kills {
  /** Trainings; each is killed up to four times. */
  readonly times: number;
  readonly seed: number;
  /** The path of dist/cli/main.js. */
  readonly program: string;
}

export interface KillOutcome {
  readonly trainings: number;
  readonly kills: number;
  readonly faults: readonly string[];
}

const training = ["train", "moons", "--samples", "150", "--epochs", "5", "--hidden", "24", "--dropout", "0.2", "--patience", "50"];
const parts = ["checkpoint.safetensors", "config.json", "metrics.jsonl", "model.safetensors", "summary.json", "summary.txt"];
/** A run writes some sixty names, the temporary ones included. */
const mostEvents = 60;

export async function killTrainings({ times, seed, program }: Kills): Promise<KillOutcome> {
  const home = await mkdtemp(join(tmpdir(), "kasane-kill-"));
  const random = randomFrom(seed);
  const faults: string[] = [];
  let kills = 0;
  try {
    const begun = performance.now();
    const whole = await runToEnd(program, home, [...training, "--out", "whole"]);
    const duration = performance.now() - begun;
    if (whole.code !== 0) throw new Error(`the undisturbed training failed: ${whole.err}`);
    const expected = await resultsOf(join(home, "whole"));
    for (let n = 0; n < times; n++) {
      const folder = join(home, "killed");
      await mkdir(folder);
      for (let more = 1 + Math.floor(4 * random()); more > 0; more--)
        if (await killed(program, home, await nextWords(folder), folder, random, duration)) kills++;
      const end = await runToEnd(program, home, await nextWords(folder));
      const fault = faultOf(end, await readdir(folder)) ?? ((await resultsOf(folder)) === expected ? undefined : "other weights or scores");
      if (fault !== undefined) faults.push(`training ${n} (seed ${seed}): ${fault}`);
      await rm(folder, { recursive: true });
    }
  } finally {
    await rm(home, { recursive: true, force: true });
  }
  return { trainings: times, kills, faults };
}

/** A run that has not even its settings is begun again. */
async function nextWords(folder: string): Promise<readonly string[]> {
  const hasRun = (await readdir(folder)).includes("config.json");
  return hasRun ? ["train", "--resume", "killed"] : [...training, "--out", "killed"];
}

/** Kills after some time, or as soon as so many names in the folder were touched. @returns false when it ended before */
async function killed(
  program: string,
  home: string,
  words: readonly string[],
  folder: string,
  random: () => number,
  duration: number,
): Promise<boolean> {
  const { child, end } = start(program, home, words);
  let left = Math.ceil(mostEvents * random());
  const byTime = random() < 0.4;
  const watcher = watch(folder, () => {
    if (!byTime && --left <= 0) child.kill("SIGKILL");
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), byTime ? 1.2 * duration * random() : 20 * duration);
  const { code } = await end;
  clearTimeout(timer);
  watcher.close();
  return code === null;
}

function faultOf({ code, err }: Ended, names: readonly string[]): string | undefined {
  // It had come to its end before it was killed for the last time.
  const isDone = code === 2 && /has all of its \d+ epochs already/.test(err);
  if (code !== 0 && !isDone) return `resuming ended with ${code}: ${err}`;
  const more = names.filter((name) => !parts.includes(name) && !(isDone && name === "training.pid"));
  return more.length === 0 ? undefined : `left behind: ${more.join(", ")}`;
}

/** Weights and scores as one text. */
async function resultsOf(folder: string): Promise<string> {
  const weights = (await readFile(join(folder, "model.safetensors"))).toString("base64");
  const { epochs, train, validation, confusion } = JSON.parse(await readFile(join(folder, "summary.json"), "utf8")) as Record<
    string,
    unknown
  >;
  return JSON.stringify({ weights, epochs, train, validation, confusion });
}
