// vmap(fn): a function of one example mapped over many, all at once: every op gets one index more.

import { InputError, ShapeError } from "../util/errors.ts";
import { enterLevel, leaveLevel } from "./examples.ts";
import { newLevel, runningLevels, withLevels } from "./mapping.ts";
import { resolveAxis, shapeText, transpose } from "./operate.ts";
import type { Shape } from "./shapes.ts";
import { asTensor } from "./tensor.ts";
import { rebuild, type TensorTree, valuesOf } from "./tree.ts";
import type { Tensor } from "./types.ts";
import type { Value } from "./value.ts";

/** What holds all examples where `Example` holds one: every tensor has a dimension more. */
export type AllOf<Example> =
  Example extends Tensor<infer S extends Shape>
    ? Tensor<number extends S["length"] ? Shape : readonly [number, ...S]>
    : { readonly [Key in keyof Example]: AllOf<Example[Key]> };

/** An argument of the mapped function: the dimension that counts the examples may be anywhere, or nowhere. */
export type MappedArgument<Example> = Example extends Tensor
  ? Tensor
  : Example extends string | number | boolean | null | undefined
    ? Example
    : { readonly [Key in keyof Example]: MappedArgument<Example[Key]> };

/** Which dimension of each argument counts the examples. */
export interface VmapOptions {
  /**
   * For every argument the dimension that counts its examples (negative ones count from the last), or null where all examples get the same.
   * One number stands for every tensor in an array or record. Default: 0 for tensors, null for anything else.
   */
  readonly inputs?: readonly (number | null)[];
}

/**
 * Maps a function of one example over a batch. The function is run once, on tensors that stand for one example: shapes are those of the example,
 * and numbers cannot be read. What it gives has all examples along a first dimension. Gradients flow through, inside and outside: `vmap(grad(loss))` gives one
 * gradient per example. Random numbers differ between examples. Maps may be nested and compiled.
 * @throws ShapeError when a dimension does not exist, or arguments count different numbers of examples
 * @throws InputError when nothing is mapped, or the function reads numbers or assigns what differs between examples
 * @example vmap(grad(loss), { inputs: [null, 0, 0] })(weights, x, t) // the gradients of every example
 */
export function vmap<Args extends readonly unknown[], Result>(
  fn: (...args: Args) => Result,
  options: VmapOptions = {},
): (...args: { readonly [Place in keyof Args]: MappedArgument<Args[Place]> }) => AllOf<Result> {
  return (...given) => {
    const args = given as readonly unknown[];
    const axes = args.map((arg, place) => (options.inputs === undefined ? (isTree(arg) ? 0 : null) : (options.inputs[place] ?? null)));
    if (options.inputs !== undefined && options.inputs.length > args.length)
      throw new InputError(`vmap: inputs names ${options.inputs.length} arguments, the call gives ${args.length}`);
    const moved = args.map((arg, place) => {
      const axis = axes[place] as number | null;
      return axis === null ? undefined : valuesOf(arg, `vmap: argument ${place}`).map((value) => toFront(value, axis, place));
    });
    const level = newLevel(sizeOf(moved));
    const inside = args.map((arg, place) =>
      moved[place] === undefined
        ? arg
        : rebuild(
            arg as TensorTree,
            moved[place].map((all) => asTensor(enterLevel(all, level))),
          ),
    );
    const result = withLevels([...runningLevels(), level], () => fn(...(inside as unknown as Args))) as TensorTree;
    const all = valuesOf(result, "vmap: the function's result").map((value) => asTensor(leaveLevel(value, level)));
    return rebuild(result, all) as AllOf<Result>;
  };
}

function isTree(arg: unknown): boolean {
  return typeof arg === "object" && arg !== null;
}

function toFront(value: Value, axis: number, place: number): Value {
  const along = resolveAxis(`vmap: argument ${place}`, axis, value.rank);
  if (along === 0) return value;
  return transpose(value, [along, ...value.shape.map((_, d) => d).filter((d) => d !== along)]);
}

function sizeOf(moved: readonly (readonly Value[] | undefined)[]): number {
  let first: { readonly size: number; readonly place: number } | undefined;
  moved.forEach((leaves, place) => {
    for (const { shape } of leaves ?? []) {
      const size = shape[0] as number;
      if (first !== undefined && first.size !== size)
        throw new ShapeError(
          `vmap: argument ${first.place} has ${first.size} examples, argument ${place} has ${size}: examples first, it is ${shapeText(shape)}`,
          { hint: "name the dimension that counts the examples: { inputs: [0, 1] }; null for what all examples share" },
        );
      first ??= { size, place };
    }
  });
  if (first === undefined)
    throw new InputError("vmap: none of the arguments is mapped", { hint: "give a dimension for at least one: { inputs: [0] }" });
  return first.size;
}
