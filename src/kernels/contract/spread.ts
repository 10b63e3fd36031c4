// Convolutions whose windows reach far beyond a small image, by col2im: every pixel's products go to their outputs.

import type { FunctionBuilder, ModuleBuilder } from "../language/builder.ts";
import { aligned, type Machine, type Value, type Variable } from "../language/language.ts";
import {
  add,
  advance,
  and,
  at,
  constant,
  ge,
  i32,
  laneConstants,
  loadAs,
  loadSplat,
  loadVector,
  lt,
  mul,
  select,
} from "../language/values.ts";
import { entryParameters, functionName, type LoweredNest } from "../lowered.ts";
import { type AffineAccess, strideOf } from "./access.ts";
import { splitRows } from "./blocking.ts";
import { zeroArea } from "./direct.ts";
import { finishOf } from "./epilogue.ts";
import { multiplyTile } from "./micro.ts";
import { defineTable, type Table, tableBytes } from "./tables.ts";
import type { WinogradPlan } from "./winograd/plan.ts";
import { FLOPS_PER_WORK, phaseOf } from "./work.ts";

/**
 * Outputs per pixel of the image from which on it pays: the definition multiplies for every output, this for every
 * pixel.
 */
const LEAST_RATIO = 1.35;

/**
 * The gradient of a valid convolution by its input is such a one: 12×12 outputs of 5×5 windows over 8×8 pixels, so that
 * 2.25 times as many products would be taken as count. Here pixels are the columns, rows are channel and tap, and the
 * products of a pixel are added where the tap says: moved by rows in flat images, one per column of taps, which are
 * added up at the end, moved by columns.
 */
export function canSpread(
  { plan, part, segment, filter, rows, columns, inputs, outputs }: WinogradPlan,
  { lanes, caches }: Machine,
): boolean {
  const { strides } = filter.access;
  const along = (access: AffineAccess) => access.strides[columns.axis] === 1 || access.strides[columns.axis] === 0;
  const pixels = rows.extent * columns.extent;
  const taps = rows.taps * columns.taps;
  const shift = rows.low + rows.taps - 1;
  return (
    outputs.axis !== undefined &&
    [...Object.values(plan.elements), ...part.leaves.map((leaf) => leaf.element)].every((element) => element === "f32") &&
    inputs.extent >= 8 &&
    rows.outputs * columns.outputs >= LEAST_RATIO * pixels &&
    segment.k * rows.outputs * columns.outputs * outputs.extent >= 1e5 &&
    columns.pitch === 1 &&
    rows.pitch === columns.extent &&
    pixels >= 2 * lanes &&
    strides[columns.tapAxis] === 1 &&
    strides[rows.tapAxis] === columns.taps &&
    strides[outputs.axis] === taps &&
    shift >= 0 &&
    rows.outputs + shift <= rows.extent + rows.taps - 1 &&
    flatBytes({ rows, columns, outputs }) <= caches[1] / 4 &&
    part.output.strides[columns.axis] === 1 &&
    part.leaves.every((leaf) => leaf.operand !== undefined && along(leaf.access)) &&
    plan.roles.batch.every((axis) => part.extents[axis] === 1)
  );
}

type Sizes = Pick<WinogradPlan, "rows" | "columns" | "outputs">;

/**
 * One flat image of sums per channel and column of taps: as wide as the image, with room for the rows above and below.
 */
const flatPixels = ({ rows, columns }: Pick<Sizes, "rows" | "columns">): number => (rows.extent + rows.taps - 1) * columns.extent;
const flatBytes = (sizes: Sizes): number => flatPixels(sizes) * sizes.columns.taps * sizes.outputs.extent * 4;

