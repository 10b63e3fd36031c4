// The general lowering: every nest as loops over its free axes, vectors along one axis, around a map, a reduction or a transpose.
import type { Nest, Operand } from "../formula/nest.ts";
import { findsPositions, resultsOf } from "./access.ts";
import type { FunctionBuilder, ModuleBuilder } from "./builder.ts";
import { cutReduction } from "./cut.ts";
import { Evaluator } from "./evaluator.ts";
import { interiorOf } from "./interior.ts";
import type { Value, Variable } from "./language.ts";
import { bytesOf, entryParameters, type LoweredNest, outNames, type Phase } from "./lowered.ts";
import { type LoopPlan, planLoops } from "./plan.ts";
import { writeReduction } from "./reduce.ts";
import { splitQuotients } from "./residues.ts";
import { canonicalise } from "./schedule.ts";
import { planTranspose, type TransposePlan, writeTransposed } from "./transpose.ts";
import * as v from "./values.ts";

/** What the writers of loop bodies share. */
export interface LoopContext {
  readonly k: FunctionBuilder;
  readonly e: Evaluator;
  readonly nest: Nest;
  readonly plan: LoopPlan;
}

/** Element operations per slice at least, and per call from outside. */
const workPerSlice = 2048;
const workPerCall = 300_000;

export function lowerLoops(nest: Nest, module: ModuleBuilder): LoweredNest {
  const parts = splitQuotients(nest) ?? [nest];
  if (parts.length === 1) return lowerCut(parts[0]!, module) ?? lowerPart(parts[0]!, module, true);
  const parameters = entryParameters(nest);
  const names = Object.keys(parameters).filter((name) => name !== "begin" && name !== "end");
  const joined = parts.map((part): Part => ({ lowered: lowerPart(part, module, false), pointers: (p) => names.map((name) => p[name]!) }));
  const notes = [`${parts.length} parts`, ...joined.flatMap((part) => part.lowered.notes)];
  return {
    ...joinParts(`${nameOf(nest)}_classes`, parameters, joined, module),
    scratchBytes: 0,
    sequential: nest.output.accumulate,
    notes,
  };
}

type Given = Readonly<Record<string, Variable>>;

/** A lowered nest with what its entry takes before `begin` and `end`, from the parameters of the function that calls it. */
interface Part {
  readonly lowered: LoweredNest;
  readonly pointers: (p: Given) => readonly Value[];
}

/** Several nests that write different elements, in turn; neighbours that are cut alike slice by slice, which find what they share in the cache. */
function joinParts(name: string, parameters: ReturnType<typeof entryParameters>, parts: readonly Part[], module: ModuleBuilder): Phase {
  const groups: Part[][] = [];
  for (const part of parts) {
    const last = groups.at(-1);
    if (last?.[0]?.lowered.slices === part.lowered.slices) last.push(part);
    else groups.push([part]);
  }
  const slicesOf = (group: readonly Part[]): number => group[0]!.lowered.slices;
  const entry = module.define(
    name,
    parameters,
    (k, given) => {
      const p = given as Given;
      const call = (part: Part, begin: Value, end: Value) => k.call(part.lowered.entry, [...part.pointers(p), begin, end]);
      const all = (group: readonly Part[], from: Value, to: Value) => {
        if (group.length === 1) {
          call(group[0]!, from, to);
          return;
        }
        k.loop(from, to, 1, (slice) => {
          const next = k.let(v.add(slice, 1), "next");
          for (const part of group) call(part, slice, next);
        });
      };
      if (groups.length === 1) {
        all(groups[0]!, p.begin!, p.end!);
        return;
      }
      let start = 0;
      for (const group of groups) {
        const from = k.let(v.max(v.sub(p.begin!, start), 0), "from");
        const to = k.let(v.min(v.sub(p.end!, start), slicesOf(group)), "to");
        k.if(v.lt(from, to), () => all(group, from, to));
        start += slicesOf(group);
      }
    },
    true,
  );
  const perCall = groups.map((group) => Math.min(...group.map((part) => part.lowered.slicesPerCall)) / group.length);
  return {
    entry,
    slices: groups.reduce((sum, group) => sum + slicesOf(group), 0),
    slicesPerCall: Math.max(1, Math.floor(Math.min(...perCall))),
    work: parts.reduce((sum, part) => sum + part.lowered.work, 0),
    setup: 0,
  };
}

