// Binds expressions to the loop axes of a statement: reads of tensors, positions, parameters, calls.

import { identityOf } from "../../nest/identity.ts";
import { isHeldBy } from "../../nest/integers.ts";
import type { AffineIndex, Index, Load, Operand, Reducer, Scalar, ScalarType } from "../../nest/nest.ts";
import { callOf, cast, constant, typeOfDType } from "../../nest/typing.ts";
import type { AccessNode, BoundAxis, Expression, ReduceNode } from "../ast.ts";
import { IndexBinder } from "./bind-index.ts";
import type { Binding } from "./binding.ts";
import { splitShape } from "./extents.ts";
import { groupAxis, type LoopAxes } from "./loop-axes.ts";
import { sizeNamed } from "./sizes.ts";

export interface ExpressionContext {
  readonly tensors: ReadonlyMap<string, { readonly number: number; readonly operand: Operand }>;
  readonly binding: Binding;
  readonly params: readonly { readonly name: string; readonly type: "float" | "int" }[];
}

export class ExpressionBinder {
  /** The operands read so far. */
  readonly operands: Operand[] = [];
  /** Their buffer numbers. */
  readonly reads: number[] = [];
  readonly indices: IndexBinder;
  readonly #axes: LoopAxes;
  readonly #tensors: ExpressionContext["tensors"];
  readonly #binding: Binding;
  readonly #params: ExpressionContext["params"];
  #fill: Reducer | undefined;

  constructor({ tensors, binding, params }: ExpressionContext, axes: LoopAxes) {
    this.#axes = axes;
    this.#tensors = tensors;
    this.#binding = binding;
    this.#params = params;
    this.indices = new IndexBinder(
      binding,
      (name) => axes.numberOf(name),
      (node) => this.#indirect(node),
      axes.axes,
    );
  }

  /** The body of a reduction. */
  bodyOf(reduction: ReduceNode): Scalar {
    this.#fill = reduction.reducer;
    const body = this.scalar(reduction.body, reduction.reducer);
    this.#fill = undefined;
    return body;
  }

  /**
   * @param fill the reducer around it: what a read outside of a tensor counts as
   * @param accumulator the reduction that the expression is an epilogue of, and the type of its value
   */
  scalar(node: Expression, fill: Reducer | undefined, accumulator?: ReduceNode, accumulatorType: ScalarType = "float"): Scalar {
    const down = (child: Expression): Scalar => this.scalar(child, fill, accumulator, accumulatorType);
    if (node === accumulator) return { kind: "accumulator", type: accumulatorType };
    switch (node.kind) {
      case "number":
        return written(node.value);
      case "name":
        return this.#named(node.name);
      case "access":
        return this.#load(node, fill);
      case "inside": {
        const operand = this.#tensors.get(node.access.tensor)?.operand as Operand;
        return { kind: "inside", index: this.#indices(node.access, operand.shape), extents: operand.shape, type: "bool" };
      }
      case "count":
        return written(node.axes.flatMap((axis) => this.#axes.bound(axis)).reduce((total, name) => total * this.#axes.extentOf(name), 1));
      case "position":
        return { kind: "position", index: this.#position(node.axes), type: "int" };
      case "call":
        return callOf(node.fn, node.args.map(down), this.#binding.name);
      case "reduce":
        throw new Error("a nested reduction survived normalize");
    }
  }

  #named(name: string): Scalar {
    const axis = this.#axes.numberOf(name);
    if (axis !== undefined)
      return {
        kind: "position",
        index: { kind: "affine", terms: [{ axis, coefficient: 1 }], offset: 0, divisor: 1, checked: false },
        type: "int",
      };
    const param = this.#params.findIndex((candidate) => candidate.name === name);
    if (param >= 0) return { kind: "param", param, type: (this.#params[param] as { type: "float" | "int" }).type };
    return constant(sizeNamed(name, this.#binding), "int");
  }

  #position(axes: readonly BoundAxis[]): AffineIndex {
    const names = axes.flatMap((axis) => this.#axes.bound(axis));
    let stride = 1;
    const terms: { axis: number; coefficient: number }[] = [];
    for (const name of names.reverse()) {
      const axis = this.#axes.numberOf(name) as number;
      if (this.#axes.extentOf(name) !== 1) terms.push({ axis, coefficient: stride });
      stride *= this.#axes.extentOf(name);
    }
    return { kind: "affine", terms: terms.sort((a, b) => a.axis - b.axis), offset: 0, divisor: 1, checked: false };
  }

  #load(access: AccessNode, fill: Reducer | undefined): Load {
    const tensor = this.#tensors.get(access.tensor)!;
    let operand = this.reads.indexOf(tensor.number);
    if (operand < 0) {
      operand = this.reads.push(tensor.number) - 1;
      this.operands.push(tensor.operand);
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
    const { group, name } = splitShape(access, shape, this.#binding.name);
    const axes = name === undefined ? [] : this.#axes.group(name);
    return access.indices
      .flatMap((item) => {
        if (item.kind !== "ellipsis") {
          return [this.indices.index(item)];
        }
        return group.map((extent, d): Index => {
          const axisName = groupAxis(item.group, axes.length - group.length + d);
          const axis = this.#axes.numberOf(axisName);
          const constantIndex = extent === 1 || axis === undefined;
          return { kind: "affine", terms: constantIndex ? [] : [{ axis, coefficient: 1 }], offset: 0, divisor: 1, checked: false };
        });
      })
      .map((index, d) => (index.kind === "affine" ? this.indices.check(index, shape[d]!) : index));
  }

  #indirect(node: Expression): Scalar {
    const value = this.scalar(node, this.#fill);
    if (value.type !== "float") return cast(value, "int");
    // A float that is no whole number (NaN, too) points at no element, as a quotient that is none.
    const whole = callOf("eq", [callOf("trunc", [value], this.#binding.name), value], this.#binding.name);
    return callOf("select", [whole, cast(value, "int"), constant(-1, "int")], this.#binding.name);
  }
}

/** A number of a formula: an int where int32 holds it, else a float. */
function written(value: number): Scalar {
  return constant(value, isHeldBy("int32", value) ? "int" : "float");
}
