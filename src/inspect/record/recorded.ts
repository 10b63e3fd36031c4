// The data types of a recording: tensors with their numbers, ops, layer calls and updates.

import type { Program } from "../../nest/nest.ts";
import type { Op } from "../../ops/op.ts";
import type { Pass } from "../../tensor/context.ts";
import type { DType, HostArray, Tensor } from "../../tensor/types.ts";

/** A tensor as it was at one point of a run. */
export interface RecordedTensor {
  /** Its place in `Recording.tensors`. */
  readonly id: number;
  /** The parameter's name, "x" for the model's input; else what the op that made or first used it calls it. */
  readonly name: string;
  /**
   * What the recorded function, or the module, calls it: a name it was returned or exported by; undefined for
   * everything else.
   */
  readonly given: string | undefined;
  /** Where it came from: an op; a parameter or buffer of the model; the program (data, targets); or a number in it. */
  readonly origin: "computed" | "parameter" | "data" | "constant";
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: HostArray;
  /** What computed it; undefined for everything from outside. */
  readonly source: RecordedOp | undefined;
  /** The gradient of the result that was differentiated by this tensor, once it is known. */
  readonly gradient: RecordedTensor | undefined;
  /** Of a gradient: whose it is. */
  readonly gradientOf: RecordedTensor | undefined;
  /** Of a parameter's new numbers: the parameter as it was. */
  readonly updateOf: RecordedTensor | undefined;
}

/** One application of an op. */
export interface RecordedOp {
  /** Its place in `Recording.ops`. */
  readonly id: number;
  readonly op: Op;
  readonly inputs: readonly RecordedTensor[];
  readonly output: RecordedTensor;
  readonly pass: Pass;
  /** The layer, and inside a composite its name: "features.0.softmax"; "" outside of layers. */
  readonly path: string;
  /** The line of the user's program, "train.ts:12:5". */
  readonly site: string | undefined;
  /** Values of the formula's params. */
  readonly params: readonly number[];
  /** Loop nests that ran for it, inside vmap those for all examples; undefined for another view of the same numbers. */
  readonly program: Program | undefined;
  /**
   * Whether it ran for the examples of a vmap, all at once: they count along the first dimension of its output, and of
   * inputs that differ between them.
   */
  readonly isMapped: boolean;
  /**
   * Names that the recorded function, or the module, gives to tensors: a formula's letter that is one of them would be
   * taken for that tensor.
   */
  readonly taken: ReadonlySet<string>;
  /** Of a gradient: the application it differentiates. */
  readonly of: RecordedOp | undefined;
}

/** One call of a layer, or of a plain function among the steps of a sequential. */
export interface RecordedCall {
  readonly path: string;
  readonly kind: string;
  readonly inputs: readonly RecordedTensor[];
  readonly outputs: readonly RecordedTensor[];
}

/** A tensor from outside took other numbers. */
export interface RecordedUpdate {
  /** Of the parameter or buffer. */
  readonly name: string;
  readonly before: RecordedTensor;
  readonly after: RecordedTensor;
}

/** Everything one run did. */
export interface Recording<Result = unknown> {
  /** What the function gave. */
  readonly result: Result;
  /** In the order they ran. */
  readonly ops: readonly RecordedOp[];
  readonly tensors: readonly RecordedTensor[];
  /** Inner calls before outer ones. */
  readonly calls: readonly RecordedCall[];
  /** In the order they happened. */
  readonly updates: readonly RecordedUpdate[];
  /**
   * The tensors that it gave, by name: "result" for one alone, else as the record or list names them ("loss", "0",
   * "heads.left").
   */
  readonly results: ReadonlyMap<string, RecordedTensor>;
  /** The record of a tensor that the run gave, took or left behind. @throws InputError when it took no part */
  tensorOf(tensor: Tensor): RecordedTensor;
}

export function isSameShape(a: Pick<RecordedTensor, "shape">, b: Pick<RecordedTensor, "shape">): boolean {
  return a.shape.length === b.shape.length && a.shape.every((extent, d) => extent === b.shape[d]);
}

/** The tensor that this one is another shape of. */
export function unviewed(tensor: RecordedTensor): RecordedTensor {
  const { source } = tensor;
  return source !== undefined && source.program === undefined ? unviewed(source.inputs[0]!) : tensor;
}
