// Examines the whole zoo of trainings and writes the doctor's confusion table into docs/doctor.md.

import { spawnSync } from "node:child_process";

const { status } = spawnSync("npx", ["vitest", "run", "test/inspect/zoo-table.test.ts"], {
  stdio: "inherit",
  env: { ...process.env, KASANE_ZOO: "write" },
});
process.exitCode = status ?? 1;
