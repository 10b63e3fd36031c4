// The loop of a peer on Node: answers every request line with one line of JSON (process.ts has the protocol).

import { createInterface } from "node:readline";

// The compiled bench/hash.ts: by its address, since it exists only once it is built.
export const { labelNumbers, uniformNumbers } = await import(new URL("../../build/bench/hash.js", import.meta.url).href);

const SAMPLE_MS = 20;

/**
 * @typedef {{ run: () => unknown, outcome?: object }} Prepared `run` may return a promise
 * @param {string} name
 * @param {string} version
 * @param {Readonly<Record<string, () => Prepared | Promise<Prepared>>>} workloads
 */
export async function serve(name, version, workloads) {
  /** @type {() => unknown} */
  let run = () => {};
  let inner = 1;
  /** @param {{ prepare?: string, warmMs?: number, sample?: number, memory?: boolean }} request */
  const answer = async (request) => {
    if (request.prepare !== undefined) {
      const make = Object.hasOwn(workloads, request.prepare) ? workloads[request.prepare] : undefined;
      if (make === undefined) return { skip: "not written for it" };
      const prepared = await make();
      run = prepared.run;
      inner = await warm(run, request.warmMs ?? 0);
      return { outcome: prepared.outcome };
    }
    if (request.sample !== undefined) {
      await run();
      const samples = [];
      const end = performance.now() + request.sample;
      do samples.push(await timed(run, inner));
      while (performance.now() < end);
      return { samples };
    }
    return request.memory ? {} : { name, version };
  };
  for await (const line of createInterface(process.stdin)) {
    const reply = await answer(JSON.parse(line)).catch((error) => ({ skip: String(error?.message ?? error).split("\n")[0] }));
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
  process.exit(0);
}

/** @param {() => unknown} run @param {number} ms */
async function warm(run, ms) {
  const end = performance.now() + ms;
  let best = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 2 || (performance.now() < end && n < 20_000); n++) best = Math.min(best, await timed(run, 1));
  return Math.max(1, Math.ceil(SAMPLE_MS / best));
}

/** @param {() => unknown} run @param {number} inner */
async function timed(run, inner) {
  const start = performance.now();
  for (let n = 0; n < inner; n++) {
    const result = run();
    if (result instanceof Promise) await result;
  }
  return (performance.now() - start) / inner;
}

/** The first values and the mean magnitude. @param {readonly ArrayLike<number>[]} results */
export function excerpts(...results) {
  return {
    results: results.map((values) => {
      let total = 0;
      for (let n = 0; n < values.length; n++) total += Math.abs(/** @type {number} */ (values[n]));
      return { first: Array.from({ length: Math.min(4, values.length) }, (_, n) => values[n]), meanMagnitude: total / values.length };
    }),
  };
}

/**
 * Exchanges axes of dense numbers.
 * @param {Float32Array} values @param {readonly number[]} shape @param {readonly number[]} order
 */
export function permuted(values, shape, order) {
  const strides = shape.map((_, d) => shape.slice(d + 1).reduce((total, extent) => total * extent, 1));
  const extents = order.map((d) => shape[d] ?? 1);
  const steps = order.map((d) => strides[d] ?? 1);
  const result = new Float32Array(values.length);
  const place = order.map(() => 0);
  let from = 0;
  for (let to = 0; to < result.length; to++) {
    result[to] = values[from] ?? 0;
    for (let d = order.length - 1; d >= 0; d--) {
      const [step, extent] = [steps[d] ?? 0, extents[d] ?? 1];
      from += step;
      place[d] = (place[d] ?? 0) + 1;
      if ((place[d] ?? 0) < extent) break;
      from -= step * extent;
      place[d] = 0;
    }
  }
  return result;
}
