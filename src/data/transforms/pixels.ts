// Transforms that change pixel values where they are: erasing, brightness and contrast, noise.

import { InputError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import type { Storage } from "../array.ts";
import { checkAmount, checkCount } from "../generators/random.ts";
import { checkProbability, checkRange, type ImageOptions, type ImageSize, imageTransform } from "./images.ts";
import type { FieldsTransform } from "./transform.ts";

/** Which boxes to erase. */
export interface ErasingOptions extends ImageOptions {
  /** Share of the images that lose a box (default 0.5). */
  readonly probability?: number;
  /** Share of the image that the box covers (default [0.02, 0.33]). */
  readonly area?: readonly [low: number, high: number];
  /** Height over width of the box, drawn evenly on a logarithmic scale (default [0.3, 3.3]). */
  readonly aspect?: readonly [low: number, high: number];
  /** What the box is filled with (default 0). */
  readonly fill?: number;
}

/**
 * Fills a box of random size and place in some of the images (Zhong, Zheng, Kang, Li and Yang, 2020, "Random erasing").
 * [batch, …, height, width] to the same shape. An image in which ten drawn boxes do not fit stays whole.
 *
 * @throws InputError for options out of range.
 */
export function randomErasing(options: ErasingOptions = {}): FieldsTransform {
  const {
    probability = 0.5,
    area = [0.02, 0.33],
    aspect = [0.3, 3.3],
    fill = 0,
    ...rest
  } = checkOptions<ErasingOptions>("randomErasing", options, { fields: true, probability: true, area: true, aspect: true, fill: true });
  const name = "randomErasing";
  checkProbability(probability, `${name}: probability`);
  checkRange(area, `${name}: area`, 0);
  checkRange(aspect, `${name}: aspect`, Number.MIN_VALUE);
  if (area[1] > 1) throw new InputError(`${name}: expected areas of at most 1, the whole image, got ${area[1]}`);
  return imageTransform(
    {
      name,
      draw(random, { height, width }): Box | undefined {
        if (!random.chance(probability)) return undefined;
        for (let attempt = 0; attempt < 10; attempt++) {
          const covered = random.uniform(...area) * height * width;
          const ratio = Math.exp(random.uniform(Math.log(aspect[0]), Math.log(aspect[1])));
          const [rows, columns] = [Math.round(Math.sqrt(covered * ratio)), Math.round(Math.sqrt(covered / ratio))];
          if (rows > height || columns > width) continue;
          const [top, left] = [random.integer(height - rows + 1), random.integer(width - columns + 1)];
          return { top, left, bottom: top + rows, right: left + columns };
        }
        return undefined;
      },
      paint: (target, source, image, box) => paintBox(target, source, image, box, fill),
    },
    rest,
  );
}

/** Which squares to erase. */
export interface CutoutOptions extends ImageOptions {
  /** Side of the square in pixels. */
  readonly size: number;
  /** What the square is filled with (default 0). */
  readonly fill?: number;
}

/**
 * Fills a square about a random pixel of each image; what lies outside is cut off (DeVries and Taylor, 2017, "Cutout").
 * [batch, …, height, width] to the same shape.
 *
 * @throws InputError when `size` is not a whole number of at least 1.
 */
export function cutout(options: CutoutOptions): FieldsTransform {
  const { size, fill = 0, ...rest } = checkOptions<CutoutOptions>("cutout", options, { fields: true, size: true, fill: true });
  checkCount(size, "cutout: size");
  return imageTransform(
    {
      name: "cutout",
      draw(random, { height, width }) {
        const half = Math.floor(size / 2);
        return boxWithin(random.integer(height) - half, random.integer(width) - half, size, size, { height, width });
      },
      paint: (target, source, image, box) => paintBox(target, source, image, box, fill),
    },
    rest,
  );
}

/** How much brightness and contrast change. */
export interface BrightnessContrastOptions extends ImageOptions {
  /** Largest change that is added to all values of an image (default 0). */
  readonly brightness?: number;
  /** Largest relative change of the distance of values from the image's mean (default 0). */
  readonly contrast?: number;
  /** Results are kept within these (default: as they come). */
  readonly limits?: readonly [low: number, high: number];
}

/**
 * mean + (1 + c) (value − mean) + b for all values of an image, with b and c drawn evenly from ± `brightness` and ±
 * `contrast`. [batch, …, height, width], floating point, to the same shape.
 *
 * @throws InputError for options out of range; when applied, for whole numbers.
 */
export function randomBrightnessContrast(options: BrightnessContrastOptions): FieldsTransform {
  const {
    brightness = 0,
    contrast = 0,
    limits,
    ...rest
  } = checkOptions<BrightnessContrastOptions>("randomBrightnessContrast", options, {
    fields: true,
    brightness: true,
    contrast: true,
    limits: true,
  });
  const name = "randomBrightnessContrast";
  checkAmount(brightness, `${name}: brightness`);
  checkAmount(contrast, `${name}: contrast`);
  if (limits !== undefined) checkRange(limits, `${name}: limits`);
  const [low, high] = limits ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  return imageTransform(
    {
      name,
      needsFloats: true,
      draw: (random) => ({ added: random.uniform(-brightness, brightness), factor: 1 + random.uniform(-contrast, contrast) }),
      paint(target, source, _, { added, factor }) {
        let sum = 0;
        for (let index = 0; index < source.length; index++) sum += source[index]!;
        const mean = sum / source.length;
        for (let index = 0; index < source.length; index++) {
          target[index] = Math.min(high, Math.max(low, mean + factor * (source[index]! - mean) + added));
        }
      },
    },
    rest,
  );
}

/** How much noise to add. */
export interface NoiseOptions extends ImageOptions {
  /** Standard deviation of the noise, in the unit of the values. */
  readonly deviation: number;
}

/**
 * Adds independent Gaussian noise to every value. [batch, …, height, width], floating point, to the same shape.
 *
 * @throws InputError when `deviation` is negative or not finite; when applied, for whole numbers.
 */
export function gaussianNoise(options: NoiseOptions): FieldsTransform {
  const { deviation, ...rest } = checkOptions<NoiseOptions>("gaussianNoise", options, { fields: true, deviation: true });
  checkAmount(deviation, "gaussianNoise: deviation");
  return imageTransform(
    {
      name: "gaussianNoise",
      needsFloats: true,
      draw: (random) => random,
      paint(target, source, _, random) {
        for (let index = 0; index < source.length; index++) target[index] = random.normal(source[index], deviation);
      },
    },
    rest,
  );
}

/** Rows from `top` up to, not including, `bottom`; columns from `left` up to, not including, `right`. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** The part of a box that lies in the image. */
export function boxWithin(top: number, left: number, rows: number, columns: number, image: Pick<ImageSize, "height" | "width">): Box {
  return {
    top: Math.max(0, top),
    left: Math.max(0, left),
    bottom: Math.min(image.height, top + rows),
    right: Math.min(image.width, left + columns),
  };
}

function paintBox(target: Storage, source: Storage, { planes, height, width }: ImageSize, box: Box | undefined, fill: number): void {
  target.set(source);
  if (box === undefined) return;
  for (let plane = 0; plane < planes; plane++) {
    for (let row = box.top; row < box.bottom; row++) {
      const start = (plane * height + row) * width;
      target.fill(fill, start + box.left, start + box.right);
    }
  }
}
