// A lock file between processes: one holder at a time, and a holder that died is noticed.

import { readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Problem } from "./problem.mjs";

/**
 * @typedef {object} LockOptions
 * @property {number} [staleMs] a lock that its holder has not touched for so long belongs to nobody
 * @property {number} [heartbeatMs] how often the holder touches its lock
 * @property {number} [pollMs] how often a waiting process looks again
 * @property {(holder: string) => void} [onWait] called once, when the lock turns out to be held
 */

/**
 * Runs `work` while holding the lock file; waits for another holder first.
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {LockOptions} [options]
 * @returns {Promise<T>}
 * @throws {Problem} when the lock file cannot be written
 */
export async function withLock(path, work, { staleMs = 60_000, heartbeatMs = 2_000, pollMs = 100, onWait } = {}) {
  const mine = `${process.pid} ${hostname()} ${crypto.randomUUID()}`;
  let told = false;
  while (!tryCreate(path, mine)) {
    const holder = readHolder(path);
    if (holder === undefined) continue;
    if (isDead(path, holder, staleMs)) {
      discard(path, holder, mine);
      continue;
    }
    if (!told) onWait?.(`process ${holder.split(" ")[0]}`);
    told = true;
    await sleep(pollMs);
  }
  const heartbeat = setInterval(() => touch(path, mine), heartbeatMs);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if (readHolder(path) === mine) rmSync(path, { force: true });
  }
}

/** @param {string} path @param {string} mine */
function tryCreate(path, mine) {
  try {
    writeFileSync(path, mine, { flag: "wx" });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw new Problem(`The lock file ${path} cannot be written (${codeOf(error)}); make the folder writable and run the command again.`);
  }
}

/** @param {string} path */
function readHolder(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** @param {string} path @param {string} holder @param {number} staleMs */
function isDead(path, holder, staleMs) {
  const [pid, host] = holder.split(" ");
  if (host === hostname() && !isAlive(Number(pid))) return true;
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return touched !== undefined && Date.now() - touched > staleMs;
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

/**
 * Takes a dead holder's lock away. Renaming first means that of several waiting processes only one removes it; when a new
 * holder came in between, its lock is put back.
 * @param {string} path @param {string} holder @param {string} mine
 */
function discard(path, holder, mine) {
  const aside = `${path}.${mine.split(" ").at(-1)}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  const taken = readHolder(aside);
  if (taken !== undefined && taken !== holder) tryCreate(path, taken);
  rmSync(aside, { force: true });
}

/** @param {string} path @param {string} mine */
function touch(path, mine) {
  try {
    if (readHolder(path) === mine) utimesSync(path, new Date(), new Date());
  } catch {
    // The folder went away; the work itself will say so.
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return /** @type {NodeJS.ErrnoException} */ (error)?.code ?? String(error);
}
