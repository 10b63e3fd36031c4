// Emits the last step of a Winograd gradient: totals of partial sums, as taps, through scale and epilogue.

import type { FunctionBuilder } from "../../language/builder.ts";
import type { Value, Variable } from "../../language/language.ts";
import { add, advance, at, constant, i32, loadSplat, loadVector, lt, mul } from "../../language/values.ts";
import type { AffineAccess } from "../access.ts";
import { finishOf } from "../epilogue.ts";
import type { Finish } from "../output.ts";
import type { WinogradGradientPlan } from "./plan.ts";
import { type Sums, sumsBytes, sumsPitch } from "./steps.ts";
import { SIZE, taps } from "./transforms.ts";

/** The gradient, or a tensor that the epilogue reads: where it begins, and bytes from one channel to the next. */
interface Tensor {
  readonly parameter: string;
  readonly base: number;
  readonly input: number;
  readonly output: number;
  /** It has one element for all taps. */
  readonly isSplat: boolean;
}

interface Combination {
  readonly sums: Sums;
  readonly parts: number;
  /** Input channels. */
  readonly inputs: number;
  readonly gradient: Tensor;
  readonly leaves: readonly Tensor[];
  readonly finish: Finish | undefined;
}

/** The taps of one output and one input channel from tap `first` on; `origins` point at the output channel's. */
interface Run {
  readonly origins: readonly Value[];
  readonly input: Value;
  readonly first: number;
  readonly count: number;
}

type Parameters = { readonly [name: string]: Variable };

/**
 * Adds the parts' sums in order, turns them into taps and writes those through scale and epilogue. Slices are outputs.
 */
export function writeCombine(k: FunctionBuilder, p: Parameters, found: WinogradGradientPlan, sums: Sums, parts: number): void {
  const { lanes } = k.machine;
  const combination = combinationOf(found, sums, parts);
  const { inputs, gradient, leaves } = combination;
  k.loop(p.begin!, p.end!, 1, (output) => {
    const from = k.let(advance(p.shared!, mul(output, sums.row)), "from");
    const origins = [gradient, ...leaves].map((tensor) =>
      k.let(advance(p[tensor.parameter]!, add(mul(output, tensor.output), tensor.base)), "origin"),
    );
    k.loop(0, inputs, lanes, (channel) => {
      const all = tapsAt(k, combination, k.let(advance(from, mul(channel, 4)), "start"));
      for (let first = 0; first < all.length; first += lanes)
        writeTaps(k, p, combination, origins, channel, first, all.slice(first, first + lanes));
    });
  });
}

function combinationOf(found: WinogradGradientPlan, sums: Sums, parts: number): Combination {
  const { plan, part, inputs } = found;
  const nodes = part.leaves.map(({ node }) => node);
  return {
    sums,
    parts,
    inputs: inputs.extent,
    gradient: tensorOf(found, "out", part.output),
    leaves: part.leaves.map(({ operand, access }) => tensorOf(found, `in${operand!}`, access)),
    finish: finishOf(plan.scale, plan.nest.epilogue, nodes),
  };
}

function tensorOf({ plan, inputs, outputs }: WinogradGradientPlan, parameter: string, { base, strides }: AffineAccess): Tensor {
  const moving = [...plan.roles.m, ...plan.roles.n];
  const isSplat = moving.every((axis) => axis === inputs.axis || axis === outputs.axis || strides[axis] === 0);
  return { parameter, base: base * 4, input: strides[inputs.axis!]! * 4, output: strides[outputs.axis!]! * 4, isSplat };
}

/** Nine taps of a vector of input channels: three rows of taps by six columns first, one column at a time. */
function tapsAt(k: FunctionBuilder, combination: Combination, start: Value): Variable[] {
  const numbers = Array.from({ length: SIZE.products }, (_, number) => number);
  const columns = numbers.map((column) =>
    taps(
      k,
      numbers.map((row) => totalAt(k, combination, start, row * SIZE.products + column)),
    ),
  );
  return [0, 1, 2].flatMap((row) =>
    taps(
      k,
      columns.map((column) => column[row]!),
    ),
  );
}

/** The parts' sums at a position, added up. */
function totalAt(k: FunctionBuilder, { sums, parts }: Combination, start: Value, position: number): Variable {
  const sumOf = (part: number) => loadVector(at(start, undefined, part * sumsBytes(sums) + position * sumsPitch(sums)));
  const total = k.let(sumOf(0), "u");
  for (let part = 1; part < parts; part++) k.set(total, add(total, sumOf(part)));
  return total;
}

/** Writes some taps of a vector of input channels, one channel after another. */
function writeTaps(
  k: FunctionBuilder,
  p: Parameters,
  combination: Combination,
  origins: readonly Value[],
  channel: Value,
  first: number,
  some: readonly Variable[],
): void {
  const { lanes } = k.machine;
  const { inputs } = combination;
  const turned = k.transpose(Array.from({ length: lanes }, (_, lane) => some[lane] ?? constant("vf32", 0)));
  turned.forEach((value, lane) => {
    const input = k.let(add(channel, lane), "input");
    const write = () => writeRun(k, p, combination, { origins, input, first, count: some.length }, value);
    if (inputs % lanes === 0) write();
    else k.if(lt(input, inputs), write);
  });
}

function writeRun(k: FunctionBuilder, p: Parameters, combination: Combination, run: Run, value: Value): void {
  const { gradient, leaves, finish } = combination;
  const place = (number: number, { input, isSplat }: Tensor) =>
    at(run.origins[number]!, k.let(mul(run.input, input), "place"), isSplat ? 0 : run.first * 4);
  const read = leaves.map((leaf, number) => (leaf.isSplat ? loadSplat(place(number + 1, leaf)) : loadVector(place(number + 1, leaf))));
  const result = finish === undefined ? value : finish(k, value, read, p.params!);
  k.storePartial(place(0, gradient), result, i32(run.count));
}
