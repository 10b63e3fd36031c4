// Accumulates the gradient contributions of a tensor's uses: disjoint parts are concatenated, products become one sum.

import { type AccessNode, type BoundAxis, type Expression, type IndexNode, isSame, visit } from "../../formula/ast.ts";
import type { DType } from "../../nest/nest.ts";
import * as arithmetic from "../../ops/arithmetic.ts";
import * as moves from "../../ops/moves.ts";
import type { Op } from "../../ops/op.ts";
import { withPass, withScope } from "../context.ts";
import { apply } from "../engine.ts";
import { concatenate } from "../operate.ts";
import { type TapeNode, Value } from "../value.ts";
import { endedLevels, sumOfExamples } from "../vmap/examples.ts";
import { levelsOf, withLevels } from "../vmap/mapping.ts";

/** A gradient op of one use, not yet applied. */
export interface Contribution {
  readonly op: Op;
  readonly inputs: readonly Value[];
  readonly node: TapeNode;
}

/** The gradient of `value` from its uses, given in the order of the backward pass; undefined without any. */
export function addUp(value: Value, contributions: readonly (Contribution | Value)[]): Value | undefined {
  const ready = contributions.filter((one) => one instanceof Value);
  const waiting = contributions.filter((one): one is Contribution => !(one instanceof Value));
  const terms = [...ready, ...appliedTogether(value, waiting)].map((term) => sumOfExamples(term, value));
  return terms.reduce<Value | undefined>((sum, term) => (sum === undefined ? term : apply(arithmetic.add, [sum, term])), undefined);
}

function appliedTogether(value: Value, contributions: readonly Contribution[]): Value[] {
  // What differs between the examples of a vmap that is over is summed by itself: joined to other things it would be
  // summed with them.
  if (contributions.some(({ inputs }) => inputs.some((input) => endedLevels(input, value).length > 0)))
    return contributions.map((one) => applied(one, one.inputs, value));
  const groups = new Map<Op, Contribution[]>();
  for (const contribution of contributions) {
    const group = groups.get(contribution.op);
    if (group === undefined) groups.set(contribution.op, [contribution]);
    else group.push(contribution);
  }
  return [...groups.values()].flatMap((group) => {
    // Joined in the order of the forward pass, as what else is made of the same tensors.
    const whole = group.length === 1 ? undefined : (sideBySide(value, group) ?? asOneSum(value, group.slice().reverse()));
    return whole === undefined ? group.map((one) => applied(one, one.inputs, value)) : [whole];
  });
}

function applied({ op, node }: Contribution, inputs: readonly Value[], value: Value): Value {
  // Random numbers are those that the op drew: each example's own in the vmaps that ran then, the same for all in those
  // that run now.
  const run = (): Value =>
    withLevels(levelsOf(node.output).reverse(), () =>
      apply(op, inputs, node.attributes, { resultShape: value.shape, dtype: dtypeOfGradient(value, node, inputs), like: value }),
    );
  const inPass = (): Value => withPass("backward", run, node);
  return node.scope.length === 0 ? inPass() : withScope(node.scope.join("."), inPass);
}

/**
 * A gradient is stored as its tensor is; where it is mixed with double precision, by an op or further up, it keeps the
 * digits.
 * @param given what it is computed from, the gradient of the op's result among it
 */
function dtypeOfGradient({ dtype }: Value, { inputs, output }: TapeNode, given: readonly Value[]): DType | undefined {
  const isDouble = (value: Value): boolean => value.dtype === "float64";
  if (dtype === "float64") return dtype;
  return inputs.some(isDouble) || (!isDouble(output) && given.some(isDouble)) ? undefined : dtype;
}

/**
 * Slices that divide a tensor along one axis: their gradients are the slices of its gradient. Undefined where they do
 * something else.
 */
function sideBySide(value: Value, group: readonly Contribution[]): Value | undefined {
  if (group[0]?.node.op !== moves.slice(value.rank)) return undefined;
  const number = ({ node }: Contribution, name: string): number => node.attributes[name] as number;
  const axis = value.shape.findIndex((extent, d) => group.some((part) => number(part, `extent${d}`) !== extent));
  if (axis < 0) return undefined;
  const parts = group.filter((part) => number(part, `extent${axis}`) > 0);
  parts.sort((a, b) => number(a, `start${axis}`) - number(b, `start${axis}`));
  let end = 0;
  for (const part of parts) {
    const isWide = value.shape.every(
      (extent, d) => number(part, `step${d}`) === 1 && (d === axis || number(part, `extent${d}`) === extent),
    );
    if (!isWide || number(part, `start${axis}`) !== end) return undefined;
    end += number(part, `extent${axis}`);
  }
  if (end !== value.shape[axis]) return undefined;
  return concatenate(
    parts.map(({ inputs }) => inputs[0]!),
    axis,
  );
}

