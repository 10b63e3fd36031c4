// Explains one element of a result: the formula with live numbers filled in, intermediate statements as lines of their own.

import { InputError } from "../util/errors.ts";
import type { Formula, Statement } from "./ast.ts";
import { type Binding, bind } from "./bind.ts";
import type { NumberArray } from "./evaluate.ts";
import { Explainer } from "./explain-element.ts";
import type { Filled, FilledTerm } from "./filled.ts";
import type { ScalarType } from "./nest.ts";

/** How much of a computation to write out, and how exactly. */
export interface ExplainOptions {
  /** Significant digits of printed numbers (default 4). */
  readonly digits?: number;
  /** Terms of a reduction that are written out (default 8); more are left out in the middle. */
  readonly terms?: number;
  /** Which terms are written out, and in which order: the first and last ones ("position", default), or the largest of sums, maxima and minima. */
  readonly order?: "position" | "size";
  /** Lines for elements of intermediate tensors (default 12). */
  readonly lines?: number;
}

/** One element: `y[0, 2] = 0.9526 = 1 / (1 + exp(-3))`. */
export interface ExplanationLine {
  readonly target: string;
  /** Coordinates of the element. */
  readonly position: readonly number[];
  /** The statement that computed it; undefined where no statement writes the element (it is 0). */
  readonly statement: Statement | undefined;
  /** The statement as text. */
  readonly formula: string;
  readonly filled: Filled;
  /** The right side with numbers, as text: `1 / (1 + exp(-3))`. */
  readonly substituted: string;
  /** `0.9526 = 1 / (1 + exp(-3))`. */
  readonly sentence: string;
  /** The element, as stored. */
  readonly value: number;
  readonly type: ScalarType;
  /** What the statement's reduction went over; empty without one. */
  readonly terms: readonly FilledTerm[];
}

/** How one element came to be, line by line. */
export interface Explanation {
  readonly name: string;
  /** In the order of computing; the last is the element asked for. */
  readonly lines: readonly ExplanationLine[];
  /** Further intermediate elements that took part and have no line. */
  readonly omitted: number;
  readonly value: number;
  readonly digits: number;
}

/**
 * Explains the element of the result at `position` (one coordinate per dimension).
 * Only the elements it depends on are computed, in double precision, rounded where they are stored.
 * @param arrays data of the formula's inputs, dense, in the order of `formula.inputs`
 * @param params values in the order of `formula.params`
 * @throws InputError when the position is not in the result
 */
export function explainElement(
  formula: Formula,
  binding: Binding,
  arrays: readonly NumberArray[],
  params: readonly number[],
  position: readonly number[],
  options: ExplainOptions = {},
): Explanation {
  const program = bind(formula, binding);
  const shape = program.buffers[program.result]?.shape ?? [];
  const inside =
    position.length === shape.length && position.every((step, d) => Number.isInteger(step) && step >= 0 && step < (shape[d] as number));
  if (!inside)
    throw new InputError(`${binding.name}: there is no element [${position.join(", ")}] in a result of shape [${shape.join(", ")}]`, {
      hint: "give one coordinate per dimension, counted from 0",
    });
  const explainer = new Explainer(formula, program, arrays, params, options);
  return explainer.explain(position);
}

/** The explanation as lines of text; intermediate elements and the result carry their names when there is more than one line. */
export function explanationText(explanation: Explanation): string {
  const { lines, omitted } = explanation;
  const [only] = lines;
  if (only && lines.length === 1 && omitted === 0) return only.sentence;
  const text = lines.map((line) => `${elementName(line)} = ${line.sentence}`);
  if (omitted > 0) text.splice(-1, 0, `(${omitted} more intermediate value${omitted === 1 ? "" : "s"})`);
  return text.join("\n");
}

/** The element a line is about, as a formula writes it: `y[0, 2]`. */
export function elementName(line: ExplanationLine): string {
  return line.position.length === 0 ? line.target : `${line.target}[${line.position.join(", ")}]`;
}
