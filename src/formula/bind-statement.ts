// Binds one normalised statement: loop axes, index maps, typed expression, output.

import { FormulaError, ShapeError } from "../util/errors.ts";
import type { AccessNode, BoundAxis, Expression, ReduceNode, Statement } from "./ast.ts";
import type { Binding } from "./bind.ts";
import { IndexBinder, intervalOf } from "./bind-index.ts";
import { accessesOf, axisNames, findExtents, shapeText, splitShape } from "./extents.ts";
import type { AffineIndex, Axis, DType, Index, Load, Nest, Operand, Reducer, Scalar, ScalarType } from "./nest.ts";
import { reductionOf } from "./normalise.ts";
import { callOf, cast, constant, typeOfDType } from "./typing.ts";

export interface StatementContext {
  readonly statement: Statement;
  readonly tensors: ReadonlyMap<string, { readonly number: number; readonly operand: Operand }>;
  readonly binding: Binding;
  readonly params: readonly { readonly name: string; readonly type: "float" | "int" }[];
  readonly resultShape: readonly number[] | undefined;
  /** What the target is stored as, where that is given. */
  readonly dtype: DType | undefined;
  /** The formula's last target and its shape where it is given. */
  readonly result?: { readonly target: string; readonly shape: readonly number[] } | undefined;
  /** See Formula.derived. */
  readonly partial: boolean;
}

export interface BoundStatement {
  readonly nest: Nest;
  /** Buffer number of each operand of the nest. */
  readonly reads: readonly number[];
}

const IDENTITY: Readonly<Record<Reducer, readonly [float: number, int: number]>> = {
  sum: [0, 0],
  prod: [1, 1],
  max: [Number.NEGATIVE_INFINITY, -2147483648],
  min: [Number.POSITIVE_INFINITY, 2147483647],
  argmax: [Number.NEGATIVE_INFINITY, -2147483648],
  argmin: [Number.POSITIVE_INFINITY, 2147483647],
};

/** A whole number beyond this is a float. */
const LARGEST_INT = 2147483647;

/** The value an empty reduction gives, and what an invalid read inside it counts as. */
export function identityOf(reducer: Reducer, type: ScalarType): number {
  return IDENTITY[reducer][type === "float" ? 0 : 1];
}

export function bindStatement(context: StatementContext): BoundStatement {
  return new StatementBinder(context).bind();
}

class StatementBinder {
  readonly #context: StatementContext;
  readonly #statement: Statement;
  readonly #name: string;
  readonly #axes: Axis[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #operands: Operand[] = [];
  readonly #reads: number[] = [];
  readonly #indexBinder: IndexBinder;
  /** Axes of each ellipsis group, by position from its first dimension. */
  readonly #groups: ReadonlyMap<string, readonly number[]>;
  readonly #extents: ReadonlyMap<string, number>;
  #fill: Reducer | undefined;

