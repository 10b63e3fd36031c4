// Emits functions that tabulate where the steps of a flattened list of axes lie: byte offsets and checked coordinates.
import type { ModuleBuilder } from "../builder.ts";
import type { Value } from "../language.ts";
import { add, at, loadAs, mul, operation, shiftLeft, sub } from "../values.ts";

/** One number per step: base + Σ steps[axis] · (counter of the axis). */
export interface Column {
  readonly base: number;
  /** One per axis of the list. */
  readonly steps: readonly number[];
}

/** Columns of `capacity` numbers (i32) each, one after the other. */
export interface Table {
  /** Outermost first; empty: one step. */
  readonly extents: readonly number[];
  readonly columns: readonly Column[];
  readonly capacity: number;
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

/**
 * Defines table(start, count, padded, to): writes the numbers of steps start … start + count − 1 and repeats the last one up to `padded`,
 * so that full vectors may be read.
 */
export function defineTable(module: ModuleBuilder, name: string, table: Table): string {
  const { extents, columns } = mergeAxes(table.extents, table.columns);
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
      columns.forEach(({ base, steps }, column) => {
        const value = steps.reduce<Value>((sum, stride, axis) => add(sum, mul(counters[axis]!, stride)), {
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
