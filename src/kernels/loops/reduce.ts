// Emits reductions: several accumulators in registers, long sums in compensated blocks, first-occurrence argmax.

import type { Reducer, Scalar, ScalarType } from "../../nest/nest.ts";
import { resultsOf } from "../expressions/access.ts";
import { Interner } from "../expressions/intern.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import type { OperationName, Value, ValueType, Variable } from "../language/language.ts";
import * as v from "../language/values.ts";
import type { LoopContext } from "./context.ts";

/** One running value and, for argmax and argmin, its position. */
interface Chain {
  readonly best: Variable;
  readonly position: Variable | undefined;
  /**
   * For max and min of floats: where a NaN was met. The running value itself is kept with one instruction that drops
   * NaN.
   */
  readonly nan: Variable | undefined;
}

/** One result of the loops that is reduced: as many chains as there are vectors side by side. */
interface Reduction {
  /** Its number among the results. */
  readonly number: number;
  readonly body: Scalar;
  readonly kind: Kind;
  readonly chains: readonly Chain[];
}

/** Additions into one accumulator before it is flushed into a compensated total. */
const BLOCK_LENGTH = 64;

/** What the loops do at each step, and how many vectors side by side. */
interface Steps {
  readonly reductions: readonly Reduction[];
  /** Results that are written at every step. */
  readonly maps: readonly number[];
  readonly count: number;
  /** Runs `write` at the vector of points of a chain. */
  readonly at: (chain: number, write: () => void) => void;
}

/**
 * Reduces at the present point (or at several vectors of points along a free vector axis), applies the epilogues and
 * stores.
 */
export function writeReduction(context: LoopContext, shifts: readonly number[]): void {
  const { k, e, nest, plan } = context;
  const { vector } = plan;
  const alongReduced = vector !== undefined && vector >= nest.free;
  const count = alongReduced ? plan.unroll : Math.max(1, shifts.length);
  const at = (chain: number, write: () => void) => {
    if (alongReduced || shifts.length <= 1) write();
    else e.shifted([{ axis: vector!, by: shifts[chain]!, vector: true }], write);
  };
  const results = [...resultsOf(nest).entries()];
  const reductions = results.flatMap(([number, { reducer, body }]): Reduction[] => {
    if (reducer === undefined) return [];
    const kind = kindOf(reducer, body.type, vector !== undefined);
    return [{ number, body, kind, chains: startChains(k, kind, body, count) }];
  });
  const maps = results.flatMap(([number, { reducer }]) => (reducer === undefined ? [number] : []));
  for (const reduction of reduceAll(context, { reductions, maps, count, at })) {
    const { kind, chains } = reduction;
    if (!alongReduced) {
      chains.forEach((chain, number) => {
        at(number, () => finish(context, reduction, chain));
      });
    } else if (kind.argument) {
      finish(context, reduction, combineArguments(k, kind, chains));
    } else {
      finish(context, reduction, combineLanes(k, kind, chains));
    }
  }
}

function finish({ e }: LoopContext, { number, body }: Reduction, chain: Chain): void {
  const value = chain.position ?? chain.best;
  const logical = body.type === "bool" && chain.position === undefined;
  e.withAccumulator(logical ? v.ne(value, 0) : value, () => e.writeResults([number]));
}

/** Lanes and chains of a reduced vector axis come together in one scalar. */
function combineLanes(k: FunctionBuilder, { op, type }: Kind, chains: readonly Chain[]): Chain {
  const combined = chains.map((chain) => chain.best as Value).reduce((a, b) => v.operation(op, [a, b]));
  const reduce = ({ add: "reduceAdd", mul: "reduceMul", max: "reduceMax", min: "reduceMin" } as const)[op as "add"];
  return { best: k.let(v.operation(reduce, [combined]), `${v.elementType(type)}total`), position: undefined, nan: undefined };
}

interface Kind {
  readonly op: OperationName;
  readonly argument: boolean;
  /** greater-than for argmax, less-than for argmin. */
  readonly better: OperationName;
  readonly identity: number;
  readonly type: ValueType;
}

