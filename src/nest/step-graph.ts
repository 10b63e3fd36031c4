// A whole traced step as data: loop nests over numbered buffers, with inputs, cells that persist, updates and results.

import type { Index, Nest, Operand, Operation, Scalar } from "./nest.ts";

export interface StepGraph {
  readonly name: string;
  readonly buffers: readonly Operand[];
  /** Buffers the caller fills at every run. */
  readonly inputs: readonly number[];
  /** Buffers that keep their numbers between runs: parameters, optimizer state, running statistics. */
  readonly cells: readonly number[];
  /**
   * After the operations, all cells at once take the numbers of buffers; neither these nor the results lie in a cell
   * that is overwritten.
   */
  readonly updates: readonly Update[];
  /** Buffers handed back after every run. */
  readonly results: readonly number[];
  readonly params: Nest["params"];
  /** Buffers of one element whose number is known. */
  readonly constants?: ReadonlyMap<number, number>;
  readonly operations: readonly Operation[];
  /** Which operations run together, a block of rows at a time; in order, none in two. */
  readonly groups?: readonly RowGroup[];
  /** Which operations are one kernel; in order, none in two. Those that begin in a group lie in it. */
  readonly fused?: readonly FusedKernel[];
  /** Buffers that lie inside others: what is written to one is there, too. */
  readonly views?: readonly View[];
}

/** Consecutive operations of which each needs of the others' numbers only those of its own row. */
export interface RowGroup {
  /** Number of the first operation. */
  readonly first: number;
  /** For each operation the free axis of its nest that walks the rows. */
  readonly axes: readonly number[];
  /** How many rows there are. */
  readonly extent: number;
  readonly rowsPerBlock: number;
  /**
   * Buffers that only these operations use, whose first dimension is the rows: one block of them is all that is needed.
   */
  readonly own: readonly number[];
}

/** Consecutive operations over the same loops, which run as one kernel. */
export interface FusedKernel {
  /** Number of the first operation. */
  readonly first: number;
  readonly count: number;
  /** Buffers that only these operations use, at the element of the present iteration: nobody stores them. */
  readonly passed: readonly number[];
}

/** `buffer` is the elements of `of`, which may be a view itself, from `offset` on. Neither is a cell. */
export interface View {
  readonly buffer: number;
  readonly of: number;
  readonly offset: number;
}

export interface Update {
  readonly cell: number;
  readonly from: number;
}

/** Where a buffer's elements are: in itself, or in the one that it is a view of in the end. */
export function placeOf(graph: StepGraph, buffer: number): { readonly of: number; readonly offset: number } {
  return placeAmong(viewsOf(graph), buffer);
}

export function placeAmong(views: ReadonlyMap<number, View>, buffer: number): { readonly of: number; readonly offset: number } {
  let place = { of: buffer, offset: 0 };
  for (let view = views.get(buffer); view !== undefined; view = views.get(view.of))
    place = { of: view.of, offset: place.offset + view.offset };
  return place;
}

const known = new WeakMap<readonly View[], ReadonlyMap<number, View>>();

function viewsOf({ views = [] }: StepGraph): ReadonlyMap<number, View> {
  let found = known.get(views);
  if (found === undefined) {
    found = new Map(views.map((view) => [view.buffer, view]));
    known.set(views, found);
  }
  return found;
}

/** Rebuilds an expression bottom-up; `replace` sees each node after its children. */
export function transformScalar(scalar: Scalar, replace: (scalar: Scalar) => Scalar): Scalar {
  const deep = (child: Scalar): Scalar => transformScalar(child, replace);
  switch (scalar.kind) {
    case "call":
      return replace({ ...scalar, args: scalar.args.map(deep) });
    case "load":
    case "inside":
      return replace({
        ...scalar,
        index: scalar.index.map((index) => (index.kind === "indirect" ? { ...index, value: deep(index.value) } : index)),
      });
    default:
      return replace(scalar);
  }
}

/** Every node of an expression, children first. */
export function scalarsOf(scalar: Scalar | undefined): Scalar[] {
  const found: Scalar[] = [];
  if (scalar !== undefined)
    transformScalar(scalar, (node) => {
      found.push(node);
      return node;
    });
  return found;
}

/**
 * Expressions that passes make are no deeper than this: what reads them, down to the emitters, goes into them call by
 * call, and a program's stack is finite. What lies deeper is an operation, or a kernel, of its own.
 */
export const MOST_DEPTH = 256;

const depths = new WeakMap<Scalar, number>();

/** How many calls lie within each other, at most, and what the innermost is called with. */
export function depthOf(scalar: Scalar): number {
  let depth = depths.get(scalar);
  if (depth === undefined) {
    const inner = scalar.kind === "call" ? scalar.args : scalar.kind === "load" || scalar.kind === "inside" ? indirectIn(scalar.index) : [];
    depth = 1 + inner.reduce((most, part) => Math.max(most, depthOf(part)), 0);
    depths.set(scalar, depth);
  }
  return depth;
}

function indirectIn(indices: readonly Index[]): Scalar[] {
  return indices.flatMap((index) => (index.kind === "indirect" ? [index.value] : []));
}

/** Every expression of a nest: body, epilogue, indirect output indices. */
export function expressionsOf(nest: Nest): Scalar[] {
  return [nest.body, ...(nest.epilogue === undefined ? [] : [nest.epilogue]), ...indirectIn(nest.output.index)];
}

