// The loop axes of one statement: their order and extents, and what bounds and axis groups stand for.

import type { Axis, Operand } from "../../nest/nest.ts";
import { FormulaError, ShapeError } from "../../util/errors.ts";
import { shapeText } from "../../util/shape-text.ts";
import type { AccessNode, BoundAxis, ReduceNode, Statement } from "../ast.ts";
import type { Binding } from "./binding.ts";
import { axisNames, findExtents, splitShape } from "./extents.ts";

export interface AxesContext {
  readonly statement: Statement;
  readonly tensors: ReadonlyMap<string, { readonly operand: Operand }>;
  readonly binding: Binding;
  readonly resultShape: readonly number[] | undefined;
  /** The formula's last target and its shape where it is given. */
  readonly result?: { readonly target: string; readonly shape: readonly number[] } | undefined;
  /** See Formula.derived. */
  readonly partial: boolean;
}

export class LoopAxes {
  /** Free ones first. */
  readonly axes: Axis[] = [];
  /** How many are free. */
  free = 0;
  /** Whether axes that the result lacks are summed although the statement has no reduction. */
  readonly summed: boolean;
  readonly #binding: Binding;
  readonly #numbers = new Map<string, number>();
  /** Axes of each ellipsis group, by position from its first dimension. */
  readonly #groups: ReadonlyMap<string, readonly number[]>;
  readonly #extents: ReadonlyMap<string, number>;
  readonly #groupExtents = new Map<string, number>();

  /** @throws ShapeError, FormulaError when shapes, sizes and lists do not give every axis one extent */
  constructor(context: AxesContext, reduction: ReduceNode | undefined) {
    const { statement, tensors, binding, resultShape, result, partial } = context;
    this.#binding = binding;
    const shapes = new Map([...tensors].map(([name, tensor]) => [name, tensor.operand.shape]));
    if (result && !shapes.has(result.target)) shapes.set(result.target, result.shape);
    const found = findExtents(statement, shapes, binding, resultShape, partial);
    this.#extents = found.axes;
    this.#groups = new Map([...found.groups].map(([group, shape]) => [group, shape.map((_, d) => d)]));
    for (const [group, shape] of found.groups)
      for (const [d, extent] of shape.entries()) this.#groupExtents.set(groupAxis(group, d), extent);
    this.summed = this.#order(context, reduction);
  }

  /** Dimensions of an ellipsis group. */
  group(name: string): readonly number[] {
    return this.#groups.get(name) ?? [];
  }

  numberOf(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  extentOf(name: string): number {
    return this.#groupExtents.get(name) ?? this.#extents.get(name)!;
  }

  /** The loop axes a bound stands for. */
  bound(axis: BoundAxis): string[] {
    if (axis.kind === "axis") return [axis.name];
    const group = axis.kind === "ellipsis" ? axis.group : "";
    const all = this.group(group);
    if (axis.kind === "ellipsis") return all.map((d) => groupAxis(group, d));
    const list = this.#binding.lists?.[axis.attribute];
    if (list === undefined)
      throw new FormulaError(`${this.#binding.name}: the formula needs the axis list '${axis.attribute}'`, {
        hint: `give it among the attributes: op.with({ attributes: { ${axis.attribute}: [0] } })(…)`,
      });
    const chosen = new Set<number>();
    for (const entry of list) {
      const d = entry < 0 ? entry + all.length : entry;
      if (!Number.isInteger(entry) || d < 0 || d >= all.length)
        throw new ShapeError(
          `${this.#binding.name}: axis ${entry} does not exist: the tensor has ${all.length} dimension${all.length === 1 ? "" : "s"}`,
          { hint: all.length === 0 ? "a scalar has no axes: give an empty list" : `axes go from ${-all.length} to ${all.length - 1}` },
        );
      if (chosen.has(d)) throw new ShapeError(`${this.#binding.name}: axis ${entry} is named twice in [${list.join(", ")}]`);
      chosen.add(d);
    }
    return [...chosen].sort((a, b) => a - b).map((d) => groupAxis(group, d));
  }

  /**
   * Numbers the loop axes, free ones first; true when axes the result lacks are summed although the statement has no
   * reduction.
   */
  #order({ statement, resultShape, binding }: AxesContext, reduction: ReduceNode | undefined): boolean {
    const reduced = new Set<string>();
    for (const axis of reduction?.axes ?? []) for (const name of this.bound(axis)) reduced.add(name);
    let summed = false;
    const free: string[] = [];
    const plain = statement.indices.every((index) => index.kind === "ellipsis" || index.kind === "name");
    const target: AccessNode = { kind: "access", tensor: statement.target, indices: statement.indices };
    const wanted = resultShape && plain ? splitShape(target, resultShape, binding.name).group : undefined;
    const placed = new Set<string>();
    for (const index of statement.indices) {
      if (index.kind === "ellipsis") {
        const axes = this.group(index.group);
        for (const d of axes) {
          const name = groupAxis(index.group, d);
          placed.add(name);
          const fromEnd = axes.length - d;
          const extent = this.#groupExtents.get(name)!;
          const missing = wanted !== undefined && (wanted[wanted.length - fromEnd] ?? 0) !== extent;
          if (reduced.has(name)) continue;
          if (missing && extent !== 1) {
            if (reduction !== undefined && (reduction.reducer !== "sum" || statement.value !== reduction))
              throw new ShapeError(
                `${binding.name}: ${statement.target} must be ${shapeText(resultShape as readonly number[])}, which cannot hold the broadcast result`,
              );
            reduced.add(name);
            summed = true;
          } else if (missing && wanted[wanted.length - fromEnd] === undefined) reduced.add(name);
          else free.push(name);
        }
      } else if (index.kind === "name" && this.#extents.has(index.name) && !free.includes(index.name)) free.push(index.name);
    }
    if (!plain || statement.accumulate) {
      for (const name of axisNames(statement)) if (!reduced.has(name) && !free.includes(name)) free.push(name);
      for (const [group, axes] of this.#groups)
        for (const d of axes) if (!placed.has(groupAxis(group, d)) && !reduced.has(groupAxis(group, d))) free.push(groupAxis(group, d));
    }
    this.free = free.length;
    for (const name of [...free, ...reduced]) {
      this.#numbers.set(name, this.axes.length);
      this.axes.push({ name, extent: this.extentOf(name) });
    }
    if (reduction === undefined && reduced.size > 0) summed = true;
    return summed;
  }
}

/** The name of an axis of an ellipsis group. */
export function groupAxis(group: string, d: number): string {
  return `...${group}${d}`;
}
