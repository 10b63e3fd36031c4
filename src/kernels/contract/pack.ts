// Emits functions that pack panels of an operand through tables of offsets (im2col, transposes, padding).

import { type Element, elementBytes, readElement } from "../expressions/elements.ts";
import type { FunctionBuilder, ModuleBuilder } from "../language/builder.ts";
import type { Value, Variable } from "../language/language.ts";
import {
  add,
  advance,
  and,
  at,
  constant,
  eq,
  extract,
  laneConstants,
  loadAs,
  loadSplat,
  ltUnsigned,
  max,
  neg,
  operation,
  or,
  replace,
  select,
  shiftLeft,
  splat,
  sub,
} from "../language/values.ts";
import { columnOffset, type Table } from "./tables.ts";

/**
 * How an operand is found: its tables give byte offsets (first column) and one coordinate per checked dimension (the
 * next ones).
 */
export interface PackSource {
  /** Packed panels are float32. */
  readonly element: Element;
  /**
   * Of the panel's axes (rows of A, columns of B) and of the summed axes; where the operand's columns begin in each.
   */
  readonly panel: { readonly table: Table; readonly column: number };
  readonly depth: { readonly table: Table; readonly column: number };
  /** Extents of the checked dimensions. */
  readonly extents: readonly number[];
  /** Whether neighbouring steps may be neighbours in memory: of the panel's axes, of the summed axes. */
  readonly panelRuns: boolean;
  readonly depthRuns: boolean;
  /**
   * Whether a vector of the panel's axes may consist of a few such runs: rows shorter than it, or that it crosses the
   * end of.
   */
  readonly panelPieces: boolean;
}

/**
 * pack(source, origin, panel, depth, count, to, stride): for each of `count` steps of the summed axes writes the values
 * of one panel's steps to `to`, `stride` bytes apart; a panel is written in whole vectors, in ascending order, so what
 * a vector writes past a narrower stride is overwritten by the next step (leave one vector of room at the end).
 * `origin` (bytes) is added to every offset. Invalid places are 0.
 */
const PARAMETERS = {
  source: "pointer",
  origin: "i32",
  panel: "pointer",
  depth: "pointer",
  count: "i32",
  to: "pointer",
  stride: "i32",
} as const;
type Parameters = { readonly [name in keyof typeof PARAMETERS]: Variable };

/** Defines the packing of panels of `vectors` vectors; @returns the function's name */
export function definePack(module: ModuleBuilder, name: string, source: PackSource, vectors: number): string {
  const gather = module.define(`${name}_gather`, PARAMETERS, (k, p) => packByLanes(k, p, source));
  const one =
    source.panelRuns || source.depthRuns || source.panelPieces
      ? module.define(`${name}_vector`, PARAMETERS, (k, p) => packVector(k, p, source, gather))
      : gather;
  if (vectors === 1) return one;
  return module.define(name, PARAMETERS, (k, p) => {
    const separately = () => {
      // Descending: a later vector's room may begin with what an earlier one writes past a narrow stride.
      for (let vector = vectors - 1; vector >= 0; vector--) {
        const panel = advance(p.panel, vector * module.machine.lanes * 4);
        k.call(one, [p.source, p.origin, panel, p.depth, p.count, advance(p.to, vector * module.machine.lanes * 4), p.stride]);
      }
    };
    if (source.panelRuns) packRows(k, p, source, vectors, separately);
    else separately();
  });
}

/** What is known of some vectors of a panel before walking the summed axes. */
class PanelReader {
  readonly #k: FunctionBuilder;
  readonly #p: Parameters;
  readonly #source: PackSource;
  /** Byte offsets of the lanes. */
  readonly offsets: readonly Variable[];
  readonly #coordinates: readonly (readonly Variable[])[];
  readonly #low: readonly Variable[];
  readonly #span: readonly Variable[];

