// Emits the parts of Winograd's algorithm: copying rows by channels, transforms, products, and outputs.

import { type Element, elementBytes, readElement } from "../../expressions/elements.ts";
import type { FunctionBuilder, ModuleBuilder } from "../../language/builder.ts";
import type { Value, Variable } from "../../language/language.ts";
import { add, advance, at, constant, i32, load, loadVector, lt, mul, ne, operation, replace, splat } from "../../language/values.ts";
import { splitRows } from "../blocking.ts";
import { multiplyTile } from "../micro.ts";
import { filter, innerInput, outerInput, output, SIZE, upstream } from "./transforms.ts";

const { products } = SIZE;
const positions = products * products;

/**
 * Bytes from one position to the next: an odd number of cache lines, since all 36 are written side by side and would
 * otherwise compete for few sets of the first-level cache.
 */
export const pitchOf = (bytes: number): number => (Math.ceil(bytes / 64) | 1) * 64;

/** Rows of an image, `columns` pixels each, held with the channels of a pixel side by side. */
export interface Rows {
  readonly count: number;
  readonly columns: number;
  /** Bytes of a pixel's channels. */
  readonly pixel: number;
}

export const rowsBytes = ({ count, columns, pixel }: Rows): number => count * columns * pixel;

/** Where the channels and pixels of an operand lie, in elements. */
export interface Source {
  readonly element: Element;
  readonly channels: number;
  readonly channel: number;
  readonly row: number;
  readonly column: number;
  /** Rows and columns there are; the copy's column 0 is the operand's column `first`. */
  readonly height: number;
  readonly width: number;
  readonly first: number;
}

/**
 * rows(from, top, to): copies `rows.count` rows from `top` on, rows that are not there as zeros. The borders of `to`
 * are zero before.
 */
export function defineRows(module: ModuleBuilder, name: string, source: Source, rows: Rows): string {
  const { lanes } = module.machine;
  const bytes = elementBytes[source.element];
  const rowBytes = rows.columns * rows.pixel;
  const whole = Math.floor(source.channels / lanes);
  const [begin, end] = [Math.max(0, source.first), Math.min(source.width, source.first + rows.columns)];
  const row = (channels: number) =>
    module.define(`${name}_row`, { from: "pointer", to: "pointer" }, (k, { from, to }) => {
      const block = (column: Value, count: number) => {
        const start = k.let(advance(from, mul(column, source.column * bytes)), "start");
        const target = k.let(advance(to, mul(add(column, -source.first), rows.pixel)), "target");
        const lane = (number: number) => at(start, undefined, Math.min(number, channels - 1) * source.channel * bytes);
        const turned = k.transpose(Array.from({ length: lanes }, (_, number) => readElement(source.element, lane(number), "vector")));
        for (let pixel = 0; pixel < count; pixel++) k.store(at(target, undefined, pixel * rows.pixel), turned[pixel]!);
      };
      if (source.channel === 1) {
        k.loop(begin, end, 1, (column) =>
          k.store(
            at(to, mul(add(column, -source.first), rows.pixel)),
            readElement(source.element, at(from, mul(column, source.column * bytes)), "vector"),
          ),
        );
        return;
      }
      const stop = begin + Math.floor((end - begin) / lanes) * lanes;
      k.loop(begin, stop, lanes, (column) => block(column, lanes));
      if (stop < end) block(i32(stop), end - stop);
    });
  const wholeRow = whole > 0 ? row(lanes) : undefined;
  const lastRow = source.channels % lanes > 0 ? row(source.channels % lanes) : undefined;
  return module.define(name, { from: "pointer", top: "i32", to: "pointer" }, (k, { from, top, to }) => {
    k.loop(0, rows.count, 1, (number) => {
      const line = k.let(add(top, number), "line");
      const target = k.let(advance(to, mul(number, rowBytes)), "target");
      const inside = operation("ltUnsigned", [line, source.height]);
      k.if(
        inside,
        () => {
          const start = k.let(advance(from, mul(line, source.row * bytes)), "start");
          if (wholeRow !== undefined) {
            k.loop(0, whole, 1, (vector) =>
              k.call(wholeRow, [advance(start, mul(vector, lanes * source.channel * bytes)), advance(target, mul(vector, lanes * 4))]),
            );
          }
          if (lastRow !== undefined)
            k.call(lastRow, [advance(start, whole * lanes * source.channel * bytes), advance(target, whole * lanes * 4)]);
        },
        () => k.loop(0, rowBytes, lanes * 4, (place) => k.store(at(target, place), constant("vf32", 0))),
      );
    });
  });
}

