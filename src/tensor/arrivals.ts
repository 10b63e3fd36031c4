// Numbers on their way from memory where reading takes time: who waits for them is told in the order of asking.

import type { HostArray } from "../backends/backend.ts";
import { Value } from "./value.ts";

/** What is told last; undefined when all has been told. */
let last: Promise<void> | undefined;

/**
 * Does something with a tensor's numbers: now where they can be read, else when they have arrived and all that was
 * asked for before is done.
 */
export function whenArrived(value: Value, deliver: (data: HostArray) => void): void {
  const waiting = value.fetch();
  if (waiting === undefined) inOrder(() => deliver(value.numbers()));
  else queue(async () => deliver(await waiting));
}

/** Does something when all that was asked for before is done. */
export function inOrder(effect: () => void): void {
  if (last === undefined) effect();
  else queue(effect);
}

/**
 * Waits until all that was asked for is done; undefined where nothing is on its way.
 * @throws what one of those who were told threw, once
 */
export function arrivals(): Promise<void> | undefined {
  return last;
}

/** Waits until the numbers of the tensors among these can be read; undefined where they can already. */
export function readable(given: Iterable<unknown>): Promise<void> | undefined {
  const waiting = [...given].flatMap((one) => (one instanceof Value ? (one.fetch() ?? []) : []));
  return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => {});
}

/** Waits for a step, until the tensors it gave, alone or by name, can be read and all that it tells is told. */
export async function arrived<Result>(running: Result | PromiseLike<Result>): Promise<Result> {
  const result = await running;
  await readable(result instanceof Value ? [result] : Object.values(Object(result)));
  await arrivals();
  return result;
}

function queue(work: () => void | Promise<void>): void {
  const mine: Promise<void> = (last ?? Promise.resolve()).then(work).finally(() => {
    if (last === mine) last = undefined;
  });
  // Who waits is told; nobody may wait.
  mine.catch(() => {});
  last = mine;
}
