// The zoo's third house: healthy runs of the command line, as its users train them, trained to the end and stopped half-way, with every schedule.

import { scheduleChoices } from "../../src/cli/schedules.ts";

/** Arguments of kasane train. */
export const healthyRuns: readonly string[] = [
  ...["xor", "xor --epochs 8", "moons", "moons --epochs 12", "wine", "wine --epochs 8", "spirals", "spirals --epochs 25"],
  ...["digits --samples 1500 --epochs 4", "digits --samples 1500 --epochs 1"],
  ...Object.keys(scheduleChoices).map((schedule) => `moons --epochs 20 --schedule ${schedule}`),
];

/** Enough to see what kinds of runs there are. */
export const fewRuns: readonly string[] = ["xor --epochs 8", "moons", "wine --epochs 8", "moons --epochs 10 --schedule cosineDecay"];