  constructor(context: StatementContext) {
    this.#context = context;
    this.#statement = context.statement;
    this.#name = context.binding.name;
    const shapes = new Map([...context.tensors].map(([name, tensor]) => [name, tensor.operand.shape]));
    if (context.result && !shapes.has(context.result.target)) shapes.set(context.result.target, context.result.shape);
    const found = findExtents(context.statement, shapes, context.binding, context.resultShape, context.partial);
    this.#extents = found.axes;
    this.#groups = new Map([...found.groups].map(([group, shape]) => [group, shape.map((_, d) => d)]));
    for (const [group, shape] of found.groups)
      for (const [d, extent] of shape.entries()) this.#groupExtents.set(groupAxis(group, d), extent);
    this.#indexBinder = new IndexBinder(
      this.#name,
      context.binding,
      (name) => this.#axisNumber(name),
      (node) => this.#indirect(node),
      this.#axes,
    );
  }

  readonly #groupExtents = new Map<string, number>();

  bind(): BoundStatement {
    const { statement, binding } = this.#context;
    const reduction = reductionOf(statement.value);
    const summed = this.#orderAxes(reduction);
    const { index, shape } = this.#output();
    let body: Scalar;
    let epilogue: Scalar | undefined;
    let reducer = reduction?.reducer;
    if (reduction === undefined) {
      body = this.#scalar(statement.value, undefined);
      if (summed) reducer = "sum";
    } else {
      this.#fill = reduction.reducer;
      body = this.#scalar(reduction.body, reduction.reducer);
      this.#fill = undefined;
      const type: ScalarType = reduction.reducer.startsWith("arg") ? "int" : body.type === "bool" ? "int" : body.type;
      if (body.type === "bool") body = cast(body, "int");
      if (statement.value !== reduction) epilogue = this.#scalar(statement.value, undefined, reduction, type);
    }
    if (reducer !== undefined && body.type === "bool") body = cast(body, "int");
    // No axis is left to reduce (all were extent-free): the nest is then a plain map of its body.
    const resultType = epilogue?.type ?? (reducer?.startsWith("arg") ? "int" : body.type);
    const dtype = this.#context.dtype ?? this.#dtype(resultType);
    const axes = this.#axes;
    if (reducer !== undefined && axes.length === this.#free) {
      axes.push({ name: "once", extent: 1 });
    }
    const nest: Nest = {
      name: binding.name,
      operands: this.#operands,
      params: this.#context.params,
      axes,
      free: this.#free,
      reducer,
      body,
      epilogue,
      output: { dtype, shape, index, accumulate: statement.accumulate },
    };
    return { nest, reads: this.#reads };
  }

  #free = 0;

  /** Numbers the loop axes, free ones first; true when axes the result lacks are summed although the statement has no reduction. */
  #orderAxes(reduction: ReduceNode | undefined): boolean {
    const { statement, resultShape, binding } = this.#context;
    const reduced = new Set<string>();
    const lists: number[] = [];
    for (const axis of reduction?.axes ?? []) this.#collectBound(axis, reduced, lists);
    let summed = false;
    const free: string[] = [];
    const plain = statement.indices.every((index) => index.kind === "ellipsis" || index.kind === "name");
    const target: AccessNode = { kind: "access", tensor: statement.target, indices: statement.indices };
    const wanted = resultShape && plain ? splitShape(target, resultShape, binding.name).group : undefined;
    const placed = new Set<string>();
    for (const index of statement.indices) {
      if (index.kind === "ellipsis") {
        const axes = this.#groups.get(index.group) ?? [];
        for (const d of axes) {
          const name = groupAxis(index.group, d);
          placed.add(name);
          const fromEnd = axes.length - d;
          const extent = this.#groupExtents.get(name) as number;
          const missing = wanted !== undefined && (wanted[wanted.length - fromEnd] ?? 0) !== extent;
          if (reduced.has(name)) continue;
          if (missing && extent !== 1) {
            if (reduction !== undefined && (reduction.reducer !== "sum" || statement.value !== reduction))
              throw new ShapeError(
                `${this.#name}: ${statement.target} must be ${shapeText(resultShape as readonly number[])}, which cannot hold the broadcast result`,
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
    this.#free = free.length;
    for (const name of [...free, ...reduced]) {
      this.#numbers.set(name, this.#axes.length);
      this.#axes.push({ name, extent: this.#extentOf(name) });
    }
    if (reduction === undefined && reduced.size > 0) summed = true;
    return summed;
  }

  #collectBound(axis: BoundAxis, reduced: Set<string>, lists: number[]): void {
    for (const name of this.#boundAxes(axis)) reduced.add(name);
    if (axis.kind === "list") lists.push(0);
  }

  /** The loop axes a bound stands for. */
  #boundAxes(axis: BoundAxis): string[] {
    if (axis.kind === "axis") return [axis.name];
    const group = axis.kind === "ellipsis" ? axis.group : "";
    const all = this.#groups.get(group) ?? [];
    if (axis.kind === "ellipsis") return all.map((d) => groupAxis(group, d));
    const list = this.#context.binding.lists?.[axis.attribute];
    if (list === undefined)
      throw new FormulaError(`${this.#name}: the formula needs the axis list '${axis.attribute}'`, {
        hint: `give it among the attributes: { ${axis.attribute}: [0] }`,
      });
    const chosen = new Set<number>();
    for (const entry of list) {
      const d = entry < 0 ? entry + all.length : entry;
      if (!Number.isInteger(entry) || d < 0 || d >= all.length)
        throw new ShapeError(
          `${this.#name}: axis ${entry} does not exist: the tensor has ${all.length} dimension${all.length === 1 ? "" : "s"}`,
          { hint: all.length === 0 ? "a scalar has no axes" : `axes go from ${-all.length} to ${all.length - 1}` },
        );
      if (chosen.has(d)) throw new ShapeError(`${this.#name}: axis ${entry} is named twice in [${list.join(", ")}]`);
      chosen.add(d);
    }
    return [...chosen].sort((a, b) => a - b).map((d) => groupAxis(group, d));
  }

  #extentOf(name: string): number {
    return this.#groupExtents.get(name) ?? (this.#extents.get(name) as number);
  }

  #axisNumber(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  /** Index map and shape of the target. */
  #output(): { index: Index[]; shape: number[] } {
    const { statement, resultShape } = this.#context;
    const index: Index[] = [];
    const shape: number[] = [];
    for (const item of statement.indices) {
      if (item.kind === "ellipsis") {
        const axes = this.#groups.get(item.group) ?? [];
        const rank = resultShape === undefined ? axes.length : resultShape.length - (statement.indices.length - 1);
        for (const d of axes.slice(axes.length - rank)) {
          const number = this.#numbers.get(groupAxis(item.group, d)) as number;
          const isFree = number < this.#free;
          index.push({ kind: "affine", terms: isFree ? [{ axis: number, coefficient: 1 }] : [], offset: 0, divisor: 1, checked: false });
          shape.push(isFree ? this.#extentOf(groupAxis(item.group, d)) : 1);
        }
      } else {
        const bound = this.#indexBinder.index(item);
        index.push(bound);
        if (bound.kind === "affine") shape.push(reachOf(bound, this.#axes));
        else shape.push(0);
      }
    }
    if (resultShape === undefined) {
      if (index.some((item) => item.kind === "indirect"))
        throw new FormulaError(`${this.#name}: the shape of ${statement.target} cannot be inferred from a scatter`, {
          hint: "give the op the shape of its result",
        });
      return { index, shape };
    }
    const checked = index.map((item, d) => (item.kind === "affine" ? this.#indexBinder.check(item, resultShape[d] as number) : item));
    return { index: checked, shape: resultShape.slice() };
  }

  #dtype(type: ScalarType): DType {
    if (type === "bool") return "bool";
    if (type === "int") return "int32";
    return this.#operands.some((operand) => operand.dtype === "float64") ||
      [...this.#context.tensors.values()].some((tensor) => tensor.operand.dtype === "float64")
      ? "float64"
      : "float32";
  }

  #scalar(node: Expression, fill: Reducer | undefined, accumulator?: ReduceNode, accumulatorType: ScalarType = "float"): Scalar {
    const down = (child: Expression): Scalar => this.#scalar(child, fill, accumulator, accumulatorType);
    if (node === accumulator) return { kind: "accumulator", type: accumulatorType };
    switch (node.kind) {
      case "number":
        return constant(node.value, Number.isInteger(node.value) && Math.abs(node.value) <= LARGEST_INT ? "int" : "float");
      case "name":
        return this.#name_(node.name);
      case "access":
        return this.#load(node, fill);
      case "inside": {
        const operand = this.#context.tensors.get(node.access.tensor)?.operand as Operand;
        return { kind: "inside", index: this.#indices(node.access, operand.shape), extents: operand.shape, type: "bool" };
      }
      case "count":
        return constant(
          node.axes.flatMap((axis) => this.#boundAxes(axis)).reduce((total, name) => total * this.#extentOf(name), 1),
          "int",
        );
      case "position":
        return { kind: "position", index: this.#position(node.axes), type: "int" };
      case "call":
        return callOf(node.fn, node.args.map(down), this.#name);
      case "reduce":
        throw new Error("a nested reduction survived normalise");
    }
  }

  #name_(name: string): Scalar {
    const axis = this.#numbers.get(name);
    if (axis !== undefined)
      return {
        kind: "position",
        index: { kind: "affine", terms: [{ axis, coefficient: 1 }], offset: 0, divisor: 1, checked: false },
        type: "int",
      };
    const param = this.#context.params.findIndex((candidate) => candidate.name === name);
    if (param >= 0) return { kind: "param", param, type: (this.#context.params[param] as { type: "float" | "int" }).type };
    const size = this.#context.binding.sizes?.[name];
    if (size === undefined)
      throw new FormulaError(`${this.#name}: the formula needs the size '${name}'`, {
        hint: `give it among the attributes: { ${name}: 3 }`,
      });
    return constant(size, "int");
  }

  #position(axes: readonly BoundAxis[]): AffineIndex {
    const names = axes.flatMap((axis) => this.#boundAxes(axis));
    let stride = 1;
    const terms: { axis: number; coefficient: number }[] = [];
    for (const name of names.reverse()) {
      const axis = this.#numbers.get(name) as number;
      if (this.#extentOf(name) !== 1) terms.push({ axis, coefficient: stride });
      stride *= this.#extentOf(name);
    }
    return { kind: "affine", terms: terms.sort((a, b) => a.axis - b.axis), offset: 0, divisor: 1, checked: false };
  }

  #load(access: AccessNode, fill: Reducer | undefined): Load {
    const tensor = this.#context.tensors.get(access.tensor) as { number: number; operand: Operand };
    let operand = this.#reads.indexOf(tensor.number);
    if (operand < 0) {
      operand = this.#reads.push(tensor.number) - 1;
      this.#operands.push(tensor.operand);
    }
    const type = typeOfDType(tensor.operand.dtype);
    return {
      kind: "load",
      operand,
      index: this.#indices(access, tensor.operand.shape),
      fill: fill === undefined ? 0 : identityOf(fill, type),
      type,
    };
  }

  #indices(access: AccessNode, shape: readonly number[]): Index[] {
    const { group, name } = splitShape(access, shape, this.#name);
    const axes = name === undefined ? [] : (this.#groups.get(name) ?? []);
    return access.indices
      .flatMap((item) => {
        if (item.kind !== "ellipsis") {
          return [this.#indexBinder.index(item)];
        }
        return group.map((extent, d): Index => {
          const axisName = groupAxis(item.group, axes.length - group.length + d);
          const axis = this.#numbers.get(axisName);
          const constantIndex = extent === 1 || axis === undefined;
          return { kind: "affine", terms: constantIndex ? [] : [{ axis, coefficient: 1 }], offset: 0, divisor: 1, checked: false };
        });
      })
      .map((index, d) => (index.kind === "affine" ? this.#indexBinder.check(index, shape[d] as number) : index));
  }

  #indirect(node: Expression): Scalar {
    return cast(this.#scalar(node, this.#fill), "int");
  }
}

/** One more than the largest position an index takes; 0 when it takes none. */
function reachOf(index: AffineIndex, axes: readonly Axis[]): number {
  return index.terms.some((term) => axes[term.axis]?.extent === 0) ? 0 : Math.max(0, intervalOf(index, axes)[1] + 1);
}

function groupAxis(group: string, d: number): string {
  return `...${group}${d}`;
}

export { accessesOf };
