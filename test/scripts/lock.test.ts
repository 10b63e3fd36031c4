// The lock between processes: one at a time, waiting, and taking over from a holder that died.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { withLock } from "../../scripts/lib/lock.mjs";
import { temporaryFolder } from "./temporary.ts";

const quick = { pollMs: 2 };

it("lets one holder in at a time and leaves no file behind", async () => {
  const folder = temporaryFolder();
  let inside = 0;
  let most = 0;
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await sleep(3);
    inside -= 1;
    return most;
  };
  const results = await Promise.all(Array.from({ length: 8 }, () => withLock(join(folder, "lock"), work, quick)));
  expect(results).toHaveLength(8);
  expect(most).toBe(1);
  expect(readdirSync(folder)).toEqual([]);
});

it("lets go when the work fails", async () => {
  const path = join(temporaryFolder(), "lock");
  await expect(withLock(path, () => Promise.reject(new Error("broken")), quick)).rejects.toThrow("broken");
  expect(existsSync(path)).toBe(false);
});

it("takes over from a process that died, one waiting process only", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "lock");
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  writeFileSync(path, `${dead} ${hostname()} token`);
  let inside = 0;
  const work = async () => {
    inside += 1;
    const seen = inside;
    await sleep(3);
    inside -= 1;
    return seen;
  };
  expect(await Promise.all([withLock(path, work, quick), withLock(path, work, quick), withLock(path, work, quick)])).toEqual([1, 1, 1]);
  expect(readdirSync(folder)).toEqual([]);
});

it("takes over from another machine's holder only when it has been silent too long, and says whom it waits for", async () => {
  const path = join(temporaryFolder(), "lock");
  writeFileSync(path, "4242 another-machine token");
  const waits: string[] = [];
  const waiting = withLock(path, async () => "mine", { ...quick, staleMs: 60_000, onWait: (holder) => waits.push(holder) });
  await sleep(20);
  expect(waits).toEqual(["process 4242"]);
  const longAgo = new Date(Date.now() - 120_000);
  utimesSync(path, longAgo, longAgo);
  expect(await waiting).toBe("mine");
});

it("keeps its lock fresh while it works", async () => {
  const path = join(temporaryFolder(), "lock");
  const order: string[] = [];
  const options = { pollMs: 2, staleMs: 1_000, heartbeatMs: 10 };
  const slow = withLock(path, () => sleep(1_500).then(() => order.push("slow")), options);
  await sleep(5);
  await withLock(path, async () => order.push("next"), options);
  await slow;
  expect(order).toEqual(["slow", "next"]);
});

it("says in a sentence that the folder cannot be written", async () => {
  const path = join(temporaryFolder(), "missing", "lock");
  await expect(withLock(path, async () => 1, quick)).rejects.toThrow(/lock file .* cannot be written \(ENOENT\); make the folder writable/);
});
