// The symbolic gradient of a formula, itself a formula: for y[o] = Σ_r f(x[e(o, r)]), gx[m] = Σ_{o,r : e(o,r) = m} gy[o] · ∂f/∂x.

import { FormulaError } from "../util/errors.ts";
import { mentions, solveFor } from "./affine.ts";
import {
  type AccessNode,
  type BoundAxis,
  call,
  type Expression,
  expressionsOf,
  type Formula,
  type IndexNode,
  isPlain,
  isSame,
  name,
  number,
  type ReduceNode,
  type Statement,
  tensorsIn,
  transform,
  visit,
} from "./ast.ts";
import { accessesOf } from "./extents.ts";
import { FUNCTIONS } from "./functions.ts";
import type { FunctionName } from "./nest.ts";
import { freeIndices, normalise, pick } from "./normalise.ts";
import { parseFormula } from "./parse.ts";
import { replaceEqual, simplify } from "./simplify.ts";

/** Name of the upstream gradient of a tensor in derived and written gradient formulas. */
export function gradientName(tensor: string): string {
  return `g${tensor}`;
}

/**
 * The gradient of a one-statement (or piecewise) formula by one of its inputs, as formulas whose results, each of the input's shape, add up.
 * Their inputs are the upstream gradient `gy` (for a result named y), the inputs and `y` where the derivative needs them.
 * Empty when no gradient flows (comparisons, floor, indices).
 */
export function deriveGradient(formula: Formula, input: string): Formula[] {
  const normal = normalise(formula);
  const result = (normal.statements[normal.statements.length - 1] as Statement).target;
  if (normal.statements.some((statement) => statement.target !== result))
    throw new Error("deriveGradient takes one statement at a time; decompose the formula first");
  const upstream = gradientName(result);
  if (formula.inputs.includes(upstream))
    throw new FormulaError(`formula: the input ${upstream} has the name of the gradient of ${result}`, {
      hint: "give that input another name",
    });
  const attributes: Attributes = new Set([...formula.sizes, ...formula.params]);
  const names = new Set([...formula.inputs, result, upstream]);
  const partial = formula.derived === "partial" || formula.statements.length > 1;
  const contributions = normal.statements.flatMap((statement) =>
    new Reverse(statement, input, { attributes, names, partial, isResult: formula.derived === undefined }).contributions(),
  );
  const target = targetName(input, names);
  return merge(contributions).map((contribution) => finish(contribution, target, formula, partial));
}

/** g‹input›, or where that (or the name of its own gradient) is taken, as in the gradient of gx = gy · y by y, the first free of g‹input›2, … */
function targetName(input: string, names: ReadonlySet<string>): string {
  const free = (candidate: string): boolean => !names.has(candidate) && !names.has(gradientName(candidate));
  const plain = gradientName(input);
  if (free(plain)) return plain;
  for (let n = 2; ; n++) if (free(`${plain}${n}`)) return `${plain}${n}`;
}

type Attributes = ReadonlySet<string>;

/** One access of the input: gx[target] (+)= Σ over axes of the adjoint. */
interface Contribution {
  /** Statements that must run first (argmax of a pooling window, …). */
  readonly before: readonly Statement[];
  readonly indices: readonly IndexNode[];
  readonly scatter: boolean;
  /** Extents the loop axes of a scatter were given. */
  readonly extents: Readonly<Record<string, Expression>>;
  readonly value: Expression;
}

interface Context {
  readonly attributes: Attributes;
  /** Names of tensors that are taken. */
  readonly names: Set<string>;
  readonly partial: boolean;
  /** The result equals its expression: it may be read instead of computing that again. */
  readonly isResult: boolean;
}

class Reverse {
  readonly #statement: Statement;
  readonly #input: string;
  readonly #attributes: Attributes;
  readonly #context: Context;
  readonly #found: Contribution[] = [];
  readonly #before: Statement[] = [];

  constructor(statement: Statement, input: string, context: Context) {
    this.#statement = statement;
    this.#input = input;
    this.#attributes = context.attributes;
    this.#context = context;
  }

  contributions(): Contribution[] {
    this.#walk(this.#statement.value, this.#upstream, []);
    return this.#found;
  }

