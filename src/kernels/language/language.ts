// The kernel language as data: functions of structured statements over typed variables, for every machine.

/** What lowering must know about the machine it writes for. */
export interface Machine {
  readonly name: string;
  /** Values of 32 bits in one vector; a power of two. */
  readonly lanes: number;
  /** Vector registers a kernel may count on. */
  readonly registers: number;
  /** How `fma` is computed: rounded once, as the engine likes, or as a product and a sum. */
  readonly fma: "fused" | "relaxed" | "separate";
  /** Bytes of data cache per core (first and second level): what blocks are sized for. */
  readonly caches: readonly [number, number];
  /**
   * Outputs of at least so many bytes are stored past the caches, which they would only clear; undefined: the machine
   * has no such stores.
   */
  readonly streamed?: number;
  /** Register tile of the contraction micro-kernel: rows × vectors of `lanes`. */
  readonly tile: { readonly rows: number; readonly vectors: number };
  /**
   * false: convolutions are summed as they are defined, so that a NaN or infinity reaches only the windows it lies in.
   */
  readonly winograd?: boolean;
}

/**
 * Scalars, and vectors of `Machine.lanes` values. A `mask` is a vector of booleans. A `pointer` is an address of the
 * machine's width.
 */
export type ValueType = "pointer" | "i32" | "f32" | "bool" | "vi32" | "vf32" | "mask";

/**
 * How a value lies in memory. `u8` and `u16` are widened to i32 (zero-extended) when loaded and truncated when stored.
 */
export type MemoryType = "f32" | "i32" | "u16" | "u8";

export const MEMORY_BYTES = { f32: 4, i32: 4, u16: 2, u8: 1 } as const satisfies Record<MemoryType, number>;

/** base + index + offset, in bytes. `index` is signed 32 bits: one buffer is smaller than 2 GiB. */
export interface Address {
  readonly base: Value;
  readonly index: Value | undefined;
  readonly offset: number;
}

/** A mutable virtual register of one function. Every variable is set where it is declared, before any use. */
export interface Variable {
  readonly op: "variable";
  readonly type: ValueType;
  readonly id: number;
  readonly name: string;
}

/** For vector types: the same number in every lane. Booleans are 0 or 1. */
interface Constant {
  readonly op: "constant";
  readonly type: ValueType;
  readonly value: number;
}

/** A vector constant with one number per lane. */
export interface LaneConstant {
  readonly op: "lanes";
  readonly type: "vi32" | "vf32";
  readonly values: readonly number[];
}

/**
 * Unaligned is allowed. `splat` reads one element into all lanes. With `count` only the first `count` lanes (0…lanes)
 * are defined.
 */
export interface LoadValue {
  readonly op: "load";
  readonly type: ValueType;
  readonly memory: MemoryType;
  readonly address: Address;
  readonly splat: boolean;
  readonly count: Value | undefined;
}

/** A pure operation. `immediate`: the lane of extract/replace, the lane sources (0…2·lanes−1) of shuffle. */
export interface Operation {
  readonly op: OperationName;
  readonly type: ValueType;
  readonly args: readonly Value[];
  readonly immediate: readonly number[];
}

/** An expression tree. It is evaluated where it stands each time it stands there; share through a variable. */
export type Value = Variable | Constant | LaneConstant | LoadValue | Operation;

interface SetStatement {
  readonly kind: "set";
  readonly variable: Variable;
  readonly value: Value;
}

/**
 * Stores a scalar, or a vector to consecutive elements; with `count` only the first `count` lanes (0…lanes). `stream`:
 * a whole vector, at a multiple of its size, that nothing will read soon.
 */
export interface StoreStatement {
  readonly kind: "store";
  readonly memory: MemoryType;
  readonly address: Address;
  readonly value: Value;
  readonly count: Value | undefined;
  readonly stream: boolean;
}

/** for (variable = start; variable < end; variable += step) body. Neither variable nor end is changed in the body. */
export interface LoopStatement {
  readonly kind: "loop";
  readonly variable: Variable;
  readonly start: Value;
  readonly end: Value;
  /** > 0. */
  readonly step: number;
  readonly body: readonly Statement[];
}

interface WhileStatement {
  readonly kind: "while";
  readonly condition: Value;
  readonly body: readonly Statement[];
}

