// What a workload is: prepared once, run many times, with its work counted.

export interface Prepared {
  readonly run: () => unknown;
  /** Losses of the first steps, to compare with other frameworks. */
  readonly losses?: readonly number[];
}

export interface Workload {
  readonly name: string;
  readonly what: string;
  /** Floating-point operations per run (a multiply-add is two). */
  readonly flops?: number;
  /** Bytes per run that must cross the memory bus at least. */
  readonly bytes?: number;
  readonly prepare: () => Prepared;
}
