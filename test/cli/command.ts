// Runs command lines in this process, in a folder, with what they print kept.

import { run } from "../../src/cli/program.ts";
import type { Host } from "../../src/cli/terminal.ts";

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly exits: readonly number[];
}

type Interrupt = (signal: "SIGINT" | "SIGTERM") => void;

export interface CommandOptions {
  readonly terminal?: boolean;
  readonly env?: Host["env"];
  /** Keys that are pressed one after the other, each once something is drawn. */
  readonly keys?: readonly string[];
  readonly interrupt?: (send: Interrupt, text: string) => void;
  /** Sent as soon as the command listens. */
  readonly signal?: "SIGINT" | "SIGTERM";
}

/** @param line words apart by spaces, or a list of words */
export async function runCommand(cwd: string, line: string | readonly string[], more: CommandOptions = {}): Promise<Outcome> {
  let out = "";
  let err = "";
  const exits: number[] = [];
  let send: Interrupt = () => undefined;
  const write = (stream: "out" | "err") => (text: string) => {
    if (stream === "out") out += text;
    else err += text;
    more.interrupt?.((signal) => send(signal), text);
  };
  const sink = { isTerminal: more.terminal ?? false, columns: more.terminal ? 80 : undefined };
  const host: Host = {
    env: more.env ?? {},
    cwd,
    self: "kasane",
    stdout: { ...sink, write: write("out") },
    stderr: { ...sink, write: write("err") },
    onInterrupt(handler) {
      send = handler;
      if (more.signal !== undefined) handler(more.signal);
      return () => {
        send = () => undefined;
      };
    },
    ...(more.keys === undefined ? {} : { onKey: pressing(more.keys) }),
    exit: (code) => void exits.push(code),
  };
  const code = await run(typeof line === "string" ? line.split(" ") : line, host);
  return { code, out, err, exits };
}

function pressing(keys: readonly string[]): NonNullable<Host["onKey"]> {
  return (handler) => {
    let isListening = true;
    void (async () => {
      for (const key of keys) {
        await Promise.resolve();
        if (isListening) handler(key);
      }
    })();
    return () => {
      isListening = false;
    };
  };
}
