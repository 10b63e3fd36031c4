// Processes race for one run folder, again and again: never do two own it, and always one does.

import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Answer, Order } from "./claim-racer.ts";

export interface ClaimRaces {
  readonly times: number;
  readonly processes: number;
  /** The compiled claim-racer. */
  readonly program: string;
}

export interface ClaimOutcome {
  readonly races: number;
  /** Races that more than one process won. */
  readonly doubled: number;
  /** Races that nobody won. */
  readonly unowned: number;
  /** What losers were told that is not the sentence for losers. */
  readonly strange: readonly string[];
}

/** What lies in the folder before a race: nothing, or the claim of a process that is gone. */
const before: readonly (string | undefined)[] = [undefined, "999999999", "", "not a number"];

export async function raceForClaims({ times, processes, program }: ClaimRaces): Promise<ClaimOutcome> {
  const home = mkdtempSync(join(tmpdir(), "kasane-claims-"));
  const racers = Array.from({ length: processes }, () => fork(program, { stdio: ["ignore", "ignore", "inherit", "ipc"] }));
  const strange = new Set<string>();
  let [doubled, unowned] = [0, 0];
  try {
    await Promise.all(racers.map(heard));
    for (let race = 0; race < times; race++) {
      const folder = join(home, String(race));
      const stale = before[race % before.length];
      await mkdir(folder);
      if (stale !== undefined) await writeFile(join(folder, "training.pid"), stale);
      const answers = await Promise.all(racers.map((racer) => ask(racer, { claim: folder, at: Date.now() + 3 })));
      const owners = answers.filter((answer) => answer !== "ready" && answer.owns).length;
      if (owners > 1) doubled++;
      if (owners === 0) unowned++;
      for (const answer of answers)
        if (answer !== "ready" && answer.said !== undefined && !/process \d+ is training into/.test(answer.said)) strange.add(answer.said);
      await Promise.all(racers.map((racer) => ask(racer, { release: true })));
      rmSync(folder, { recursive: true });
    }
  } finally {
    for (const racer of racers) racer.kill();
    rmSync(home, { recursive: true, force: true });
  }
  return { races: times, doubled, unowned, strange: [...strange] };
}

function ask(racer: ChildProcess, order: Order): Promise<Answer> {
  racer.send(order);
  return heard(racer);
}

function heard(racer: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`a racer ended by itself with ${code}`));
    racer.once("exit", ended);
    racer.once("message", (answer) => {
      racer.off("exit", ended);
      resolve(answer as Answer);
    });
  });
}
