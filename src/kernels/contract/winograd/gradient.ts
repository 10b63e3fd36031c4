// Emits a 3×3 convolution's gradient by its filters with Winograd's algorithm: partial sums, then their totals.

import { elementBytes, elementOf } from "../../expressions/elements.ts";
import type { FunctionBuilder, ModuleBuilder } from "../../language/builder.ts";
import { aligned, type Value, type Variable } from "../../language/language.ts";
import { add, advance, at, constant, i32, loadSplat, loadVector, lt, min, mul, select, sub } from "../../language/values.ts";
import { entryParameters, functionName, type LoweredNest } from "../../lowered.ts";
import { type AffineAccess, strideOf } from "../access.ts";
import { zeroArea } from "../direct.ts";
import { finishOf } from "../epilogue.ts";
import { FLOPS_PER_WORK, phaseOf } from "../work.ts";
import { allot, imageSource, rowBytes, stripOf } from "./layout.ts";
import type { PlainAxis, WinogradGradientPlan } from "./plan.ts";
import {
  defineAccumulate,
  defineInput,
  defineRows,
  defineUpstream,
  type Products,
  productsBytes,
  type Rows,
  rowsBytes,
  type Sums,
  sumsBytes,
  sumsPitch,
} from "./steps.ts";
import { SIZE, taps } from "./transforms.ts";

/** Tiles multiplied together: enough to make adding to the sums cheap. */
const WANTED_TILES = 64;
/** Parts of the images, each with sums of its own, while all of them take no more than so many bytes. */
const WANTED_PARTS = 8;
const MOST_BYTES = 10 * 2 ** 20;

/**
 * Neighbours in rows of pixels, or channels of a pixel, must be neighbours in both factors; taps in what the epilogue
 * reads.
 */
export function canEmitGradient({
  plan,
  part,
  image,
  upstream,
  columns,
  inputs,
  outputs,
  taps: [row, column],
}: WinogradGradientPlan): boolean {
  const { strides } = upstream.access;
  const isNext = (axis: PlainAxis, access: AffineAccess) => axis.axis !== undefined && access.strides[axis.axis] === 1;
  return (
    outputs.axis !== undefined &&
    inputs.axis !== undefined &&
    plan.elements.c === "f32" &&
    (columns.pitch === 1 || isNext(inputs, image.access)) &&
    (strides[columns.axis] === 1 || isNext(outputs, upstream.access)) &&
    plan.roles.batch.every((axis) => part.extents[axis] === 1) &&
    part.leaves.every(({ element, access }) => {
      const [down, along] = [access.strides[row]!, access.strides[column]!];
      return element === "f32" && ((down === SIZE.taps && along === 1) || (down === 0 && along === 0));
    })
  );
}

