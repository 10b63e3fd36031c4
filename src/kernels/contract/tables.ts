// Emits functions that fill tables for flattened axes: byte offsets and coordinates to check.

import type { ModuleBuilder } from "../language/builder.ts";
import type { Value } from "../language/language.ts";
import { add, at, loadAs, min, mul, operation, shiftLeft, sub } from "../language/values.ts";

/** One number per step: base + Σ steps[axis] · (counter of the axis). */
export interface Column {
  readonly base: number;
  /** One per axis of the list. */
  readonly steps: readonly number[];
  /** Goes on beyond the table's `limit`. */
  readonly unlimited?: boolean;
}

/** Columns of `capacity` numbers (i32) each, one after the other. */
export interface Table {
  /** Outermost first; empty: one step. */
  readonly extents: readonly number[];
  readonly columns: readonly Column[];
  readonly capacity: number;
  /**
   * Steps of the innermost axis that count: its further steps (up to its extent, a multiple of a vector) repeat the
   * last of them.
   */
  readonly limit?: number;
}

/** Byte offset of a table's column. */
export const columnOffset = (table: Table, column: number): number => column * table.capacity * 4;
export const tableBytes = (table: Table): number => table.columns.length * table.capacity * 4;

/** Drops axes of one step and merges neighbours that every column walks in one stride. */
export function mergeAxes(
  extents: readonly number[],
  columns: readonly Column[],
): { extents: readonly number[]; columns: readonly Column[] } {
  const merged: { extent: number; steps: number[] }[] = [];
  extents.forEach((extent, axis) => {
    if (extent === 1) return;
    const steps = columns.map((column) => column.steps[axis]!);
    const outer = merged.at(-1);
    if (outer?.steps.every((step, column) => step === steps[column]! * extent)) {
      merged[merged.length - 1] = { extent: outer.extent * extent, steps };
    } else {
      merged.push({ extent, steps });
    }
  });
  return {
    extents: merged.map((axis) => axis.extent),
    columns: columns.map(({ base }, column) => ({ base, steps: merged.map((axis) => axis.steps[column]!) })),
  };
}

/** As mergeAxes, leaving the innermost axis by itself. */
function mergeOuter({ extents, columns }: Table): { extents: readonly number[]; columns: readonly Column[] } {
  const outer = mergeAxes(
    extents.slice(0, -1),
    columns.map((column) => ({ ...column, steps: column.steps.slice(0, -1) })),
  );
  return {
    extents: [...outer.extents, extents.at(-1)!],
    columns: columns.map((column, i) => ({ ...column, steps: [...outer.columns[i]!.steps, column.steps.at(-1)!] })),
  };
}

/**
 * Defines table(start, count, padded, to): writes the numbers of steps start … start + count − 1 and repeats the last
 * one up to `padded`, so that full vectors may be read.
 */
export function defineTable(module: ModuleBuilder, name: string, table: Table): string {
  const { extents, columns } = table.limit === undefined ? mergeAxes(table.extents, table.columns) : mergeOuter(table);
  const parameters = { start: "i32", count: "i32", padded: "i32", to: "pointer" } as const;
  return module.define(name, parameters, (k, { start, count, padded, to }) => {
    const place = (step: Value, column: number) => at(to, shiftLeft(step, 2), columnOffset(table, column));
    k.loop(0, count, 1, (step) => {
      let rest: Value = k.let(add(start, step), "rest");
      const counters: Value[] = new Array(extents.length);
      for (let axis = extents.length - 1; axis >= 0; axis--) {
        if (axis === 0) {
          counters[axis] = rest;
          continue;
        }
        const quotient = k.let(operation("divideUnsigned", [rest, extents[axis]!]), "quotient");
        counters[axis] = k.let(sub(rest, mul(quotient, extents[axis]!)), "counter");
        rest = quotient;
      }
      const last = extents.length - 1;
      const limited = table.limit === undefined ? undefined : k.let(min(counters[last]!, table.limit - 1), "limited");
      columns.forEach(({ base, steps, unlimited }, column) => {
        const counter = (axis: number) => (axis === last && limited !== undefined && unlimited !== true ? limited : counters[axis]!);
        const value = steps.reduce<Value>((sum, stride, axis) => add(sum, mul(counter(axis), stride)), {
          op: "constant",
          type: "i32",
          value: base,
        });
        k.store(place(step, column), value);
      });
    });
    k.loop(count, padded, 1, (step) => {
      columns.forEach((_, column) => {
        k.store(place(step, column), loadAs("i32", "i32", place(sub(count, 1), column)));
      });
    });
  });
}