/** Products of tiles: for each of 36 positions, `tiles` rows of `row` bytes. */
export interface Products {
  readonly tiles: number;
  readonly row: number;
}

const productsPitch = ({ tiles, row }: Products): number => pitchOf(tiles * row);
export const productsBytes = (all: Products): number => positions * productsPitch(all);

/** input(from, to): the products' left factors of one row of tiles, from the rows of pixels that they need. */
export function defineInput(module: ModuleBuilder, name: string, rows: Rows, to: Products, tiles: number, vectors: number): string {
  const bytes = module.machine.lanes * 4;
  const position = productsPitch(to);
  return module.define(name, { from: "pointer", to: "pointer" }, (k, p) => {
    k.loop(0, tiles, 1, (tile) => {
      const tileFrom = k.let(advance(p.from, mul(tile, SIZE.outputs * rows.pixel)), "from");
      const tileTo = k.let(advance(p.to, mul(tile, to.row)), "to");
      k.loop(0, vectors * bytes, bytes, (channel) => {
        const from = k.let(advance(tileFrom, channel), "from");
        const target = k.let(advance(tileTo, channel), "to");
        const pixel = (row: number, column: number) => loadVector(at(from, undefined, (row * rows.columns + column) * rows.pixel));
        const down = (values: readonly Variable[], column: number) => {
          const all = [
            outerInput(k, values[0]!, values[2]!, values[4]!),
            ...innerInput(k, values),
            outerInput(k, values[1]!, values[3]!, values[5]!),
          ];
          all.forEach((value, row) => k.store(at(target, undefined, (row * products + column) * position), value));
        };
        // In two halves, so that the values of a half fit the registers.
        const inner = Array.from({ length: products }, (_, row) => {
          const read = Array.from({ length: products }, (_, column) =>
            column === 0 || column === 5 ? undefined : k.let(pixel(row, column), "d"),
          );
          return innerInput(k, read as Variable[]);
        });
        for (let column = 0; column < 4; column++)
          down(
            inner.map((row) => row[column]!),
            column + 1,
          );
        for (const column of [0, 1]) {
          const outer = Array.from({ length: products }, (_, row) =>
            outerInput(k, pixel(row, column), pixel(row, column + 2), pixel(row, column + 4)),
          );
          down(outer, column === 0 ? 0 : 5);
        }
      });
    });
  });
}

/**
 * upstream(from, to): the left factors of a gradient by filters, of one row of tiles, from 4 rows of what arrives at
 * the outputs.
 */
export function defineUpstream(module: ModuleBuilder, name: string, rows: Rows, to: Products, tiles: number, vectors: number): string {
  const bytes = module.machine.lanes * 4;
  const position = productsPitch(to);
  return module.define(name, { from: "pointer", to: "pointer" }, (k, p) => {
    k.loop(0, tiles, 1, (tile) => {
      const tileFrom = k.let(advance(p.from, mul(tile, SIZE.outputs * rows.pixel)), "from");
      const tileTo = k.let(advance(p.to, mul(tile, to.row)), "to");
      k.loop(0, vectors * bytes, bytes, (channel) => {
        const from = k.let(advance(tileFrom, channel), "from");
        const target = k.let(advance(tileTo, channel), "to");
        const outputs = Array.from({ length: SIZE.outputs }, (_, number) => number);
        const lines = outputs.map((row) =>
          upstream(
            k,
            outputs.map((column) => k.let(loadVector(at(from, undefined, (row * rows.columns + column) * rows.pixel)), "y")),
          ),
        );
        for (let column = 0; column < products; column++) {
          const values = upstream(
            k,
            lines.map((line) => line[column]!),
          );
          values.forEach((value, row) => {
            k.store(at(target, undefined, (row * products + column) * position), value);
          });
        }
      });
    });
  });
}

/** Sums of a gradient by filters: at each of 36 positions, a row of `row` bytes per output. */
export interface Sums {
  readonly outputs: number;
  readonly row: number;
}

export const sumsPitch = ({ outputs, row }: Sums): number => pitchOf(outputs * row);
export const sumsBytes = (sums: Sums): number => positions * sumsPitch(sums);

/**
 * accumulate(left, right, depth, to, adds): at each position, the transpose of left (depth × outputs) · right (depth ×
 * inputs).
 */
