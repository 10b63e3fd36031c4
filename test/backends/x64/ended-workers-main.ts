// Run by ended-workers.test.ts: workers that compute and end, some by themselves and some terminated; prints what the process holds, as JSON.

import { readdirSync, readFileSync } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { compile, normal, ones } from "../../../src/index.ts";

/** What the process holds: threads, GiB of addresses, MiB of memory. */
export interface Held {
  readonly threads: number;
  readonly addresses: number;
  readonly memory: number;
}

function held(): Held {
  const status = readFileSync("/proc/self/status", "utf8");
  const kilobytes = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
  return { threads: readdirSync("/proc/self/task").length, addresses: kilobytes("VmSize") / 2 ** 20, memory: kilobytes("VmRSS") / 2 ** 10 };
}

/** Eager and compiled, on both heaps and on every thread; about 40 MiB. */
function compute(): number {
  const x = normal([600, 600]);
  const product = compile(() => x.matmul(x).square().mean());
  return ones([3000, 1000]).mul(2).sum().item() + Number(product().item() > 0);
}

async function use(isTerminated: boolean): Promise<number> {
  const worker = new Worker(new URL(import.meta.url), { workerData: isTerminated });
  const ended = new Promise((resolve) => worker.on("exit", resolve));
  const result = await new Promise<number>((resolve, reject) => worker.on("message", resolve).on("error", reject));
  if (isTerminated) await worker.terminate();
  await ended;
  return result;
}

if (isMainThread) {
  const results = [await use(false), await use(true)];
  const before = held();
  for (let n = 0; n < 3; n++) results.push(...(await Promise.all([use(true), use(false), use(true)])));
  const after = held();
  // Here it goes on to work, and gives back what a large op took.
  results.push(compute());
  const large = ones([30, 1000, 1000]).mul(2).sum().item();
  const peak = held();
  await new Promise((resolve) => setTimeout(resolve, 2500));
  console.log(JSON.stringify({ before, after, peak, idle: held(), results, large }));
} else {
  parentPort?.postMessage(compute());
  if (workerData === true) setInterval(() => {}, 1000);
}
