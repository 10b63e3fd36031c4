// The loop nest, a bound formula that backends run: concrete extents, typed scalar expressions, index maps.

/**
 * Element types of tensors. `bool` is stored as one byte, 0 or 1. `float64` runs on the reference backend only.
 * `bfloat16` is float32 without its lower half: half the memory and three decimals, while arithmetic stays float32.
 */
export type DType = "float32" | "float64" | "bfloat16" | "int32" | "uint8" | "bool";

/**
 * Types inside an expression. `float` is f32 on fast backends (also for bfloat16, which is widened when loaded and
 * rounded when stored) and f64 where a float64 operand takes part (reference backend).
 */
export type ScalarType = "float" | "int" | "bool";

/** One loop of a nest. */
export interface Axis {
  readonly name: string;
  /** Number of iterations, ≥ 0. */
  readonly extent: number;
}

/**
 * (offset + Σ coefficient · axis) / divisor. The access is valid when the division is exact and the quotient lies in
 * [0, dimension); an invalid read yields the load's `fill`, an invalid write is dropped.
 */
export interface AffineIndex {
  readonly kind: "affine";
  /** Sorted by axis, no zero coefficients. */
  readonly terms: readonly { readonly axis: number; readonly coefficient: number }[];
  readonly offset: number;
  /** ≥ 1. */
  readonly divisor: number;
  /** False when interval analysis proved that every iteration is valid (then divisor is 1). */
  readonly checked: boolean;
}

/** The index is the value of an int expression (embedding, gather, scatter). Always checked. */
export interface IndirectIndex {
  readonly kind: "indirect";
  readonly value: Scalar;
}

/** Where an element is read along one dimension. */
export type Index = AffineIndex | IndirectIndex;

/** Every function a backend must know, by name. Comparisons and logic give bool. */
export type FunctionName =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "neg"
  | "pow"
  | "mod"
  | "min"
  | "max"
  | "abs"
  | "sign"
  | "exp"
  | "expm1"
  | "log"
  | "log1p"
  | "sqrt"
  | "sin"
  | "cos"
  | "tan"
  | "asin"
  | "acos"
  | "atan"
  | "sinh"
  | "cosh"
  | "tanh"
  | "erf"
  | "floor"
  | "ceil"
  | "round"
  | "trunc"
  | "lt"
  | "le"
  | "gt"
  | "ge"
  | "eq"
  | "ne"
  | "and"
  | "or"
  | "not"
  | "select"
  | "isnan"
  | "isfinite"
  | "float"
  | "int"
  | "bool"
  | "bfloat16"
  | "uniform";

/**
 * Typing of calls (arguments are already cast): arithmetic, min, max, abs, sign, neg: int→int or float→float; div and
 * all transcendental functions: float only; floor, ceil, round, trunc: float (ints stay as they are); mod: floored
 * (sign of the divisor), int or float; comparisons: two ints, two floats or two bools → bool; and/or/not: bool;
 * select(bool, t, t) → t; float/int/bool: casts (float→int truncates toward zero and saturates, NaN → 0; →bool is ≠ 0).
 * round: half to even. bfloat16: the nearest number that bfloat16 has. min/max return NaN if either is NaN. sign(0) = 0.
 * uniform(seed: int, stream: int, counter: int, word: int constant 0|1) → float in [0, 1): the top 24 bits of the
 * word'th output of Philox2x32-10 with key = seed and counter words (counter, stream).
 */
export interface Call {
  readonly kind: "call";
  readonly fn: FunctionName;
  readonly args: readonly Scalar[];
  readonly type: ScalarType;
}

/** A number known when the nest is made. */
export interface Constant {
  readonly kind: "constant";
  /** Number; for bool 0 or 1. May be ±Infinity or NaN for float. */
  readonly value: number;
  readonly type: ScalarType;
}

/** A number given at run time without recompiling (learning rate, slope, random seed). */
export interface Param {
  readonly kind: "param";
  /** Position in Nest.params. */
  readonly param: number;
  readonly type: "float" | "int";
}

/** An affine combination of loop counters used as an int value. divisor is 1. */
export interface Position {
  readonly kind: "position";
  readonly index: AffineIndex;
  readonly type: "int";
}

/** Reads one element of an operand. */
export interface Load {
  readonly kind: "load";
  /** Position in Nest.operands. */
  readonly operand: number;
  /** One per dimension of the operand. */
  readonly index: readonly Index[];
  /** Value of an invalid read (identity of the enclosing reduction). */
  readonly fill: number;
  readonly type: ScalarType;
}

