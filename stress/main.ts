// `npm run stress`: jobs that take long and are run by hand; the tests run small ones.

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { raceForClaims } from "./claim.ts";
import { fuzzFiles } from "./fuzz.ts";
import { killTrainings } from "./kill.ts";
import { soak } from "./soak.ts";

const HELP = `usage: npm run stress -- JOB [--times N] [--seed N] [--processes N] [--minutes N]

  kill    trainings are killed at any moment and resumed: same weights, nothing left behind   (--times 100)
  claim   processes race for one run folder: one owner, never two                             (--times 1000 --processes 4)
  fuzz    files are damaged and given to the command: its work, or one sentence               (--times 200)
  soak    a training that goes on while its memory is watched                                 (--minutes 10)

Prints one JSON object; the exit code is 1 when there are faults. --seed repeats what kill and fuzz did.`;

interface Options {
  readonly times: number | undefined;
  readonly seed: number;
  readonly processes: number;
  readonly minutes: number;
}

/** The built command, beside build/stress. */
const program = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

const jobs: Readonly<Record<string, (options: Options) => Promise<{ readonly faults: readonly string[] }>>> = {
  kill: ({ times = 100, seed }) => killTrainings({ times, seed, program }),
  claim: async ({ times = 1000, processes }) => {
    const racer = fileURLToPath(new URL("./claim-racer.js", import.meta.url));
    const { doubled, unowned, strange, ...outcome } = await raceForClaims({ times, processes, program: racer });
    const counted = [doubled > 0 ? `${doubled} races had two owners` : "", unowned > 0 ? `${unowned} races had none` : ""];
    return { ...outcome, faults: [...counted.filter((text) => text !== ""), ...strange] };
  },
  fuzz: ({ times = 200, seed }) => fuzzFiles({ times, seed, program }),
  soak: ({ minutes }) => soak({ minutes, program }),
};

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const options = {
    times: { type: "string" },
    seed: { type: "string" },
    processes: { type: "string" },
    minutes: { type: "string" },
  } as const;
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}\n`);
    return 2;
  }
  const { positionals, values } = parsed;
  const job = Object.hasOwn(jobs, positionals[0] ?? "") ? jobs[positionals[0] as string] : undefined;
  const wrong = Object.entries(values).find(([, text]) => !(Number(text) > 0));
  if (job === undefined || positionals.length !== 1 || wrong !== undefined) {
    process.stderr.write(wrong === undefined ? `${HELP}\n` : `--${wrong[0]}: expected a number above 0, got ${wrong[1]}\n`);
    return 2;
  }
  const seed = Number(values.seed ?? 1 + Math.floor(1e6 * Math.random()));
  const times = values.times === undefined ? undefined : Number(values.times);
  const outcome = await job({ times, seed, processes: Number(values.processes ?? 4), minutes: Number(values.minutes ?? 10) });
  process.stdout.write(`${JSON.stringify({ job: positionals[0], seed, ...outcome }, undefined, 2)}\n`);
  return outcome.faults.length === 0 ? 0 : 1;
}
