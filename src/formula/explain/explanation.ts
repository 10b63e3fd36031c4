// The data type of explanations: how one element was computed, line by line.

import type { ScalarType } from "../../nest/nest.ts";
import type { Statement } from "../ast.ts";
import type { Filled, FilledTerm, TermOrder } from "../filled.ts";

/** How much of a computation to write out, and how exactly. */
export interface ExplainOptions {
  /** Significant digits of printed numbers (default 4). */
  readonly digits?: number;
  /** Terms of a reduction that are written out (default 8, at least 2; Infinity for all). */
  readonly terms?: number;
  /**
   * Which terms of a longer reduction those are. "position" (default): the first and the last, and the winner of a max.
   * "size": the largest, in that order, each with its place, and what the others come to together: by absolute value in
   * sums, by how far they are from 1 in products, the winner and the runners-up of a max or argmax. NaN comes first,
   * then of equals the earlier.
   */
  readonly order?: TermOrder;
  /**
   * An axis of the reduction as the formula names it: terms are then partial sums by its steps (a convolution's
   * channels by "c").
   */
  readonly group?: string;
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
  /** The tensors that are given; every other tensor in the lines has lines of its own. */
  readonly inputs: readonly string[];
  /** In the order of computing; the last is the element asked for. */
  readonly lines: readonly ExplanationLine[];
  /** Further intermediate elements that took part and have no line. */
  readonly omitted: number;
  readonly value: number;
  readonly digits: number;
}
