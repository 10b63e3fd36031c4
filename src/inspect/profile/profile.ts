// Profiles a compiled step: every kernel with its time, work, share of the machine's limits, layers and lines.

import { getBackend } from "../../backends/choose.ts";
import { type Limit, measureLimits } from "../../backends/limits.ts";
import { byteLength } from "../../nest/arrays.ts";
import type { Nest, Operation } from "../../nest/nest.ts";
import { scalarsOf } from "../../nest/step-graph.ts";
import { callSite } from "../../tensor/context.ts";
import type { CompileArgument, CompiledFunction, CompileResult } from "../../tensor/trace/compile-types.ts";
import { checkArguments, LIST, requireKind } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { textOf } from "../../util/kind-of.ts";
import { checkOptions } from "../../util/options.ts";
import { PROFILE } from "../kinds.ts";

/** One application of an op that a kernel computes, or helps to. */
export interface KernelOrigin {
  readonly op: string;
  /** "features.0"; "" outside of layers. */
  readonly layer: string;
  readonly pass: "forward" | "backward" | "update";
  /** "train.ts:12:5" where it is known. */
  readonly line: string | undefined;
}

/** One kernel of a step. */
export interface ProfiledKernel {
  readonly name: string;
  /** The middle of all runs. */
  readonly milliseconds: number;
  /**
   * Multiplications, additions and comparisons, each 1; exp, log and the like, each 1, too. A product that is added
   * counts 2.
   */
  readonly operations: number;
  /** Every tensor it reads and writes, once. */
  readonly bytes: number;
  /** Share of the multiply-adds that can be done here; undefined where limits were not measured. */
  readonly shareOfCompute: number | undefined;
  /** Share of what memory can bring and take here; above 1 where a kernel's numbers stay in the caches. */
  readonly shareOfMemory: number | undefined;
  /** What is fused into it, in the order of the program. */
  readonly origins: readonly KernelOrigin[];
}

/** What this machine reaches, measured with code of the same backend and threads. */
export interface MachineLimits {
  /** Operations per second of multiply-adds, each counted as two, on registers alone. */
  readonly operationsPerSecond: number;
  /** Bytes per second, read and written, of a copy or a sum of arrays beyond the caches, whichever is faster. */
  readonly bytesPerSecond: number;
}

/** A profiled step. */
export interface StepProfile {
  readonly kernels: readonly ProfiledKernel[];
  /** Sum of the kernels; run as one program the step takes less. */
  readonly milliseconds: number;
  readonly limits: MachineLimits | undefined;
  /** Milliseconds by layer, the longest first; a kernel of several layers counts for each by its share of origins. */
  readonly byLayer: ReadonlyMap<string, number>;
  readonly byPass: ReadonlyMap<string, number>;
  readonly byLine: ReadonlyMap<string, number>;
  /** A table, the slowest kernels first. */
  toString(): string;
}

/** How to profile. */
export interface ProfileOptions {
  /** Default 5. */
  readonly runs?: number;
  /** Measures what the machine can do, too; takes about a second. Default true. */
  readonly limits?: boolean;
}

/**
 * Runs a compiled function kernel by kernel. Its effects happen: a training step trains.
 * @throws InputError for a function that was not made by compile()
 */
export function profile<Args extends readonly CompileArgument[], Result extends CompileResult>(
  compiled: CompiledFunction<Args, Result>,
  args: Args,
  options: ProfileOptions = {},
): StepProfile {
  const { runs = 5, limits: measured = true } = checkOptions<ProfileOptions>("profile", options, { runs: true, limits: true });
  if (typeof compiled !== "function" || typeof compiled.profile !== "function")
    throw new InputError("profile: expected a function made by compile()", { hint: "profile(compile((x) => …), [x])" });
  requireKind("profile: args", LIST, args);
  if (!(Number.isInteger(runs) && runs > 0)) throw new InputError(`profile: expected at least one run, got ${textOf(runs)}`);
  // The first run compiles the kernels apart.
  compiled.profile(...args);
  const all = Array.from({ length: runs }, () => compiled.profile(...args).kernels);
  const limits = measured ? machineLimits() : undefined;
  const kernels = (all[0] ?? []).map(({ name, steps }, n): ProfiledKernel => {
    const milliseconds = middle(all.map((kernels) => kernels[n]?.milliseconds ?? 0));
    const [operations, bytes] = [sum(steps.map(({ nest }) => operationsOf(nest))), bytesOf(steps)];
    const share = (amount: number, most: number | undefined): number | undefined =>
      most === undefined ? undefined : amount / (milliseconds / 1000) / most;
    return {
      name,
      milliseconds,
      operations,
      bytes,
      shareOfCompute: share(operations, limits?.operationsPerSecond),
      shareOfMemory: share(bytes, limits?.bytesPerSecond),
      origins: originsOf(steps),
    };
  });
  const by = (pick: (origin: KernelOrigin) => string | undefined): ReadonlyMap<string, number> => {
    const times = new Map<string, number>();
    for (const { origins, milliseconds } of kernels)
      for (const origin of origins) {
        const key = pick(origin) ?? "unknown";
        times.set(key, (times.get(key) ?? 0) + milliseconds / origins.length);
      }
    return new Map([...times].sort((a, b) => b[1] - a[1]));
  };
  const made = {
    kernels,
    milliseconds: sum(kernels.map((kernel) => kernel.milliseconds)),
    limits,
    byLayer: by(({ layer }) => layer),
    byPass: by(({ pass }) => pass),
    byLine: by(({ line }) => line),
  };
  return Object.defineProperties(made, { toString: { value: () => table(made) } });
}