export function defineAccumulate(
  module: ModuleBuilder,
  name: string,
  [left, right]: readonly [Products, Products],
  sums: Sums,
  vectors: number,
): string {
  const { lanes, registers, tile } = module.machine;
  const most = vectors === tile.vectors ? tile.rows : Math.min(8, Math.floor((registers - 1 - vectors) / (vectors + 1)));
  const width = vectors * lanes * 4;
  const { height, count, tall } = splitRows(sums.outputs, most);
  const micro = (rows: number) =>
    module.define(`${name}_tile`, { a: "pointer", b: "pointer", depth: "i32", to: "pointer", adds: "i32" }, (k, p) => {
      const tile = multiplyTile(k, { height: rows, vectors, aRow: 4, aStep: left.row, bStep: right.row }, p);
      const place = (r: number, v: number) => at(p.to, undefined, r * sums.row + v * lanes * 4);
      const each = (visit: (sum: Variable, r: number, v: number) => void) =>
        tile.forEach((row, r) => {
          row.forEach((sum, v) => {
            visit(sum, r, v);
          });
        });
      k.if(ne(p.adds, 0), () => each((sum, r, v) => k.set(sum, add(sum, loadVector(place(r, v))))));
      each((sum, r, v) => k.store(place(r, v), sum));
    });
  const micros = [
    [tall, height, tall > 0 ? micro(height) : ""],
    [count - tall, height - 1, count > tall ? micro(height - 1) : ""],
  ] as const;
  const parameters = { left: "pointer", right: "pointer", depth: "i32", to: "pointer", adds: "i32" } as const;
  return module.define(name, parameters, (k, p) => {
    k.loop(0, positions, 1, () => {
      k.loop(0, sums.row, width, (panel) => {
        const b = k.let(advance(p.right, panel), "b");
        const a = k.let(p.left, "a");
        const to = k.let(advance(p.to, panel), "to");
        for (const [tiles, rows, micro] of micros) {
          if (tiles === 0 || rows === 0) continue;
          k.loop(0, tiles, 1, () => {
            k.call(micro, [a, b, p.depth, to, p.adds]);
            k.set(a, advance(a, rows * 4));
            k.set(to, advance(to, rows * sums.row));
          });
        }
      });
      k.set(p.left, advance(p.left, productsPitch(left)));
      k.set(p.right, advance(p.right, productsPitch(right)));
      k.set(p.to, advance(p.to, sumsPitch(sums)));
    });
  });
}

export interface FilterSource {
  readonly inputs: number;
  readonly outputs: number;
  /** Elements from one to the next. */
  readonly input: number;
  readonly output: number;
  readonly taps: readonly [number, number];
}

/** filters(from, to): right factors of one panel of outputs (`count` of them are there): positions × inputs × width. */
export function defineFilters(module: ModuleBuilder, name: string, source: FilterSource, vectors: number, count: number): string {
  const { lanes } = module.machine;
  const width = vectors * lanes * 4;
  const position = pitchOf(source.inputs * width);
  const [down, along] = source.taps;
  const offsets = Array.from({ length: 9 }, (_, tap) => Math.floor(tap / 3) * down + (tap % 3) * along);
  const lowest = Math.min(...offsets);
  const isRun = Math.max(...offsets) - lowest === 8 && lanes > 8;
  return module.define(name, { from: "pointer", to: "pointer" }, (k, p) => {
    k.loop(0, source.inputs, 1, (input) => {
      const from = k.let(advance(p.from, mul(input, source.input * 4)), "from");
      const target = k.let(advance(p.to, mul(input, width)), "to");
      for (let vector = 0; vector < vectors; vector++) {
        const lane = (number: number) => Math.min(vector * lanes + number, count - 1) * source.output;
        const gathered = (offset: number): Value => {
          if (source.output === 1) return loadVector(at(from, undefined, (vector * lanes + offset) * 4));
          const element = (number: number) => load(at(from, undefined, (lane(number) + offset) * 4));
          let value: Value = splat(element(0));
          for (let number = 1; number < lanes; number++) value = replace(value, number, element(number));
          return value;
        };
        const turned = isRun
          ? k.transpose(Array.from({ length: lanes }, (_, number) => loadVector(at(from, undefined, (lane(number) + lowest) * 4))))
          : undefined;
        const g = offsets.map((offset) => (turned === undefined ? k.let(gathered(offset), "g") : turned[offset - lowest]!));
        const rows = [0, 1, 2].map((row) => filter(k, g.slice(3 * row, 3 * row + 3)));
        for (let column = 0; column < products; column++) {
          const all = filter(
            k,
            rows.map((row) => row[column]!),
          );
          all.forEach((value, row) => k.store(at(target, undefined, (row * products + column) * position + vector * lanes * 4), value));
        }
      }
    });
  });
}

