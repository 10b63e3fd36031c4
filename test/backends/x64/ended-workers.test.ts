// A worker that ends gives back its memory, addresses and threads, however it ends; and what a large op took goes back when nothing large follows.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bundle as bundleProgram } from "../../bundle.ts";
import type { Held } from "./ended-workers-main.ts";
import { here } from "./harness.ts";

const folder = mkdtempSync(join(tmpdir(), "kasane-workers-"));
const bundle = join(folder, "main.mjs");

beforeAll(() => bundleProgram(new URL("./ended-workers-main.ts", import.meta.url), bundle));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.skipIf(here.length === 0)("eleven workers leave nothing behind", () => {
  const output = execFileSync(process.execPath, [bundle], {
    env: { ...process.env, KASANE_BACKEND: "x64", KASANE_THREADS: "3" },
    encoding: "utf8",
  });
  const { before, after, peak, idle, results, large } = JSON.parse(output) as Record<"before" | "after" | "peak" | "idle", Held> & {
    readonly results: readonly number[];
    readonly large: number;
  };
  expect(results).toEqual(new Array(12).fill(6_000_001));
  expect(large).toBe(60_000_000);
  expect(after.threads).toBe(before.threads);
  // Nine workers with two heaps each would hold 2,300 GiB of addresses and some 400 MiB of memory.
  expect(after.addresses - before.addresses).toBeLessThan(32);
  expect(after.memory - before.memory).toBeLessThan(150);
  expect(peak.memory - idle.memory).toBeGreaterThan(150);
});