  constructor(k: FunctionBuilder, p: Parameters, source: PackSource, vectors: number) {
    this.#k = k;
    this.#p = p;
    this.#source = source;
    const { table, column } = source.panel;
    const lanes = k.machine.lanes;
    const read = (at_: number, vector: number) =>
      loadAs("vi32", "i32", at(p.panel, undefined, columnOffset(table, at_) + vector * lanes * 4));
    const all = Array.from({ length: vectors }, (_, vector) => vector);
    this.offsets = all.map((vector) => k.let(add(read(column, vector), p.origin), "offsets"));
    this.#coordinates = source.extents.map((_, check) => all.map((vector) => k.let(read(column + 1 + check, vector), "coordinate")));
    // A step x is inside for all lanes when low ≤ x < low + span.
    const fold = (op: "min" | "max", vectorOf: readonly Variable[]) =>
      operation(op === "min" ? "reduceMin" : "reduceMax", [vectorOf.reduce<Value>((a, b) => operation(op, [a, b]), vectorOf[0]!)]);
    this.#low = this.#coordinates.map((list) => k.let(neg(fold("min", list)), "low"));
    this.#span = this.#coordinates.map((list, check) => {
      const end = k.let(sub(source.extents[check]!, fold("max", list)), "end");
      return k.let(max(sub(end, this.#low[check]!), 0), "span");
    });
  }

  /** True when all lanes are neighbours in memory. */
  contiguous(): Value {
    const lanes = this.#k.machine.lanes;
    const first = extract(this.offsets[0]!, 0);
    const expected = (vector: number) => laneConstants(Array.from({ length: lanes }, (_, lane) => this.size * (vector * lanes + lane)));
    const base = this.#k.let(splat(first), "base");
    const equal = this.offsets.map((offsets, vector) => eq(offsets, add(base, expected(vector))));
    return operation("all", [equal.reduce((a, b) => and(a, b))]);
  }

  /** Bytes of an element of the source. */
  get size(): number {
    return elementBytes[this.#source.element];
  }

  /** A vector of neighbours of the source. */
  read(base: Value, index: Value | undefined, skipped = 0): Value {
    return readElement(this.#source.element, at(base, index, skipped * this.size), "vector");
  }

  /** The elements at base + offsets, one per lane. */
  gather(base: Value, offsets: Variable): Value {
    return gatherLanes(this.#k, this.#source.element, base, offsets);
  }

  get checked(): boolean {
    return this.#source.extents.length > 0;
  }

  /** Coordinates of the summed axes' steps from byte position `step` on: scalars, or one per lane. */
  steps(step: Value, type: "i32" | "vi32"): Variable[] {
    const { table, column } = this.#source.depth;
    return this.#source.extents.map((_, check) =>
      this.#k.let(loadAs(type, "i32", at(this.#p.depth, step, columnOffset(table, column + 1 + check))), "x"),
    );
  }

  /** For scalar steps a bool, for vectors a mask: the step is inside for all lanes of the panel. */
  inside(steps: readonly Variable[]): Value {
    return steps.map((x, check) => ltUnsigned(sub(x, this.#low[check]!), this.#span[check]!)).reduce((a, b) => and(a, b));
  }

  /** The lanes of one vector of the panel that are valid at a step (scalars). */
  validLanes(vector: number, steps: readonly Variable[]): Value {
    return steps
      .map((x, check) => ltUnsigned(add(this.#coordinates[check]![vector]!, x), this.#source.extents[check]!))
      .reduce((a, b) => and(a, b));
  }

  /** The steps (vectors) that are valid for one lane of the first vector. */
  validSteps(lane: number, steps: readonly Variable[]): Value {
    return steps
      .map((x, check) => ltUnsigned(add(extract(this.#coordinates[check]![0]!, lane), x), this.#source.extents[check]!))
      .reduce((a, b) => and(a, b));
  }

  depthOffset(step: Value): Value {
    const { table, column } = this.#source.depth;
    return loadAs("i32", "i32", at(this.#p.depth, step, columnOffset(table, column)));
  }

  depthOffsets(step: Value): Value {
    const { table, column } = this.#source.depth;
    return loadAs("vi32", "i32", at(this.#p.depth, step, columnOffset(table, column)));
  }

  depthOffsetSplat(step: Value): Value {
    const { table, column } = this.#source.depth;
    return loadSplat(at(this.#p.depth, step, columnOffset(table, column)), "i32");
  }
}

const zero = constant("vf32", 0);

/** Panels whose lanes are neighbours in memory: vector copies, masked near the edges. Otherwise `separately`. */
function packRows(k: FunctionBuilder, p: Parameters, source: PackSource, vectors: number, separately: () => void): void {
  const reader = new PanelReader(k, p, source, vectors);
  k.if(reader.contiguous(), () => copyRows(k, p, reader, vectors), separately);
}

function copyRows(k: FunctionBuilder, p: Parameters, reader: PanelReader, vectors: number): void {
  const lanes = k.machine.lanes;
  const first = k.let(advance(p.source, extract(reader.offsets[0]!, 0)), "first");
  k.loop(0, shiftLeft(p.count, 2), 4, (step) => {
    const from = k.let(advance(first, reader.depthOffset(step)), "from");
    const copy = () => {
      for (let v = 0; v < vectors; v++) k.store(at(p.to, undefined, v * lanes * 4), reader.read(from, undefined, v * lanes));
    };
    if (!reader.checked) {
      copy();
    } else {
      const x = reader.steps(step, "i32");
      k.if(reader.inside(x), copy, () => {
        for (let v = 0; v < vectors; v++) {
          const valid = k.let(reader.validLanes(v, x), "valid");
          const place = at(p.to, undefined, v * lanes * 4);
          // A vector with a valid lane lies within a vector of the buffer; one without may lie anywhere.
          k.if(
            operation("any", [valid]),
            () => k.store(place, select(valid, reader.read(from, undefined, v * lanes), zero)),
            () => k.store(place, zero),
          );
        }
      });
    }
    k.set(p.to, advance(p.to, p.stride));
  });
}

/** One vector of a panel: copied, transposed from runs of the summed axes, or gathered. */
function packVector(k: FunctionBuilder, p: Parameters, source: PackSource, gather: string): void {
  const reader = new PanelReader(k, p, source, 1);
  const last = () => {
    if (source.depthRuns) transposeRuns(k, p, reader, gather);
    else k.call(gather, [p.source, p.origin, p.panel, p.depth, p.count, p.to, p.stride]);
  };
  const otherwise = () => {
    if (source.panelPieces) inPieces(k, p, reader, last);
    else last();
  };
  if (source.panelRuns) k.if(reader.contiguous(), () => copyRows(k, p, reader, 1), otherwise);
  else otherwise();
}

/**
 * Lanes of which every run of a vector has one, if runs (but the first and the last) have at least
 * `(lanes − 1) / (pieces − 1)` lanes.
 */
const pieceLanes = (lanes: number, pieces: number): number[] =>
  Array.from({ length: pieces }, (_, piece) => Math.floor((piece * (lanes - 1)) / (pieces - 1)));

/** The shortest rows that `inPieces` can read. */
export const shortestPiece = (lanes: number): number => Math.max(2, Math.ceil((lanes - 1) / 3));

/**
 * A vector whose lanes are two or four runs in memory: as many loads, each of which gives its lanes. Otherwise
 * `otherwise`.
 */
function inPieces(k: FunctionBuilder, p: Parameters, reader: PanelReader, otherwise: () => void): void {
  const { lanes } = k.machine;
  const shifts = k.let(sub(reader.offsets[0]!, laneConstants(Array.from({ length: lanes }, (_, lane) => reader.size * lane))), "shifts");
  const attempt = (pieces: number, next: () => void) => {
    const runs = pieceLanes(lanes, pieces).map((lane) => {
      const shift = k.let(extract(shifts, lane), "shift");
      return { from: k.let(advance(p.source, shift), "from"), own: k.let(eq(shifts, splat(shift)), "own") };
    });
    const covered = runs.map(({ own }): Value => own).reduce((a, b) => or(a, b));
    k.if(operation("all", [covered]), () => copyPieces(k, p, reader, runs), next);
  };
  attempt(2, lanes > 4 ? () => attempt(4, otherwise) : otherwise);
}

function copyPieces(
  k: FunctionBuilder,
  p: Parameters,
  reader: PanelReader,
  runs: readonly { readonly from: Variable; readonly own: Variable }[],
): void {
  k.loop(0, shiftLeft(p.count, 2), 4, (step) => {
    const offset = k.let(reader.depthOffset(step), "offset");
    const whole = () => {
      const value = runs
        .map(({ from }): Value => reader.read(from, offset))
        .reduce((other, read, run) => select(runs[run]!.own, read, other));
      k.store(at(p.to), value);
    };
    if (!reader.checked) {
      whole();
    } else {
      const x = reader.steps(step, "i32");
      k.if(reader.inside(x), whole, () => {
        const valid = k.let(reader.validLanes(0, x), "valid");
        const value = k.let(zero, "value");
        for (const { from, own } of runs) {
          const wanted = k.let(and(valid, own), "wanted");
          // A run with a valid lane lies within a vector of the buffer; one without may lie anywhere.
          k.if(operation("any", [wanted]), () => k.set(value, select(wanted, reader.read(from, offset), value)));
        }
        k.store(at(p.to), value);
      });
    }
    k.set(p.to, advance(p.to, p.stride));
  });
}

/** Reads `lanes` steps of the summed axes at once for each lane of the panel and transposes them. */
function transposeRuns(k: FunctionBuilder, p: Parameters, reader: PanelReader, gather: string): void {
  const lanes = k.machine.lanes;
  const all = Array.from({ length: lanes }, (_, lane) => lane);
  const from = all.map((lane) => k.let(advance(p.source, extract(reader.offsets[0]!, lane)), "from"));
  const iota = laneConstants(all.map((lane) => reader.size * lane));
  const step = k.let(constant("i32", 0), "step");
  const end = k.let(shiftLeft(sub(p.count, lanes - 1), 2), "end");
  const byLanes = (count: Value | number) =>
    k.call(gather, [
      p.source,
      p.origin,
      p.panel,
      advance(p.depth, step),
      typeof count === "number" ? constant("i32", count) : count,
      p.to,
      p.stride,
    ]);
  k.while(operation("lt", [step, end]), () => {
    const offsets = k.let(reader.depthOffsets(step), "offsets");
    const first = k.let(extract(offsets, 0), "first");
    k.if(
      operation("all", [eq(offsets, add(splat(first), iota))]),
      () => {
        const rows = all.map(() => k.let(zero, "row"));
        const read = (lane: number) => reader.read(from[lane]!, first);
        if (!reader.checked) {
          for (const lane of all) k.set(rows[lane]!, read(lane));
        } else {
          const x = reader.steps(step, "vi32");
          k.if(
            operation("all", [reader.inside(x)]),
            () => {
              for (const lane of all) k.set(rows[lane]!, read(lane));
            },
            () => {
              for (const lane of all) {
                const valid = k.let(reader.validSteps(lane, x), "valid");
                k.if(operation("any", [valid]), () => k.set(rows[lane]!, select(valid, read(lane), zero)));
              }
            },
          );
        }
        for (const column of k.transpose(rows)) {
          k.store(at(p.to), column);
          k.set(p.to, advance(p.to, p.stride));
        }
      },
      () => {
        byLanes(lanes);
        k.set(p.to, advance(p.to, operation("mul", [p.stride, lanes])));
      },
    );
    k.set(step, add(step, 4 * lanes));
  });
  const rest = k.let(sub(p.count, operation("shiftRight", [step, constant("i32", 2)])), "rest");
  k.if(operation("gt", [rest, 0]), () => byLanes(rest));
}

/** Reads every lane by itself. */
function packByLanes(k: FunctionBuilder, p: Parameters, source: PackSource): void {
  const reader = new PanelReader(k, p, source, 1);
  k.loop(0, shiftLeft(p.count, 2), 4, (step) => {
    const offsets = k.let(add(reader.offsets[0]!, reader.depthOffsetSplat(step)), "offsets");
    if (!reader.checked) {
      k.store(at(p.to), reader.gather(p.source, offsets));
    } else {
      const x = reader.steps(step, "i32");
      k.if(
        reader.inside(x),
        () => k.store(at(p.to), reader.gather(p.source, offsets)),
        () => {
          const valid = k.let(reader.validLanes(0, x), "valid");
          const safe = k.let(select(valid, offsets, 0), "safe");
          k.store(at(p.to), select(valid, reader.gather(p.source, safe), zero));
        },
      );
    }
    k.set(p.to, advance(p.to, p.stride));
  });
}

/** The elements at base + offsets (bytes), one per lane. */
export function gatherLanes(k: FunctionBuilder, element: Element, base: Value, offsets: Variable): Value {
  const read = (lane: number) => readElement(element, at(base, extract(offsets, lane)), "scalar");
  let result = splat(read(0));
  for (let lane = 1; lane < k.machine.lanes; lane++) result = replace(result, lane, read(lane));
  return result;
}
