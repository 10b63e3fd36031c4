// What lowering a nest gives: the interface between kernels and the backends that run them.

import { LARGEST_INT } from "../nest/addressable.ts";
import { STORED_BYTES } from "../nest/arrays.ts";
import { sizeOfShape } from "../nest/evaluate.ts";
import type { Nest, Operand } from "../nest/nest.ts";
import { BackendError } from "../util/errors.ts";
import { resultsOf } from "./expressions/access.ts";
import type { Region, Regions, ValueType } from "./language/language.ts";

/**
 * One nest, lowered. `entry` is a function of the module with the parameters of `entryParameters(nest)`:
 *
 *   in0: pointer … inN: pointer   one per operand of the nest, the start of a dense buffer in this machine's memory
 *   out: pointer                  the output buffer; then out1 … one per further result of the loops
 *   params: pointer               the program's params, 4 bytes each (float: f32, int: i32)
 *   scratch: pointer              `scratchBytes` bytes, 64-byte aligned, contents undefined, kept only within one call
 *   begin: i32, end: i32          which of the `slices` to do: 0 ≤ begin < end ≤ slices
 *
 * All buffers and the scratch are 64-byte aligned and disjoint (but a result may be an operand where its `inPlace` says so), with at least 128 readable bytes before and after each, so full vectors
 * may be read past an end; never written. Slices are independent (different threads may run different ones at the same time, each with
 * its own scratch; no slice depends on another or writes what another writes with a different value).
 * The caller runs [0, slices) in calls of about `slicesPerCall` slices: V8 has no on-stack replacement for wasm, so a function becomes
 * fast only when it is called again after tier-up; aim at 20 µs to 1 ms of work per call.
 */
export interface LoweredNest extends Phase {
  /**
   * Done before, one after the other: each phase begins when all slices of the one before are finished. What phases
   * leave for later ones lies in `shared`, the same `sharedBytes` bytes for all threads (64-byte aligned, contents
   * undefined at the start), which entries of such a nest take after `scratch`.
   */
  readonly before?: readonly Phase[];
  readonly sharedBytes?: number;
  /** The output must be all zeros before the first phase: what stays zero is not written. */
  readonly clears?: boolean;
  readonly scratchBytes: number;
  /** Slices must run in order on one thread (scatter-add: two may add to one element). */
  readonly sequential: boolean;
  /** Lines for listings: loop order, vector axis, tile. */
  readonly notes: readonly string[];
}

/** Slices of work and the function that does them. */
export interface Phase {
  readonly entry: string;
  readonly slices: number;
  readonly slicesPerCall: number;
  /**
   * Of all slices, in element operations of general loops; eight floating-point operations of a contraction are about
   * one.
   */
  readonly work: number;
  /** Of it, what every call does again, however few its slices. */
  readonly setup: number;
}

/** The name of a function that does a nest's work. */
export const nameOf = (nest: Nest): string => nest.name.replace(/[^A-Za-z0-9]+/g, "_") || "nest";

/** The name of a function that does a part of it. */
export const functionName = (nest: Nest, part: string): string => `${nameOf(nest)}_${part}`;

/** Parameters of an entry, by name, in order. @param shared of a nest with phases */
export function entryParameters(nest: Nest, shared = false): { readonly [name: string]: ValueType } {
  const operands = nest.operands.map((_, position) => `in${position}`);
  const names = [...operands, ...outNames(nest), "params", "scratch", ...(shared ? ["shared"] : [])];
  return { ...Object.fromEntries(names.map((name) => [name, "pointer"] as const)), begin: "i32", end: "i32" };
}

/** Parameters of an entry that point at where results go, in their order. */
export function outNames(nest: Nest): string[] {
  return resultsOf(nest).map((_, number) => (number === 0 ? "out" : `out${number}`));
}

export const gibibytes = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);

/** @throws BackendError for what is too large to count its bytes in 32 bits */
export function requireSize(bytes: number, what: string): void {
  if (bytes > LARGEST_INT)
    throw new BackendError(`${what} is ${gibibytes(bytes)} GiB; one tensor may have up to 2 GiB`, {
      hint: "use smaller batches, or split the tensor",
    });
}

/** What the pointers of a nest's entries point at. */
export function entryRegions(nest: Nest, { scratchBytes, sharedBytes }: LoweredNest): Regions {
  const region = (elements: number, elementBytes: number): Region => ({ kernel: nest.name, bytes: elements * elementBytes, elementBytes });
  const tensor = ({ dtype, shape }: Operand) => region(sizeOfShape(shape), STORED_BYTES[dtype]);
  const operands = nest.operands.map((operand, position) => [`in${position}`, tensor(operand)] as const);
  const results = resultsOf(nest);
  const outs = outNames(nest).map((name, number) => [name, tensor(results[number]!.output)] as const);
  const rest = { params: region(nest.params.length, 4), scratch: region(scratchBytes / 4, 4) };
  const shared: Regions = sharedBytes === undefined ? {} : { shared: region(sharedBytes / 4, 4) };
  return { ...Object.fromEntries([...operands, ...outs]), ...rest, ...shared };
}
