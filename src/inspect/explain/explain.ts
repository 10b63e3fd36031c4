// Explains a number of a recorded run: its formula with numbers, in gradients the chain rule, and its inputs.

import { type ChainRule, chainRuleOf } from "../../formula/explain/chain-rule.ts";
import { elementName as lineName } from "../../formula/explain/explain.ts";
import { Explainer } from "../../formula/explain/explain-element.ts";
import { type InputRead, readsOf } from "../../formula/explain/explain-reads.ts";
import type { ExplainOptions, Explanation } from "../../formula/explain/explanation.ts";
import { positionOf } from "../../nest/positions.ts";
import { checkArguments, WHOLES } from "../../util/arguments.ts";
import { checkOptions, type OptionNames } from "../../util/options.ts";
import { TENSOR } from "../kinds.ts";
import { elementName, placeOf } from "../record/elements.ts";
import { type RecordedOp, type RecordedTensor, unviewed } from "../record/recording.ts";

/**
 * One number of a recorded tensor, and the step that computed it. Of a tensor that only has another shape, the one it
 * was made from.
 */
export interface ExplainedElement {
  readonly tensor: RecordedTensor;
  readonly position: readonly number[];
  /** As recorded. */
  readonly value: number;
  /** "hidden.weight[0, 2]", "y[0, 1] of 2 (linearBias)". */
  readonly name: string;
  /**
   * The formula with the numbers, inside vmap with the example as first coordinate; undefined for parameters and data.
   */
  readonly explanation: Explanation | undefined;
  /**
   * Of a gradient: the paths by which the gradient of the op's result reaches it, upstream × local; undefined
   * elsewhere.
   */
  readonly chain: ChainRule | undefined;
  /**
   * The numbers it was computed from that the explanation shows, the largest contribution first; in a gradient path by
   * path, upstream first.
   */
  readonly reads: readonly ElementRead[];
}

/** A number that another one was computed from. */
export interface ElementRead {
  readonly tensor: RecordedTensor;
  readonly position: readonly number[];
  readonly value: number;
  /** The sum of the terms of the explained number that it is part of; 0 for what only decides. */
  readonly contribution: number;
  /** It is part of no term: a condition or a position depends on it, or a maximum that another number won. */
  readonly decides: boolean;
}

/** Paths go through intermediate values; each that is shown needs its line. */
const LINES_OF_PATHS = 1000;

export const EXPLAIN_OPTIONS: OptionNames<ExplainOptions> = { digits: true, terms: true, order: true, group: true, lines: true };

/**
 * Explains one number of a recorded tensor by the op that computed it.
 * @throws InputError when there is no such element
 */
export function explainElement(given: RecordedTensor, at: readonly number[], options: ExplainOptions = {}): ExplainedElement {
  checkArguments("explainElement", { tensor: [given, TENSOR], position: [at, WHOLES] });
  checkOptions("explainElement", options, EXPLAIN_OPTIONS);
  const place = placeOf(given, at);
  const tensor = unviewed(given);
  const { shape, data, source } = tensor;
  const position = positionOf(place, shape);
  // What has a name, is a gradient, or new numbers, only in its own shape is called so.
  const isNamed = given.gradientOf !== undefined || given.updateOf !== undefined || given.given !== undefined;
  const name = isNamed ? elementName(given, at) : elementName(tensor, position);
  const made = { tensor, position, value: data[place]!, name };
  const program = source?.program;
  if (source === undefined || program === undefined) return { ...made, explanation: undefined, chain: undefined, reads: [] };
  const explain = (limits: ExplainOptions): Explanation => {
    const arrays = source.inputs.map((input) => input.data);
    return new Explainer(source.op.formula, program, arrays, source.params, { order: "size", ...limits }).explain(position);
  };
  const explanation = explain(options);
  const upstream = upstreamName(source);
  if (upstream === undefined)
    return { ...made, explanation, chain: undefined, reads: recordedReads(source, readsOf(explanation), explanation.inputs) };
  const whole = explanation.omitted === 0 ? explanation : explain({ ...options, lines: LINES_OF_PATHS });
  const chain = chainRuleOf(whole, upstream);
  return { ...made, explanation, chain, reads: recordedReads(source, readsByPath(chain), explanation.inputs) };
}

/** What a gradient's formula calls the gradient that it hands on; undefined for ops that are no gradient of another. */
function upstreamName({ pass, of, op }: RecordedOp): string | undefined {
  const result = of?.op.formula.statements.at(-1)?.target;
  return pass === "backward" && result !== undefined && op.formula.inputs.includes(`g${result}`) ? `g${result}` : undefined;
}

function recordedReads(source: RecordedOp, reads: readonly InputRead[], names: readonly string[]): ElementRead[] {
  return reads.map(({ tensor, coordinates, ...read }) => ({
    ...read,
    tensor: source.inputs[names.indexOf(tensor)]!,
    position: coordinates,
  }));
}

/** Of every path, the largest first, its upstream element and then what its local derivative was computed from. */
function readsByPath({ explanation, paths }: ChainRule): InputRead[] {
  const name = ({ tensor, coordinates }: Pick<InputRead, "tensor" | "coordinates">): string =>
    lineName({ target: tensor, position: coordinates });
  const all = new Map(readsOf(explanation).map((read) => [name(read), read]));
  const last = explanation.lines.at(-1);
  if (last === undefined) return [];
  const ordered = paths.flatMap(({ upstream, local }) => {
    const behind = readsOf({ ...explanation, lines: [...explanation.lines.slice(0, -1), { ...last, filled: local }] });
    return [name(upstream), ...behind.map(name)];
  });
  return [...new Set([...ordered, ...all.keys()])].flatMap((key) => all.get(key) ?? []);
}
