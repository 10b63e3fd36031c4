// Walks over kernel statements: what each reads, sets and contains; and interleaving of independent code.

import type { Address, Statement, Value, Variable } from "./language.ts";

/** The values a statement itself reads; those of its blocks are not among them. */
export function valuesOf(statement: Statement): readonly Value[] {
  switch (statement.kind) {
    case "comment":
      return [];
    case "set":
      return [statement.value];
    case "store":
      return [statement.value, ...valuesIn(statement.address), ...present(statement.count)];
    case "call":
      return statement.args;
    case "loop":
      return [statement.start, statement.end];
    case "prefetch":
      return [...valuesIn(statement.address)];
    case "atomicAdd":
    case "await":
      return [statement.value, ...valuesIn(statement.address)];
    case "while":
    case "if":
      return [statement.condition];
  }
}

/** The variable that a statement gives a value. */
export function variableSetBy(statement: Statement): Variable | undefined {
  switch (statement.kind) {
    case "set":
    case "loop":
      return statement.variable;
    case "call":
    case "atomicAdd":
      return statement.result;
    default:
      return undefined;
  }
}

export function blocksOf(statement: Statement): readonly (readonly Statement[])[] {
  if (statement.kind === "loop" || statement.kind === "while") return [statement.body];
  return statement.kind === "if" ? [statement.body, statement.otherwise] : [];
}

/** Every statement of a block and of the blocks inside, outer ones first. */
export function visitStatements(block: readonly Statement[], visit: (statement: Statement) => void): void {
  for (const statement of block) {
    visit(statement);
    for (const inner of blocksOf(statement)) visitStatements(inner, visit);
  }
}

/** Every variable that an expression reads, each time it does. */
export function visitVariables(value: Value, visit: (variable: Variable) => void): void {
  if (value.op === "variable") visit(value);
  else if (value.op === "load") for (const inner of [...valuesIn(value.address), ...present(value.count)]) visitVariables(inner, visit);
  else if (value.op !== "constant" && value.op !== "lanes") for (const inner of value.args) visitVariables(inner, visit);
}

/**
 * Pieces of code that do not need each other's stores, in turns of one statement each: a processor looks some sixty
 * instructions ahead, and so finds work of the others while one waits for its own results. What a piece sets, later
 * ones may read. A branch is one statement, with all that it sets and reads. Pieces with loops or calls stay in order.
 */
export function interleaved(pieces: readonly (readonly Statement[])[]): Statement[] {
  const all = pieces.flat();
  let isPlain = true;
  visitStatements(all, ({ kind }) => (isPlain &&= kind === "set" || kind === "store" || kind === "if"));
  if (!isPlain) return all;
  const queues = pieces.map((piece) => [...piece]);
  /** By variable: the piece that sets it, and how many times more. */
  const pending = new Map<number, { readonly piece: number; times: number }>();
  pieces.forEach((statements, piece) =>
    visitStatements(statements, (statement) => {
      const id = variableSetBy(statement)?.id;
      if (id !== undefined) pending.set(id, { piece, times: (pending.get(id)?.times ?? 0) + 1 });
    }),
  );
  const order: Statement[] = [];
  const isReady = (statement: Statement, piece: number): boolean => {
    let ready = true;
    const check = ({ id }: Variable): void => {
      const set = pending.get(id);
      ready &&= set === undefined || set.times === 0 || set.piece === piece;
    };
    visitStatements([statement], (inner) => {
      for (const value of valuesOf(inner)) visitVariables(value, check);
    });
    return ready;
  };
  while (order.length < all.length) {
    for (const [piece, queue] of queues.entries()) {
      const [next] = queue;
      if (next === undefined || !isReady(next, piece)) continue;
      queue.shift();
      order.push(next);
      visitStatements([next], (inner) => {
        const id = variableSetBy(inner)?.id;
        if (id !== undefined) pending.get(id)!.times--;
      });
    }
  }
  return order;
}

const valuesIn = ({ base, index }: Address): readonly Value[] => [base, ...present(index)];

const present = (value: Value | undefined): readonly Value[] => (value === undefined ? [] : [value]);
