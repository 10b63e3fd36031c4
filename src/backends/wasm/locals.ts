// Assigns WebAssembly locals to kernel variables: locals of one type are used again when their variable has ended.

import type { Statement, ValueType, Variable } from "../../kernels/language/language.ts";
import { blocksOf, valuesOf, variableSetBy, visitVariables } from "../../kernels/language/statements.ts";
import { TYPE_CODE } from "./opcodes.ts";

interface Occurrence {
  /** Blocks from the outermost to the one the occurrence stands in, with the statement's place in each. */
  readonly path: readonly StatementPosition[];
  readonly declares: boolean;
}

interface StatementPosition {
  readonly block: readonly Statement[];
  readonly position: number;
}

/** For each block, the variables that are dead after the statement at each position. */
export type Deaths = ReadonlyMap<readonly Statement[], ReadonlyMap<number, readonly Variable[]>>;

/**
 * A variable that is declared directly in the innermost block holding all its uses dies there; others live until the
 * end.
 */
export function findDeaths(body: readonly Statement[], parameters: readonly Variable[]): Deaths {
  const lives = new Map<number, { variable: Variable; common: StatementPosition[]; first: Occurrence; last: number }>();
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

function walk(block: readonly Statement[], outer: readonly StatementPosition[], visit: Visit): void {
  block.forEach((statement, position) => {
    const path = [...outer, { block, position }];
    for (const value of valuesOf(statement)) visitVariables(value, (variable) => visit(variable, { path, declares: false }));
    const set = variableSetBy(statement);
    if (set !== undefined) visit(set, { path, declares: true });
    for (const inner of blocksOf(statement)) walk(inner, path, visit);
  });
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
    const wasmType = TYPE_CODE[type];
    const reused = this.#free.get(wasmType)?.pop();
    if (reused !== undefined) return reused;
    this.#types.push(wasmType);
    return this.#parameters + this.#types.length - 1;
  }

  release(type: ValueType, local: number): void {
    const wasmType = TYPE_CODE[type];
    const list = this.#free.get(wasmType);
    if (list === undefined) this.#free.set(wasmType, [local]);
    else list.push(local);
  }

  /** Wasm types of all locals after the parameters. */
  types(): readonly number[] {
    return this.#types;
  }
}