interface IfStatement {
  readonly kind: "if";
  readonly condition: Value;
  readonly body: readonly Statement[];
  readonly otherwise: readonly Statement[];
}

interface CallStatement {
  readonly kind: "call";
  readonly callee: string;
  readonly args: readonly Value[];
  /** Receives the result of a function that has one. */
  readonly result: Variable | undefined;
}

/** Adds to the i32 at the address as one step that threads cannot interleave; `result` receives the number before. */
interface AtomicAddStatement {
  readonly kind: "atomicAdd";
  readonly address: Address;
  readonly value: Value;
  readonly result: Variable | undefined;
}

/**
 * Waits until the i32 at the address is at least the value. Everything written before a thread's atomicAdd is seen
 * after the wait for it.
 */
export interface AwaitStatement {
  readonly kind: "await";
  readonly address: Address;
  readonly value: Value;
}

/**
 * A hint without effect on results: what lies at the address will soon be read, or written. Any address may be given.
 */
interface PrefetchStatement {
  readonly kind: "prefetch";
  readonly address: Address;
  readonly write: boolean;
}

/** Shown in listings only. */
interface CommentStatement {
  readonly kind: "comment";
  readonly text: string;
}

export type Statement =
  | SetStatement
  | StoreStatement
  | LoopStatement
  | WhileStatement
  | IfStatement
  | CallStatement
  | AtomicAddStatement
  | AwaitStatement
  | PrefetchStatement
  | CommentStatement;

export interface KernelFunction {
  readonly name: string;
  readonly parameters: readonly Variable[];
  readonly body: readonly Statement[];
  /** Evaluated after the body. */
  readonly result: Value | undefined;
  /** Exported functions are callable from outside: their parameters are pointers, i32 and f32. */
  readonly exported: boolean;
}

/** What a pointer parameter points at. */
export interface Region {
  /** For people: the nest whose buffer it is. */
  readonly kernel: string;
  readonly bytes: number;
  readonly elementBytes: number;
}

/** Functions that may call each other (no recursion); a callee stands before its callers. */
export interface KernelModule {
  readonly name: string;
  readonly functions: readonly KernelFunction[];
  /** What entries may touch: by entry, for each of its pointer parameters by name. */
  readonly regions: ReadonlyMap<string, Regions>;
}

export type Regions = { readonly [parameter: string]: Region };

/**
 * Which element types an operation takes, and what it gives: `same` as its first argument's type, `bool` the matching
 * scalar bool or mask, or the named element type with the same width. Shifts take a scalar i32 count. Integer
 * arithmetic wraps. `min`/`max` give NaN if either is NaN and order −0 below +0; `pmin(a, b)` = b < a ? b : a and
 * `pmax(a, b)` = a < b ? b : a are one instruction. `nearest` rounds half to even. `convertToInt` truncates, saturates,
 * NaN → 0. `divide`/`remainder` of integers truncate, scalars only, divisor ≠ 0. `shiftRight` is arithmetic,
 * `shiftRightLogical` fills with zeros. Comparisons named …Unsigned compare i32 bits as unsigned. `andNot(a, b)` = a &
 * ~b.
 */
