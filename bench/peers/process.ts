// Another library in a process of its own: a line of JSON is asked, a line of JSON is answered.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Outcome } from "../agreement.ts";
import type { Contestant, Ready } from "../measure.ts";

/**
 * {} → { name, version }
 * { prepare: workload, warmMs } → { outcome } or { skip: why }
 * { sample: ms } → { samples }: milliseconds per run of what was prepared last
 * { memory: true } → { bytes }, where it can tell
 */
interface Answer {
  readonly name?: string;
  readonly version?: string;
  readonly outcome?: Outcome;
  readonly skip?: string;
  readonly samples?: readonly number[];
  readonly bytes?: number;
}

type Request = { readonly [key: string]: string | number | boolean };

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A workload that takes longer to get ready, or a sample, is given up. */
const PATIENCE_MS = 180_000;

export class PeerProcess implements Contestant {
  readonly name: string;
  readonly #command: Command;
  #child: ChildProcessByStdio<Writable, Readable, Readable> | undefined;
  #answered: ((line: string | undefined) => void) | undefined;
  #complaint = "";

  constructor(name: string, command: Command) {
    this.name = name;
    this.#command = command;
  }

  /** Name and version. @throws Error when it does not start */
  async greet(): Promise<string> {
    const { name, version } = await this.#ask({});
    return `${name} ${version}`;
  }

  async prepare(workload: string, warmMs: number): Promise<Ready | { readonly skip: string }> {
    try {
      const { outcome, skip } = await this.#ask({ prepare: workload, warmMs });
      if (skip !== undefined) return { skip };
      return {
        outcome,
        sample: async (ms) => (await this.#ask({ sample: ms })).samples ?? [],
        memory: async () => {
          const { bytes } = await this.#ask({ memory: true });
          return bytes === undefined ? undefined : { bytes };
        },
      };
    } catch (error) {
      return { skip: (error as Error).message };
    }
  }

  close(): void {
    this.#child?.stdin.end();
    this.#child?.kill();
    this.#child = undefined;
  }

  async #ask(request: Request): Promise<Answer> {
    const child = (this.#child ??= this.#start());
    const line = await new Promise<string | undefined>((resolve) => {
      const giveUp = setTimeout(() => {
        this.#complaint = `no answer within ${PATIENCE_MS / 1000} s`;
        this.close();
      }, PATIENCE_MS);
      this.#answered = (answer) => {
        clearTimeout(giveUp);
        resolve(answer);
      };
      child.stdin.write(`${JSON.stringify(request)}\n`);
    });
    if (line === undefined) throw new Error(`${this.name} ended: ${this.#complaint.trim().split("\n").at(-1)}`);
    return JSON.parse(line) as Answer;
  }

  #start(): ChildProcessByStdio<Writable, Readable, Readable> {
    const { program, args, env } = this.#command;
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } });
    this.#complaint = "";
    const ended = (): void => {
      if (this.#child === child) this.#child = undefined;
      this.#answered?.(undefined);
    };
    child.on("error", (error) => {
      this.#complaint = error.message;
      ended();
    });
    child.stdin.on("error", () => {});
    child.stderr.on("data", (text) => {
      this.#complaint = (this.#complaint + text).slice(-2000);
    });
    child.on("close", ended);
    createInterface(child.stdout).on("line", (line) => this.#answered?.(line));
    return child;
  }
}