const nameOf = (nest: Nest): string => nest.name.replace(/[^A-Za-z0-9]+/g, "_") || "nest";

/** A free axis whose steps make up the slices. */
export interface Rows {
  readonly axis: number;
  readonly perSlice: number;
  /** By result: what one slice writes is read again soon. */
  readonly keepsOutput: readonly boolean[];
}

/** A nest without divided indices, in slices of so many rows. */
export function lowerRows(nest: Nest, rows: Rows, module: ModuleBuilder): LoweredNest {
  return lowerPart(nest, module, true, rows);
}

/** Elements that a part of a cut reduction works on at least, and the most parts there are: enough for threads to end together. */
const leastCut = 2 ** 16;
const mostParts = 256;
/** A nest in fewer slices leaves threads idle. */
const fewSlices = 8;

/** A long reduction to few results, in two phases: parts, and what they come to. Undefined for others. */
function lowerCut(original: Nest, module: ModuleBuilder): LoweredNest | undefined {
  const { reducer, output } = original;
  if (reducer === undefined || findsPositions(original) || output.accumulate) return undefined;
  const { nest, sources } = canonicalise(original);
  const extentOf = (axis: number) => nest.axes[axis]!.extent;
  const elements = nest.axes.reduce((product, axis) => product * axis.extent, 1);
  const wanted = Math.min(mostParts, Math.floor(elements / leastCut));
  if (wanted < 2) return undefined;
  const plan = planLoops(nest, module.machine);
  const { slices } = planSlices(nest, plan, planTranspose(nest, plan, module.machine), module.machine.lanes);
  if (slices >= fewSlices) return undefined;
  const longest = plan.reduced.reduce((a, b) => (extentOf(b) > extentOf(a) ? b : a));
  const axis = plan.reduced.find((each) => extentOf(each) >= wanted) ?? longest;
  const unit = axis === plan.vector ? module.machine.lanes * plan.unroll : 1;
  const length = Math.ceil(extentOf(axis) / wanted / unit) * unit;
  if (length >= extentOf(axis)) return undefined;
  const cut = cutReduction(nest, axis, length);
  const parameters = entryParameters(original, true);
  const operands = (p: Given) => sources.map((source) => p[`in${source}`]!);
  const { places, bytes } = placesOf(cut.asides);
  const aside = (p: Given, place: number) => v.advance(p.shared!, place);
  const outs = outNames(original);
  const parts = cut.parts.map((part): Part => {
    const pointers = (p: Given) => outs.map((out, number) => (places[number] === undefined ? p[out]! : aside(p, places[number])));
    return { lowered: lowerPart(part, module, false), pointers: (p) => [...operands(p), ...pointers(p), p.params!, p.scratch!] };
  });
  const known = places.filter((place) => place !== undefined);
  const late = outs.filter((_, number) => places[number] !== undefined);
  const last: Part = {
    lowered: lowerPart(cut.last, module, false),
    pointers: (p) => [...operands(p), ...known.map((place) => aside(p, place)), ...late.map((out) => p[out]!), p.params!, p.scratch!],
  };
  return {
    ...joinParts(nameOf(nest), parameters, [last], module),
    before: [joinParts(`${nameOf(nest)}_parts`, parameters, parts, module)],
    sharedBytes: bytes,
    scratchBytes: 0,
    sequential: false,
    notes: [`parts of ${nest.axes[axis]!.name}`, ...[...parts, last].flatMap((part) => part.lowered.notes)],
  };
}