/** Writes the functions of a gradient by filters into the module. */
export function lowerGradient(found: WinogradGradientPlan, module: ModuleBuilder): LoweredNest {
  const { lanes, tile } = module.machine;
  const { plan, image, upstream, rows, columns, images, inputs, outputs } = found;
  const name = (step: string) => functionName(plan.nest, step);
  const tilesPerStrip = Math.ceil(columns.outputs / SIZE.outputs);
  const stripsPerImage = Math.ceil(rows.outputs / SIZE.outputs);
  const strips = stripsPerImage * images.extent;
  const stripsPerBlock = Math.min(strips, Math.max(1, Math.floor(WANTED_TILES / tilesPerStrip)));
  const [inputVectors, outputVectors] = [inputs, outputs].map(({ extent }) => Math.ceil(extent / lanes)) as [number, number];
  const vectors = Math.min(tile.vectors, inputVectors);
  const tiles = stripsPerBlock * tilesPerStrip;
  const left: Products = { tiles, row: rowBytes(outputVectors * lanes * 4) };
  const right: Products = { tiles, row: rowBytes(inputVectors * lanes * 4) };
  const sums: Sums = { outputs: outputs.extent, row: Math.ceil(inputVectors / vectors) * vectors * lanes * 4 };
  const imageRows: Rows = { count: SIZE.products, columns: SIZE.outputs * tilesPerStrip + 2, pixel: inputVectors * lanes * 4 };
  const upstreamRows: Rows = { count: SIZE.outputs, columns: SIZE.outputs * tilesPerStrip, pixel: outputVectors * lanes * 4 };
  const parts = partsOf(sumsBytes(sums), Math.ceil(strips / stripsPerBlock));
  const stripsPerPart = Math.ceil(strips / parts);

  const elementAt = (operand: number) => elementOf(plan.nest.operands[operand]!.dtype);
  const [imageBytes, upstreamBytes] = [image, upstream].map(({ operand }) => elementBytes[elementAt(operand)]) as [number, number];
  const copyImage = defineRows(module, name("rows"), imageSource(found), imageRows);
  const copyUpstream = defineRows(
    module,
    name("upstream_rows"),
    {
      element: elementAt(upstream.operand),
      channels: outputs.extent,
      channel: strideOf(upstream.access, outputs.axis),
      row: strideOf(upstream.access, rows.axis),
      column: strideOf(upstream.access, columns.axis),
      height: rows.outputs,
      width: columns.outputs,
      first: 0,
    },
    upstreamRows,
  );
  const transformImage = defineInput(module, name("input"), imageRows, right, tilesPerStrip, inputVectors);
  const transformUpstream = defineUpstream(module, name("upstream"), upstreamRows, left, tilesPerStrip, outputVectors);
  const accumulate = defineAccumulate(module, name("products"), [left, right], sums, vectors);
  const places = allot([
    rowsBytes(imageRows) + lanes * 4,
    rowsBytes(upstreamRows) + lanes * 4,
    productsBytes(left) + tile.rows * 4,
    productsBytes(right) + vectors * lanes * 4,
  ]);
  const [imageAt, upstreamAt, leftAt, rightAt, scratchBytes] = places as [number, number, number, number, number];
  const parameters = entryParameters(plan.nest, true);
  const area = (k: FunctionBuilder, scratch: Value, offset: number) => k.let(advance(scratch, offset), "area");

  const partialSums = module.define(
    name("partialSums"),
    parameters,
    (k, p) => {
      const [imageArea, upstreamArea] = [area(k, p.scratch!, imageAt), area(k, p.scratch!, upstreamAt)];
      const [leftArea, rightArea] = [area(k, p.scratch!, leftAt), area(k, p.scratch!, rightAt)];
      zeroArea(k, imageArea, aligned(rowsBytes(imageRows)));
      zeroArea(k, upstreamArea, aligned(rowsBytes(upstreamRows)));
      k.loop(p.begin!, p.end!, 1, (part) => {
        const to = k.let(advance(p.shared!, mul(part, sumsBytes(sums))), "to");
        const first = k.let(mul(part, stripsPerPart), "first");
        const end = k.let(min(add(first, stripsPerPart), strips), "end");
        k.loop(first, end, stripsPerBlock, (block) => {
          const count = k.let(min(sub(end, block), stripsPerBlock), "count");
          k.loop(0, count, 1, (number) => {
            const { image: of, top } = stripOf(k, add(block, number), stripsPerImage);
            const origin = add(mul(of, strideOf(image.access, images.axis) * imageBytes), image.base * imageBytes);
            k.call(copyImage, [advance(p[`in${image.operand}`]!, origin), add(top, rows.low), imageArea]);
            k.call(transformImage, [imageArea, advance(rightArea, mul(number, tilesPerStrip * right.row))]);
            const start = add(mul(of, strideOf(upstream.access, images.axis) * upstreamBytes), upstream.access.base * upstreamBytes);
            k.call(copyUpstream, [advance(p[`in${upstream.operand}`]!, start), top, upstreamArea]);
            k.call(transformUpstream, [upstreamArea, advance(leftArea, mul(number, tilesPerStrip * left.row))]);
          });
          const adds = select(lt(first, block), i32(1), i32(0));
          k.call(accumulate, [leftArea, rightArea, mul(count, tilesPerStrip), to, adds]);
        });
      });
    },
    true,
  );
  const usedParts = Math.ceil(strips / stripsPerPart);
  const entry = module.define(name("combine"), parameters, (k, p) => writeCombine(k, p, found, sums, usedParts), true);
  const flops = 2 * SIZE.products ** 2 * strips * tilesPerStrip * inputs.extent * outputs.extent;
  const transforms = (strips * tilesPerStrip * SIZE.products ** 2 * (inputs.extent + outputs.extent)) / 4;
  const before = phaseOf(
    partialSums,
    usedParts,
    flops / FLOPS_PER_WORK + transforms,
    (rowsBytes(imageRows) + rowsBytes(upstreamRows)) / 16,
  );
  return {
    ...phaseOf(entry, outputs.extent, (usedParts * sumsBytes(sums)) / 4, 0),
    before: [before],
    sharedBytes: usedParts * sumsBytes(sums),
    scratchBytes,
    sequential: false,
    notes: [
      `gradient by 3×3 filters by Winograd's F(4×4, 3×3): ${strips * tilesPerStrip} tiles, ${inputs.extent} → ${outputs.extent} channels, ` +
        `${usedParts} parts, blocks of ${tiles} tiles`,
    ],
  };
}