/**
 * Σ f(a, b) + Σ f(c, d) = Σ f(a then c, b then d), for a weight that is used many times: operands are joined along an
 * axis they are summed over. Undefined where no axis allows it, and where joining moves more numbers than adding the
 * results.
 */
function asOneSum(value: Value, group: readonly Contribution[]): Value | undefined {
  const [first] = group as [Contribution];
  const places = summedPlaces(first.op);
  if (places === undefined || group.some(({ node }) => !isSame(node.attributes, first.node.attributes))) return undefined;
  const axes = first.inputs.map((input, number) => places[number]?.(input.rank));
  const extent = (input: Value, number: number): number => input.shape[axes[number] as number]!;
  const fits = group.every(({ inputs }) => {
    const length = inputs.map(extent).find((_, number) => axes[number] !== undefined);
    return inputs.every((input, number) => {
      const other = first.inputs[number]!;
      if (axes[number] === undefined) return input === other;
      const isAlike = input.rank === other.rank && input.shape.every((size, d) => d === axes[number] || size === other.shape[d]);
      return isAlike && length !== undefined && extent(input, number) === length;
    });
  });
  const moved = group.flatMap(({ inputs }) => inputs.filter((_, number) => axes[number] !== undefined));
  if (!fits || moved.reduce((total, input) => total + input.size, 0) > group.length * value.size) return undefined;
  const inputs = first.inputs.map((input, number) => {
    const axis = axes[number];
    if (axis === undefined) return input;
    return concatenate(
      group.map((one) => one.inputs[number]!),
      axis,
    );
  });
  return applied(first, inputs, value);
}

type DimensionOfRank = (rank: number) => number | undefined;

/**
 * Of an op that is one sum: for every input the axis that one of the summed axes walks by itself, undefined where the
 * input lacks it.
 */
function summedPlaces({ formula }: Op): readonly (DimensionOfRank | undefined)[] | undefined {
  const [statement, ...others] = formula.statements;
  if (statement === undefined || others.length > 0 || statement.value.kind !== "reduce" || statement.value.reducer !== "sum")
    return undefined;
  const { axes, body } = statement.value;
  for (const axis of axes) {
    const places = placesOf(axis, body);
    if (places !== undefined) return formula.inputs.map((input) => places.get(input));
  }
  return undefined;
}

/** Undefined where an axis does more than index tensors directly: joined operands would change what it stands for. */
function placesOf(axis: BoundAxis, body: Expression): Map<string, DimensionOfRank | undefined> | undefined {
  if (axis.kind === "list" || (axis.kind === "axis" && axis.extent !== undefined)) return undefined;
  const accesses: AccessNode[] = [];
  let isPlain = true;
  visit(body, (node) => {
    if (node.kind === "access") accesses.push(node);
    else isPlain &&= node.kind === "call" || node.kind === "number" || node.kind === "name";
  });
  const indexings = accesses.flatMap(({ indices }) => indices.filter((index) => isAxis(index, axis))).length;
  let mentions = 0;
  visit(body, (node) => {
    if (axis.kind === "axis" && node.kind === "name" && node.name === axis.name) mentions++;
  });
  if (!isPlain || (axis.kind === "axis" && mentions !== indexings)) return undefined;
  const found = new Map<string, { readonly indices: readonly IndexNode[]; readonly place: DimensionOfRank | undefined }>();
  for (const { tensor, indices } of accesses) {
    const known = found.get(tensor);
    if (known !== undefined && !isSame(known.indices, indices)) return undefined;
    if (indices.filter((index) => isAxis(index, axis)).length > 1) return undefined;
    found.set(tensor, { indices, place: placeIn(indices, axis) });
  }
  return new Map([...found].map(([tensor, { place }]) => [tensor, place]));
}

function placeIn(indices: readonly IndexNode[], axis: BoundAxis): DimensionOfRank | undefined {
  const position = indices.findIndex((index) => isAxis(index, axis));
  if (position < 0) return undefined;
  const group = indices.findIndex((index) => index.kind === "ellipsis");
  if (group >= 0 && group < position) return (rank) => rank - (indices.length - position);
  // The first axis of a group, if it has any.
  return group === position ? (rank) => (rank >= indices.length ? position : undefined) : () => position;
}

function isAxis(index: IndexNode, axis: BoundAxis): boolean {
  if (index.kind === "ellipsis") return axis.kind === "ellipsis" && axis.group === index.group;
  return index.kind === "name" && axis.kind === "axis" && axis.name === index.name;
}