/** Readable bytes beside what lies in shared memory. */
const slack = 128;

/** Where in shared memory the results of parts lie. */
function placesOf(asides: readonly (Operand | undefined)[]): { readonly places: readonly (number | undefined)[]; readonly bytes: number } {
  let bytes = 0;
  const places = asides.map((aside) => {
    if (aside === undefined) return undefined;
    const place = bytes;
    bytes += Math.ceil((bytesOf(aside) + slack) / 64) * 64;
    return place;
  });
  return { places, bytes };
}

function lowerPart(original: Nest, module: ModuleBuilder, exported: boolean, rows?: Rows): LoweredNest {
  const { nest, sources, kept } = canonicalise(original, rows?.axis);
  const plan = planLoops(nest, module.machine, kept);
  const turned = planTranspose(nest, plan, module.machine);
  const transpose = kept === undefined || turned?.outer[0] === kept ? turned : undefined;
  const slicing = planSlices(nest, plan, transpose, module.machine.lanes, rows?.perSlice);
  const entry = module.define(
    nameOf(nest),
    entryParameters(original),
    (k, parameters) => {
      const p = parameters as Readonly<Record<string, Variable>>;
      const operands = sources.map((source) => p[`in${source}`]!);
      const outs = outNames(nest).map((name) => p[name]!);
      const e = new Evaluator(k, nest, { operands, outs, params: p.params!, keepsOutput: rows?.keepsOutput });
      const context: LoopContext = { k, e, nest, plan };
      if (nest.axes.some((axis, number) => number < nest.free && axis.extent === 0)) return;
      hoistAll(context);
      if (transpose === undefined) {
        ranges(k, slicing, p.begin!, p.end!, (first, second) => writeFree(context, plan.free, [first, second]));
      } else {
        ranges(k, slicing, p.begin!, p.end!, (first) => {
          outerLoops(context, transpose.outer, [first], () =>
            writeTransposed(context, transpose, transpose.outer.length === 0 ? first : undefined),
          );
        });
      }
    },
    exported,
  );
  const { slices, perSlice } = slicing;
  const slicesPerCall = Math.max(1, Math.min(slices, Math.floor(workPerCall / Math.max(1, perSlice))));
  const notes = describe(nest, plan, transpose !== undefined);
  return { entry, scratchBytes: 0, slices, slicesPerCall, work: perSlice * slices, setup: 0, sequential: nest.output.accumulate, notes };
}

interface Range {
  readonly from: Value;
  readonly to: Value;
}

/** Slices are blocks of the first loop, or (few long steps) all blocks of the second for each step of the first. */
interface Slicing {
  readonly slices: number;
  /** Work of one slice, element operations. */
  readonly perSlice: number;
  readonly first: { readonly grain: number; readonly extent: number } | undefined;
  readonly second: { readonly grain: number; readonly extent: number; readonly blocks: number } | undefined;
}

function planSlices(nest: Nest, plan: LoopPlan, transpose: TransposePlan | undefined, lanes: number, perSlice?: number): Slicing {
  const rows = transpose?.rows;
  const order = transpose === undefined ? plan.free : [...transpose.outer, transpose.rows];
  const total = nest.axes.reduce((product, axis) => product * axis.extent, plan.cost);
  const [a, b] = order;
  if (total === 0 || a === undefined) return { slices: 1, perSlice: total, first: undefined, second: undefined };
  const grainOf = (axis: number, extent: number, work: number) => {
    const unit = axis === plan.vector ? lanes * plan.unroll : axis === rows ? Math.max(16, lanes) : 1;
    const steps = Math.ceil(workPerSlice / Math.max(1, work / extent));
    return Math.min(Math.ceil(steps / unit) * unit, Math.ceil(extent / unit) * unit);
  };
  const extent = nest.axes[a]!.extent;
  if (perSlice !== undefined) {
    const slices = Math.ceil(extent / perSlice);
    return { slices, perSlice: total / slices, first: { grain: perSlice, extent }, second: undefined };
  }
  if (b !== undefined && rows === undefined && total / extent > workPerCall && extent < 64) {
    const inner = nest.axes[b]!.extent;
    const grain = grainOf(b, inner, total / extent);
    const blocks = Math.ceil(inner / grain);
    const slices = extent * blocks;
    return { slices, perSlice: total / slices, first: { grain: 1, extent }, second: { grain, extent: inner, blocks } };
  }
  const grain = grainOf(a, extent, total);
  const slices = Math.ceil(extent / grain);
  return { slices, perSlice: total / slices, first: { grain, extent }, second: undefined };
}

