// Plans a contraction: which operands, axes and residue classes, before anything is emitted.

import type { Load, Nest, Operand, Position, Scalar } from "../../nest/nest.ts";
import { type Element, elementOf } from "../expressions/elements.ts";
import { withSharedParts } from "../expressions/intern.ts";
import type { AffineAccess, Substitution } from "./access.ts";
import { accessOf, affineIndices } from "./access.ts";
import type { Roles } from "./classify.ts";
import { productOf, rolesOf } from "./classify.ts";
import type { ResidueClass } from "./divided.ts";
import { residueClasses } from "./divided.ts";

/** A value an epilogue reads per output element: one element of an operand, or the number of a position. */
interface EpilogueLeaf {
  readonly node: Load | Position;
  /** Operand number, and how its elements lie in memory; undefined for a position. */
  readonly operand: number | undefined;
  readonly element: Element | undefined;
  /** For a position only base and strides count. */
  readonly access: AffineAccess;
}

/** A part of the sum with affine accesses. */
export interface Segment {
  /** Of all axes, free ones first. */
  readonly extents: readonly number[];
  readonly a: AffineAccess;
  readonly b: AffineAccess;
  /** Product of the summed extents. */
  readonly k: number;
}

/**
 * One residue class of the free axes: C[batch, m, n] = epilogue(scale · Σ segments Σ k A[batch, m, k] · B[batch, k,
 * n]).
 */
export interface ContractionClass {
  readonly extents: readonly number[];
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly output: AffineAccess;
  readonly leaves: readonly EpilogueLeaf[];
  readonly segments: readonly Segment[];
}

export interface ContractionPlan {
  readonly nest: Nest;
  readonly roles: Roles;
  /** Operand numbers of A and B. */
  readonly a: number;
  readonly b: number;
  /** How elements of A, B and the output lie in memory. */
  readonly elements: { readonly a: Element; readonly b: Element; readonly c: Element };
  readonly scale: Scalar | undefined;
  readonly classes: readonly ContractionClass[];
  readonly flops: number;
}

/** Recognizes a nest the engine can run; undefined: the general lowering takes it. */
export function planContraction(given: Nest): ContractionPlan | undefined {
  // What the epilogue reads twice is one leaf.
  const nest = given.epilogue === undefined ? given : { ...given, epilogue: withSharedParts(given.epilogue) };
  if (nest.reducer !== "sum" || !isComputed(nest.output)) return undefined;
  const product = productOf(nest.body);
  if (product === undefined) return undefined;
  const { loads } = product;
  if (loads.some((load) => load.fill !== 0 || !isComputed(nest.operands[load.operand]!))) return undefined;
  // Adding to what is there and then applying a function would apply it to the old value too.
  if (nest.output.accumulate && (nest.epilogue !== undefined || product.scale !== undefined || nest.output.dtype !== "float32"))
    return undefined;
  const roles = rolesOf(nest, loads);
  const leaves = leavesOf(nest.epilogue);
  if (roles === undefined || leaves === undefined) return undefined;
  const extents = nest.axes.map((axis) => axis.extent);
  const [a, b] = [loads[roles.rows], loads[1 - roles.rows]!];
  const [aIndex, bIndex] = [affineIndices(a.index)!, affineIndices(b.index)!];
  const isEmpty = extents.slice(0, nest.free).includes(0);
  const residues = isEmpty ? [] : residueClasses(extents, nest.free, [...aIndex, ...bIndex]);
  if (residues === undefined) return undefined;
  const classes: ContractionClass[] = [];
  let flops = 0;
  for (const residue of residues) {
    const planned = classOf(nest, roles, leaves, residue, (axes) => ({
      a: accessOf(aIndex, nest.operands[a.operand]!.shape, axes),
      b: accessOf(bIndex, nest.operands[b.operand]!.shape, axes),
    }));
    if (planned === undefined) return undefined;
    classes.push(planned);
    for (const segment of planned.segments) flops += 2 * planned.batch * planned.m * planned.n * segment.k;
  }
  const element = ({ dtype }: Operand) => elementOf(dtype);
  const elements = { a: element(nest.operands[a.operand]!), b: element(nest.operands[b.operand]!), c: element(nest.output) };
  return { nest, roles, a: a.operand, b: b.operand, elements, scale: product.scale, classes, flops };
}

/** Its elements are float32 in registers. */
const isComputed = ({ dtype }: Operand): boolean => dtype === "float32" || dtype === "bfloat16";

/** Unfinished sums cannot lie in the output: an update in place still has to read it, and bfloat16 would round them. */
export const isWritten = ({ output }: Nest): boolean => output.inPlace === true || output.dtype === "bfloat16";

function classOf(
  nest: Nest,
  roles: Roles,
  leaves: readonly (Load | Position)[],
  { free, segments }: ResidueClass,
  access: (axes: Substitution) => { a: AffineAccess; b: AffineAccess },
): ContractionClass | undefined {
  const count = (axes: readonly number[], extents: readonly number[]) => axes.reduce((product, axis) => product * extents[axis]!, 1);
  const output = accessOf(affineIndices(nest.output.index)!, nest.output.shape, free);
  // Dropped writes and divided output indices are rare enough to be left to the general lowering.
  if (output.checks.length > 0 || nest.output.index.some((index) => index.kind === "affine" && index.divisor !== 1)) return undefined;
  const planned: EpilogueLeaf[] = [];
  for (const node of leaves) {
    if (node.kind === "position") {
      const access = accessOf([node.index], [Number.MAX_SAFE_INTEGER], free);
      planned.push({ node, operand: undefined, element: undefined, access: { ...access, checks: [] } });
      continue;
    }
    const indices = affineIndices(node.index);
    if (indices === undefined || indices.some((index) => index.divisor !== 1)) return undefined;
    const leaf = accessOf(indices, nest.operands[node.operand]!.shape, free);
    if (leaf.checks.length > 0) return undefined;
    planned.push({ node, operand: node.operand, element: elementOf(nest.operands[node.operand]!.dtype), access: leaf });
  }
  const bound = segments.map((segment) => ({ extents: segment.extents, ...access(segment), k: count(roles.k, segment.extents) }));
  // Coordinates are kept as a sum of a part of m (or n) and a part of k; a third part of a batch axis has no place.
  const moving = (axis: number) => bound.some(({ a, b }) => [...a.checks, ...b.checks].some((check) => check.steps[axis] !== 0));
  if (roles.batch.some((axis) => free.extents[axis]! > 1 && moving(axis))) return undefined;
  return {
    extents: free.extents,
    batch: count(roles.batch, free.extents),
    m: count(roles.m, free.extents),
    n: count(roles.n, free.extents),
    output,
    leaves: planned,
    segments: bound,
  };
}

/** Loads and positions of an epilogue; undefined when it holds what the engine does not keep per tile. */
function leavesOf(epilogue: Scalar | undefined): readonly (Load | Position)[] | undefined {
  const leaves = new Set<Load | Position>();
  const walk = (node: Scalar): boolean => {
    switch (node.kind) {
      case "load":
      case "position":
        leaves.add(node);
        return true;
      case "call":
        return node.args.every(walk);
      case "inside":
        return false;
      default:
        return true;
    }
  };
  return epilogue === undefined || walk(epilogue) ? [...leaves] : undefined;
}
