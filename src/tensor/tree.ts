// Visits the tensors of nested arrays and records, leaf by leaf.

import { InputError } from "../util/errors.ts";
import { isTensor, valueOf } from "./tensor.ts";
import type { Tensor } from "./types.ts";
import type { Value } from "./value.ts";

/** A tensor, or arrays and records of them, such as parameters by name. */
export type TensorTree = Tensor | readonly TensorTree[] | { readonly [name: string]: TensorTree };

/** The tensors in order. @throws InputError when something else is among them, naming where */
function leavesOf(tree: unknown, name: string): Tensor[] {
  if (isTensor(tree)) return [tree];
  if (typeof tree !== "object" || tree === null)
    throw new InputError(`${name}: expected a tensor, or an array or record of tensors, got ${tree === null ? "null" : typeof tree}`);
  return Object.entries(tree).flatMap(([key, item]) => leavesOf(item, `${name}.${key}`));
}

/** The values behind the tensors, in order. @throws as leavesOf */
export function valuesOf(tree: unknown, name: string): Value[] {
  return leavesOf(tree, name).map((leaf) => valueOf(leaf));
}

/** The same arrays and records around other tensors, in order. */
export function rebuild(tree: TensorTree, leaves: readonly Tensor[]): TensorTree {
  let next = 0;
  const build = (part: TensorTree): TensorTree => {
    if (isTensor(part)) return leaves[next++]!;
    if (Array.isArray(part)) return part.map(build);
    return Object.fromEntries(Object.entries(part as Readonly<Record<string, TensorTree>>).map(([key, item]) => [key, build(item)]));
  };
  return build(tree);
}