function kindOf(reducer: Reducer, body: ScalarType, wide: boolean): Kind {
  const float = body === "float";
  const type: ValueType = wide ? (float ? "vf32" : "vi32") : float ? "f32" : "i32";
  const least = float ? Number.NEGATIVE_INFINITY : -2147483648;
  const most = float ? Number.POSITIVE_INFINITY : 2147483647;
  const high = reducer === "max" || reducer === "argmax";
  const op = ({ sum: "add", prod: "mul", max: "max", min: "min", argmax: "max", argmin: "min" } as const)[reducer];
  const identity = reducer === "sum" ? 0 : reducer === "prod" ? 1 : high ? least : most;
  return { op, argument: reducer === "argmax" || reducer === "argmin", better: high ? "gt" : "lt", identity, type };
}

const isFloatExtreme = (kind: Kind): boolean =>
  !kind.argument && (kind.op === "max" || kind.op === "min") && v.elementType(kind.type) === "f32";

/** Whether a value is never NaN, whatever is read: the extrema of finite numbers need not look for it. */
function isNumber(scalar: Scalar, interner = new Interner()): boolean {
  if (scalar.kind === "constant") return !Number.isNaN(scalar.value);
  if (scalar.kind !== "call" || scalar.fn !== "select") return false;
  const [condition, yes, no] = scalar.args as [Scalar, Scalar, Scalar];
  if (condition.kind !== "call" || condition.fn !== "isfinite") return false;
  // Expressions share parts: as text they may be far longer than they are.
  return interner.of(condition.args[0]!) === interner.of(yes) && isNumber(no, interner);
}

function startChains(k: FunctionBuilder, kind: Kind, body: Scalar, count: number): Chain[] {
  const positionType: ValueType = v.isVector(kind.type) ? "vi32" : "i32";
  const looksForNaN = isFloatExtreme(kind) && !isNumber(body);
  return Array.from({ length: count }, () => ({
    best: k.let(v.constant(kind.type, kind.identity), "acc"),
    position: kind.argument ? k.let(v.constant(positionType, 0), "pos") : undefined,
    nan: looksForNaN ? k.let(v.constant(v.typeLike("bool", kind.type), 0), "nan") : undefined,
  }));
}

/** Runs the loops; gives the reductions with what their chains came to. */
function reduceAll(context: LoopContext, steps: Steps): readonly Reduction[] {
  const { k } = context;
  const level = blockLevel(context);
  const sums = level === undefined ? [] : steps.reductions.filter(({ kind }) => kind.op === "add" && v.elementType(kind.type) === "f32");
  const totals = new Map(
    sums.flatMap(({ kind, chains }) =>
      chains.map((chain) => {
        const start = () => k.let(v.constant(kind.type, kind.identity), "acc");
        return [chain, { total: start(), lost: start() }] as const;
      }),
    ),
  );
  const flush = () => {
    for (const [{ best }, { total, lost }] of totals) {
      compensate(k, total, lost, best);
      k.set(best, v.constant(best.type, 0));
    }
  };
  writeLoops(context, 0, steps, level === undefined || sums.length === 0 ? undefined : { ...level, flush });
  const settled = (kind: Kind, chain: Chain): Chain => {
    const sum = totals.get(chain);
    if (sum !== undefined) {
      // An infinite total has no meaningful remainder.
      const whole = k.let(v.add(sum.total, sum.lost));
      return { ...chain, best: k.let(v.select(v.eq(whole, whole), whole, sum.total)) };
    }
    if (chain.nan === undefined) return chain;
    return { ...chain, best: k.let(v.select(chain.nan, v.constant(kind.type, Number.NaN), chain.best), "best"), nan: undefined };
  };
  return steps.reductions.map((reduction) => ({ ...reduction, chains: reduction.chains.map((chain) => settled(reduction.kind, chain)) }));
}

/** The reduced loop that long float sums are cut at; undefined where they are short. */
function blockLevel({ k, nest, plan }: LoopContext): Pick<Block, "depth" | "steps"> | undefined {
  let product = 1;
  for (let depth = plan.reduced.length - 1; depth >= 0; depth--) {
    const axis = plan.reduced[depth]!;
    const step = axis === plan.vector ? k.machine.lanes * plan.unroll : 1;
    const turns = Math.ceil(nest.axes[axis]!.extent / step);
    if (product * turns >= 2 * BLOCK_LENGTH) return { depth, steps: Math.ceil(BLOCK_LENGTH / product) * step };
    product *= turns;
  }
  return undefined;
}

