// Binds one normalized statement to a loop nest: body, epilogue, output.

import { LARGEST_INT } from "../../nest/addressable.ts";
import { intervalOf } from "../../nest/interval.ts";
import type { AffineIndex, Axis, DType, Index, Nest, Operand, Scalar, ScalarType } from "../../nest/nest.ts";
import { cast } from "../../nest/typing.ts";
import { FormulaError } from "../../util/errors.ts";
import type { ReduceNode, Statement } from "../ast.ts";
import { ExpressionBinder } from "./bind-expression.ts";
import type { Binding } from "./binding.ts";
import { repeatingAxes } from "./distinct.ts";
import { groupAxis, LoopAxes } from "./loop-axes.ts";
import { reductionOf } from "./normalize.ts";

export interface StatementContext {
  readonly statement: Statement;
  readonly tensors: ReadonlyMap<string, { readonly number: number; readonly operand: Operand }>;
  readonly binding: Binding;
  readonly params: readonly { readonly name: string; readonly type: "float" | "int" }[];
  readonly resultShape: readonly number[] | undefined;
  /** What the target is stored as, where that is given, and what it is stored as if it is a float. */
  readonly dtype: DType | undefined;
  readonly float: DType;
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

export function bindStatement(context: StatementContext): BoundStatement {
  return new StatementBinder(context).bind();
}

class StatementBinder {
  readonly #context: StatementContext;
  readonly #reduction: ReduceNode | undefined;
  readonly #axes: LoopAxes;
  readonly #expressions: ExpressionBinder;

  constructor(context: StatementContext) {
    this.#context = context;
    this.#reduction = reductionOf(context.statement.value);
    this.#axes = new LoopAxes(context, this.#reduction);
    this.#expressions = new ExpressionBinder(context, this.#axes);
  }

  bind(): BoundStatement {
    const { statement, binding } = this.#context;
    const reduction = this.#reduction;
    const { axes, free, summed } = this.#axes;
    const { index, shape } = this.#output();
    if (!statement.accumulate) this.#requireDistinct(index);
    let body: Scalar;
    let epilogue: Scalar | undefined;
    let reducer = reduction?.reducer;
    if (reduction === undefined) {
      body = this.#expressions.scalar(statement.value, undefined);
      if (summed) reducer = "sum";
    } else {
      body = this.#expressions.bodyOf(reduction);
      const type: ScalarType = reduction.reducer.startsWith("arg") ? "int" : body.type === "bool" ? "int" : body.type;
      if (body.type === "bool") body = cast(body, "int");
      const around = (of: ScalarType): Scalar => this.#expressions.scalar(statement.value, undefined, reduction, of);
      if (statement.value !== reduction) epilogue = around(type);
      if (epilogue !== undefined && reducer === "sum" && type === "int" && isOnlyFloat(epilogue) && !this.#holdsSum(body)) {
        body = cast(body, "float");
        epilogue = around("float");
      }
    }
    if (reducer !== undefined && body.type === "bool") body = cast(body, "int");
    // No axis is left to reduce (all were extent-free): the nest is then a plain map of its body.
    const resultType = epilogue?.type ?? (reducer?.startsWith("arg") ? "int" : body.type);
    const dtype = this.#context.dtype ?? this.#dtype(resultType);
    if (reducer !== undefined && axes.length === free) axes.push({ name: "once", extent: 1 });
    const nest: Nest = {
      name: binding.name,
      operands: this.#expressions.operands,
      params: this.#context.params,
      axes,
      free,
      reducer,
      body,
      epilogue,
      output: { dtype, shape, index, accumulate: statement.accumulate },
    };
    return { nest, reads: this.#expressions.reads };
  }

  /** Whether an int holds the sum, whatever the tensors do. */
  #holdsSum(body: Scalar): boolean {
    const { axes, free } = this.#axes;
    const steps = axes.slice(free).reduce((product, axis) => product * axis.extent, 1);
    return steps * largestOf(body, this.#expressions.operands) <= LARGEST_INT;
  }

  /** @throws FormulaError where several steps would write one element */
  #requireDistinct(index: readonly Index[]): void {
    const { axes, free } = this.#axes;
    const repeating = repeatingAxes(index, axes, free);
    if (repeating === undefined) return;
    const names = repeating.map(({ name, extent }) => `${name} (${extent} steps)`).join(" and ");
    throw new FormulaError(
      `${this.#context.binding.name}: several steps of ${names} write one element of ${this.#context.statement.target}`,
      {
        hint: "+= adds up what they write",
      },
    );
  }

  /** Index map and shape of the target. */
  #output(): { index: Index[]; shape: number[] } {
    const { statement, resultShape } = this.#context;
    const axes = this.#axes;
    const index: Index[] = [];
    const shape: number[] = [];
    for (const item of statement.indices) {
      if (item.kind === "ellipsis") {
        const dimensions = axes.group(item.group);
        const rank = resultShape === undefined ? dimensions.length : resultShape.length - (statement.indices.length - 1);
        for (const d of dimensions.slice(dimensions.length - rank)) {
          const number = axes.numberOf(groupAxis(item.group, d)) as number;
          const isFree = number < axes.free;
          index.push({ kind: "affine", terms: isFree ? [{ axis: number, coefficient: 1 }] : [], offset: 0, divisor: 1, checked: false });
          shape.push(isFree ? axes.extentOf(groupAxis(item.group, d)) : 1);
        }
      } else {
        const bound = this.#expressions.indices.index(item);
        index.push(bound);
        if (bound.kind === "affine") shape.push(reachOf(bound, axes.axes));
        else shape.push(0);
      }
    }
    if (resultShape === undefined) {
      if (index.some((item) => item.kind === "indirect"))
        throw new FormulaError(`${this.#context.binding.name}: the shape of ${statement.target} cannot be inferred from a scatter`, {
          hint: "give the op the shape of its result: op.with({ shape: [3] })(…)",
        });
      return { index, shape };
    }
    const checked = index.map((item, d) => (item.kind === "affine" ? this.#expressions.indices.check(item, resultShape[d]!) : item));
    return { index: checked, shape: resultShape.slice() };
  }

  #dtype(type: ScalarType): DType {
    const stored = { float: this.#context.float, int: "int32", bool: "bool" } as const satisfies Record<ScalarType, DType>;
    return stored[type];
  }
}

/**
 * Whether the value of a sum counts as a float wherever it stands, as in a mean: then it need not be summed in ints,
 * which wrap around.
 */
function isOnlyFloat(epilogue: Scalar): boolean {
  if (epilogue.kind === "accumulator") return false;
  return epilogue.kind !== "call" || epilogue.fn === "float" || epilogue.args.every(isOnlyFloat);
}

/** The largest magnitude of an int. */
function largestOf(value: Scalar, operands: readonly Operand[]): number {
  if (value.type === "bool") return 1;
  if (value.kind === "constant") return Math.abs(value.value);
  if (value.kind === "load" && operands[value.operand]?.dtype === "uint8") return Math.max(255, Math.abs(value.fill));
  if (value.kind === "call" && (value.fn === "int" || value.fn === "select"))
    return Math.max(...value.args.slice(value.fn === "select" ? 1 : 0).map((arg) => largestOf(arg, operands)));
  return LARGEST_INT;
}

/** One more than the largest position an index takes; 0 when it takes none. */
function reachOf(index: AffineIndex, axes: readonly Axis[]): number {
  return index.terms.some((term) => axes[term.axis]?.extent === 0) ? 0 : Math.max(0, intervalOf(index, axes)[1] + 1);
}
