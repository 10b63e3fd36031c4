// Binds index expressions: affine ones become coefficients per loop axis, others the value of an int expression.

import { intervalOf } from "../../nest/interval.ts";
import type { AffineIndex, Axis, Index, Scalar } from "../../nest/nest.ts";
import { FormulaError } from "../../util/errors.ts";
import { type Expression, visit } from "../ast.ts";
import type { Binding } from "./binding.ts";
import { exactly, integerOf, sizeNamed } from "./sizes.ts";

interface Linear {
  readonly terms: ReadonlyMap<number, number>;
  readonly offset: number;
  readonly divisor: number;
}

export class IndexBinder {
  readonly #binding: Binding;
  readonly #axisNumber: (name: string) => number | undefined;
  readonly #indirect: (node: Expression) => Scalar;
  readonly #axes: readonly Axis[];

  constructor(
    binding: Binding,
    axisNumber: (name: string) => number | undefined,
    indirect: (node: Expression) => Scalar,
    axes: readonly Axis[],
  ) {
    this.#binding = binding;
    this.#axisNumber = axisNumber;
    this.#indirect = indirect;
    this.#axes = axes;
  }

  index(node: Expression): Index {
    let readsTensor = false;
    visit(node, (child) => {
      if (child.kind === "access") readsTensor = true;
    });
    if (readsTensor) return { kind: "indirect", value: this.#indirect(node) };
    const { terms, offset, divisor } = reduceFraction(this.#linear(node));
    for (const number of [...terms.values(), offset, divisor]) integerOf(number, "a factor or offset of an index", this.#binding);
    const sorted = [...terms].filter(([, coefficient]) => coefficient !== 0).sort(([a], [b]) => a - b);
    return { kind: "affine", terms: sorted.map(([axis, coefficient]) => ({ axis, coefficient })), offset, divisor, checked: true };
  }

  /** The same index with `checked` false where every step is proven inside [0, extent). */
  check(index: AffineIndex, extent: number): AffineIndex {
    const terms = index.terms.filter((term) => this.#axes[term.axis]!.extent !== 1);
    const [low, high] = intervalOf({ ...index, terms }, this.#axes);
    const safe = index.divisor === 1 && low >= 0 && high < extent;
    return { ...index, terms, checked: !safe };
  }

  #linear(node: Expression): Linear {
    if (node.kind === "number") return whole(integerOf(node.value, "an index", this.#binding));
    if (node.kind === "name") {
      const axis = this.#axisNumber(node.name);
      if (axis !== undefined) return { terms: new Map([[axis, 1]]), offset: 0, divisor: 1 };
      return whole(sizeNamed(node.name, this.#binding));
    }
    if (node.kind === "call") {
      const [a, b] = node.args.map((arg) => this.#exact(this.#linear(arg)));
      if (a && node.fn === "neg") return scale(a, -1);
      if (a && b && node.fn === "add") return add(a, b, 1);
      if (a && b && node.fn === "sub") return add(a, b, -1);
      if (a && b && node.fn === "mul") {
        if (isConstant(b)) return scale(a, b.offset);
        if (isConstant(a)) return scale(b, a.offset);
      }
      if (a && b && node.fn === "div" && isConstant(b) && b.offset !== 0) {
        const sign = Math.sign(b.offset);
        return { ...scale(a, sign), divisor: a.divisor * Math.abs(b.offset) };
      }
    }
    throw new FormulaError(
      `${this.#binding.name}: an index must be affine in the axes (like i*s + p - pad), or the value of an integer tensor (like ids[n])`,
    );
  }

  #exact(value: Linear): Linear {
    for (const number of [...value.terms.values(), value.offset, value.divisor]) exactly(number, this.#binding);
    return value;
  }
}

const whole = (value: number): Linear => ({ terms: new Map(), offset: value, divisor: 1 });

function isConstant(value: Linear): boolean {
  return value.divisor === 1 && [...value.terms.values()].every((coefficient) => coefficient === 0);
}

function scale(value: Linear, factor: number): Linear {
  return {
    terms: new Map([...value.terms].map(([axis, coefficient]) => [axis, coefficient * factor])),
    offset: value.offset * factor,
    divisor: value.divisor,
  };
}

function add(a: Linear, b: Linear, sign: number): Linear {
  const left = scale(a, b.divisor);
  const right = scale(b, sign * a.divisor);
  const terms = new Map(left.terms);
  for (const [axis, coefficient] of right.terms) terms.set(axis, (terms.get(axis) ?? 0) + coefficient);
  return { terms, offset: left.offset + right.offset, divisor: a.divisor * b.divisor };
}

function reduceFraction(value: Linear): Linear {
  if (value.divisor === 1) return value;
  const parts = [...value.terms.values(), value.offset];
  if (!parts.every((part) => part % value.divisor === 0)) return value;
  return {
    terms: new Map([...value.terms].map(([axis, coefficient]) => [axis, coefficient / value.divisor])),
    offset: value.offset / value.divisor,
    divisor: 1,
  };
}
