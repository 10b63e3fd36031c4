// Small versions of what `npm run stress` does for long.

import { fileURLToPath } from "node:url";
import { beforeAll, expect, it } from "vitest";
import { ensureBuilt } from "../../scripts/lib/build.mjs";
import { fuzzFiles } from "../../stress/fuzz.ts";
import { killTrainings } from "../../stress/kill.ts";
import { soak } from "../../stress/soak.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = `${root}dist/cli/main.js`;
const seed = Number(process.env.KASANE_RANDOM_SEED ?? 1);
beforeAll(() => ensureBuilt(root, "library"));

it("a training that is killed and resumed is as if it had not been", async () => {
  expect(await killTrainings({ times: 3, seed, program })).toEqual({ trainings: 3, kills: expect.any(Number), faults: [] });
});

it("damaged files are taken or refused with a sentence", async () => {
  expect(await fuzzFiles({ times: 6, seed, program })).toEqual({ files: 6, taken: expect.any(Number), faults: [] });
});

it("a training that goes on stays as large as it is, and stops when asked to", async () => {
  const { epochs, faults } = await soak({ minutes: 0.05, program });
  expect(faults).toEqual([]);
  expect(epochs).toBeGreaterThan(0);
});