interface Block {
  /** The reduced loop that is cut into blocks. */
  readonly depth: number;
  /** Its steps per block. */
  readonly steps: number;
  /** Ends a block. */
  readonly flush: () => void;
}

/** total + lost grows by `part`, exactly as far as lost can hold (Knuth's two-sum). */
function compensate(k: FunctionBuilder, total: Variable, lost: Variable, part: Value): void {
  const sum = k.let(v.add(total, part));
  const taken = k.let(v.sub(sum, total));
  const error = v.add(v.sub(total, v.sub(sum, taken)), v.sub(part, taken));
  k.set(lost, v.add(lost, error));
  k.set(total, sum);
}

function writeLoops(context: LoopContext, depth: number, steps: Steps, block: Block | undefined): void {
  const { k, e, nest, plan } = context;
  const axis = plan.reduced[depth];
  if (axis === undefined) {
    hoistBodies(context);
    for (let chain = 0; chain < steps.count; chain++) steps.at(chain, () => writeStep(context, steps, chain, undefined));
    return;
  }
  const { extent } = nest.axes[axis]!;
  const inner = () => writeLoops(context, depth + 1, steps, block);
  const run = (from: Value | number, to: Value | number) => {
    if (axis === plan.vector) {
      vectorSteps(context, axis, steps, from, to);
    } else if (plan.unrolled.has(axis) && block?.depth !== depth) {
      for (let i = 0; i < extent; i++) e.bind([{ axis, value: v.i32(i) }], inner);
    } else {
      k.loop(from, to, 1, (i) => {
        e.bind([{ axis, value: i }], () => {
          hoistBodies(context);
          inner();
        });
      });
    }
  };
  if (block?.depth !== depth) {
    run(0, extent);
    return;
  }
  k.loop(0, extent, block.steps, (from) => {
    const to = extent % block.steps === 0 ? v.add(from, block.steps) : v.min(v.add(from, block.steps), extent);
    run(from, to.op === "constant" ? to : k.let(to, "to"));
    block.flush();
  });
}

function hoistBodies({ e, nest, plan }: LoopContext): void {
  for (const { body } of resultsOf(nest)) e.hoist(body, plan.vector);
}

/** Vectors along the last reduced axis: one chain each, then single ones into the first chain, then the masked rest. */
function vectorSteps(context: LoopContext, axis: number, steps: Steps, from: Value | number, to: Value | number): void {
  const { k, e, nest } = context;
  const { lanes } = k.machine;
  const { extent } = nest.axes[axis]!;
  const start = typeof from === "number" ? v.i32(from) : from;
  const end = typeof to === "number" ? v.i32(to) : to;
  const full = extent % lanes === 0 ? end : v.min(end, extent - (extent % lanes));
  const block = lanes * steps.count;
  const length = v.sub(full, start);
  const whole = length.op === "constant" ? v.i32(length.value - (length.value % block)) : v.and(length, -block);
  const stop = steps.count === 1 ? start : k.let(v.add(start, whole), "stop");
  if (steps.count > 1) {
    k.loop(start, stop, block, (i) => {
      e.bind([{ axis, value: i, vector: true }], () => {
        for (let chain = 0; chain < steps.count; chain++)
          e.shifted([{ axis, by: chain * lanes, vector: true }], () => writeStep(context, steps, chain, undefined));
      });
    });
  }
  k.loop(stop, full, lanes, (i) => {
    e.bind([{ axis, value: i, vector: true }], () => writeStep(context, steps, 0, undefined));
  });
  const rest = extent % lanes;
  if (rest === 0) return;
  const partial = () => {
    e.bind([{ axis, value: v.i32(extent - rest), vector: true, count: rest }], () => writeStep(context, steps, 0, rest));
  };
  if (end.op === "constant") partial();
  else k.if(v.eq(end, extent), partial);
}

/** One step of all axes: everything is evaluated before anything is written, since a result may be written in place. */
function writeStep(context: LoopContext, { reductions, maps }: Steps, chain: number, count: number | undefined): void {
  const write = maps.length === 0 ? undefined : context.e.prepareResults(maps);
  for (const reduction of reductions) accumulate(context, reduction, reduction.chains[chain]!, count);
  write?.();
}