/** Writes the functions into the module. Slices are images. */
export function lowerSpread(found: WinogradPlan, module: ModuleBuilder): LoweredNest {
  const { lanes, tile } = module.machine;
  const { plan, image, filter, rows, columns, images, inputs, outputs } = found;
  const name = (step: string) => functionName(plan.nest, step);
  const taps = rows.taps * columns.taps;
  const flat = flatPixels(found);
  const pixels = rows.extent * columns.extent;
  const m = outputs.extent * taps;
  const { height, count, tall } = splitRows(m, tile.rows);
  // A tap of the window's order moves against the window: see WindowDimension.tap.
  const [down, along] = [rows.tap < 0 ? 1 : -1, columns.tap < 0 ? -1 : 1];
  const table: Table = {
    extents: [outputs.extent, rows.taps, columns.taps],
    columns: [
      {
        base: 4 * ((down < 0 ? (rows.taps - 1) * columns.extent : 0) + (along < 0 ? (columns.taps - 1) * flat : 0)),
        steps: [columns.taps * flat, down * columns.extent, along * flat].map((step) => 4 * step),
      },
    ],
    capacity: m,
  };
  const tabulate = defineTable(module, name("taps"), table);
  const products = (rowsHere: number, vectors: number, last: number) =>
    module.define(name("products"), { a: "pointer", b: "pointer", depth: "i32", to: "pointer", places: "pointer" }, (k, p) => {
      const shape = {
        height: rowsHere,
        vectors,
        aRow: 4,
        aStep: strideOf(filter.access, inputs.axis) * 4,
        bStep: strideOf(image.access, inputs.axis) * 4,
      };
      multiplyTile(k, shape, p).forEach((sums, row) => {
        const to = k.let(advance(p.to, loadAs("i32", "i32", at(p.places, undefined, row * 4))), "to");
        sums.forEach((sum, v) => {
          const place = at(to, undefined, v * lanes * 4);
          const total = add(sum, loadVector(place));
          if (v === vectors - 1 && last < lanes) k.storePartial(place, total, i32(last));
          else k.store(place, total);
        });
      });
    });
  const panels: { readonly first: number; readonly micros: readonly (readonly [number, number, string])[] }[] = [];
  for (let first = 0; first < pixels; first += tile.vectors * lanes) {
    const vectors = Math.min(tile.vectors, Math.ceil((pixels - first) / lanes));
    const last = Math.min(lanes, pixels - first - (vectors - 1) * lanes);
    const isLike = panels.length > 0 && first + tile.vectors * lanes <= pixels;
    const micros = isLike
      ? panels[0]!.micros
      : ([
          [tall, height, products(height, vectors, last)],
          ...(count > tall ? [[count - tall, height - 1, products(height - 1, vectors, last)] as const] : []),
        ] as const);
    panels.push({ first, micros });
  }
  const collect = defineCollect(module, name("collect"), found);
  const bytes = flatBytes(found);
  const placesAt = aligned(bytes) + lanes * 4;
  const leaves = found.part.leaves.map((leaf) => `in${leaf.operand!}`);
  const entry = module.define(
    name("spread"),
    entryParameters(plan.nest),
    (k, p) => {
      const places = k.let(advance(p.scratch!, placesAt), "places");
      k.call(tabulate, [i32(0), i32(m), i32(m), places]);
      k.loop(p.begin!, p.end!, 1, (number) => {
        zeroArea(k, p.scratch!, aligned(bytes));
        const from = k.let(
          advance(p[`in${image.operand}`]!, add(mul(number, strideOf(image.access, images.axis) * 4), image.base * 4)),
          "from",
        );
        for (const { first, micros } of panels) {
          const a = k.let(advance(p[`in${filter.operand}`]!, filter.access.base * 4), "a");
          const b = k.let(advance(from, first * 4), "b");
          const to = k.let(advance(p.scratch!, first * 4), "to");
          const place = k.let(places, "place");
          for (const [tiles, rowsHere, micro] of micros) {
            k.loop(0, tiles, 1, () => {
              k.call(micro, [a, b, i32(inputs.extent), to, place]);
              k.set(a, advance(a, rowsHere * 4));
              k.set(place, advance(place, rowsHere * 4));
            });
          }
        }
        k.call(collect, [p.scratch!, number, p.out!, p.params!, ...leaves.map((leaf) => p[leaf]!)]);
      });
    },
    true,
  );
  const flops = 2 * images.extent * m * pixels * inputs.extent;
  return {
    ...phaseOf(entry, images.extent, flops / FLOPS_PER_WORK, m),
    scratchBytes: placesAt + tableBytes(table) + lanes * 4,
    sequential: false,
    notes: [
      `contraction: products of ${images.extent} images of ${pixels} pixels × ${inputs.extent} → ${m} channels and taps, spread to the outputs`,
    ],
  };
}

