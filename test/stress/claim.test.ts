// Processes that claim one run folder at once; `npm run stress -- claim` does it more often.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { raceForClaims } from "../../stress/claim.ts";
import { bundle } from "../bundle.ts";

const home = mkdtempSync(join(tmpdir(), "kasane-claim-"));
const program = join(home, "racer.mjs");
beforeAll(() => bundle(new URL("../../stress/claim-racer.ts", import.meta.url), program));
afterAll(() => rmSync(home, { recursive: true, force: true }));

it("gives a folder to exactly one of them", async () => {
  expect(await raceForClaims({ times: 40, processes: 4, program })).toEqual({ races: 40, doubled: 0, unowned: 0, strange: [] });
});
