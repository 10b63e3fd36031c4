// Reverse-mode differentiation of one statement: passes the upstream gradient down to every tensor access.

import { FUNCTIONS } from "../../nest/functions.ts";
import {
  type AccessNode,
  type BoundAxis,
  call,
  type Expression,
  isSame,
  number,
  type ReduceNode,
  type Statement,
  transform,
  visit,
} from "../ast.ts";
import { accessesOf } from "../bind/extents.ts";
import { freeIndices, pick } from "../bind/normalize.ts";
import { parseFormula } from "../parse.ts";
import { simplify } from "../simplify.ts";
import type { Contribution } from "./contribution.ts";
import { solveAccess } from "./solve-access.ts";

/** Name of the upstream gradient of a tensor in derived and written gradient formulas. */
export function gradientName(tensor: string): string {
  return `g${tensor}`;
}

export interface ReverseContext {
  /** Names of attributes: they are no axes. */
  readonly attributes: ReadonlySet<string>;
  /** Names of tensors that are taken. */
  readonly names: Set<string>;
  readonly partial: boolean;
  /** The result equals its expression: it may be read instead of computing that again. */
  readonly isResult: boolean;
}

export class Reverse {
  readonly #statement: Statement;
  readonly #input: string;
  readonly #attributes: ReadonlySet<string>;
  readonly #context: ReverseContext;
  readonly #found: Contribution[] = [];
  readonly #before: Statement[] = [];

  constructor(statement: Statement, input: string, context: ReverseContext) {
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
      if (node.tensor === this.#input) this.#found.push(this.#contribution(node, this.#anchor(node, adjoint, scope), scope));
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
        values[other] = node.args[place]!;
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
      // Without dividing by zero: the product of the others is y / x where nothing is 0, else it is taken over the
      // others explicitly.
      const zeros = this.#stash({ ...node, reducer: "sum", body: call("select", call("eq", node.body, number(0)), number(1), number(0)) });
      const others = this.#stash({ ...node, body: call("select", call("eq", node.body, number(0)), number(1), node.body) });
      const isZero = call("eq", node.body, number(0));
      const single = call("select", call("and", isZero, call("eq", zeros, number(1))), others, number(0));
      const factor = call("select", call("eq", zeros, number(0)), call("div", others, node.body), single);
      this.#walk(node.body, call("mul", adjoint, factor), within);
    }
  }

  /**
   * Moves reductions inside an adjoint into statements of their own over the axes they vary with, so that solving does
   * not repeat them.
   */
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
   * The adjoint, tied to tensors that decide how often it is summed: the gradient of sum[...](x − m) by m does not read
   * x, yet is as many times −gy as x has elements. `inside(x[...])` gives the extents and is always true.
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

  #contribution(access: AccessNode, adjoint: Expression, scope: readonly BoundAxis[]): Contribution {
    const { attributes, partial } = this.#context;
    const statement = this.#statement;
    return {
      before: this.#before.slice(),
      ...solveAccess({ access, adjoint, scope, statement, upstream: this.#upstream, attributes, partial }),
    };
  }
}

const rules = new Map<string, Expression>();

function instantiate(rule: string, values: Readonly<Record<string, Expression>>): Expression {
  let parsed = rules.get(rule);
  if (parsed === undefined) {
    parsed = parseFormula(`value = ${rule}`).statements[0]!.value;
    rules.set(rule, parsed);
  }
  return transform(parsed, (node) => (node.kind === "access" ? values[node.tensor]! : node));
}

function reads(node: Expression, tensor: string): boolean {
  let found = false;
  visit(node, (child) => {
    if (child.kind === "access" && child.tensor === tensor) found = true;
  });
  return found;
}
