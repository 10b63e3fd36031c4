// Connects the command line to this process: its streams, signals and keys.

import { Console } from "node:console";
import { basename, relative } from "node:path";
import { reasonFor } from "../io/node.ts";
import { environment } from "../util/environment.ts";
import { quoted } from "../util/shell.ts";
import { fail, run } from "./program.ts";
import { type Host, type Sink, Terminal } from "./terminal.ts";

const sink = (stream: NodeJS.WriteStream): Sink => ({
  isTerminal: stream.isTTY === true,
  get columns() {
    return stream.columns;
  },
  write: (text) => void stream.write(text),
});

// A reader that has seen enough (`| head`) closes the pipe; that is no failure. A full disk is.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`kasane: cannot write the results to standard output: ${reasonFor(error)}\n`);
  process.exit(1);
});
// There is nowhere left to say it.
process.stderr.on("error", () => undefined);

const host: Host = {
  env: environmentOf(["KASANE_BACKEND", "NO_COLOR", "CI", "TERM"]),
  cwd: process.cwd(),
  self: invocationOf(process.argv[1] ?? "kasane"),
  stdout: sink(process.stdout),
  stderr: sink(process.stderr),
  onInterrupt(handler) {
    const signals = ["SIGINT", "SIGTERM"] as const;
    const listeners = signals.map((signal) => () => handler(signal));
    signals.forEach((signal, n) => void process.on(signal, listeners[n]!));
    return () => signals.forEach((signal, n) => void process.off(signal, listeners[n]!));
  },
  ...(process.stdin.isTTY ? { onKey } : {}),
  exit: (code) => process.exit(code),
};

// What a user's module prints must not come between a program and the one object it reads.
if (process.argv.includes("--json")) globalThis.console = new Console(process.stderr, process.stderr);

// What happens beside a command, such as in a timer of a user's module, still ends in one sentence.
process.on("uncaughtException", (error) => {
  const { argv } = process;
  process.exit(fail(new Terminal(host, { json: argv.includes("--json"), verbose: argv.includes("--verbose") }), error));
});

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
function invocationOf(path: string): string {
  if (environment("npm_command") === "exec") return "npx kasane";
  if (basename(path) === "kasane") return "kasane";
  const near = relative(process.cwd(), path);
  return `node ${quoted(near.startsWith("..") ? path : near)}`;
}

/** Those that the command line looks at; a runtime may forbid to read them. */
function environmentOf(names: readonly string[]): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(names.map((name) => [name, environment(name)]));
}