export const operations = {
  add: { arity: 2, of: ["f32", "i32"], result: "same" },
  sub: { arity: 2, of: ["f32", "i32"], result: "same" },
  mul: { arity: 2, of: ["f32", "i32"], result: "same" },
  div: { arity: 2, of: ["f32"], result: "same" },
  fma: { arity: 3, of: ["f32"], result: "same" },
  min: { arity: 2, of: ["f32", "i32"], result: "same" },
  max: { arity: 2, of: ["f32", "i32"], result: "same" },
  pmin: { arity: 2, of: ["f32"], result: "same" },
  pmax: { arity: 2, of: ["f32"], result: "same" },
  neg: { arity: 1, of: ["f32", "i32"], result: "same" },
  abs: { arity: 1, of: ["f32", "i32"], result: "same" },
  sqrt: { arity: 1, of: ["f32"], result: "same" },
  floor: { arity: 1, of: ["f32"], result: "same" },
  ceil: { arity: 1, of: ["f32"], result: "same" },
  trunc: { arity: 1, of: ["f32"], result: "same" },
  nearest: { arity: 1, of: ["f32"], result: "same" },
  divide: { arity: 2, of: ["i32"], result: "same", scalar: true },
  remainder: { arity: 2, of: ["i32"], result: "same", scalar: true },
  divideUnsigned: { arity: 2, of: ["i32"], result: "same", scalar: true },
  remainderUnsigned: { arity: 2, of: ["i32"], result: "same", scalar: true },
  mulHighUnsigned: { arity: 2, of: ["i32"], result: "same" },
  and: { arity: 2, of: ["i32", "bool"], result: "same" },
  or: { arity: 2, of: ["i32", "bool"], result: "same" },
  xor: { arity: 2, of: ["i32", "bool"], result: "same" },
  andNot: { arity: 2, of: ["i32", "bool"], result: "same" },
  not: { arity: 1, of: ["i32", "bool"], result: "same" },
  shiftLeft: { arity: 2, of: ["i32"], result: "same" },
  shiftRight: { arity: 2, of: ["i32"], result: "same" },
  shiftRightLogical: { arity: 2, of: ["i32"], result: "same" },
  eq: { arity: 2, of: ["f32", "i32"], result: "bool" },
  ne: { arity: 2, of: ["f32", "i32"], result: "bool" },
  lt: { arity: 2, of: ["f32", "i32"], result: "bool" },
  le: { arity: 2, of: ["f32", "i32"], result: "bool" },
  gt: { arity: 2, of: ["f32", "i32"], result: "bool" },
  ge: { arity: 2, of: ["f32", "i32"], result: "bool" },
  ltUnsigned: { arity: 2, of: ["i32"], result: "bool" },
  geUnsigned: { arity: 2, of: ["i32"], result: "bool" },
  /** select(condition, a, b): a where the condition holds. */
  select: { arity: 3, of: ["f32", "i32", "bool", "pointer"], result: "same" },
  /** Mask → scalar bool. */
  any: { arity: 1, of: ["bool"], result: "bool", reduces: true },
  all: { arity: 1, of: ["bool"], result: "bool", reduces: true },
  convertToFloat: { arity: 1, of: ["i32", "bool"], result: "f32" },
  convertToInt: { arity: 1, of: ["f32", "bool"], result: "i32" },
  bitsToFloat: { arity: 1, of: ["i32"], result: "f32" },
  bitsToInt: { arity: 1, of: ["f32"], result: "i32" },
  splat: { arity: 1, of: ["f32", "i32", "bool"], result: "same" },
  extract: { arity: 1, of: ["f32", "i32"], result: "same", reduces: true },
  /** replace(vector, scalar) at the immediate lane. */
  replace: { arity: 2, of: ["f32", "i32"], result: "same" },
  shuffle: { arity: 2, of: ["f32", "i32"], result: "same" },
  /** lookup(table, indices): lane i is lane (indices[i] mod lanes) of the table. Vectors only; the indices are i32. */
  lookup: { arity: 2, of: ["f32", "i32"], result: "same", vector: true },
  /** Of all lanes, by a tree of halves: lane i with lane i + lanes/2 first. */
  reduceAdd: { arity: 1, of: ["f32", "i32"], result: "same", reduces: true },
  reduceMul: { arity: 1, of: ["f32", "i32"], result: "same", reduces: true },
  reduceMin: { arity: 1, of: ["f32", "i32"], result: "same", reduces: true },
  reduceMax: { arity: 1, of: ["f32", "i32"], result: "same", reduces: true },
  /** pointer + i32 bytes. */
  advance: { arity: 2, of: [], result: "pointer", scalar: true },
} as const satisfies Record<string, OperationRule>;

export interface OperationRule {
  readonly arity: number;
  readonly of: readonly ("f32" | "i32" | "bool" | "pointer")[];
  readonly result: "same" | "bool" | "f32" | "i32" | "pointer";
  /** Has no vector form. */
  readonly scalar?: boolean;
  /** Has no scalar form. */
  readonly vector?: boolean;
  /** Vector → scalar. */
  readonly reduces?: boolean;
}

export type OperationName = keyof typeof operations;

/** Readable bytes before and after every buffer: full vectors may be read past an end. */
export const SLACK = 128;
/** Buffers begin at multiples of so many bytes: of a cache line, and of the largest vector. */
export const ALIGNMENT = 64;

export const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
