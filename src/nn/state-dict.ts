// Loading parameters and running statistics by name, all or nothing.

import { tensor } from "../tensor/create.ts";
import { noGrad } from "../tensor/tape.ts";
import type { HostArray, Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { nearestName } from "../util/nearest.ts";

/** Numbers with a shape: a tensor, or an entry of a safetensors file. */
export interface StoredNumbers {
  readonly shape: readonly number[];
  readonly data: HostArray;
}

/** Tensors by name. */
export type StateSource = ReadonlyMap<string, StoredNumbers> | Readonly<Record<string, StoredNumbers>>;

/** How exactly names must agree. */
export interface LoadOptions {
  /** Whether missing and unexpected names are errors. Default true. Differing shapes always are. */
  readonly strict?: boolean;
}

/** Copies numbers into the targets of the same name. */
export function loadState(kind: string, targets: ReadonlyMap<string, Tensor>, source: StateSource, options: LoadOptions = {}): void {
  const given =
    source instanceof Map
      ? (source as ReadonlyMap<string, StoredNumbers>)
      : new Map(Object.entries(source as Readonly<Record<string, StoredNumbers>>));
  const missing = [...targets.keys()].filter((name) => !given.has(name));
  const unexpected = [...given.keys()].filter((name) => !targets.has(name));
  const wrong = [...targets].flatMap(([name, target]) => {
    const shape = given.get(name)?.shape;
    return shape === undefined || shape.join() === target.shape.join()
      ? []
      : [`${name} has shape [${target.shape.join(", ")}] here but [${shape.join(", ")}] there`];
  });
  const problems = options.strict === false ? [] : [...listed("missing", missing), ...listed("unexpected", unexpected)];
  if (problems.length > 0 || wrong.length > 0) {
    const message = `${kind}: the state does not fit: ${[...problems, ...shorten(wrong)].join("; ")}`;
    throw wrong.length > 0 ? new ShapeError(message, hintFor(missing, unexpected)) : new InputError(message, hintFor(missing, unexpected));
  }
  noGrad(() => {
    for (const [name, target] of targets) {
      const stored = given.get(name);
      if (stored !== undefined) target.assign(tensor(stored.data.slice() as HostArray, stored.shape).to(target.dtype));
    }
  });
}

const SHOWN = 8;

function listed(what: string, names: readonly string[]): string[] {
  return names.length === 0 ? [] : [`${what} ${shorten(names).join(", ")}`];
}

function shorten(items: readonly string[]): string[] {
  return items.length <= SHOWN ? [...items] : [...items.slice(0, SHOWN), `and ${items.length - SHOWN} more`];
}

function hintFor(missing: readonly string[], unexpected: readonly string[]): { hint: string } {
  const [first] = unexpected;
  const similar = first === undefined ? undefined : nearestName(first, missing);
  if (similar !== undefined) return { hint: `is "${first}" meant to be "${similar}"?` };
  return { hint: "build the same model as the one that was saved, or pass { strict: false } to load only the names both have" };
}
