// What was evicted, or never finished, is gone: nothing keeps programs for old shapes, whatever the code that made them; in a process of its own.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { availableBackends } from "../../src/index.ts";
import { bundle as bundleProgram } from "../bundle.ts";
import type { Left } from "./evicted-loop.ts";

const folder = mkdtempSync(join(tmpdir(), "kasane-evicted-"));
const bundle = join(folder, "loop.mjs");

beforeAll(() => bundleProgram(new URL("./evicted-loop.ts", import.meta.url), bundle));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(availableBackends())("on %s", (backend) => {
  it("nothing of a program for an evicted shape is referenced", () => {
    const output = execFileSync(process.execPath, ["--expose-gc", bundle], {
      env: { ...process.env, KASANE_BACKEND: backend, NODE_PATH: join(process.cwd(), "node_modules") },
      encoding: "utf8",
    });
    const found = Object.entries(JSON.parse(output) as Record<string, Left>);
    expect(found.length).toBeGreaterThan(8);
    for (const [kind, { made, left, heap }] of found) {
      expect(made, kind).toBeGreaterThan(0);
      expect(left, `${kind}: of ${made} noted things`).toBe(0);
      // A chain of traces grows by megabytes a round.
      const growth = ((heap.at(-1) as number) - (heap[0] as number)) / (heap.length - 1);
      expect(growth, `${kind}: bytes a round, heap ${heap.join(", ")}`).toBeLessThan(600_000);
    }
  });
});