/** multiply(left, right, to): at each position, left (tiles × inputs) · right (inputs × width). */
export function defineMultiply(module: ModuleBuilder, name: string, left: Products, inputs: number, vectors: number): string {
  const { lanes, registers, tile } = module.machine;
  const most = vectors === tile.vectors ? tile.rows : Math.min(8, Math.floor((registers - 1 - vectors) / (vectors + 1)));
  const width = vectors * lanes * 4;
  const { height, count, tall } = splitRows(left.tiles, most);
  const micro = (rows: number) =>
    module.define(`${name}_tile`, { a: "pointer", b: "pointer", depth: "i32", to: "pointer" }, (k, p) => {
      const sums = multiplyTile(k, { height: rows, vectors, aRow: left.row, aStep: 4, bStep: width }, p);
      sums.forEach((row, r) => {
        row.forEach((sum, v) => {
          k.store(at(p.to, undefined, r * width + v * lanes * 4), sum);
        });
      });
    });
  const micros = [
    [tall, height, tall > 0 ? micro(height) : ""],
    [count - tall, height - 1, count > tall ? micro(height - 1) : ""],
  ] as const;
  return module.define(name, { left: "pointer", right: "pointer", to: "pointer" }, (k, p) => {
    k.loop(0, positions, 1, () => {
      const [from, to] = [k.let(p.left, "from"), k.let(p.to, "to")];
      for (const [tiles, rows, micro] of micros) {
        if (tiles === 0 || rows === 0) continue;
        k.loop(0, tiles, 1, () => {
          k.call(micro, [from, p.right, i32(inputs), to]);
          k.set(from, advance(from, rows * left.row));
          k.set(to, advance(to, rows * width));
        });
      }
      k.set(p.left, advance(p.left, productsPitch(left)));
      k.set(p.right, advance(p.right, pitchOf(inputs * width)));
      k.set(p.to, advance(p.to, pitchOf(left.tiles * width)));
    });
  });
}

/** output(from, to): the pixels of one row of tiles, from their products. */
export function defineOutput(module: ModuleBuilder, name: string, from: Products, rows: Rows, tiles: number, vectors: number): string {
  const bytes = module.machine.lanes * 4;
  const position = productsPitch(from);
  return module.define(name, { from: "pointer", to: "pointer" }, (k, p) => {
    k.loop(0, tiles, 1, (tile) => {
      for (let vector = 0; vector < vectors; vector++) {
        const start = k.let(advance(p.from, mul(tile, from.row)), "from");
        const target = k.let(advance(p.to, mul(tile, SIZE.outputs * rows.pixel)), "to");
        const lines = Array.from({ length: products }, (_, row) =>
          output(
            k,
            Array.from({ length: products }, (_, column) =>
              k.let(loadVector(at(start, undefined, (row * products + column) * position + vector * bytes)), "m"),
            ),
          ),
        );
        for (let column = 0; column < SIZE.outputs; column++) {
          output(
            k,
            lines.map((line) => line[column]!),
          ).forEach((value, row) => k.store(at(target, undefined, (row * rows.columns + column) * rows.pixel + vector * bytes), value));
        }
      }
    });
  });
}

/** Writes what one vector of pixels of a channel becomes; `channel` numbers the channel, `count` pixels are wanted. */
export type WritePixels = (channel: Value, pixel: Value, value: Value, count: Value | undefined) => void;

/** Turns `pixels` pixels of `lanes` channels, `pixel` bytes apart, and hands them on channel by channel. */
export function turnPixels(
  k: FunctionBuilder,
  from: Value,
  pixel: number,
  pixels: number,
  channels: { readonly first: Value; readonly end: number },
  write: WritePixels,
): void {
  const { lanes } = k.machine;
  const block = (start: Value, count: number) => {
    const turned = k.transpose(Array.from({ length: lanes }, (_, number) => loadVector(at(from, mul(start, pixel), number * pixel))));
    turned.forEach((value, number) => {
      const channel = k.let(add(channels.first, number), "channel");
      const one = () => write(channel, start, value, count === lanes ? undefined : i32(count));
      if (channels.end % lanes === 0) one();
      else k.if(lt(channel, channels.end), one);
    });
  };
  const whole = Math.floor(pixels / lanes) * lanes;
  k.loop(0, whole, lanes, (start) => block(start, lanes));
  if (whole < pixels) block(i32(whole), pixels - whole);
}
