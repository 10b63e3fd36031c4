// Hash-consing of scalar expressions: equal ones get one number, with their axes and number of uses.

import type { Index, Scalar } from "../../nest/nest.ts";
import { affineIndicesOf, childrenOf } from "./access.ts";

export interface Info {
  readonly id: number;
  readonly scalar: Scalar;
  /** Bit a is set when the value depends on axis a. */
  readonly axes: number;
  readonly usesAccumulator: boolean;
  /** Places that use it, counting equal parents once. */
  uses: number;
}

export class Interner {
  readonly #byKey = new Map<string, Info>();
  readonly #byScalar = new Map<Scalar, Info>();

  of(scalar: Scalar): Info {
    const known = this.#byScalar.get(scalar);
    if (known !== undefined) return known;
    const key = this.#key(scalar);
    let info = this.#byKey.get(key);
    if (info === undefined) {
      let axes = 0;
      for (const index of affineIndicesOf(scalar)) for (const term of index.terms) axes |= 1 << term.axis;
      let usesAccumulator = scalar.kind === "accumulator";
      for (const child of childrenOf(scalar)) {
        const inner = this.of(child);
        inner.uses++;
        axes |= inner.axes;
        usesAccumulator ||= inner.usesAccumulator;
      }
      info = { id: this.#byKey.size, scalar, axes, usesAccumulator, uses: 0 };
      this.#byKey.set(key, info);
    }
    this.#byScalar.set(scalar, info);
    return info;
  }

  #key(scalar: Scalar): string {
    switch (scalar.kind) {
      case "constant":
        return `c ${scalar.type} ${Object.is(scalar.value, -0) ? "-0" : scalar.value}`;
      case "param":
        return `p ${scalar.param}`;
      case "accumulator":
        return "accumulator";
      case "position":
        return `i ${this.#indexKey(scalar.index)}`;
      case "load":
        return `l ${scalar.operand} ${scalar.type} ${scalar.fill} ${scalar.index.map((index) => this.#indexKey(index)).join(";")}`;
      case "inside":
        return `n ${scalar.extents.join()} ${scalar.index.map((index) => this.#indexKey(index)).join(";")}`;
      case "call":
        return `f ${scalar.fn} ${scalar.type} ${scalar.args.map((arg) => this.of(arg).id).join()}`;
    }
  }

  #indexKey(index: Index): string {
    if (index.kind === "indirect") return `@${this.of(index.value).id}`;
    const terms = index.terms.map(({ axis, coefficient }) => `${coefficient}*${axis}`).join("+");
    return `(${terms}+${index.offset})/${index.divisor}${index.checked ? "?" : ""}`;
  }
}

/** The same expression, in which equal parts are one object. */
export function withSharedParts(scalar: Scalar, interner = new Interner()): Scalar {
  const made = new Map<number, Scalar>();
  const shared = (node: Scalar): Scalar => {
    const { id } = interner.of(node);
    let one = made.get(id);
    if (one === undefined) {
      one = node.kind === "call" ? { ...node, args: node.args.map(shared) } : node;
      made.set(id, one);
    }
    return one;
  };
  return shared(scalar);
}
