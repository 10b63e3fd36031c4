// Maps that read across rows (transposes, permutations): tiles of lanes × lanes are transposed in registers.

import type { Load, Nest } from "../../nest/nest.ts";
import { accessOf, allScalars } from "../expressions/access.ts";
import { Interner } from "../expressions/intern.ts";
import type { Machine, Value } from "../language/language.ts";
import * as v from "../language/values.ts";
import type { LoopContext } from "./context.ts";
import type { LoopPlan } from "./plan.ts";

export interface TransposePlan {
  /** The axis along which the output is contiguous: lanes of what is stored. */
  readonly columns: number;
  /** The axis along which the turned loads are contiguous: lanes of what is read. */
  readonly rows: number;
  readonly loads: readonly Load[];
  readonly outer: readonly number[];
}

export function planTranspose(nest: Nest, plan: LoopPlan, machine: Machine): TransposePlan | undefined {
  if (nest.reducer !== undefined || nest.output.accumulate || nest.output.inPlace === true) return undefined;
  if (nest.also !== undefined || nest.joined !== undefined) return undefined;
  const output = accessOf(nest.output, nest.output.index);
  const long = (axis: number) => nest.axes[axis]!.extent >= machine.lanes;
  const columns = [...nest.axes.keys()].find((axis) => output.terms.get(axis) === 1 && long(axis));
  if (columns === undefined || output.checks.length > 0 || plan.cost > 12) return undefined;
  const interner = new Interner();
  const loads = [...new Map(allScalars(nest).map((scalar) => [interner.of(scalar).id, scalar])).values()].filter(
    (scalar) => scalar.kind === "load",
  );
  const accesses = loads.map((load) => ({ load, access: accessOf(nest.operands[load.operand]!, load.index) }));
  const across = accesses.filter(({ access }) => access.terms.has(columns) && access.terms.get(columns) !== 1);
  if (across.length === 0) return undefined;
  const rows = [...nest.axes.keys()].find(
    (axis) => axis !== columns && long(axis) && across.every(({ access }) => access.terms.get(axis) === 1),
  );
  if (rows === undefined || across.some(({ access }) => access.checks.length > 0)) return undefined;
  const others = plan.free.filter((axis) => axis !== rows && axis !== columns);
  return { columns, rows, loads: across.map(({ load }) => load), outer: others };
}

/**
 * Strips of rows as wide as a cache line of what is read; along a strip every line is read once and written lines fill
 * up in order.
 */
export function writeTransposed(context: LoopContext, plan: TransposePlan, range: { from: Value; to: Value } | undefined): void {
  const { k, e, nest } = context;
  const { lanes } = k.machine;
  const { rows, columns } = plan;
  const [height, width] = [nest.axes[rows]!.extent, nest.axes[columns]!.extent];
  // The last tile of a row or column steps back and is written twice with the same values.
  const held = (i: Value, extent: number) => (extent % lanes === 0 ? i : k.let(v.min(i, extent - lanes)));
  const along = (top: Value, tiles: number) => {
    k.loop(0, width, lanes, (j) => {
      const bindings = [
        { axis: rows, value: top },
        { axis: columns, value: held(j, width) },
      ];
      e.bind(bindings, () => {
        for (let tile = 0; tile < tiles; tile++) writeTile(context, plan, tile * lanes);
      });
    });
  };
  const strip = Math.max(1, 16 / lanes);
  const from = range?.from ?? v.i32(0);
  const to = range?.to ?? v.i32(height);
  const length = v.sub(to, from);
  const block = strip * lanes;
  const whole = length.op === "constant" ? v.i32(length.value - (length.value % block)) : v.and(length, -block);
  const stop = whole.op === "constant" && from.op === "constant" ? v.add(from, whole) : k.let(v.add(from, whole), "stop");
  k.loop(from, stop, block, (i) => along(i, strip));
  k.loop(stop, to, lanes, (i) => along(held(i, height), 1));
}

function writeTile({ k, e }: LoopContext, { rows, columns, loads }: TransposePlan, top: number): void {
  const { lanes } = k.machine;
  const turned = loads.map((load) => {
    const read = Array.from({ length: lanes }, (_, column) => {
      let value: Value | undefined;
      e.shifted(
        [
          { axis: rows, by: top, vector: true },
          { axis: columns, by: column, vector: false },
        ],
        () => {
          const read = e.evaluate(load);
          value = k.let(load.type === "bool" ? v.convertToInt(read) : read, "tile");
        },
      );
      return value!;
    });
    const columnsRead = k.transpose(read);
    return load.type === "bool" ? columnsRead.map((column) => k.let(v.ne(column, 0), "tile")) : columnsRead;
  });
  for (let row = 0; row < lanes; row++) {
    e.shifted(
      [
        { axis: rows, by: top + row, vector: false },
        { axis: columns, by: 0, vector: true },
      ],
      () => {
        const given = (number: number): void => {
          const load = loads[number];
          if (load === undefined) e.writeResults();
          else e.withValue(load, turned[number]![row]!, () => given(number + 1));
        };
        given(0);
      },
    );
  }
}
