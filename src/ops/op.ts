// What an op is: a named formula with attributes, optional hand-written gradients, and documentation.

import type { Formula } from "../formula/ast.ts";
import { parseFormula } from "../formula/parse.ts";
import { unknownOption } from "../util/options.ts";

/** How the op is scheduled and explained. `view` ops copy nothing. */
export type OpKind = "map" | "reduce" | "contract" | "window" | "move" | "gather" | "random" | "composite" | "view" | "update";

/** What an op is, in words. */
export interface OpDoc {
  readonly en: string;
  readonly ja?: string;
  /** Paper, textbook section or definition. */
  readonly source?: string;
}

/** An op of the catalogue: a formula with its gradients and attributes. */
export interface Op {
  readonly name: string;
  readonly kind: OpKind;
  /** As written in the row. */
  readonly source: string;
  readonly formula: Formula;
  /** Written gradients by input; the others are derived. */
  readonly gradient: Readonly<Record<string, Formula>>;
  /** Types of the run-time numbers. */
  readonly params: Readonly<Record<string, "float" | "int">>;
  /** Values of attributes the caller does not give. */
  readonly defaults: Readonly<Record<string, number>>;
  /** What axes mean, for errors. */
  readonly axisNames: Readonly<Record<string, string>>;
  /**
   * The input whose float dtype the result has, whatever the others are: weights and statistics do not widen
   * activations.
   */
  readonly storedLike?: string;
  readonly doc: OpDoc;
}

/** What a formula does not say by itself. */
export interface OpOptions {
  /**
   * For each input its gradient, as an expression over gy, the inputs and y, or as statements whose last defines
   * g‹input›.
   */
  readonly gradient?: Readonly<Record<string, string>>;
  /** Numbers read at run time: a default value, or "int" / "float" when the caller must give it. */
  readonly params?: Readonly<Record<string, number | "float" | "int">>;
  /** Integers that decide shapes, beyond those that appear inside an index; a default value or "required". */
  readonly sizes?: Readonly<Record<string, number | "required">>;
  readonly axisNames?: Readonly<Record<string, string>>;
  readonly storedLike?: string;
  readonly doc?: OpDoc;
}

/** @throws FormulaError with the position when the formula or a gradient does not parse */
export function makeOp(kind: OpKind, name: string, source: string, options: OpOptions = {}): Op {
  const params = options.params ?? {};
  const sizes = options.sizes ?? {};
  const parseOptions = { params: Object.keys(params), sizes: Object.keys(sizes) };
  const formula = parseFormula(source, parseOptions);
  const gradientOptions = { params: parseOptions.params, sizes: [...formula.sizes] };
  const gradient: Record<string, Formula> = {};
  for (const [input, text] of Object.entries(options.gradient ?? {})) {
    const statements = /(^|[^<>=!+])=([^=]|$)/m.test(text) ? text : `g${input} = ${text}`;
    gradient[input] = {
      ...parseFormula(statements, gradientOptions),
      params: formula.params,
      sizes: formula.sizes,
      lists: formula.lists,
      derived: "whole",
    };
  }
  const numbers = [...Object.entries(params), ...Object.entries(sizes)].filter(
    (entry): entry is [string, number] => typeof entry[1] === "number",
  );
  return {
    name,
    kind,
    source,
    formula,
    gradient,
    params: Object.fromEntries(Object.entries(params).map(([key, value]) => [key, value === "int" ? "int" : "float"])),
    defaults: Object.fromEntries(numbers),
    axisNames: options.axisNames ?? {},
    storedLike: options.storedLike,
    doc: options.doc ?? { en: "" },
  };
}

type Row = (name: string, source: string, options?: OpOptions) => Op;

const row =
  (kind: OpKind): Row =>
  (name, source, options) =>
    makeOp(kind, name, source, options);

export const map = row("map");
export const reduce = row("reduce");
export const contract = row("contract");
export const window = row("window");
export const move = row("move");
export const gather = row("gather");
export const random = row("random");
export const composite = row("composite");
export const update = row("update");

/** @throws InputError for an attribute that the op does not read, with the nearest one */
export function checkAttributes({ name, formula: { params, sizes, lists } }: Op, attributes: object): void {
  for (const given in attributes)
    if (!params.includes(given) && !sizes.includes(given) && !lists.includes(given))
      throw unknownOption(name, given, [...params, ...sizes, ...lists]);
}

/** Ops of one family made on demand (one per rank, permutation, …), each made once. */
export function family<Key extends readonly unknown[]>(make: (...key: Key) => Op): (...key: Key) => Op {
  const made = new Map<string, Op>();
  return (...key) => {
    const text = JSON.stringify(key);
    let op = made.get(text);
    if (op === undefined) {
      op = make(...key);
      made.set(text, op);
    }
    return op;
  };
}

/** Axis names a, b, c, … for generated formulas. */
export function axisLetters(rank: number): string[] {
  return Array.from({ length: rank }, (_, d) => `i${d}`);
}