/**
 * collect(flat, image, out, params, leaf…): adds the flat images of each channel up and writes them through scale and
 * epilogue.
 */
function defineCollect(module: ModuleBuilder, name: string, found: WinogradPlan): string {
  const { lanes } = module.machine;
  const { plan, part, rows, columns, images, outputs } = found;
  const finish = finishOf(
    plan.scale,
    plan.nest.epilogue,
    part.leaves.map((leaf) => leaf.node),
  );
  const accesses = [part.output, ...part.leaves.map((leaf) => leaf.access)];
  const stride = (access: AffineAccess, axis: number | undefined) => strideOf(access, axis) * 4;
  const leafTypes = Object.fromEntries(part.leaves.map((_, number) => [`leaf${number}`, "pointer"] as const));
  const flat = flatPixels(found);
  const shift = rows.low + rows.taps - 1;
  return module.define(name, { flat: "pointer", image: "i32", out: "pointer", params: "pointer", ...leafTypes }, (k, p) => {
    const parameters = p as unknown as { readonly [name: string]: Variable };
    k.loop(0, outputs.extent, 1, (channel) => {
      const from = k.let(advance(p.flat, mul(channel, flat * columns.taps * 4)), "from");
      const origins = accesses.map((access, number) => {
        const base = number === 0 ? p.out : parameters[`leaf${number - 1}`]!;
        const moved = add(mul(p.image, stride(access, images.axis)), mul(channel, stride(access, outputs.axis)));
        return k.let(advance(base, add(moved, access.base * 4)), "origin");
      });
      k.loop(0, rows.outputs, 1, (row) => {
        const line = k.let(advance(from, mul(add(row, shift), columns.extent * 4)), "line");
        for (let first = 0; first < columns.outputs; first += lanes) {
          const sum = k.let(constant("vf32", 0), "sum");
          for (let tap = 0; tap < columns.taps; tap++) {
            const value = shifted(k, line, tap * flat, first + columns.low + tap, columns.extent);
            if (value !== undefined) k.set(sum, add(sum, value));
          }
          const place = (number: number) => {
            const access = accesses[number]!;
            return at(origins[number]!, mul(row, stride(access, rows.axis)), first * stride(access, columns.axis));
          };
          const leaves = part.leaves.map((leaf, number) =>
            stride(leaf.access, columns.axis) === 0 ? loadSplat(place(number + 1)) : loadVector(place(number + 1)),
          );
          const result = finish === undefined ? sum : finish(k, sum, leaves, p.params);
          k.storePartial(place(0), result, i32(Math.min(lanes, columns.outputs - first)));
        }
      });
    });
  });
}

/** A vector of a row from `start` on, with zeros where the row is not; undefined when it is nowhere. */
function shifted(k: FunctionBuilder, line: Value, offset: number, start: number, extent: number): Value | undefined {
  const { lanes } = k.machine;
  const [low, high] = [Math.max(0, -start), Math.min(lanes, extent - start)];
  if (low >= high) return undefined;
  const read = loadVector(at(line, undefined, (offset + start) * 4));
  if (low === 0 && high === lanes) return read;
  const lane = laneConstants(Array.from({ length: lanes }, (_, number) => number));
  const inside = low === 0 ? lt(lane, high) : high === lanes ? ge(lane, low) : and(ge(lane, low), lt(lane, high));
  return select(inside, read, constant("vf32", 0));
}
