// The untyped core of a tensor: dense numbers with a shape, and how they came to be.

import type { HostArray } from "../backends/backend.ts";
import type { DType } from "../formula/nest.ts";
import { sizeOfShape } from "../formula/evaluate.ts";
import type { Op } from "../ops/op.ts";

/** Attribute values of one application: numbers, and axis lists. */
export type Attributes = Readonly<Record<string, number | readonly number[]>>;

/** One recorded application of an op. */
export interface TapeNode {
  readonly op: Op;
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
  readonly output: Value;
  /** Names of the layers and composites it ran in, outermost first. */
  readonly scope: readonly string[];
  /** Its stack is the place in the user's program. */
  readonly site: { readonly stack?: string };
}

export abstract class Value {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** dtype and shape as text: the key under which compiled programs are found. */
  readonly signature: string;
  /** The tape node that made this tensor; undefined for leaves and where nothing is recorded. */
  node: TapeNode | undefined = undefined;
  requiresGrad = false;
  keepsGrad = false;
  gradient: Value | undefined = undefined;
  #data: HostArray;

  constructor(data: HostArray, shape: readonly number[], dtype: DType) {
    this.#data = data;
    this.shape = shape;
    this.dtype = dtype;
    this.signature = `${dtype}${shape.join("x")}`;
  }

  /** A tensor of the same class around an array. */
  abstract make(data: HostArray, shape: readonly number[], dtype: DType): Value;

  /** The numbers, row-major; not a copy: do not change them. */
  get data(): HostArray {
    return this.#data;
  }

  get size(): number {
    return sizeOfShape(this.shape);
  }

  get rank(): number {
    return this.shape.length;
  }

  /** Puts other numbers of the same length in place (parameters, running statistics). */
  replace(data: HostArray): void {
    this.#data = data;
  }
}