/** Chrome's trace events (chrome://tracing, Perfetto): the kernels one after another, on a track for each pass. */
export function chromeTrace(profile: Pick<StepProfile, "kernels">): string {
  checkArguments("chromeTrace", { profile: [profile, PROFILE] });
  const { kernels } = profile;
  const passes = ["forward", "backward", "update"];
  let at = 0;
  const events = kernels.map(({ name, milliseconds, operations, bytes, origins }) => {
    const pass = origins[0]?.pass ?? "forward";
    const args = { operations, bytes, layers: [...new Set(origins.map(({ layer }) => layer))].join(", "), line: origins[0]?.line ?? "" };
    const event = { name, cat: pass, ph: "X", ts: 1000 * at, dur: 1000 * milliseconds, pid: 1, tid: passes.indexOf(pass) + 1, args };
    at += milliseconds;
    return event;
  });
  const names = passes.map((pass, n) => ({ name: "thread_name", ph: "M", pid: 1, tid: n + 1, args: { name: pass } }));
  return JSON.stringify({ displayTimeUnit: "ms", traceEvents: [...names, ...events] });
}

/**
 * What the present backend reaches with its threads, as `npm run bench` measures it; undefined for one that emits no
 * code.
 */
export function machineLimits(): MachineLimits | undefined {
  const { name, threads } = getBackend();
  const limits = measureLimits(
    [threads],
    (["x64", "wasm"] as const).filter((backend) => backend === name),
  );
  if (limits.length === 0) return undefined;
  const most = (unit: Limit["unit"]): number => 1e9 * Math.max(...limits.filter((limit) => limit.unit === unit).map(({ value }) => value));
  return { operationsPerSecond: most("GFLOP/s"), bytesPerSecond: most("GB/s") };
}

function operationsOf(nest: Nest): number {
  const size = (axes: Nest["axes"]): number => axes.reduce((product, { extent }) => product * extent, 1);
  const calls = (scalar: Nest["epilogue"]): number => scalarsOf(scalar).filter(({ kind }) => kind === "call").length;
  const inner = calls(nest.body) + (nest.reducer === undefined ? 0 : 1);
  return inner * size(nest.axes) + calls(nest.epilogue) * size(nest.axes.slice(0, nest.free));
}

function bytesOf(steps: readonly Operation[]): number {
  const sizes = new Map<number, number>();
  for (const { nest, reads, writes } of steps) {
    reads.forEach((buffer, n) => {
      const operand = nest.operands[n];
      if (operand !== undefined) sizes.set(buffer, byteLength(operand));
    });
    sizes.set(writes, byteLength(nest.output));
  }
  return sum([...sizes.values()]);
}

function originsOf(steps: readonly Operation[]): KernelOrigin[] {
  const found = new Map<string, KernelOrigin>();
  for (const { op, scope, pass, site } of steps.flatMap(({ origins }) => origins ?? [])) {
    const origin = { op, layer: scope.join("."), pass, line: callSite(site.stack) };
    found.set(JSON.stringify(origin), origin);
  }
  return [...found.values()];
}

function table({ kernels, milliseconds, limits, byLayer, byPass }: Omit<StepProfile, "toString">): string {
  const rows = kernels.slice().sort((a, b) => b.milliseconds - a.milliseconds);
  const shown = rows.slice(0, 20);
  const percent = (share: number | undefined): string => (share === undefined ? "" : `${(100 * share).toFixed(0)} %`);
  const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 1)}…`);
  const layers = ({ origins }: ProfiledKernel): string => [...new Set(origins.map(({ layer }) => layer || "–"))].join(", ");
  const lines = [
    `${"ms".padStart(8)} ${"share".padStart(6)} ${"Mop".padStart(9)} ${"compute".padStart(8)} ${"memory".padStart(7)}  ${"kernel".padEnd(36)} layers`,
    ...shown.map((kernel) =>
      [
        kernel.milliseconds.toFixed(3).padStart(8),
        percent(kernel.milliseconds / milliseconds).padStart(6),
        (kernel.operations / 1e6).toFixed(2).padStart(9),
        percent(kernel.shareOfCompute).padStart(8),
        `${percent(kernel.shareOfMemory).padStart(7)} `,
        cut(kernel.name, 36).padEnd(36),
        cut(layers(kernel), 22),
      ].join(" "),
    ),
  ];
  if (rows.length > shown.length)
    lines.push(`… ${rows.length - shown.length} more kernels, ${sum(rows.slice(20).map((kernel) => kernel.milliseconds)).toFixed(3)} ms`);
  const totals = (title: string, times: ReadonlyMap<string, number>): string =>
    `${title}: ${[...times]
      .slice(0, 8)
      .map(([name, time]) => `${name || "–"} ${time.toFixed(3)}`)
      .join(", ")}`;
  lines.push("", `${milliseconds.toFixed(3)} ms in ${kernels.length} kernels`, totals("by pass", byPass), totals("by layer", byLayer));
  if (limits !== undefined)
    lines.push(
      `compute: of ${(limits.operationsPerSecond / 1e9).toFixed(0)} Gop/s of multiply-adds here; memory: of ${(limits.bytesPerSecond / 1e9).toFixed(1)} GB/s`,
    );
  return lines.join("\n");
}

function middle(values: readonly number[]): number {
  return values.slice().sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
