// The symbolic gradient of a formula, itself a formula: for y[o] = Σ_r f(x[e(o, r)]), gx[m] = Σ_{o,r : e(o,r) = m} gy[o] · ∂f/∂x.

import {
  type AccessNode, type BoundAxis, call, type Expression, type Formula, type IndexNode, isPlain, keyOf, name, number, type ReduceNode, type Statement,
  transform, visit,
} from "./ast.ts";
import { mentions, solveFor } from "./affine.ts";
import { FUNCTIONS } from "./functions.ts";
import { normalise } from "./normalise.ts";
import { expressionsOf, parseFormula } from "./parse.ts";
import { replaceEqual, simplify } from "./simplify.ts";

/** Name of the gradient of a tensor in derived and written gradient formulas. */
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
  if (normal.statements.some((statement) => statement.target !== result)) throw new Error("deriveGradient takes one statement at a time; decompose the formula first");
  const attributes: Attributes = new Set([...formula.sizes, ...formula.params]);
  const contributions = normal.statements.flatMap((statement) => new Reverse(statement, input, attributes).contributions());
  return merge(contributions).map((contribution) => finish(contribution, input, formula));
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

class Reverse {
  readonly #statement: Statement;
  readonly #input: string;
  readonly #attributes: Attributes;
  readonly #found: Contribution[] = [];
  readonly #before: Statement[] = [];

  constructor(statement: Statement, input: string, attributes: Attributes) {
    this.#statement = statement;
    this.#input = input;
    this.#attributes = attributes;
  }

  contributions(): Contribution[] {
    const upstream: AccessNode = { kind: "access", tensor: gradientName(this.#statement.target), indices: this.#statement.indices };
    this.#walk(this.#statement.value, upstream, []);
    return this.#found;
  }

  #walk(node: Expression, adjoint: Expression, scope: readonly BoundAxis[]): void {
    if (!reads(node, this.#input)) return;
    if (node.kind === "access") {
      if (node.tensor === this.#input) this.#found.push(this.#solve(node, adjoint, scope));
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

  /** Moves reductions inside an adjoint into statements of their own over the left side's axes, so that solving does not repeat them. */
  #stash(value: Expression): Expression {
    if (keyOf(value) === keyOf(this.#statement.value)) return value;
    return transform(value, (node) => {
      if (node.kind !== "reduce") return node;
      if (this.#statement.value.kind === "reduce" && keyOf(node) === keyOf(this.#statement.value)) return { kind: "access", tensor: this.#statement.target, indices: this.#statement.indices };
      const known = this.#before.find((statement) => keyOf(statement.value) === keyOf(node));
      const target = known?.target ?? `${node.reducer}${this.#before.length}`;
      if (!known) this.#before.push({ ...this.#statement, target, value: node });
      return { kind: "access", tensor: target, indices: this.#statement.indices };
    });
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
      if (axis === undefined || solution === undefined) return this.#scatter(access, adjoint, scope, before);
      used.add(m);
      const replace = (node: Expression): Expression => substitute(node, axis, solution);
      // The upstream gradient is read at the solution, where an index out of range or not divisible reads 0.
      value = replace(value);
      pending = pending.map((item) => (item.kind === "ellipsis" ? item : replace(item)));
      eliminated.add(axis);
      free.add(m);
      target.push(name(m));
    }
    const summed: BoundAxis[] = [...groups].map((group) => ({ kind: "ellipsis", group }) as const);
    for (const [axis, extent] of extents)
      if (!free.has(axis) && !eliminated.has(axis)) summed.push({ kind: "axis", name: axis, extent: extent ?? this.#statement.extents[axis] });
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
    const twin = merged.findIndex((other) => !other.scatter && !contribution.scatter && sameIndices(other, contribution) && isPointwise(other) && isPointwise(contribution));
    const other = merged[twin];
    if (other === undefined) merged.push(contribution);
    else
      merged[twin] = {
        ...other,
        before: [...other.before, ...contribution.before.filter((statement) => !other.before.some((known) => known.target === statement.target))],
        value: call("add", other.value, contribution.value),
      };
  }
  return merged;
}

function sameIndices(a: Contribution, b: Contribution): boolean {
  return JSON.stringify(a.indices) === JSON.stringify(b.indices);
}

function isPointwise(contribution: Contribution): boolean {
  return isPlain({ kind: "access", tensor: "", indices: contribution.indices }) && contribution.value.kind !== "reduce";
}

function finish(contribution: Contribution, input: string, formula: Formula): Formula {
  const forward = formula.statements.length === 1 ? (formula.statements[0] as Statement) : undefined;
  const useResult = (node: Expression): Expression => {
    if (!forward || forward.value.kind === "access" || forward.accumulate) return node;
    return replaceEqual(node, forward.value, { kind: "access", tensor: forward.target, indices: forward.indices });
  };
  const target = gradientName(input);
  const last: Statement = { target, indices: contribution.indices, extents: contribution.extents, accumulate: contribution.scatter, value: simplify(useResult(simplify(contribution.value))) };
  const needed = new Set<string>();
  visit(last.value, (node) => node.kind === "access" && needed.add(node.tensor));
  const before = contribution.before.filter((statement) => needed.has(statement.target));
  const statements = [...before, last];
  const defined = new Set(statements.map((statement) => statement.target));
  const inputs = new Set<string>();
  for (const statement of statements)
    for (const expression of expressionsOf(statement)) visit(expression, (node) => node.kind === "access" && !defined.has(node.tensor) && inputs.add(node.tensor));
  return { statements, inputs: [...inputs], sizes: formula.sizes, lists: formula.lists, params: formula.params };
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