function partsOf(bytes: number, blocks: number): number {
  let parts = WANTED_PARTS;
  while (parts > 2 && parts * bytes > MOST_BYTES) parts /= 2;
  return Math.max(1, Math.min(parts, blocks));
}

/**
 * Adds the parts' sums in order, turns them into taps and writes those through scale and epilogue. Slices are outputs.
 */
function writeCombine(
  k: FunctionBuilder,
  p: { readonly [name: string]: Variable },
  { plan, part, inputs, outputs }: WinogradGradientPlan,
  sums: Sums,
  parts: number,
): void {
  const { lanes } = k.machine;
  const finish = finishOf(
    plan.scale,
    plan.nest.epilogue,
    part.leaves.map((leaf) => leaf.node),
  );
  const accesses = [part.output, ...part.leaves.map((leaf) => leaf.access)];
  const isSplat = accesses.map(({ strides }) =>
    plan.roles.m.concat(plan.roles.n).every((axis) => axis === inputs.axis || axis === outputs.axis || strides[axis] === 0),
  );
  const position = sumsPitch(sums);
  k.loop(p.begin!, p.end!, 1, (output) => {
    const from = k.let(advance(p.shared!, mul(output, sums.row)), "from");
    const origins = accesses.map((access, number) => {
      const base = number === 0 ? p.out! : p[`in${part.leaves[number - 1]!.operand!}`]!;
      return k.let(advance(base, add(mul(output, access.strides[outputs.axis!]! * 4), access.base * 4)), "origin");
    });
    k.loop(0, inputs.extent, lanes, (first) => {
      const start = k.let(advance(from, mul(first, 4)), "start");
      const sum = (number: number): Variable => {
        const value = k.let(loadVector(at(start, undefined, number * position)), "u");
        for (let other = 1; other < parts; other++)
          k.set(value, add(value, loadVector(at(start, undefined, other * sumsBytes(sums) + number * position))));
        return value;
      };
      // Three rows of taps by six columns, one column at a time.
      const columns = Array.from({ length: SIZE.products }, (_, column) =>
        taps(
          k,
          Array.from({ length: SIZE.products }, (_, row) => sum(row * SIZE.products + column)),
        ),
      );
      const all = [0, 1, 2].flatMap((row) =>
        taps(
          k,
          columns.map((column) => column[row]!),
        ),
      );
      for (let group = 0; group < all.length; group += lanes) {
        const turned = k.transpose(Array.from({ length: lanes }, (_, lane) => all[group + lane] ?? constant("vf32", 0)));
        const count = Math.min(lanes, all.length - group);
        turned.forEach((value, lane) => {
          const input = k.let(add(first, lane), "input");
          const write = () => {
            const place = (number: number) =>
              at(
                origins[number]!,
                k.let(mul(input, accesses[number]!.strides[inputs.axis!]! * 4), "place"),
                isSplat[number] ? 0 : group * 4,
              );
            const leaves = part.leaves.map((_, number) =>
              isSplat[number + 1] ? loadSplat(place(number + 1)) : loadVector(place(number + 1)),
            );
            const result = finish === undefined ? value : finish(k, value, leaves, p.params!);
            k.storePartial(place(0), result, i32(count));
          };
          if (inputs.extent % lanes === 0) write();
          else k.if(lt(input, inputs.extent), write);
        });
      }
    });
  });
}
