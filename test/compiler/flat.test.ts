// Memory of compiled and eager training stays flat, measured in a process of its own with the collector at hand.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { availableBackends } from "../../src/index.ts";
import { bundle as bundleProgram } from "../bundle.ts";
import type { Measured } from "./flat-loop.ts";

const folder = mkdtempSync(join(tmpdir(), "kasane-flat-"));
const bundle = join(folder, "loop.mjs");

beforeAll(() => bundleProgram(new URL("./flat-loop.ts", import.meta.url), bundle));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

describe.each(availableBackends())("on %s", (backend) => {
  const share = backend === "reference" ? "a fortieth of " : "";
  it(`${share}100 000 compiled and 20 000 eager steps, 100 short-lived ones and 40 shapes in turn leave memory as it was`, () => {
    const output = execFileSync(process.execPath, ["--expose-gc", bundle], {
      env: { ...process.env, KASANE_BACKEND: backend, NODE_PATH: join(process.cwd(), "node_modules") },
      encoding: "utf8",
    });
    const found = JSON.parse(output) as Record<"compiled" | "eager" | "shortLived" | "shapes", Measured[]>;
    for (const [what, rounds] of Object.entries(found)) {
      console.log(
        `${backend}, ${what}: heap ${rounds.map(({ heap }) => mebibytes(heap)).join(" ")} MiB, resident ${rounds.map(({ resident }) => mebibytes(resident)).join(" ")} MiB`,
      );
      const [first, last] = [rounds[0] as Measured, rounds.at(-1) as Measured];
      // A leaked tensor per step would be tens of megabytes, a leaked cell or arena per short-lived step hundreds.
      expect(last.heap - first.heap, what).toBeLessThan(3 * 2 ** 20);
      expect(last.resident - first.resident, what).toBeLessThan(48 * 2 ** 20);
    }
  });
});