export function mapExpressions(nest: Nest, change: (scalar: Scalar) => Scalar): Nest {
  return {
    ...nest,
    body: change(nest.body),
    epilogue: nest.epilogue === undefined ? undefined : change(nest.epilogue),
    output: {
      ...nest.output,
      index: nest.output.index.map((index) => (index.kind === "indirect" ? { ...index, value: change(index.value) } : index)),
    },
  };
}

/** The nest with only the operands it loads, and the buffers of those. */
export function dropUnreadOperands(nest: Nest, reads: readonly number[]): { nest: Nest; reads: readonly number[] } {
  const used = new Set<number>();
  for (const expression of expressionsOf(nest)) for (const node of scalarsOf(expression)) if (node.kind === "load") used.add(node.operand);
  // Two operands of the same buffer and shape are one.
  const kept: number[] = [];
  const place = new Map<number, number>();
  for (const operand of [...used].sort((a, b) => a - b)) {
    const twin = kept.findIndex(
      (other) => reads[other] === reads[operand] && String(nest.operands[other]?.shape) === String(nest.operands[operand]?.shape),
    );
    place.set(operand, twin >= 0 ? twin : kept.push(operand) - 1);
  }
  const renumbered = mapExpressions(nest, (expression) =>
    transformScalar(expression, (node) => (node.kind === "load" ? { ...node, operand: place.get(node.operand)! } : node)),
  );
  return {
    nest: { ...renumbered, operands: kept.map((operand) => nest.operands[operand]!) },
    reads: kept.map((operand) => reads[operand]!),
  };
}

/** For every dimension of the output the free axis that walks it; undefined when the output is not the loop itself. */
export function identityOutput(nest: Nest): (number | undefined)[] | undefined {
  const axes: (number | undefined)[] = [];
  for (const [d, index] of nest.output.index.entries()) {
    if (index.kind !== "affine" || index.divisor !== 1 || index.offset !== 0 || index.terms.length > 1) return undefined;
    const [term] = index.terms;
    const extent = nest.output.shape[d]!;
    if (term === undefined ? extent !== 1 : term.coefficient !== 1 || nest.axes[term.axis]!.extent !== extent) return undefined;
    axes.push(term?.axis);
  }
  const walked = new Set(axes.filter((axis) => axis !== undefined));
  const covered = nest.axes.slice(0, nest.free).every((axis, number) => axis.extent === 1 || walked.has(number));
  return covered && walked.size === axes.filter((axis) => axis !== undefined).length ? axes : undefined;
}

/**
 * A key equal for nests that compute the same, whatever they are called. Params are those of the whole program: what a
 * nest reads of them is in it.
 */
export function keyOfNest(nest: Nest): string {
  return JSON.stringify({ ...nest, name: "", params: [] }, exactNumbers);
}

/** For JSON.stringify, which has no infinities, NaN or −0. */
export function exactNumbers(_: string, value: unknown): unknown {
  if (typeof value !== "number" || (Number.isFinite(value) && !Object.is(value, -0))) return value;
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Buffers whose numbers somebody outside of the operations wants or gives, or that lie partly under another name. */
export function lastingBuffers(graph: StepGraph): Set<number> {
  const kept = new Set([...graph.results, ...graph.cells, ...graph.inputs, ...graph.updates.map(({ from }) => from)]);
  for (const { buffer, of } of graph.views ?? []) kept.add(buffer).add(of);
  return kept;
}

/** What one kernel does. */
export interface KernelOperations {
  readonly operations: readonly Operation[];
  readonly passed: readonly number[];
}

/** What runs as one: a group, a fused kernel, or an operation alone. */
export interface Unit {
  readonly first: number;
  readonly operations: readonly Operation[];
  readonly group: RowGroup | undefined;
  /** Its operations in order; without a group there is one. */
  readonly kernels: readonly KernelOperations[];
}

export function unitsOf({ operations, groups = [], fused = [] }: StepGraph): Unit[] {
  const groupAt = new Map(groups.map((group) => [group.first, group]));
  const fusedAt = new Map(fused.map((each) => [each.first, each]));
  const kernelAt = (first: number): KernelOperations => {
    const { count, passed } = fusedAt.get(first) ?? { count: 1, passed: [] };
    return { operations: operations.slice(first, first + count), passed };
  };
  const units: Unit[] = [];
  for (let first = 0; first < operations.length; ) {
    const group = groupAt.get(first);
    const kernels: KernelOperations[] = [];
    let next = first;
    do {
      const kernel = kernelAt(next);
      kernels.push(kernel);
      next += kernel.operations.length;
    } while (next < first + (group?.axes.length ?? 1));
    units.push({ first, operations: operations.slice(first, next), group, kernels });
    first = next;
  }
  return units;
}

/** Whether something that is written lies under another name in what is touched, too. */
export function overlap(graph: StepGraph, touched: ReadonlySet<number>, written: ReadonlySet<number>): boolean {
  if (graph.views === undefined) return false;
  const all = [...touched].map((buffer) => ({ buffer, of: placeOf(graph, buffer).of }));
  return all.some(({ buffer, of }) => written.has(buffer) && all.some((other) => other.of === of && other.buffer !== buffer));
}

/** Where an access of a tensor goes in the loops of a nest: equal for the same elements at the same iterations. */
export function placeText({ axes }: Nest, { shape }: Pick<Operand, "shape">, index: readonly Index[]): string {
  const parts = index.map((item) =>
    item.kind === "affine" ? [item.terms.filter((term) => axes[term.axis]?.extent !== 1), item.offset, item.divisor, item.checked] : [item],
  );
  return JSON.stringify([shape, parts]);
}
