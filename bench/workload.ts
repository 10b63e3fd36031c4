// What a workload is: prepared once, run many times, with its work counted and its first numbers kept.

import type { KernelTime } from "kasane";
import type { Outcome } from "./agreement.ts";
import type { Memory } from "./measure.ts";

export interface Prepared {
  readonly run: () => unknown;
  /** Milliseconds of the last run that count, where not all of them do. */
  readonly lastMs?: () => number;
  /** Runs it kernel by kernel, where it is compiled. */
  readonly profile?: () => readonly KernelTime[];
  /** Memory it takes, where it is compiled. */
  readonly memory?: () => Memory;
  /** The first losses or outputs, to compare with PyTorch's. */
  readonly outcome?: Outcome;
}

export interface Workload {
  readonly name: string;
  readonly what: string;
  /** Floating-point operations per run (a multiply-add is two). */
  readonly flops?: number;
  /** Bytes per run that must cross the memory bus at least. */
  readonly bytes?: number;
  /** Another workload that takes turns with this one: what this one costs more is told. */
  readonly baseline?: string;
  readonly prepare: () => Prepared;
}
