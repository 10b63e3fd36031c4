// Loads parameters and running statistics by name, all or nothing.

import { type AnyNumberArray, toNumberArray } from "../nest/arrays.ts";
import { noGrad } from "../tensor/autograd/tape.ts";
import { tensor } from "../tensor/create.ts";
import { isShaped } from "../tensor/numbers.ts";
import { isTensor, valueOf } from "../tensor/tensor.ts";
import type { HostArray, Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { kindOf } from "../util/kind-of.ts";
import { nearestName } from "../util/nearest.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";

/** Numbers with a shape: a tensor, or an entry of a safetensors file. */
export interface StoredNumbers {
  readonly shape: readonly number[];
  readonly data: AnyNumberArray;
}

/** Tensors by name. */
export type StateSource = ReadonlyMap<string, StoredNumbers> | Readonly<Record<string, StoredNumbers>>;

/** How exactly names must agree. */
export interface LoadOptions {
  /** Whether missing and unexpected names are errors. Default true. Differing shapes always are. */
  readonly strict?: boolean;
}

/** Which names were loaded, and which were not. */
export interface LoadReport {
  readonly loaded: readonly string[];
  /** Of the model, but not of the state: they keep their numbers. */
  readonly missing: readonly string[];
  /** Of the state, but not of the model. */
  readonly unexpected: readonly string[];
}

/** Copies numbers into the targets of the same name; where not all of them agree, says on the console which. */
export function loadState(kind: string, targets: ReadonlyMap<string, Tensor>, source: StateSource, options: LoadOptions = {}): LoadReport {
  checkOptions<LoadOptions>(`${kind}: loadStateDict`, options, { strict: true });
  const given = namedNumbers(kind, source);
  const missing = [...targets.keys()].filter((name) => !given.has(name));
  const unexpected = [...given.keys()].filter((name) => !targets.has(name));
  const wrong = [...targets].flatMap(([name, target]) => {
    const shape = given.get(name)?.shape;
    return shape === undefined || shape.join() === target.shape.join()
      ? []
      : [`${name} has shape ${shapeText(target.shape)} here but ${shapeText(shape)} there`];
  });
  const loaded = [...targets.keys()].filter((name) => given.has(name));
  const apart = [...listed("missing", missing), ...listed("unexpected", unexpected)];
  // A state of which nothing fits is another model's, or has other names.
  const problems = options.strict === false && (loaded.length > 0 || apart.length === 0) ? [] : apart;
  if (problems.length > 0 || wrong.length > 0) {
    const message = `${kind}: the state does not fit: ${[...problems, ...shorten(wrong)].join("; ")}`;
    const hint = hintFor({ loaded, missing, unexpected }, wrong.length > 0);
    throw wrong.length > 0 ? new ShapeError(message, hint) : new InputError(message, hint);
  }
  // All are converted before any is assigned.
  const ready = [...targets].flatMap(([name, target]) => {
    const stored = given.get(name);
    return stored === undefined ? [] : [[target, converted(kind, name, stored, target)] as const];
  });
  noGrad(() => {
    for (const [target, value] of ready) target.assign(value);
  });
  if (apart.length > 0)
    console.warn(`kasane: ${kind}: loaded ${loaded.length} of ${targets.size} names: ${shorten(loaded).join(", ")}; ${apart.join("; ")}`);
  return { loaded, missing, unexpected };
}

/** @throws InputError for an entry that is not numbers with their shape */
function namedNumbers(kind: string, source: StateSource): ReadonlyMap<string, StoredNumbers> {
  if (typeof source !== "object" || source === null)
    throw new InputError(`${kind}: expected tensors by name, got ${kindOf(source)}`, {
      hint: "(await loadSafetensors(path)).tensors, or net.stateDict()",
    });
  // A Map of another realm is none by instanceof.
  const given = new Map(Symbol.iterator in source ? (source as ReadonlyMap<string, StoredNumbers>) : Object.entries(source));
  for (const [name, stored] of given) {
    if (isTensor(stored) || isShaped(stored)) continue;
    throw new InputError(`${kind}: "${name}" must be numbers with their shape, got ${kindOf(stored)}`, {
      hint: "tensor([…]), or { shape, data: new Float32Array(…) }",
    });
  }
  return given;
}

/** A copy in the target's dtype. @throws InputError naming the tensor when that cannot hold the numbers */
function converted(kind: string, name: string, stored: StoredNumbers, target: Tensor): Tensor {
  if (isTensor(stored) && !valueOf(stored).isReadable && stored.dtype === target.dtype) return stored.clone();
  try {
    return tensor(toNumberArray(stored.data, kind).slice() as HostArray, stored.shape, { dtype: target.dtype });
  } catch (error) {
    throw error instanceof InputError ? error.at(`${kind}, "${name}"`) : error;
  }
}

const SHOWN = 8;

function listed(what: string, names: readonly string[]): string[] {
  return names.length === 0 ? [] : [`${what} ${shorten(names).join(", ")}`];
}

function shorten(items: readonly string[]): string[] {
  return items.length <= SHOWN ? [...items] : [...items.slice(0, SHOWN), `and ${items.length - SHOWN} more`];
}

/**
 * The first way out that is one: shapes must agree in any case, and of a state without a common name nothing can be
 * loaded.
 */
function hintFor({ loaded, missing, unexpected }: LoadReport, isMisshapen: boolean): { hint: string } {
  const [first] = unexpected;
  const similar = first === undefined ? undefined : nearestName(first, missing);
  if (similar !== undefined) return { hint: `is "${first}" meant to be "${similar}"?` };
  if (isMisshapen)
    return {
      hint: "build the model with the shapes of the one that was saved, or delete these names from the state and pass { strict: false }",
    };
  if (loaded.length === 0)
    return { hint: "build the same model as the one that was saved, or give the tensors of the state the model's names" };
  return { hint: "build the same model as the one that was saved, or pass { strict: false } to load only the names both have" };
}
