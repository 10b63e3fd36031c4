// Handles Ctrl-C and termination: the first request stops a command in order, the second ends the process.

import type { Terminal } from "./terminal.ts";

export type Interruption = "SIGINT" | "SIGTERM";

/** What shells expect of a process that a signal ended. */
export const EXIT_CODES: Readonly<Record<Interruption, number>> = { SIGINT: 130, SIGTERM: 143 };

/** How a running command learns that it is to stop. */
export interface Interruptible {
  readonly signal: AbortSignal;
  /** What came; only once the signal is aborted. */
  readonly received: () => Interruption;
}

/** Runs a command that stops in order when its signal aborts. @param notice what is said then */
export async function interruptible<Result>(
  terminal: Terminal,
  notice: string,
  run: (interruptible: Interruptible) => Promise<Result>,
): Promise<Result> {
  const abort = new AbortController();
  let signal: Interruption = "SIGINT";
  const stopListening = terminal.host.onInterrupt((received) => {
    if (abort.signal.aborted) {
      terminal.clearLine();
      terminal.host.exit(EXIT_CODES[received]);
      return;
    }
    signal = received;
    abort.abort();
    terminal.say(`${notice}; Ctrl-C again stops at once`);
  });
  try {
    return await run({ signal: abort.signal, received: () => signal });
  } finally {
    stopListening();
    terminal.clearLine();
  }
}

/**
 * The same for a command that has nothing to save: interrupted, it says that all is as it was. Modules are loaded
 * before: while one computes without an end nobody hears a request, and the system's own answer is the right one.
 * @returns the exit code
 */
export async function abandonable(terminal: Terminal, name: string, run: (signal: AbortSignal) => Promise<number>): Promise<number> {
  return interruptible(terminal, "stopping after this step", async ({ signal, received }) => {
    try {
      return await run(signal);
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) throw error;
      terminal.print(`Stopped; ${name} is as it was.`);
      terminal.result({ interrupted: received() });
      return EXIT_CODES[received()];
    }
  });
}
