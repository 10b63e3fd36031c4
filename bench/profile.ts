// Where a workload's time goes: the median of every kernel over many runs, a call per kernel.

import type { KernelTime } from "kasane";
import type { Workload } from "./workload.ts";

/** @returns a table, the slowest kernel first */
export function profileOf({ name, prepare }: Workload, budgetMs: number): string {
  const { profile } = prepare();
  if (profile === undefined) return `\n${name}: runs op by op, there is nothing to take apart`;
  const kernels = profile();
  const samples: number[][] = kernels.map(() => []);
  const start = performance.now();
  for (let runs = 0; runs < 3 || performance.now() - start < budgetMs; runs++)
    profile().forEach(({ milliseconds }, number) => void samples[number]?.push(milliseconds));
  const medians = samples.map((times) => times.sort((a, b) => a - b)[times.length >> 1] as number);
  const total = medians.reduce((sum, milliseconds) => sum + milliseconds, 0);
  const lines = kernels
    .map((kernel, number) => ({ ...kernel, number, milliseconds: medians[number] as number }))
    .sort((a, b) => b.milliseconds - a.milliseconds)
    .map((kernel) => line(kernel, total));
  return [`\n${name}: ${total.toPrecision(4)} ms in ${kernels.length} kernels`, header, ...lines].join("\n");
}

const header = `${"ms".padStart(9)}${"share".padStart(8)}${"iterations".padStart(13)}${"G/s".padStart(8)}   kernel`;

function line({ number, name, milliseconds, iterations }: KernelTime & { readonly number: number }, total: number): string {
  const share = `${((100 * milliseconds) / total).toFixed(1)} %`;
  const rate = (iterations / milliseconds / 1e6).toFixed(2);
  return `${milliseconds.toFixed(4).padStart(9)}${share.padStart(8)}${String(iterations).padStart(13)}${rate.padStart(8)}   ${number} ${name}`;
}