/** Takes a body's value at the present step into a chain; with `count`, only its first lanes. */
function accumulate(
  { k, e, nest }: LoopContext,
  { body, kind }: Reduction,
  { best, position, nan }: Chain,
  count: number | undefined,
): void {
  let value = e.evaluate(body);
  if (value.op === "constant" && value.value === kind.identity && position === undefined && kind.op === "add") return;
  if (body.type === "bool") value = v.convertToInt(value);
  if (v.isVector(best.type)) value = v.splat(value);
  const mask = count === undefined ? undefined : v.firstLanes(k.machine, count);
  if (position === undefined) {
    if (nan !== undefined) {
      const kept = k.let(mask === undefined ? value : v.select(mask, value, kind.identity));
      k.set(best, v.operation(kind.op === "max" ? "pmax" : "pmin", [best, kept]));
      k.set(nan, v.or(nan, v.ne(kept, kept)));
      return;
    }
    const { when, term } = termOf(value, kind);
    const next = step(kind, best, term);
    const counts = when === undefined ? mask : mask === undefined ? when : v.and(when, mask);
    k.set(best, counts === undefined ? next : v.select(counts, next, best));
    return;
  }
  const kept = k.let(value);
  let take = v.operation(kind.better, [kept, best]);
  // The first NaN is taken and stays: whatever is not below, unless the best is NaN.
  if (v.elementType(best.type) === "f32")
    take = v.and(v.eq(best, best), v.not(v.operation(kind.better === "gt" ? "le" : "ge", [kept, best])));
  if (mask !== undefined) take = v.and(take, mask);
  const taken = k.let(take);
  const flat = flatPosition(nest);
  k.set(position, v.select(taken, e.evaluate(flat), position));
  k.set(best, v.select(taken, kept, best));
}

/** The running value with one term more. */
function step(kind: Kind, best: Variable, term: Value): Value {
  if (isFloatExtreme(kind)) return v.operation(kind.op === "max" ? "pmax" : "pmin", [best, term]);
  // A product that goes straight into a sum is one fused operation.
  const [a, b] = term.op === "mul" ? term.args : [];
  const fuses = kind.op === "add" && a !== undefined && b !== undefined && v.elementType(best.type) === "f32";
  return fuses ? v.fma(a, b, best) : v.operation(kind.op, [best, term]);
}

/** A value that is the identity in some lanes, as a term that does not count there. */
function termOf(value: Value, { identity, type }: Kind): { readonly when: Value | undefined; readonly term: Value } {
  if (!v.isVector(type)) return { when: undefined, term: value };
  if (value.op === "convertToInt" && value.args[0]?.type === "mask" && identity === 0)
    return { when: value.args[0], term: v.constant(type, 1) };
  if (value.op === "select") {
    const [when, term, otherwise] = value.args as readonly [Value, Value, Value];
    if (otherwise.op === "constant" && Object.is(otherwise.value, identity)) return { when, term };
  }
  return { when: undefined, term: value };
}

/** Row-major position over the reduced axes, in their order. */
function flatPosition({ axes, free }: LoopContext["nest"]): Scalar {
  let stride = 1;
  const terms: { axis: number; coefficient: number }[] = [];
  for (let axis = axes.length - 1; axis >= free; axis--) {
    terms.unshift({ axis, coefficient: stride });
    stride *= axes[axis]!.extent;
  }
  return { kind: "position", index: { kind: "affine", terms, offset: 0, divisor: 1, checked: false }, type: "int" };
}

/** The best of all lanes: NaN first, then the better value, then the smaller position. */
function combineArguments(k: FunctionBuilder, kind: Kind, chains: readonly Chain[]): Chain {
  const [first] = chains;
  const best = k.let(v.extract(first!.best, 0), "best");
  const position = k.let(v.extract(first!.position!, 0), "pos");
  for (const chain of chains) {
    for (let lane = 0; lane < k.machine.lanes; lane++) {
      if (chain === first && lane === 0) continue;
      const value = k.let(v.extract(chain.best, lane));
      const place = k.let(v.extract(chain.position!, lane));
      const earlier = v.lt(place, position);
      let take = v.or(v.operation(kind.better, [value, best]), v.and(v.eq(value, best), earlier));
      if (v.elementType(best.type) === "f32") take = v.or(take, v.and(v.ne(value, value), v.or(v.eq(best, best), earlier)));
      const taken = k.let(take);
      k.set(position, v.select(taken, place, position));
      k.set(best, v.select(taken, value, best));
    }
  }
  return { best, position, nan: undefined };
}
