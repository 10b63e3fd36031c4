// Follows a recorded number back through the ops that made it, down to parameters and data.

import type { ExplainOptions } from "../../formula/explain/explanation.ts";
import { checkArguments, WHOLES } from "../../util/arguments.ts";
import { checkOptions } from "../../util/options.ts";
import { TENSOR, TREE } from "../kinds.ts";
import type { RecordedTensor } from "../record/recording.ts";
import { EXPLAIN_OPTIONS, type ExplainedElement, explainElement } from "./explain.ts";

/** An element and what it was made from, as deep as asked for. */
export interface ExplanationTree extends ExplainedElement {
  /** For each of the first reads, how it came to be; fewer where the limit was reached. */
  readonly because: readonly ExplanationTree[];
}

/** An element of a tree in the order of reading. */
export interface TreeLine {
  readonly element: ExplanationTree;
  /** How many steps back from the root. */
  readonly depth: number;
  /** It was explained before, with what it was made from. */
  readonly isRepeated: boolean;
}

/** The elements of a tree, each before what it was made from; what was explained once is not explained again. */
export function treeLines(tree: ExplanationTree): TreeLine[] {
  checkArguments("treeLines", { tree: [tree, TREE] });
  const lines: TreeLine[] = [];
  const known = new Set<string>();
  const visit = (element: ExplanationTree, depth: number): void => {
    const key = `${element.tensor.id}:${element.position}`;
    const isRepeated = element.because.length > 0 && known.has(key);
    known.add(key);
    lines.push({ element, depth, isRepeated });
    if (!isRepeated) for (const inner of element.because) visit(inner, depth + 1);
  };
  visit(tree, 0);
  return lines;
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
  checkArguments("explainTree", { tensor: [tensor, TENSOR], position: [position, WHOLES] });
  const known = { ...EXPLAIN_OPTIONS, depth: true, breadth: true, most: true } as const;
  const { depth = 3, breadth = 3, most = 60, ...each } = checkOptions<TreeOptions>("explainTree", options, known);
  let left = most - 1;
  type Growing = ExplainedElement & { because: Growing[] };
  const grown = (element: ExplainedElement): Growing => ({ ...element, because: [] });
  const root = grown(explainElement(tensor, position, each));
  // Level by level, so that the limit cuts what is farthest away.
  let level: Growing[] = [root];
  for (let step = 0; step < depth && level.length > 0; step++) {
    const next: Growing[] = [];
    for (const element of level)
      for (const read of element.reads.filter(({ tensor: { origin } }) => origin !== "constant").slice(0, breadth)) {
        if (left-- <= 0) continue;
        const inner = grown(explainElement(read.tensor, read.position, each));
        element.because.push(inner);
        next.push(inner);
      }
    level = next;
  }
  return root;
}
