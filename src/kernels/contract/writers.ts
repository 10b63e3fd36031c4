// Emits code that copies finished tiles from scratch to the output: by vectors, by runs of lanes, or by lane.

import { elementBytes, readElement, writeElement } from "../expressions/elements.ts";
import type { ModuleBuilder } from "../language/builder.ts";
import type { Address, Variable } from "../language/language.ts";
import {
  add,
  advance,
  at,
  eq,
  extract,
  gt,
  laneConstants,
  loadAs,
  loadVector,
  operation,
  shiftLeft,
  shiftRight,
  splat,
  sub,
} from "../language/values.ts";
import {
  FLAG,
  fromLanes,
  type LeafSource,
  laneOffsets,
  leafParameters,
  leafVariable,
  leafVector,
  type Output,
  rowStart,
  TILE_PARAMETERS,
  tableEntry,
  whenFlag,
} from "./output.ts";
import { columnOffset } from "./tables.ts";

/** What writes a tile that lies in scratch, row by row. */
export interface Writers {
  /** Of any place in the output. */
  readonly edge: string;
  /**
   * Of panels that are regular, where not all vectors are whole (outputs walked in steps, leaves walked in their own
   * way) or a lot is applied.
   */
  readonly spread: string | undefined;
}

/**
 * Defines edge(height, c, rows, columns, flags, width, tile, params, leaf…) and, where it is needed, spread with the
 * same parameters.
 */
export function defineWriters(module: ModuleBuilder, nameOf: (part: string) => string, vectors: number, output: Output): Writers {
  const whole = output.step === 1 && !output.finishesInRows && output.leaves.every(({ along }) => along !== "own");
  return {
    edge: defineEdge(module, nameOf("edge"), vectors, output),
    spread: whole ? undefined : defineSpread(module, nameOf("spread"), vectors, output),
  };
}

/** Of regular panels: lanes lie `output.step` elements apart, and all of them are valid. */
function defineSpread(module: ModuleBuilder, name: string, vectors: number, output: Output): string {
  const lanes = module.machine.lanes;
  const parameters = { height: "i32", ...TILE_PARAMETERS, ...leafParameters(output.leaves) } as const;
  const apart = laneOffsets(lanes, output, output.step);
  const { element } = output;
  return module.define(name, parameters, (k, p) => {
    k.loop(0, shiftLeft(p.height, 2), 4, (row) => {
      const start = k.let(rowStart(p, row, output), "start");
      for (let v = 0; v < vectors; v++) {
        const offset = k.let(tableEntry(p.columns, output.columns, output.columnColumn, v * lanes), "offset");
        const value = k.let(loadVector(at(p.tile, undefined, v * lanes * 4)), "value");
        const lane = (i: number): Address => at(start, offset, apart[i]);
        const whole = output.step === 1;
        whenFlag(k, p.flags, FLAG.add, output.adds, () =>
          k.set(value, add(value, whole ? readElement(element, lane(0), "vector") : fromLanes(lanes, element, lane))),
        );
        whenFlag(k, p.flags, FLAG.finish, output.finishes, () => {
          const leaves = output.leaves.map((leaf, i) => leafVector(k, leaf, leafVariable(p, i), p, output, row, v, true));
          k.set(value, output.finish!(k, value, leaves, p.params));
        });
        if (whole) writeElement(k, element, lane(0), value);
        else for (let i = 0; i < lanes; i++) writeElement(k, element, lane(i), extract(value, i));
      }
      k.set(p.tile, advance(p.tile, vectors * lanes * 4));
    });
  });
}

/** Of any place in the output: vectors whose valid lanes are one run of it as such, others lane by lane. */
function defineEdge(module: ModuleBuilder, name: string, vectors: number, output: Output): string {
  const lanes = module.machine.lanes;
  const parameters = { height: "i32", ...TILE_PARAMETERS, ...leafParameters(output.leaves) } as const;
  const { element } = output;
  return module.define(name, parameters, (k, p) => {
    const columns = k.let(p.columns, "columns");
    const left = k.let(p.width, "left");
    k.loop(0, vectors * lanes * 4, lanes * 4, (vector) => {
      const offsets = k.let(loadAs("vi32", "i32", at(columns, undefined, columnOffset(output.columns, output.columnColumn))), "offsets");
      const rows = (isRun: boolean, write: (start: Variable, value: Variable) => void) => {
        const tile = k.let(advance(p.tile, vector), "tile");
        k.loop(0, shiftLeft(p.height, 2), 4, (row) => {
          const start = k.let(rowStart(p, row, output), "start");
          const value = k.let(loadVector(at(tile)), "value");
          // The tables repeat the last valid column, so reading past the width is safe.
          const before = () =>
            isRun
              ? readElement(element, at(start, extract(offsets, 0)), "vector")
              : fromLanes(lanes, element, (i) => at(start, extract(offsets, i)));
          whenFlag(k, p.flags, FLAG.add, output.adds, () => k.set(value, add(value, before())));
          whenFlag(k, p.flags, FLAG.finish, output.finishes, () => {
            const places = { rows: p.rows, columns };
            const whole = (leaf: LeafSource) => isRun && leaf.along === "output";
            const leaves = output.leaves.map((leaf, i) => leafVector(k, leaf, leafVariable(p, i), places, output, row, 0, whole(leaf)));
            k.set(value, output.finish!(k, value, leaves, p.params));
          });
          write(start, value);
          k.set(tile, advance(tile, vectors * lanes * 4));
        });
      };
      const byLanes = () =>
        rows(false, (start, value) => {
          // A limited table repeats a row's last column within its last vector: the lane that really belongs there is
          // stored last.
          for (let i = lanes - 1; i >= 0; i--) writeElement(k, element, at(start, extract(offsets, i)), extract(value, i));
        });
      k.if(gt(left, 0), () => {
        if (output.step !== 1) {
          byLanes();
          return;
        }
        const [first, last] = [k.let(extract(offsets, 0), "first"), k.let(extract(offsets, lanes - 1), "last")];
        const run = operation("min", [add(splat(first), laneConstants(laneOffsets(lanes, output, 1))), splat(last)]);
        const count = k.let(add(shiftRight(sub(last, first), Math.log2(elementBytes[element])), 1), "count");
        k.if(
          operation("all", [eq(offsets, run)]),
          () => rows(true, (start, value) => writeElement(k, element, at(start, first), value, count)),
          byLanes,
        );
      });
      k.set(columns, advance(columns, lanes * 4));
      k.set(left, sub(left, lanes));
    });
  });
}