/** Turns the slices [begin, end) into ranges of the first (and second) loop. */
function ranges(k: FunctionBuilder, slicing: Slicing, begin: Value, end: Value, write: (first?: Range, second?: Range) => void): void {
  const { first, second, slices } = slicing;
  if (first === undefined) {
    write();
  } else if (second !== undefined) {
    k.loop(begin, end, 1, (slice) => {
      const step = k.let(v.operation("divideUnsigned", [slice, second.blocks]), "step");
      const from = k.let(v.mul(v.sub(slice, v.mul(step, second.blocks)), second.grain), "from");
      const to = k.let(v.min(v.add(from, second.grain), second.extent), "to");
      write({ from: step, to: k.let(v.add(step, 1)) }, { from, to });
    });
  } else if (slices === 1) {
    write({ from: v.i32(0), to: v.i32(first.extent) });
  } else {
    const from = k.let(v.mul(begin, first.grain), "from");
    const to = k.let(v.min(v.mul(end, first.grain), first.extent), "to");
    write({ from, to });
  }
}

function hoistAll({ e, nest, plan }: LoopContext): void {
  const free = plan.vector !== undefined && plan.vector < nest.free ? plan.vector : undefined;
  const values = e.values();
  resultsOf(nest).forEach(({ reducer, body }, number) => {
    if (nest.reducer !== undefined) e.hoist(body, plan.vector);
    if (nest.reducer === undefined || reducer !== undefined) for (const value of values[number]!) e.hoist(value, free);
  });
}

/** Scalar loops over `axes`, each hoisting what it fixes. */
function outerLoops(context: LoopContext, axes: readonly number[], given: readonly (Range | undefined)[], write: () => void): void {
  const { k, e, nest } = context;
  const [axis, ...rest] = axes;
  if (axis === undefined) {
    write();
    return;
  }
  const range = given[0];
  k.loop(range?.from ?? 0, range?.to ?? nest.axes[axis]!.extent, 1, (i) => {
    e.bind([{ axis, value: i }], () => {
      hoistAll(context);
      outerLoops(context, rest, given.slice(1), write);
    });
  });
}

/** Loops over the free axes in order, then the map or reduction at each point (or vector of points). */
function writeFree(context: LoopContext, order: readonly number[], given: readonly (Range | undefined)[]): void {
  const { nest, plan } = context;
  const last = order.at(-1);
  const vectorised = last !== undefined && last === plan.vector;
  const scalars = vectorised ? order.slice(0, -1) : order;
  outerLoops(context, scalars, given, () => {
    if (!vectorised) {
      writePoints(context, []);
      return;
    }
    const range = given[scalars.length] ?? { from: v.i32(0), to: v.i32(nest.axes[last]!.extent) };
    vectorLoop(context, last, range);
  });
}

/**
 * Full vectors, `unroll` at a time, then one at a time. The last one steps back to overlap its neighbour, so that nothing is scalar;
 * where that is impossible (fewer steps than lanes, or doing an element twice would be wrong) a partial vector ends the row. Where borders make
 * range checks necessary, the middle of the row runs without them.
 */
