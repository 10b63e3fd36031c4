// Which wasm local holds which kernel variable: lifetimes within blocks, locals of one type reused.
import type { Statement, Value, ValueType, Variable } from "../../kernels/language.ts";
import { typeCode } from "./opcodes.ts";

interface Occurrence {
  /** Blocks from the outermost to the one the occurrence stands in, with the statement's place in each. */
  readonly path: readonly Place[];
  readonly declares: boolean;
}

interface Place {
  readonly block: readonly Statement[];
  readonly position: number;
}

/** For each block, the variables that are dead after the statement at each position. */
export type Deaths = ReadonlyMap<readonly Statement[], ReadonlyMap<number, readonly Variable[]>>;

/** A variable that is declared directly in the innermost block holding all its uses dies there; others live until the end. */
export function findDeaths(body: readonly Statement[], parameters: readonly Variable[]): Deaths {
  const lives = new Map<number, { variable: Variable; common: Place[]; first: Occurrence; last: number }>();
  const kept = new Set(parameters.map((parameter) => parameter.id));
  walk(body, [], (variable, occurrence) => {
    if (kept.has(variable.id)) return;
    const { path } = occurrence;
    const life = lives.get(variable.id);
    if (life === undefined) {
      lives.set(variable.id, { variable, common: [...path], first: occurrence, last: path.at(-1)!.position });
      return;
    }
    let depth = 0;
    while (depth < life.common.length && depth < path.length && life.common[depth]!.block === path[depth]!.block) depth++;
    // `common` keeps the places of the first occurrence; it only shrinks.
    life.common.length = depth;
    life.last = path[depth - 1]!.position;
  });
  const deaths = new Map<readonly Statement[], Map<number, Variable[]>>();
  for (const { variable, common, first, last } of lives.values()) {
    if (!first.declares || common.length !== first.path.length) continue;
    const block = common.at(-1)!.block;
    let positions = deaths.get(block);
    if (positions === undefined) {
      positions = new Map();
      deaths.set(block, positions);
    }
    const dead = positions.get(last);
    if (dead === undefined) positions.set(last, [variable]);
    else dead.push(variable);
  }
  return deaths;
}

type Visit = (variable: Variable, occurrence: Occurrence) => void;

function walk(block: readonly Statement[], outer: readonly Place[], visit: Visit): void {
  block.forEach((statement, position) => {
    const path = [...outer, { block, position }];
    const read = (value: Value | undefined) => {
      if (value !== undefined) variablesOf(value, (variable) => visit(variable, { path, declares: false }));
    };
    switch (statement.kind) {
      case "comment":
        break;
      case "set":
        read(statement.value);
        visit(statement.variable, { path, declares: true });
        break;
      case "store":
        read(statement.value);
        read(statement.address.base);
        read(statement.address.index);
        read(statement.count);
        break;
      case "call":
        statement.args.forEach(read);
        if (statement.result !== undefined) visit(statement.result, { path, declares: true });
        break;
      case "loop":
        read(statement.start);
        visit(statement.variable, { path, declares: true });
        read(statement.end);
        walk(statement.body, path, visit);
        break;
      case "atomicAdd":
        read(statement.value);
        read(statement.address.base);
        read(statement.address.index);
        if (statement.result !== undefined) visit(statement.result, { path, declares: true });
        break;
      case "await":
        read(statement.value);
        read(statement.address.base);
        read(statement.address.index);
        break;
      case "while":
        read(statement.condition);
        walk(statement.body, path, visit);
        break;
      case "if":
        read(statement.condition);
        walk(statement.body, path, visit);
        walk(statement.otherwise, path, visit);
        break;
    }
  });
}

function variablesOf(value: Value, visit: (variable: Variable) => void): void {
  switch (value.op) {
    case "variable":
      visit(value);
      break;
    case "constant":
    case "lanes":
      break;
    case "load":
      variablesOf(value.address.base, visit);
      if (value.address.index !== undefined) variablesOf(value.address.index, visit);
      if (value.count !== undefined) variablesOf(value.count, visit);
      break;
    default:
      for (const arg of value.args) variablesOf(arg, visit);
  }
}

/** Hands out local numbers, reusing freed ones of the same wasm type. */
export class LocalPool {
  readonly #free = new Map<number, number[]>();
  readonly #types: number[] = [];
  readonly #parameters: number;

  constructor(parameters: number) {
    this.#parameters = parameters;
  }

  take(type: ValueType): number {
    const wasmType = typeCode[type];
    const reused = this.#free.get(wasmType)?.pop();
    if (reused !== undefined) return reused;
    this.#types.push(wasmType);
    return this.#parameters + this.#types.length - 1;
  }

  release(type: ValueType, local: number): void {
    const wasmType = typeCode[type];
    const list = this.#free.get(wasmType);
    if (list === undefined) this.#free.set(wasmType, [local]);
    else list.push(local);
  }

  /** Wasm types of all locals after the parameters. */
  types(): readonly number[] {
    return this.#types;
  }
}
