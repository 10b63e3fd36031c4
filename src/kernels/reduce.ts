// Reductions: accumulators in registers, several chains side by side, long sums in compensated blocks, first-occurrence argmax.
import type { Reducer, Scalar, ScalarType } from "../formula/nest.ts";
import type { FunctionBuilder } from "./builder.ts";
import type { OperationName, Value, ValueType, Variable } from "./language.ts";
import type { LoopContext } from "./loops.ts";
import * as v from "./values.ts";

/** One running result: the value and, for argmax and argmin, its position. */
interface Chain {
  readonly best: Variable;
  readonly position: Variable | undefined;
  /** For max and min of floats: where a NaN was met. The running value itself is kept with one instruction that drops NaN. */
  readonly nan: Variable | undefined;
}

/** Additions into one accumulator before it is flushed into a compensated total. */
const blockLength = 64;

/** Reduces at the present point (or at several vectors of points along a free vector axis), applies the epilogue and stores. */
export function writeReduction(context: LoopContext, shifts: readonly number[]): void {
  const { k, e, nest, plan } = context;
  const { vector } = plan;
  const alongReduced = vector !== undefined && vector >= nest.free;
  const chains = alongReduced ? plan.unroll : Math.max(1, shifts.length);
  const wide = vector !== undefined;
  const kind = kindOf(nest.reducer!, nest.body.type, wide);
  const element = v.elementType(kind.type) as "f32" | "i32";
  const at = (chain: number, write: () => void) => {
    if (alongReduced || shifts.length <= 1) write();
    else e.shifted([{ axis: vector!, by: shifts[chain]!, vector: true }], write);
  };
  const finals = reduceChains(context, kind, chains, at, alongReduced);
  const finish = (chain: Chain) => {
    const value = chain.position ?? chain.best;
    const logical = nest.body.type === "bool" && chain.position === undefined;
    e.withAccumulator(logical ? v.ne(value, 0) : value, () => e.writeResults());
  };
  if (!alongReduced) {
    finals.forEach((chain, number) => {
      at(number, () => finish(chain));
    });
    return;
  }
  // Lanes and chains of a reduced vector axis come together in one scalar.
  if (kind.argument) {
    finish(combineArguments(k, kind, finals));
    return;
  }
  const combined = finals.map((chain) => chain.best as Value).reduce((a, b) => v.operation(kind.op, [a, b]));
  const reduce = ({ add: "reduceAdd", mul: "reduceMul", max: "reduceMax", min: "reduceMin" } as const)[kind.op as "add"];
  const total = k.let(v.operation(reduce, [combined]), `${element}total`);
  finish({ best: total, position: undefined, nan: undefined });
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

const remembersNaN = (kind: Kind): boolean =>
  !kind.argument && (kind.op === "max" || kind.op === "min") && v.elementType(kind.type) === "f32";

function reduceChains(
  context: LoopContext,
  kind: Kind,
  count: number,
  at: (chain: number, write: () => void) => void,
  alongReduced: boolean,
): Chain[] {
  const { k, nest, plan } = context;
  const start = () => k.let(v.constant(kind.type, kind.identity), "acc");
  const positionType: ValueType = v.isVector(kind.type) ? "vi32" : "i32";
  const chains: Chain[] = Array.from({ length: count }, () => ({
    best: start(),
    position: kind.argument ? k.let(v.constant(positionType, 0), "pos") : undefined,
    nan: remembersNaN(kind) ? k.let(v.constant(v.typeLike("bool", kind.type), 0), "nan") : undefined,
  }));
  const level = kind.op === "add" && v.elementType(kind.type) === "f32" ? blockLevel(context) : undefined;
  if (level === undefined) {
    writeLoops(context, 0, kind, chains, at, alongReduced, undefined);
    if (!remembersNaN(kind)) return chains;
    return chains.map(({ best, position, nan }) => ({
      best: k.let(v.select(nan!, v.constant(kind.type, Number.NaN), best), "best"),
      position,
      nan: undefined,
    }));
  }
  const totals = chains.map(() => ({ total: start(), lost: start() }));
  const flush = () => {
    chains.forEach(({ best }, number) => {
      const { total, lost } = totals[number]!;
      compensate(k, total, lost, best);
      k.set(best, v.constant(kind.type, 0));
    });
  };
  writeLoops(context, 0, kind, chains, at, alongReduced, { ...level, flush });
  return totals.map(({ total, lost }) => {
    // An infinite total has no meaningful remainder.
    const whole = k.let(v.add(total, lost));
    return { best: k.let(v.select(v.eq(whole, whole), whole, total)), position: undefined, nan: undefined };
  });

  function blockLevel({ k: builder }: LoopContext): Block | undefined {
    let product = 1;
    for (let depth = plan.reduced.length - 1; depth >= 0; depth--) {
      const axis = plan.reduced[depth]!;
      const step = axis === plan.vector ? builder.machine.lanes * plan.unroll : 1;
      const turns = Math.ceil(nest.axes[axis]!.extent / step);
      if (product * turns >= 2 * blockLength) return { depth, steps: Math.ceil(blockLength / product) * step };
      product *= turns;
    }
    return undefined;
  }
}

interface Block {
  /** The reduced loop that is cut into blocks. */
  readonly depth: number;
  /** Its steps per block. */
  readonly steps: number;
}

/** total + lost grows by `part`, exactly as far as lost can hold (Knuth's two-sum). */
function compensate(k: FunctionBuilder, total: Variable, lost: Variable, part: Value): void {
  const sum = k.let(v.add(total, part));
  const taken = k.let(v.sub(sum, total));
  const error = v.add(v.sub(total, v.sub(sum, taken)), v.sub(part, taken));
  k.set(lost, v.add(lost, error));
  k.set(total, sum);
}

function writeLoops(
  context: LoopContext,
  depth: number,
  kind: Kind,
  chains: readonly Chain[],
  at: (chain: number, write: () => void) => void,
  alongReduced: boolean,
  block: (Block & { flush: () => void }) | undefined,
): void {
  const { k, e, nest, plan } = context;
  const axis = plan.reduced[depth];
  if (axis === undefined) {
    e.hoist(nest.body, plan.vector);
    chains.forEach((chain, number) => {
      at(number, () => accumulate(context, kind, chain, undefined));
    });
    return;
  }
  const { extent } = nest.axes[axis]!;
  const inner = () => writeLoops(context, depth + 1, kind, chains, at, alongReduced, block);
  const run = (from: Value | number, to: Value | number) => {
    if (axis === plan.vector) {
      vectorSteps(context, axis, kind, chains, from, to);
    } else if (plan.unrolled.has(axis) && block?.depth !== depth) {
      for (let i = 0; i < extent; i++) e.bind([{ axis, value: v.i32(i) }], inner);
    } else {
      k.loop(from, to, 1, (i) => {
        e.bind([{ axis, value: i }], () => {
          e.hoist(nest.body, plan.vector);
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

/** Vectors along the last reduced axis: one chain each, then single ones into the first chain, then the masked rest. */
function vectorSteps(
  context: LoopContext,
  axis: number,
  kind: Kind,
  chains: readonly Chain[],
  from: Value | number,
  to: Value | number,
): void {
  const { k, e, nest } = context;
  const { lanes } = k.machine;
  const { extent } = nest.axes[axis]!;
  const start = typeof from === "number" ? v.i32(from) : from;
  const end = typeof to === "number" ? v.i32(to) : to;
  const full = extent % lanes === 0 ? end : v.min(end, extent - (extent % lanes));
  const block = lanes * chains.length;
  const length = v.sub(full, start);
  const whole = length.op === "constant" ? v.i32(length.value - (length.value % block)) : v.and(length, -block);
  const stop = chains.length === 1 ? start : k.let(v.add(start, whole), "stop");
  if (chains.length > 1) {
    k.loop(start, stop, block, (i) => {
      e.bind([{ axis, value: i, vector: true }], () => {
        chains.forEach((chain, number) => {
          e.shifted([{ axis, by: number * lanes, vector: true }], () => accumulate(context, kind, chain, undefined));
        });
      });
    });
  }
  k.loop(stop, full, lanes, (i) => {
    e.bind([{ axis, value: i, vector: true }], () => accumulate(context, kind, chains[0]!, undefined));
  });
  const rest = extent % lanes;
  if (rest === 0) return;
  const partial = () => {
    e.bind([{ axis, value: v.i32(extent - rest), vector: true, count: rest }], () => accumulate(context, kind, chains[0]!, rest));
  };
  if (end.op === "constant") partial();
  else k.if(v.eq(end, extent), partial);
}

/** Takes the body's value at the present step into a chain; with `count`, only its first lanes. */
function accumulate({ k, e, nest }: LoopContext, kind: Kind, { best, position, nan }: Chain, count: number | undefined): void {
  let value = e.evaluate(nest.body);
  if (value.op === "constant" && value.value === kind.identity && position === undefined && kind.op === "add") return;
  if (nest.body.type === "bool") value = v.convertToInt(value);
  if (v.isVector(best.type)) value = v.splat(value);
  const mask = count === undefined ? undefined : v.firstLanes(k.machine, count);
  if (position === undefined) {
    const taken = mask === undefined ? value : v.select(mask, value, kind.identity);
    if (nan !== undefined) {
      const kept = k.let(taken);
      k.set(best, v.operation(kind.op === "max" ? "pmax" : "pmin", [best, kept]));
      k.set(nan, v.or(nan, v.ne(kept, kept)));
      return;
    }
    // A product that goes straight into a sum is one fused operation.
    const [a, b] = taken.op === "mul" ? taken.args : [];
    const fuses = kind.op === "add" && a !== undefined && b !== undefined && v.elementType(best.type) === "f32";
    k.set(best, fuses ? v.fma(a, b, best) : v.operation(kind.op, [best, taken]));
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
