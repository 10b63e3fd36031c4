// The command line as processes that are watched, killed, and asked what they said.

import { type ChildProcess, spawn } from "node:child_process";

export interface Ended {
  /** null: a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Starts `kasane` of a built checkout. @param program the path of its main.js */
export function start(
  program: string,
  cwd: string,
  words: readonly string[],
): { readonly child: ChildProcess; readonly end: Promise<Ended> } {
  const child = spawn(process.execPath, [program, ...words], {
    cwd,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout?.on("data", (part) => (out += String(part)));
  child.stderr?.on("data", (part) => (err += String(part)));
  return { child, end: new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err }))) };
}

export function runToEnd(program: string, cwd: string, words: readonly string[]): Promise<Ended> {
  return start(program, cwd, words).end;
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
