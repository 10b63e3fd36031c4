// Memory stays flat in a loop of eager ops and training steps: measured in a process of its own with the collector at hand.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { availableBackends } from "../../src/index.ts";
import { bundle as bundleProgram } from "../bundle.ts";

const folder = mkdtempSync(join(tmpdir(), "kasane-memory-"));
const bundle = join(folder, "loop.mjs");

beforeAll(() => bundleProgram(new URL("./memory-loop.ts", import.meta.url), bundle));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(availableBackends())("%s", (backend) => {
  it("20 000 eager ops and 2 000 training steps leave the heap as it was", () => {
    const output = execFileSync(process.execPath, ["--expose-gc", bundle], {
      env: { ...process.env, KASANE_BACKEND: backend },
      encoding: "utf8",
    });
    const bytes = JSON.parse(output) as number[];
    const [first, ...later] = bytes as [number, ...number[]];
    expect(later.length).toBe(4);
    // Measured: ±100 kB of noise; one leaked tensor per op would be megabytes.
    for (const value of later) expect(value - first, `bytes after each round: ${bytes.join(", ")}`).toBeLessThan(1_000_000);
  });
});
