// The loop that all image transforms share: draws random numbers per sample, writes each result into one new array.

import { isNumber, requireKind, withLength } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { textOf } from "../../util/kind-of.ts";
import { shapeText } from "../../util/shape-text.ts";
import { allocateLike, type Fields, holdsFractions, type NdArray, type Storage } from "../array.ts";
import type { Random } from "../generators/random.ts";
import { type FieldsTransform, fieldOf } from "./transform.ts";

/** Where a transform of images works. */
export interface ImageOptions {
  /**
   * Fields of images [batch, …, height, width] that all get the same change, such as an image and its mask. Default
   * ["x"].
   */
  readonly fields?: readonly string[];
}

/** Extents of one sample. */
export interface ImageSize {
  /** Product of the axes between batch and height: the channels of [batch, channels, height, width]. */
  readonly planes: number;
  readonly height: number;
  readonly width: number;
}

/** A change of single images, each with the numbers that `draw` took. */
export interface ImageChange<Numbers> {
  /** How errors call it. */
  readonly name: string;
  /** Set where results lie between the given values: whole numbers cannot hold them. */
  readonly needsFloats?: boolean;
  /** Height and width of the result; default those of the image. Throws where the image does not suit. */
  size?(image: ImageSize): readonly [height: number, width: number];
  draw(random: Random, image: ImageSize): Numbers;
  /** Fills `target`, which is zero, from `source`: planes × height × width values of one sample each. */
  paint(target: Storage, source: Storage, image: ImageSize, numbers: Numbers): void;
}

/** The transform that makes this change to every image. */
export function imageTransform<Numbers>(change: ImageChange<Numbers>, { fields = ["x"] }: ImageOptions): FieldsTransform {
  const { name } = change;
  if (fields.length === 0) throw new InputError(`${name}: expected at least one field, got none`, { hint: 'fields: ["x"]' });
  return <F extends Fields>(batch: F, draws: Parameters<FieldsTransform>[1]): F => {
    const changed: Record<string, NdArray> = { ...batch };
    let first: ImageSize | undefined;
    for (const field of fields) {
      const images = fieldOf(batch, field, name);
      const size = imageSize(images, `${name}: field "${field}"`);
      first ??= size;
      if (size.height !== first.height || size.width !== first.width) {
        throw new InputError(
          `${name}: fields that change together need the same height and width, got ${first.height} × ${first.width} and ${size.height} × ${size.width}`,
        );
      }
      if (change.needsFloats && !holdsFractions(images)) {
        throw new InputError(`${name}: field "${field}" holds whole numbers, expected floating-point values`, {
          hint: "standardize or scale the images to float32 before",
        });
      }
      const [height, width] = change.size?.(size) ?? [size.height, size.width];
      const samples = images.shape[0]!;
      const [from, to] = [size.planes * size.height * size.width, size.planes * height * width];
      const data = allocateLike(images.data, samples * to);
      for (let place = 0; place < samples; place++) {
        const numbers = change.draw(draws.sample(place), size);
        change.paint(data.subarray(place * to, (place + 1) * to), images.data.subarray(place * from, (place + 1) * from), size, numbers);
      }
      changed[field] = { shape: [...images.shape.slice(0, -2), height, width], data };
    }
    return changed as Fields as F;
  };
}

/** @throws InputError unless the array is [batch, …, height, width] with at least one pixel. */
export function imageSize({ shape }: NdArray, where: string): ImageSize {
  const [height = 0, width = 0] = shape.slice(-2);
  if (shape.length < 3 || shape.slice(1).includes(0)) {
    throw new InputError(`${where}: expected images [batch, …, height, width] with at least one pixel, got shape ${shapeText(shape)}`);
  }
  return { planes: shape.slice(1, -2).reduce((product, extent) => product * extent, 1), height, width };
}

/** @throws InputError unless 0 ≤ value ≤ 1. */
export function checkProbability(value: number, name: string): void {
  if (!(isNumber(value) && value >= 0 && value <= 1)) throw new InputError(`${name}: expected a number from 0 to 1, got ${textOf(value)}`);
}

/** @throws InputError unless both are finite and in order, the first at least `least`. */
export function checkRange(range: readonly [number, number], name: string, least = Number.NEGATIVE_INFINITY): void {
  requireKind(name, RANGE, range);
  const [low, high] = range;
  if (Number.isFinite(low) && Number.isFinite(high) && low <= high && low >= least) return;
  const bound = Number.isFinite(least) ? ` of at least ${least}` : "";
  throw new InputError(`${name}: expected two finite numbers${bound}, the smaller first, got [${textOf(low)}, ${textOf(high)}]`);
}

const RANGE = { ...withLength(2), words: "two numbers, the smaller first" };
