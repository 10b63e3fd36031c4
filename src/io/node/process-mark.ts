// Identifies processes, also when the system uses a process number again.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { isAllowed } from "../../util/permission.ts";

/** What is known of a process; empty texts where the system does not say. */
export interface ProcessMark {
  readonly pid: number;
  /** When it began, in ticks since the machine started. */
  readonly birth: string;
  /** Differs after each start of the machine. */
  readonly boot: string;
  readonly machine: string;
}

/** "elsewhere": a process of another machine that shares the folder, of which nothing can be known. */
export type ProcessState = "running" | "gone" | "elsewhere";

let own: ProcessMark | undefined;

/** Of this process. */
export function ownMark(): ProcessMark {
  own ??= {
    pid: process.pid,
    birth: birthOf("self"),
    boot: short(readSystem("/proc/sys/kernel/random/boot_id")),
    machine: short(nameOfMachine()),
  };
  return own;
}

/** Letters, digits and points only, so that it can be part of a file's name. */
export function markText({ pid, birth, boot, machine }: ProcessMark): string {
  return [pid, birth, boot, machine].join(".");
}

/** A number alone is a mark, too. Undefined for any other text. */
export function readMark(text: string): ProcessMark | undefined {
  const [, pid, birth = "", boot = "", machine = ""] = /^(\d{1,10})(?:\.(\d*)\.(\w*)\.(\w*))?$/.exec(text.trim()) ?? [];
  return pid === undefined ? undefined : { pid: Number(pid), birth, boot, machine };
}

export function stateOf({ pid, birth, boot, machine }: ProcessMark): ProcessState {
  const here = ownMark();
  // Without a name here, the same start is that of the same machine.
  if (machine !== "" && (here.machine === "" ? boot === "" || boot !== here.boot : machine !== here.machine)) return "elsewhere";
  if (boot !== "" && here.boot !== "" && boot !== here.boot) return "gone";
  if (!isAlive(pid)) return "gone";
  const now = birth === "" ? "" : birthOf(String(pid));
  return now !== "" && now !== birth ? "gone" : "running";
}

function isAlive(pid: number): boolean {
  // 0 and what the system has no number for would ask about something else.
  if (pid < 1 || pid > 2 ** 31 - 1) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Field 22 of /proc/PID/stat; the second, in brackets, may hold anything. */
function birthOf(pid: string): string {
  const text = readSystem(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

/** Empty where there is no such file, or it may not be read. */
function readSystem(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

/** Empty where it may not be asked for: Deno wants --allow-sys. */
function nameOfMachine(): string {
  return isAllowed({ name: "sys", kind: "hostname" }) ? hostname() : "";
}

function short(text: string): string {
  return text === "" ? "" : createHash("sha256").update(text).digest("hex").slice(0, 8);
}
