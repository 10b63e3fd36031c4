// What a formula is bound to: shapes and dtypes of its inputs, and its attributes.

import type { DType } from "../../nest/nest.ts";

interface BindInput {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** What a formula is bound to: shapes and dtypes of its inputs, and its attributes. */
export interface Binding {
  /** Name of the op, for errors and listings. */
  readonly name: string;
  readonly inputs: Readonly<Record<string, BindInput>>;
  /** Integer attributes that appear in indices and extents. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Axis lists for `@name`; entries may be negative. */
  readonly lists?: Readonly<Record<string, readonly number[]>>;
  /** Run-time numbers and their types; the values themselves are given at each run. */
  readonly params?: Readonly<Record<string, "float" | "int">>;
  /**
   * Shape of the result where it is known (a gradient has its input's shape): axes it lacks are summed, missing extents
   * are taken from it.
   */
  readonly resultShape?: readonly number[];
  /**
   * What the result is stored as: a conversion, or a gradient, which has its input's dtype. Left out: it follows from
   * the inputs.
   */
  readonly dtype?: DType;
  /** The same where it is a float. */
  readonly float?: DType;
  /** What axes mean, for errors: `{ i: "inner dimension" }`. */
  readonly axisNames?: Readonly<Record<string, string>>;
}