  get #upstream(): AccessNode {
    return { kind: "access", tensor: gradientName(this.#statement.target), indices: this.#statement.indices };
  }

  #walk(node: Expression, adjoint: Expression, scope: readonly BoundAxis[]): void {
    if (!reads(node, this.#input)) return;
    if (node.kind === "access") {
      if (node.tensor === this.#input) this.#found.push(this.#solve(node, this.#anchor(node, adjoint, scope), scope));
    } else if (node.kind === "call") this.#call(node.fn, node, adjoint, scope);
    else if (node.kind === "reduce") this.#reduce(node, adjoint, scope);
  }

  #call(fn: keyof typeof FUNCTIONS, node: Extract<Expression, { kind: "call" }>, adjoint: Expression, scope: readonly BoundAxis[]): void {
    const row = FUNCTIONS[fn];
    row.parameters.forEach((parameter, position) => {
      const rule = row.derivative?.[parameter];
      const argument = node.args[position];
      if (rule === undefined || argument === undefined || !reads(argument, this.#input)) return;
      const values: Record<string, Expression> = { g: adjoint };
      row.parameters.forEach((other, place) => {
        values[other] = node.args[place] as Expression;
      });
      this.#walk(argument, this.#stash(simplify(instantiate(rule, values))), scope);
    });
  }

  #reduce(node: ReduceNode, adjoint: Expression, scope: readonly BoundAxis[]): void {
    const within = [...scope, ...node.axes];
    if (node.reducer === "sum") this.#walk(node.body, adjoint, within);
    else if (node.reducer === "max" || node.reducer === "min") {
      const winner = this.#stash({ ...node, reducer: node.reducer === "max" ? "argmax" : "argmin" });
      const here: Expression = { kind: "position", axes: node.axes };
      this.#walk(node.body, call("select", call("eq", winner, here), adjoint, number(0)), within);
    } else if (node.reducer === "prod") {
      // Without dividing by zero: the product of the others is y / x where nothing is 0, else it is taken over the others explicitly.
      const zeros = this.#stash({ ...node, reducer: "sum", body: call("select", call("eq", node.body, number(0)), number(1), number(0)) });
      const others = this.#stash({ ...node, body: call("select", call("eq", node.body, number(0)), number(1), node.body) });
      const isZero = call("eq", node.body, number(0));
      const single = call("select", call("and", isZero, call("eq", zeros, number(1))), others, number(0));
      const factor = call("select", call("eq", zeros, number(0)), call("div", others, node.body), single);
      this.#walk(node.body, call("mul", adjoint, factor), within);
    }
  }

  /** Moves reductions inside an adjoint into statements of their own over the axes they vary with, so that solving does not repeat them. */
  #stash(value: Expression): Expression {
    const { value: forward, target: result, indices: left, extents } = this.#statement;
    if (isSame(value, forward)) return value;
    return transform(value, (node) => {
      if (node.kind !== "reduce") return node;
      if (this.#context.isResult && forward.kind === "reduce" && isSame(node, forward))
        return { kind: "access", tensor: result, indices: left };
      const indices = freeIndices(node, this.#attributes);
      const known = this.#before.find((statement) => isSame(statement.value, node));
      const target = known?.target ?? this.#fresh(node.reducer);
      if (!known)
        this.#before.push({ target, indices, extents: pick(extents, indices), accumulate: false, value: node, like: this.#upstream });
      return { kind: "access", tensor: target, indices };
    });
  }

  #fresh(stem: string): string {
    for (let n = 0; ; n++) {
      const candidate = `${stem}${n}`;
      if (this.#context.names.has(candidate) || this.#context.names.has(gradientName(candidate))) continue;
      this.#context.names.add(candidate);
      return candidate;
    }
  }

  /**
   * The adjoint, tied to tensors that decide how often it is summed: the gradient of sum[...](x − m) by m does not read x, yet is as many
   * times −gy as x has elements. `inside(x[...])` gives the extents and is always true.
   */
  #anchor(input: AccessNode, adjoint: Expression, scope: readonly BoundAxis[]): Expression {
    const groups = new Set<string>();
    const names = new Set<string>();
    for (const axis of scope) {
      if (axis.kind === "axis") {
        if (axis.extent === undefined) names.add(axis.name);
      } else groups.add(axis.kind === "ellipsis" ? axis.group : "");
    }
    // A gradient may have summed axes that only the shape of its result tells.
    if (!this.#context.isResult) for (const index of this.#statement.indices) if (index.kind === "ellipsis") groups.add(index.group);
    const present = accessesOf(adjoint);
    const given = new Set(
      [...present, input].flatMap((access) => access.indices.flatMap((index) => (index.kind === "name" ? [index.name] : []))),
    );
    let tied = adjoint;
    for (const access of accessesOf(this.#statement.value)) {
      if (access.tensor === this.#input || present.some((other) => isSame(other, access))) continue;
      const needed = access.indices.some((index) =>
        index.kind === "ellipsis" ? groups.has(index.group) : index.kind === "name" && names.has(index.name) && !given.has(index.name),
      );
      if (!needed) continue;
      present.push(access);
      tied = call("select", { kind: "inside", access }, tied, number(0));
    }
    return tied;
  }

  /** Turns "add the adjoint to gx[indices]" into "gx[m] = Σ adjoint" by solving indices = m for loop axes; scatters where that is impossible. */
  #solve(access: AccessNode, adjoint: Expression, scope: readonly BoundAxis[]): Contribution {
    const before = this.#before.slice();
    const left = new Set(this.#statement.indices.flatMap((index) => (index.kind === "name" ? [index.name] : [])));
    const extents = new Map<string, Expression | undefined>();
    const groups = new Set<string>();
    for (const index of this.#statement.indices) if (index.kind === "ellipsis") groups.add(index.group);
    for (const statementIndex of this.#statement.indices)
      if (statementIndex.kind !== "ellipsis" && statementIndex.kind !== "name")
        visit(statementIndex, (node) => node.kind === "name" && !this.#attributes.has(node.name) && left.add(node.name));
    for (const axis of left) extents.set(axis, undefined);
    for (const axis of scope) {
      if (axis.kind === "axis") extents.set(axis.name, axis.extent);
      else if (axis.kind === "ellipsis") groups.add(axis.group);
    }
    const plainLeft = new Set(this.#statement.indices.flatMap((index) => (index.kind === "name" ? [index.name] : [])));
    const used = new Set<string>([...extents.keys(), ...this.#attributes]);
    let value = adjoint;
    let upstream: Expression = { kind: "inside", access: this.#upstream };
    let pending = access.indices.slice();
    const free = new Set<string>();
    const eliminated = new Set<string>();
    const target: IndexNode[] = [];
    for (let d = 0; d < pending.length; d++) {
      const index = pending[d] as IndexNode;
      if (index.kind === "ellipsis") {
        groups.delete(index.group);
        target.push(index);
        continue;
      }
      if (index.kind === "name" && extents.has(index.name) && !free.has(index.name)) {
        free.add(index.name);
        target.push(index);
        continue;
      }
      const axis = [...plainLeft].find((candidate) => !free.has(candidate) && !eliminated.has(candidate) && mentions(index, candidate));
      const m = freshAxis(used);
      const solution = axis === undefined ? undefined : solveFor(index, axis, name(m));
      if (axis === undefined || solution === undefined || countsWith(adjoint, axis)) return this.#scatter(access, adjoint, scope, before);
      used.add(m);
      const replace = (node: Expression): Expression => substitute(node, axis, solution);
      // The upstream gradient is read at the solution, where an index out of range or not divisible reads 0.
      value = replace(value);
      upstream = replace(upstream);
      pending = pending.map((item) => (item.kind === "ellipsis" ? item : replace(item)));
      eliminated.add(axis);
      free.add(m);
      target.push(name(m));
    }
    const summed: BoundAxis[] = [...groups].map((group) => ({ kind: "ellipsis", group }) as const);
    for (const [axis, extent] of extents)
      if (!free.has(axis) && !eliminated.has(axis))
        summed.push({ kind: "axis", name: axis, extent: extent ?? this.#statement.extents[axis] });
    // Where that product is 0 · f(0), f may be infinite at what is read beyond the other tensors: 1 / w[h - 1] at h = 0.
    if ((eliminated.size > 0 || this.#context.partial) && !isFiniteAtZero(value)) value = call("select", upstream, value, number(0));
    const total: Expression = summed.length === 0 ? value : { kind: "reduce", reducer: "sum", axes: summed, body: value };
    return { before, indices: target, scatter: false, extents: {}, value: total };
  }

  #scatter(access: AccessNode, adjoint: Expression, scope: readonly BoundAxis[], before: readonly Statement[]): Contribution {
    const extents: Record<string, Expression> = { ...this.#statement.extents };
    for (const axis of scope) if (axis.kind === "axis" && axis.extent) extents[axis.name] = axis.extent;
    return { before, indices: access.indices, scatter: true, extents, value: adjoint };
  }
}

/** Contributions to all axes at once (pointwise) are one expression; others stay formulas of their own. */
function merge(contributions: readonly Contribution[]): Contribution[] {
  const merged: Contribution[] = [];
  for (const contribution of contributions) {
    const twin = merged.findIndex(
      (other) =>
        !other.scatter && !contribution.scatter && sameIndices(other, contribution) && isPointwise(other) && isPointwise(contribution),
    );
    const other = merged[twin];
    if (other === undefined) merged.push(contribution);
    else
      merged[twin] = {
        ...other,
        before: [
          ...other.before,
          ...contribution.before.filter((statement) => !other.before.some((known) => known.target === statement.target)),
        ],
        value: call("add", other.value, contribution.value),
      };
  }
  return merged;
}

const FINITE_AT_ZERO: ReadonlySet<FunctionName> = new Set<FunctionName>([
  "add",
  "sub",
  "mul",
  "neg",
  "min",
  "max",
  "abs",
  "sign",
  "lt",
  "le",
  "gt",
  "ge",
  "eq",
  "ne",
  "and",
  "or",
  "not",
  "select",
  "float",
  "int",
  "bool",
]);

/** Whether an expression is finite wherever the tensors it reads are finite or 0. */
function isFiniteAtZero(node: Expression): boolean {
  if (node.kind === "reduce") return isFiniteAtZero(node.body);
  if (node.kind !== "call") return true;
  const divisor = node.fn === "div" ? node.args[1] : undefined;
  const safe = FINITE_AT_ZERO.has(node.fn) || (divisor?.kind === "number" && divisor.value !== 0);
  return safe && node.args.every(isFiniteAtZero);
}

/** Whether an axis takes part in a position or count among several, which cannot be rewritten by a solution for the axis. */
function countsWith(node: Expression, axis: string): boolean {
  let found = false;
  visit(node, (child) => {
    if ((child.kind === "position" || child.kind === "count") && child.axes.some((bound) => bound.kind === "axis" && bound.name === axis))
      found = true;
  });
  return found;
}

function sameIndices(a: Contribution, b: Contribution): boolean {
  return isSame(a.indices, b.indices);
}

function isPointwise(contribution: Contribution): boolean {
  return isPlain({ kind: "access", tensor: "", indices: contribution.indices }) && contribution.value.kind !== "reduce";
}

function finish(contribution: Contribution, target: string, formula: Formula, partial: boolean): Formula {
  const forward = formula.statements.length === 1 ? (formula.statements[0] as Statement) : undefined;
  const useResult = (node: Expression): Expression => {
    if (!forward || formula.derived !== undefined || forward.value.kind === "access" || forward.accumulate) return node;
    return replaceEqual(node, forward.value, { kind: "access", tensor: forward.target, indices: forward.indices });
  };
  const last: Statement = {
    target,
    indices: contribution.indices,
    extents: contribution.extents,
    accumulate: contribution.scatter,
    value: simplify(useResult(simplify(contribution.value))),
  };
  const needed = new Set<string>();
  for (const expression of expressionsOf(last)) tensorsIn(expression, (tensor) => needed.add(tensor));
  const before = contribution.before.filter((statement) => needed.has(statement.target));
  const statements = [...before, last];
  const defined = new Set(statements.map((statement) => statement.target));
  const inputs = new Set<string>();
  for (const statement of statements)
    for (const expression of expressionsOf(statement)) tensorsIn(expression, (tensor) => !defined.has(tensor) && inputs.add(tensor));
  return {
    statements,
    inputs: [...inputs],
    sizes: formula.sizes,
    lists: formula.lists,
    params: formula.params,
    derived: partial ? "partial" : "whole",
  };
}

const rules = new Map<string, Expression>();

function instantiate(rule: string, values: Readonly<Record<string, Expression>>): Expression {
  let parsed = rules.get(rule);
  if (parsed === undefined) {
    parsed = (parseFormula(`value = ${rule}`).statements[0] as Statement).value;
    rules.set(rule, parsed);
  }
  return transform(parsed, (node) => (node.kind === "access" ? (values[node.tensor] as Expression) : node));
}

function reads(node: Expression, tensor: string): boolean {
  let found = false;
  visit(node, (child) => {
    if (child.kind === "access" && child.tensor === tensor) found = true;
  });
  return found;
}

function substitute(node: Expression, axis: string, value: Expression): Expression {
  return simplify(transform(node, (child) => (child.kind === "name" && child.name === axis ? value : child)));
}

/** A name for an axis of the input that is not an axis of the forward formula. */
function freshAxis(used: ReadonlySet<string>): string {
  const names = ["h", "v", "u", "r", "m", "l"];
  for (let round = 0; ; round++)
    for (const letter of names) {
      const candidate = round === 0 ? letter : `${letter}${round}`;
      if (!used.has(candidate)) return candidate;
    }
}