/** True where every given index is inside its dimension: the condition of a Load, as a value. */
export interface Inside {
  readonly kind: "inside";
  readonly index: readonly Index[];
  readonly extents: readonly number[];
  readonly type: "bool";
}

/** In an epilogue: the reduced value. */
export interface Accumulator {
  readonly kind: "accumulator";
  readonly type: ScalarType;
}

/** A node of the expression that a nest computes for each element. */
export type Scalar = Call | Constant | Param | Position | Load | Inside | Accumulator;

/**
 * argmax/argmin give the flat position (row-major over the reduced axes, int) of the first extremum; NaN counts as
 * extremum.
 */
export type Reducer = "sum" | "prod" | "max" | "min" | "argmax" | "argmin";

/** A tensor that a nest reads. */
export interface Operand {
  readonly dtype: DType;
  /** Dense row-major. */
  readonly shape: readonly number[];
}

/**
 * for free axes: acc = identity; for reduced axes: acc = reducer(acc, body); output[index] (= or +=) epilogue(acc).
 * Identities: sum 0, prod 1, max −∞ (int: −2³¹), min +∞ (int: 2³¹−1). An empty argmax gives 0. max/min propagate NaN.
 * float32 sums may be reassociated and blocked.
 */
export interface Nest {
  /** For listings and errors ("linear", "gradient of conv2d by w"). */
  readonly name: string;
  readonly operands: readonly Operand[];
  /** The whole program's params: positions are shared by all its nests. */
  readonly params: readonly { readonly name: string; readonly type: "float" | "int" }[];
  /** Free axes first, then reduced ones. */
  readonly axes: readonly Axis[];
  /** How many of `axes` are free. */
  readonly free: number;
  /** Undefined exactly when there are no reduced axes (free === axes.length). */
  readonly reducer: Reducer | undefined;
  readonly body: Scalar;
  /**
   * Over the free axes; loads inside may not use reduced axes. Undefined: the accumulator itself (cast to the output's
   * type).
   */
  readonly epilogue: Scalar | undefined;
  readonly output: Operand & {
    /** Over the free axes only. Distinct free iterations write distinct elements unless `accumulate`. */
    readonly index: readonly Index[];
    /** Scatter-add: the value is added to what is there; the caller zeroes the buffer first. */
    readonly accumulate: boolean;
    /**
     * One of the operands may be this very buffer, read only at the element being written: every element must be
     * written once.
     */
    readonly inPlace?: true;
  };
  /**
   * Further elements of the output that every free iteration writes; made by lowering, which joins residue classes.
   * Distinct, unchecked.
   */
  readonly also?: readonly Store[];
  /**
   * What else the same loops compute: made when operations are fused, for emitted code only. Reductions are over the
   * same axes as the nest's own; results without a reducer are written at every iteration of all axes. Every body is
   * evaluated before anything is written.
   */
  readonly joined?: readonly Result[];
}

/** One result of a nest's loops. */
export type Result = Pick<Nest, "reducer" | "body" | "epilogue" | "output">;

/** An element of the output and the value that a free iteration gives it. */
export interface Store {
  readonly index: readonly AffineIndex[];
  readonly value: Scalar;
}

/** One nest of a bound formula with the buffers it reads and writes. */
export interface Operation {
  readonly nest: Nest;
  /** Buffer numbers: 0…inputs−1 are the inputs, then temporaries, the last is the result. */
  readonly reads: readonly number[];
  readonly writes: number;
  /**
   * True when the buffer must be zeroed before this operation (scatter-add, or the nests of one output do not cover
   * it).
   */
  readonly clear: boolean;
  /** Of what is computed again to save memory: which repetition; it is not replaced by what was computed before. */
  readonly again?: number;
  /** What it computes, or helps to: for people only, never for what is compiled. */
  readonly origins?: readonly Origin[];
}

/** Where an operation of a traced program came from. */
export interface Origin {
  readonly op: string;
  /** Names of the layers and composites, outermost first. */
  readonly scope: readonly string[];
  readonly pass: "forward" | "backward" | "update";
  /** Its stack is the place in the user's program. */
  readonly site: { readonly stack?: string };
}

/** A formula bound to shapes: operations in order over numbered dense buffers. */
export interface Program {
  readonly name: string;
  readonly inputs: readonly Operand[];
  /** Every buffer: inputs, temporaries, result. */
  readonly buffers: readonly Operand[];
  readonly result: number;
  readonly params: readonly { readonly name: string; readonly type: "float" | "int" }[];
  readonly operations: readonly Operation[];
}