function vectorLoop(context: LoopContext, axis: number, range: Range): void {
  const { k, e, nest, plan } = context;
  const { lanes } = k.machine;
  const { extent } = nest.axes[axis]!;
  const isOnce = resultsOf(nest).some(({ output }) => output.accumulate || output.inPlace === true);
  const overlaps = extent >= lanes && !isOnce;
  const full = overlaps ? range.to : minimum(range.to, extent - (extent % lanes));
  const bind = (value: Value, unroll: number, aligned: boolean, count?: number) => {
    e.bind([{ axis, value, vector: true, count, aligned }], () => {
      writePoints(
        context,
        Array.from({ length: unroll }, (_, u) => u * lanes),
      );
    });
  };
  const singles = (from: Value, to: Value) => {
    const even = extent % lanes === 0 || !overlaps;
    k.loop(from, to, lanes, (i) => bind(even ? i : settled(k, minimum(i, extent - lanes)), 1, even));
  };
  /** Full vectors from `from` while they end by `to`; gives where they end. */
  const blocks = (from: Value, to: Value, unroll: number): Value => {
    const step = lanes * unroll;
    const stop = settled(k, v.add(from, v.and(v.max(v.sub(to, from), 0), -step)));
    k.loop(from, stop, step, (i) => bind(i, unroll, true));
    return stop;
  };
  const middle = overlaps ? interiorOf(nest, axis, lanes) : undefined;
  if (middle === undefined) {
    singles(plan.unroll > 1 ? blocks(range.from, full, plan.unroll) : range.from, full);
  } else {
    const border = settled(k, v.min(full, middle.from));
    const left = settled(k, v.add(range.from, v.and(v.max(v.add(v.sub(border, range.from), lanes - 1), 0), -lanes)));
    singles(range.from, border);
    let right = left;
    e.assuming(middle.insides, () => {
      const to = settled(k, v.min(full, middle.to));
      right = blocks(left, to, plan.unroll);
      if (plan.unroll > 1) right = blocks(right, to, 1);
    });
    singles(right, full);
  }
  const rest = extent % lanes;
  if (overlaps || rest === 0) return;
  const partial = () => bind(v.i32(extent - rest), 1, true, rest);
  if (range.to.op === "constant") partial();
  else k.if(v.eq(range.to, extent), partial);
}

const settled = (k: FunctionBuilder, value: Value): Value => (value.op === "constant" || value.op === "variable" ? value : k.let(value));

const minimum = (a: Value, b: number): Value => v.min(a, b);

/** The map or reduction at the present point; with `shifts`, at several vectors of points along the vector axis. */
function writePoints(context: LoopContext, shifts: readonly number[]): void {
  const { k, e, nest, plan } = context;
  if (nest.reducer !== undefined) {
    writeReduction(context, shifts);
    return;
  }
  hoistAll(context);
  if (shifts.length <= 1) {
    e.writeResults();
    return;
  }
  const pieces = shifts.map((by) => () => e.shifted([{ axis: plan.vector!, by, vector: true }], () => e.writeResults()));
  // Elements that several steps add to are added to in order.
  if (nest.output.accumulate) for (const write of pieces) write();
  else k.interleave(pieces);
}

function describe(nest: Nest, plan: LoopPlan, transposed: boolean): string[] {
  const names = (axes: readonly number[]) => axes.map((axis) => `${nest.axes[axis]!.name}<${nest.axes[axis]!.extent}`).join(" ");
  const how = plan.vector === undefined ? "scalar" : `vector along ${nest.axes[plan.vector]!.name}, ${plan.unroll} side by side`;
  const reduced = plan.reduced.length === 0 ? "" : `; ${nest.reducer} over ${names(plan.reduced)}`;
  return [`for ${names(plan.free) || "one point"}${reduced}; ${how}${transposed ? "; transposed in registers" : ""}`];
}
