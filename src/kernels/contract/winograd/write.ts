// Emits the last step of a convolution by Winograd's algorithm: a strip's pixels through scale and epilogue.

import { type Element, elementBytes, readElement, writeElement } from "../../expressions/elements.ts";
import type { FunctionBuilder, ModuleBuilder } from "../../language/builder.ts";
import type { Value, ValueType, Variable } from "../../language/language.ts";
import { add, advance, at, bool, i32, lt, mul } from "../../language/values.ts";
import { type AffineAccess, strideOf } from "../access.ts";
import { finishOf } from "../epilogue.ts";
import type { Finish } from "../output.ts";
import type { WinogradPlan } from "./plan.ts";
import { type Rows, turnPixels } from "./steps.ts";
import { SIZE } from "./transforms.ts";

/** The output, or a tensor that the epilogue reads: where it begins, and how far its neighbours are apart, in bytes. */
interface Tensor {
  readonly parameter: string;
  readonly element: Element;
  readonly base: number;
  readonly image: number;
  readonly row: number;
  readonly column: number;
  readonly channel: number;
}

/** What is written from where. */
interface Writing {
  readonly pixels: Rows;
  /** Vectors of a panel's channels, and channels there are. */
  readonly vectors: number;
  readonly channels: number;
  readonly output: Tensor;
  readonly leaves: readonly Tensor[];
  readonly finish: Finish | undefined;
}

type Parameters = { readonly [name: string]: Variable };

/** Into the output, then into each leaf. */
type Pointers = readonly Value[];

/**
 * write(pixels, image, top, channel, out, params, leaf…): a strip's pixels of one panel, through scale and epilogue, to
 * the output.
 */
export function defineWrite(module: ModuleBuilder, name: string, found: WinogradPlan, pixels: Rows, vectors: number): string {
  const writing = writingOf(found, pixels, vectors);
  const { rows, columns } = found;
  const parameters: { readonly [name: string]: ValueType } = {
    pixels: "pointer",
    image: "i32",
    top: "i32",
    channel: "i32",
    out: "pointer",
    params: "pointer",
    ...Object.fromEntries(writing.leaves.map(({ parameter }) => [parameter, "pointer"] as const)),
  };
  return module.define(name, parameters, (k, p) => {
    const origins = tensorsOf(writing).map((tensor) => originOf(k, p, tensor));
    if (isFlat(found, writing)) {
      writeRow(k, p, writing, origins, i32(0), SIZE.outputs * columns.outputs);
      return;
    }
    k.loop(0, SIZE.outputs, 1, (number) => {
      const inside = rows.outputs % SIZE.outputs === 0 ? bool(true) : lt(add(p.top!, number), rows.outputs);
      k.if(inside, () => writeRow(k, p, writing, origins, number, columns.outputs));
    });
  });
}

function writingOf(found: WinogradPlan, pixels: Rows, vectors: number): Writing {
  const { plan, part, outputs } = found;
  const nodes = part.leaves.map(({ node }) => node);
  return {
    pixels,
    vectors,
    channels: outputs.extent,
    output: tensorOf(found, "out", plan.elements.c, part.output),
    leaves: part.leaves.map(({ element, access }, number) => tensorOf(found, `leaf${number}`, element!, access)),
    finish: finishOf(plan.scale, plan.nest.epilogue, nodes),
  };
}

function tensorOf({ images, rows, columns, outputs }: WinogradPlan, parameter: string, element: Element, access: AffineAccess): Tensor {
  const bytes = elementBytes[element];
  const step = (axis: number | undefined) => strideOf(access, axis) * bytes;
  const steps = { image: step(images.axis), row: step(rows.axis), column: step(columns.axis), channel: step(outputs.axis) };
  return { parameter, element, base: access.base * bytes, ...steps };
}

const tensorsOf = ({ output, leaves }: Writing): readonly Tensor[] => [output, ...leaves];

/** Where rows of outputs follow one another everywhere, a strip is one long row. */
function isFlat({ rows, columns }: WinogradPlan, writing: Writing): boolean {
  return (
    columns.outputs % SIZE.outputs === 0 &&
    rows.outputs % SIZE.outputs === 0 &&
    tensorsOf(writing).every(({ row, column }) => row === columns.outputs * column)
  );
}

/** Where the strip begins, at channel 0. */
function originOf(k: FunctionBuilder, p: Parameters, { parameter, base, image, row }: Tensor): Variable {
  const moved = add(mul(p.image!, image), mul(p.top!, row));
  return k.let(advance(p[parameter]!, add(moved, base)), "origin");
}

/** Writes `length` pixels of a row of the strip, vector after vector of channels. */
function writeRow(k: FunctionBuilder, p: Parameters, writing: Writing, origins: Pointers, number: Value, length: number): void {
  const { pixels, vectors, channels } = writing;
  const { lanes } = k.machine;
  const row = k.let(advance(p.pixels!, mul(number, pixels.columns * pixels.pixel)), "from");
  const rows = tensorsOf(writing).map((tensor, i) => k.let(advance(origins[i]!, mul(number, tensor.row)), "row"));
  k.loop(0, vectors, 1, (vector) => {
    const first = k.let(add(p.channel!, mul(vector, lanes)), "first");
    k.if(lt(first, channels), () => {
      const from = k.let(advance(row, mul(vector, lanes * 4)), "from");
      turnPixels(k, from, pixels.pixel, length, { first, end: channels }, (channel, pixel, value, count) => {
        const place = (i: number, tensor: Tensor) => at(placeOf(k, tensor, rows[i]!, channel, pixel));
        const leaves = writing.leaves.map((leaf, i) =>
          readElement(leaf.element, place(i + 1, leaf), leaf.column === 0 ? "splat" : "vector"),
        );
        const result = writing.finish === undefined ? value : writing.finish(k, value, leaves, p.params!);
        writeElement(k, writing.output.element, place(0, writing.output), result, count);
      });
    });
  });
}

function placeOf(k: FunctionBuilder, tensor: Tensor, row: Value, channel: Value, pixel: Value): Variable {
  return k.let(advance(row, add(mul(channel, tensor.channel), mul(pixel, tensor.column))), "place");
}
