#!/usr/bin/env node
// The program `kasane`: the command line on this process.

import { Console } from "node:console";
import { basename, relative } from "node:path";
import { run } from "./program.ts";
import type { Host, Sink } from "./terminal.ts";

const sink = (stream: NodeJS.WriteStream): Sink => ({
  isTerminal: stream.isTTY === true,
  get columns() {
    return stream.columns;
  },
  write: (text) => void stream.write(text),
});

// A reader that has seen enough (`| head`) closes the pipe; that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

const host: Host = {
  env: process.env,
  cwd: process.cwd(),
  self: nameOf(process.argv[1] ?? "kasane"),
  stdout: sink(process.stdout),
  stderr: sink(process.stderr),
  onInterrupt(handler) {
    const signals = ["SIGINT", "SIGTERM"] as const;
    const listeners = signals.map((signal) => () => handler(signal));
    signals.forEach((signal, n) => void process.on(signal, listeners[n] as () => void));
    return () => signals.forEach((signal, n) => void process.off(signal, listeners[n] as () => void));
  },
  ...(process.stdin.isTTY ? { onKey } : {}),
  exit: (code) => process.exit(code),
};

// What a user's module prints must not come between a program and the one object it reads.
if (process.argv.includes("--json")) globalThis.console = new Console(process.stderr, process.stderr);

process.exitCode = await run(process.argv.slice(2), host);

function onKey(handler: (key: string) => void): () => void {
  const { stdin } = process;
  const listener = (keys: Buffer): void => {
    for (const key of keysIn(keys.toString())) handler(key);
  };
  stdin.setRawMode(true).on("data", listener).resume();
  return () => void stdin.off("data", listener).setRawMode(false).pause();
}

/** Several may come at once; arrows are three characters. */
function* keysIn(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const length = text.startsWith("\u001b[", at) ? 3 : 1;
    yield text.slice(at, at + length);
    at += length;
  }
}

/** "kasane" when installed, "npx kasane" when npx started it, in a checkout the command that works there. */
function nameOf(path: string): string {
  if (process.env.npm_command === "exec") return "npx kasane";
  if (basename(path) === "kasane") return "kasane";
  const near = relative(process.cwd(), path);
  return `node ${near.startsWith("..") ? path : near}`;
}
