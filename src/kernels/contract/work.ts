// Estimates the work of contractions and how much of it one call does.

import type { Phase } from "../lowered.ts";

/** Floating-point operations that take as long as an element operation of general loops. */
export const FLOPS_PER_WORK = 8;
/** So much per call lets V8 replace a function's first, slow code soon, and keeps packed rows in use. */
const workPerCall = 2e7 / FLOPS_PER_WORK;

/** @param work of all slices, in element operations; @param setup of it, what every call does again */
export function phaseOf(entry: string, slices: number, work: number, setup: number): Phase {
  const slicesPerCall = Math.max(1, Math.min(slices, Math.round((workPerCall * slices) / Math.max(1 / FLOPS_PER_WORK, work))));
  return { entry, slices, slicesPerCall, work, setup };
}
