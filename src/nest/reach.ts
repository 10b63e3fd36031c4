// Dataflow of a bound formula, from its index maps: which input elements a result needs, and how many multiply-adds.

import type { AffineIndex, Index, Nest, Program, Scalar } from "./nest.ts";

/** Positions from a first to a last. */
type Range = readonly [first: number, last: number];

/** The elements of a tensor between two positions along every dimension. */
export type Box = readonly Range[];

/**
 * For every input the smallest box around all elements that elements in `box` of the result are made from; undefined:
 * none. What masks hide and what is multiplied by 0 counts, and an index read from data may be any.
 */
export function reachOf(program: Program, box: Box): (Box | undefined)[] {
  const boxes: (Box | undefined)[] = program.buffers.map((_, number) => (number === program.result ? box : undefined));
  for (const { nest, reads, writes } of program.operations.slice().reverse()) {
    const ranges = boxes[writes] && stepsWriting(nest, boxes[writes]);
    if (ranges === undefined) continue;
    for (const { operand, index } of loadsOf(nest)) {
      const { shape } = nest.operands[operand]!;
      const read = index.map((one, d) => clipped(positions(one, ranges, shape[d]!), shape[d]!));
      const buffer = reads[operand]!;
      if (read.every((range) => range !== undefined)) boxes[buffer] = hull(boxes[buffer], read);
    }
  }
  return program.inputs.map((_, number) => boxes[number]);
}

/** The smallest box around two. */
export function hull(a: Box | undefined, b: Box): Box {
  return a === undefined ? b : a.map(([first, last], d) => [Math.min(first, b[d]![0]), Math.max(last, b[d]![1])]);
}

/** The box around the same elements under another shape. */
export function reshapedBox(box: Box, from: readonly number[], to: readonly number[]): Box {
  if (from.join() === to.join()) return box;
  const made: Range[] = to.map(() => [0, 0]);
  const open = (shape: readonly number[]): number[] => [...shape.keys()].filter((d) => shape[d] !== 1);
  const [sources, targets] = [open(from), open(to)];
  // From the left: the fewest dimensions on both sides that hold equally many elements.
  while (sources.length > 0 && targets.length > 0) {
    const [group, into] = [[sources.shift()!], [targets.shift()!]];
    const size = (dims: readonly number[], shape: readonly number[]): number => dims.reduce((total, d) => total * shape[d]!, 1);
    while (size(group, from) !== size(into, to)) {
      const isLess = size(group, from) < size(into, to);
      (isLess ? group : into).push((isLess ? sources : targets).shift()!);
    }
    const flat = (end: 0 | 1): number => group.reduce((place, d) => place * from[d]! + box[d]![end], 0);
    let [first, last] = [flat(0), flat(1)];
    let inner = size(into, to);
    let isWhole = false;
    for (const d of into) {
      const extent = to[d]!;
      inner /= extent;
      made[d] = isWhole ? [0, extent - 1] : [Math.floor(first / inner), Math.floor(last / inner)];
      isWhole ||= made[d][0] !== made[d][1];
      [first, last] = [first % inner, last % inner];
    }
  }
  return made;
}

/**
 * Multiplications with an addition in sums of products: every iteration counts, also over padding, but not those at
 * which an index is no whole number (a transposed convolution's).
 */
export function productsOf(program: Program): number {
  return program.operations.reduce((total, { nest }) => total + (nest.reducer === "sum" ? stepsOf(nest) : 0), 0);
}

function stepsOf(nest: Nest): number {
  const fractions = new Map<string, number>();
  for (const { index, operand } of loadsOf(nest))
    index.forEach((one, d) => {
      if (one.kind !== "affine" || one.divisor === 1) return;
      const key = one.terms.map(({ axis }) => axis).join();
      fractions.set(key, validShare(one, nest, nest.operands[operand]?.shape[d] as number));
    });
  const all = nest.axes.reduce((total, { extent }) => total * extent, 1);
  return Math.round([...fractions.values()].reduce((total, share) => total * share, all));
}

/** The share of iterations at which a divided index is valid. */
function validShare({ terms, offset, divisor }: AffineIndex, nest: Nest, dimension: number): number {
  let sums = [offset];
  for (const { axis, coefficient } of terms) {
    const { extent } = nest.axes[axis]!;
    sums = sums.flatMap((sum) => Array.from({ length: extent }, (_, step) => sum + step * coefficient));
  }
  return sums.filter((sum) => sum % divisor === 0 && sum >= 0 && sum / divisor < dimension).length / Math.max(1, sums.length);
}

/** Ranges of the axes at which a nest writes into a box; undefined when it never does. */
function stepsWriting({ axes, output }: Nest, box: Box): Range[] | undefined {
  const ranges = axes.map(({ extent }): Range => [0, extent - 1]);
  if (axes.some(({ extent }) => extent === 0)) return undefined;
  for (const [d, index] of output.index.entries()) {
    if (index.kind === "indirect") continue;
    const [first, last] = box[d]!;
    const [term, ...others] = index.terms;
    const reached = positions(index, ranges, output.shape[d]!);
    if (reached[0] > last || reached[1] < first) return undefined;
    if (term === undefined || others.length > 0 || index.divisor !== 1) continue;
    const ends = [(first - index.offset) / term.coefficient, (last - index.offset) / term.coefficient].sort((a, b) => a - b);
    const [start, end] = ranges[term.axis]!;
    const range: Range = [Math.max(start, Math.ceil(ends[0]!)), Math.min(end, Math.floor(ends[1]!))];
    if (range[0] > range[1]) return undefined;
    ranges[term.axis] = range;
  }
  return ranges;
}

function positions(index: Index, ranges: readonly Range[], dimension: number): Range {
  if (index.kind === "indirect") return [0, dimension - 1];
  let [first, last] = [index.offset, index.offset];
  for (const { axis, coefficient } of index.terms) {
    const [start, end] = ranges[axis]!;
    first += coefficient * (coefficient > 0 ? start : end);
    last += coefficient * (coefficient > 0 ? end : start);
  }
  return [Math.ceil(first / index.divisor), Math.floor(last / index.divisor)];
}

function clipped([first, last]: Range, dimension: number): Range | undefined {
  const range: Range = [Math.max(0, first), Math.min(dimension - 1, last)];
  return range[0] > range[1] ? undefined : range;
}

interface Read {
  readonly operand: number;
  readonly index: readonly Index[];
}

function loadsOf(nest: Nest): Read[] {
  const found: Read[] = [];
  const visit = (value: Scalar): void => {
    if (value.kind === "call") value.args.forEach(visit);
    if (value.kind === "load") found.push(value);
    if (value.kind === "load" || value.kind === "inside") value.index.forEach(visitIndex);
  };
  const visitIndex = (index: Index): void => {
    if (index.kind === "indirect") visit(index.value);
  };
  visit(nest.body);
  if (nest.epilogue !== undefined) visit(nest.epilogue);
  nest.output.index.forEach(visitIndex);
  return found;
}
