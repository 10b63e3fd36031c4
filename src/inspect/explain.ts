// How a number of a recorded run came to be: its formula with the numbers, what it was made from, and so on down to parameters and data.

import { type ExplainOptions, type Explanation, elementName as lineName } from "../formula/explain.ts";
import { Explainer } from "../formula/explain-element.ts";
import { chainOf, type Filled, type FilledRead } from "../formula/filled.ts";
import { numberText } from "../formula/numbers.ts";
import { typeOfDType } from "../formula/typing.ts";
import { elementName, placeOf, positionOf } from "./elements.ts";
import { type RecordedOp, type RecordedTensor, unviewed } from "./recording.ts";

/** One number of a recorded tensor, and the step that computed it. Of a tensor that only has another shape, the one it was made from. */
export interface ExplainedElement {
  readonly tensor: RecordedTensor;
  readonly position: readonly number[];
  /** As recorded. */
  readonly value: number;
  /** "hidden.weight[0, 2]", "y[0, 1] of 2 (linearBias)". */
  readonly name: string;
  /** The formula with the numbers; undefined for parameters and data, and inside vmap. */
  readonly explanation: Explanation | undefined;
  /** The numbers it was computed from that the explanation shows, the most important first. */
  readonly reads: readonly ElementRead[];
}

/** A number that another one was computed from. */
export interface ElementRead {
  readonly tensor: RecordedTensor;
  readonly position: readonly number[];
  readonly value: number;
  /** The term of the sum, product or maximum that it is part of; undefined outside of one. */
  readonly term: number | undefined;
}

/** Explains one number of a recorded tensor by the op that computed it. @throws InputError when there is no such element */
export function explainElement(given: RecordedTensor, at: readonly number[], options: ExplainOptions = {}): ExplainedElement {
  const place = placeOf(given, at);
  const tensor = unviewed(given);
  const { shape, data, source } = tensor;
  const position = positionOf(place, shape);
  const made = { tensor, position, value: data[place] as number, name: elementName(tensor, position) };
  if (source === undefined) return { ...made, explanation: undefined, reads: [] };
  const { op, program, inputs, params } = source;
  if (program === undefined || source.isMapped || program.buffers[program.result]?.shape.length !== shape.length)
    return { ...made, explanation: undefined, reads: [] };
  const explainer = new Explainer(
    op.formula,
    program,
    inputs.map((input) => input.data),
    params,
    { order: "size", ...options },
  );
  const explanation = explainer.explain(position);
  return { ...made, explanation, reads: readsOf(source, explanation) };
}

/** An element and what it was made from, as deep as asked for. */
export interface ExplanationTree extends ExplainedElement {
  /** For each of the first reads, how it came to be; fewer where the limit was reached. */
  readonly because: readonly ExplanationTree[];
}

/** How far an explanation goes. */
export interface TreeOptions extends ExplainOptions {
  /** Steps back from the element (default 3). */
  readonly depth?: number;
  /** Numbers followed at each step, the most important ones (default 3). */
  readonly breadth?: number;
  /** Elements in all (default 60). */
  readonly most?: number;
}

/** Explains a number, the numbers it was made from, and so on; parameters, data and constants are the ends. */
export function explainTree(tensor: RecordedTensor, position: readonly number[], options: TreeOptions = {}): ExplanationTree {
  const { depth = 3, breadth = 3, most = 60 } = options;
  let left = most - 1;
  type Growing = ExplainedElement & { because: Growing[] };
  const grown = (element: ExplainedElement): Growing => ({ ...element, because: [] });
  const root = grown(explainElement(tensor, position, options));
  // Level by level, so that the limit cuts what is farthest away.
  let level: Growing[] = [root];
  for (let step = 0; step < depth && level.length > 0; step++) {
    const next: Growing[] = [];
    for (const element of level)
      for (const read of element.reads.filter(({ tensor: { origin } }) => origin !== "constant").slice(0, breadth)) {
        if (left-- <= 0) continue;
        const inner = grown(explainElement(read.tensor, read.position, options));
        element.because.push(inner);
        next.push(inner);
      }
    level = next;
  }
  return root;
}

/** The tree as text, one line per element, what it was made from indented below it. */
export function explanationTreeText(tree: ExplanationTree, digits = 4): string {
  const lines: string[] = [];
  const written = new Set<string>();
  const write = (element: ExplanationTree, indent: string): void => {
    const key = `${element.tensor.id}:${element.position}`;
    if (element.because.length > 0 && written.has(key)) {
      lines.push(`${indent}${element.name} = ${valueText(element, digits)}, as above`);
      return;
    }
    written.add(key);
    for (const line of elementText(element, digits)) lines.push(indent + line);
    for (const inner of element.because) write(inner, `${indent}  `);
  };
  write(tree, "");
  return lines.join("\n");
}

/** The lines that say how one element was computed. */
export function elementText(element: ExplainedElement, digits = 4): string[] {
  const { tensor, name, explanation } = element;
  if (explanation !== undefined) {
    const lines = explanation.lines.map((line, n) =>
      n === explanation.lines.length - 1 ? `${name} = ${line.sentence}` : `  ${lineName(line)} = ${line.sentence}`,
    );
    return [lines.at(-1) as string, ...lines.slice(0, -1)];
  }
  if (tensor.gradientOf !== undefined && tensor.origin === "constant")
    return [`${name} = ${valueText(element, digits)}, where the backward pass begins`];
  const what = {
    computed: "computed for all examples of a vmap at once",
    parameter: "a parameter",
    data: "data",
    constant: "a number in the program",
  };
  return [`${name} = ${valueText(element, digits)}, ${what[tensor.origin]}`];
}

function valueText({ tensor, value }: ExplainedElement, digits: number): string {
  return numberText(value, typeOfDType(tensor.dtype), digits);
}

/** What the lines of an explanation read from the op's inputs, by the size of the terms they are part of. */
function readsOf(source: RecordedOp, explanation: Explanation): ElementRead[] {
  const found = new Map<string, ElementRead>();
  const add = (read: FilledRead, term: number | undefined): void => {
    const input = source.inputs[source.op.formula.inputs.indexOf(read.tensor)];
    if (input === undefined || !read.inside) return;
    const key = `${input.id}:${read.coordinates}`;
    const known = found.get(key);
    if (known === undefined || Math.abs(term ?? 0) > Math.abs(known.term ?? 0))
      found.set(key, { tensor: input, position: read.coordinates, value: read.value, term });
  };
  const visit = (filled: Filled, term: number | undefined): void => {
    if (filled.kind === "read") add(filled, term);
    else if (filled.kind === "call") for (const arg of filled.args) visit(arg, term);
    else if (filled.kind === "chain") for (const { term: inner } of filled.terms) visit(inner, inner.value);
    else if (filled.kind === "choice") {
      visit(filled.condition, term);
      visit(filled.chosen, term);
    }
  };
  for (const { filled } of explanation.lines) visit(filled, chainOf(filled) === undefined ? undefined : 0);
  return [...found.values()].sort((a, b) => size(b.term) - size(a.term));
}

/** What stands outside of every sum weighs more than any term. */
function size(term: number | undefined): number {
  return term === undefined ? Number.POSITIVE_INFINITY : Math.abs(term);
}
