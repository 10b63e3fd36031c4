// Explained numbers of recorded runs as plain data for JSON.

import { printFormula } from "../../formula/print.ts";
import { chainRuleJson, explanationJson, type Json, plain } from "../../formula/typeset/explain-json.ts";
import { checkArguments } from "../../util/arguments.ts";
import { statisticsOf } from "../draw/graph.ts";
import { ELEMENT, STOP, TREE } from "../kinds.ts";
import { elementName, tensorName } from "../record/elements.ts";
import type { RecordedTensor } from "../record/recording.ts";
import type { RunStop } from "./cursor.ts";
import type { ExplainedElement } from "./explain.ts";
import type { ExplanationTree } from "./explain-tree.ts";

type Fields = Readonly<Record<string, Json>>;

/**
 * An explained number for `JSON.stringify`, numbers as in `explanationJson`: where it stands, what computed it, the
 * explanation, in a gradient the chain rule, and what it was computed from.
 */
export function elementJson(element: ExplainedElement): Fields {
  checkArguments("elementJson", { element: [element, ELEMENT] });
  const { tensor, position, value, name, explanation, chain, reads } = element;
  const { source } = tensor;
  return plain({
    name,
    position,
    value,
    ...describe(tensor),
    ...(source === undefined
      ? {}
      : { op: source.op.name, formula: printFormula(source.op.formula), layer: source.path, pass: source.pass, site: source.site }),
    sentence: explanation?.lines.at(-1)?.sentence,
    explanation: explanation && explanationJson(explanation),
    chain: chain && chainRuleJson(chain),
    reads: reads.map(({ tensor: read, ...rest }) => ({ name: elementName(read, rest.position), ...rest })),
  }) as Fields;
}

/** An explanation and what it rests on: `elementJson` with `because`, a list of the same. */
export function explanationTreeJson(tree: ExplanationTree): Fields {
  checkArguments("explanationTreeJson", { tree: [tree, TREE] });
  return { ...elementJson(tree), because: tree.because.map(explanationTreeJson) };
}

/**
 * One step of a run: the op, its formula and parameters, statistics of what went in and came out, and the explained
 * number.
 */
export function stopJson(stop: RunStop): Fields {
  checkArguments("stopJson", { stop: [stop, STOP] });
  const { number, count, op, formula, inputs, output, element } = stop;
  return plain({
    step: number,
    of: count,
    op: op.op.name,
    formula,
    layer: op.path,
    pass: op.pass,
    site: op.site,
    params: Object.fromEntries(op.op.formula.params.map((param, n) => [param, op.params[n]])),
    inputs: inputs.map(({ name, tensor }) => ({ as: name, name: tensorName(tensor), ...summarize(tensor) })),
    output: { name: tensorName(output), ...summarize(output) },
    element: element && elementJson(element),
  }) as Fields;
}

function describe({ shape, dtype, origin }: RecordedTensor): object {
  return { shape, dtype, origin };
}

function summarize(tensor: RecordedTensor): object {
  return { ...describe(tensor), statistics: statisticsOf(tensor.data) };
}
