// vmap(fn): maps a function of one example over a batch: every op gets one more index.

import { FUNCTION, requireKind } from "../../util/arguments.ts";
import { InputError, ShapeError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import { shapeText } from "../../util/shape-text.ts";
import { resolveAxis, transpose } from "../operate.ts";
import type { Shape } from "../shapes.ts";
import { asTensor, isTensor } from "../tensor.ts";
import { rebuild, type TensorTree, valuesOf } from "../tree.ts";
import type { Tensor } from "../types.ts";
import type { Level, Value } from "../value.ts";
import { enterLevel, leaveLevel } from "./examples.ts";
import { levelsOf, newLevel, runningLevels, withLevels } from "./mapping.ts";

const NAME_OF_RESULT = "vmap: the function's result";

/** What holds all examples where `Example` holds one: every tensor has a dimension more. */
export type AllOf<Example> =
  Example extends Tensor<infer S extends Shape>
    ? Tensor<number extends S["length"] ? Shape : readonly [number, ...S]>
    : { readonly [Key in keyof Example]: AllOf<Example[Key]> };

/** An argument or result of the mapped function: the dimension that counts the examples may be anywhere, or nowhere. */
export type MappedArgument<Example> = Example extends Tensor
  ? Tensor
  : Example extends string | number | boolean | null | undefined
    ? Example
    : { readonly [Key in keyof Example]: MappedArgument<Example[Key]> };

/** Which dimension of each argument, and of what is made, counts the examples. */
export interface VmapOptions {
  /**
   * For every argument the dimension that counts its examples (negative ones count from the last), or null where all
   * examples get the same. One number holds for every tensor in an array or record. Default: 0 for tensors, null for
   * anything else.
   */
  readonly inputs?: readonly (number | null)[];
  /**
   * Which dimension of the result counts the examples (negative ones count from the last), or null where it is the same
   * for all examples and wanted once. One number holds for every tensor of the result; an array or a record has one for
   * each entry of the result. Default: 0.
   */
  readonly outputs?: OutputAxes;
}

/** One axis for every tensor of a result, or one for each of its entries. */
export type OutputAxes = OutputAxis | readonly OutputAxis[] | Readonly<Record<string, OutputAxis>>;

/** A dimension, or null: the same for all examples. */
export type OutputAxis = number | null;

/** What a mapped function gives: shapes are known where the examples come first. */
export type MappedResult<Result, Options> = Options extends { readonly outputs?: undefined } ? AllOf<Result> : MappedArgument<Result>;

/**
 * Maps a function of one example over a batch. The function is run once, on tensors that stand for one example: shapes
 * are those of the example, and numbers cannot be read. What it gives has all examples along a first dimension, or
 * where `outputs` says. Gradients flow through, inside and outside: `vmap(grad(loss))` gives one gradient per example.
 * Random numbers differ between examples. Maps may be nested and compiled.
 * @throws ShapeError when a dimension does not exist, or arguments count different numbers of examples
 * @throws InputError when nothing is mapped, or the function reads numbers or assigns what differs between examples, or
 * a result with output axis null differs between examples
 * @example vmap(grad(loss), { inputs: [null, 0, 0] })(weights, x, t) // the gradients of every example
 */
export function vmap<Args extends readonly unknown[], Result, const Options extends VmapOptions = Record<never, never>>(
  fn: (...args: Args) => Result,
  options?: Options,
): (...args: { readonly [Place in keyof Args]: MappedArgument<Args[Place]> }) => MappedResult<Result, Options> {
  requireKind("vmap", FUNCTION, fn);
  const { inputs, outputs = 0 } = checkOptions<VmapOptions>("vmap", options, { inputs: true, outputs: true });
  return (...given) => {
    const args = given as readonly unknown[];
    const axes = args.map((arg, place) => (inputs === undefined ? (isTree(arg) ? 0 : null) : (inputs[place] ?? null)));
    if (inputs !== undefined && inputs.length > args.length)
      throw new InputError(`vmap: inputs names ${inputs.length} arguments, the call gives ${args.length}`);
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
    const places = axesOf(result, outputs);
    const all = valuesOf(result, NAME_OF_RESULT).map((value, n) => asTensor(outOf(value, level, places[n]!)));
    return rebuild(result, all) as MappedResult<Result, Options>;
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

/** An axis for every tensor of the result, in order. */
function axesOf(result: TensorTree, outputs: OutputAxes): OutputAxis[] {
  const each = (tree: TensorTree, axis: OutputAxis): OutputAxis[] => valuesOf(tree, NAME_OF_RESULT).map(() => axis);
  if (outputs === null || typeof outputs === "number") return each(result, outputs);
  const axes = Object.entries(outputs) as [string, OutputAxis][];
  const entries = isTensor(result) ? [] : Object.entries(result as Readonly<Record<string, TensorTree>>);
  const names = entries.map(([name]) => name);
  if (names.length !== axes.length || axes.some(([name]) => !names.includes(name)))
    throw new InputError(
      `vmap: outputs has axes for ${axes.map(([name]) => name).join(", ") || "nothing"}, the function's result is ${isTensor(result) ? "one tensor" : `${names.join(", ") || "empty"}`}`,
      { hint: "one number stands for all tensors; an array or a record needs an axis for each entry of the result" },
    );
  const of = new Map(axes);
  return entries.flatMap(([name, tree]) => each(tree, of.get(name)!));
}

function outOf(value: Value, level: Level, axis: OutputAxis): Value {
  if (axis === null) {
    if (!levelsOf(value).includes(level)) return value;
    throw new InputError(`${NAME_OF_RESULT} of shape ${shapeText(value.shape)} differs between examples, but its output axis is null`, {
      hint: "name the dimension that counts the examples: { outputs: 0 }",
    });
  }
  const along = resolveAxis(NAME_OF_RESULT, axis, value.rank + 1);
  const all = leaveLevel(value, level);
  if (along === 0) return all;
  const others = value.shape.map((_, d) => d + 1);
  return transpose(all, [...others.slice(0, along), 0, ...others.slice(along)]);
}

function sizeOf(moved: readonly (readonly Value[] | undefined)[]): number {
  let first: { readonly size: number; readonly place: number } | undefined;
  moved.forEach((leaves, place) => {
    for (const { shape } of leaves ?? []) {
      const size = shape[0]!;
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
