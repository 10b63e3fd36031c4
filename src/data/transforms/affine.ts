// Rotates, shifts, zooms and shears images: one coordinate map, with bilinear or nearest sampling.

import { isNumber, type Kind, requireKind, withLength } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import type { Storage } from "../array.ts";
import { checkRange, type ImageOptions, type ImageSize, imageTransform } from "./images.ts";
import type { FieldsTransform } from "./transform.ts";

/** A largest amount in either direction, or the two ends of a range. */
export type Amount = number | readonly [low: number, high: number];

/** How pixels between pixels are read. */
export interface SamplingOptions extends ImageOptions {
  /**
   * "nearest" keeps whole numbers whole, as labels of pixels need it; "bilinear" needs floating-point values. Default
   * "bilinear".
   */
  readonly interpolation?: "bilinear" | "nearest";
  /** Value outside the image (default 0). */
  readonly fill?: number;
}

/** Ranges from which each image's map is drawn, evenly. */
export interface AffineOptions extends SamplingOptions {
  /** Degrees, counter-clockwise as seen (default 0). */
  readonly rotation?: Amount;
  /** Shift as a fraction of height and of width, drawn apart for each (default 0). */
  readonly translation?: Amount;
  /** Zoom factors, above 1 larger; a range of positive numbers (default [1, 1]). */
  readonly scale?: readonly [low: number, high: number];
  /** Degrees by which upright lines lean to the left (default 0). */
  readonly shear?: Amount;
}

/**
 * Shears, zooms, turns and then shifts each image, the first three about its middle. [batch, …, height, width] to the
 * same shape; a point outside the image counts as `fill`.
 *
 * @throws InputError for ranges that are not finite or not in order; when applied, for bilinear reading of whole
 * numbers.
 */
export function randomAffine(options: AffineOptions): FieldsTransform {
  const {
    rotation = 0,
    translation = 0,
    scale = [1, 1],
    shear = 0,
    interpolation = "bilinear",
    fill = 0,
    ...rest
  } = checkOptions<AffineOptions>("randomAffine", options, {
    fields: true,
    interpolation: true,
    fill: true,
    rotation: true,
    translation: true,
    scale: true,
    shear: true,
  });
  const name = "randomAffine";
  const [angles, shifts, leans] = [
    range(rotation, `${name}: rotation`),
    range(translation, `${name}: translation`),
    range(shear, `${name}: shear`),
  ];
  checkRange(scale, `${name}: scale`, Number.MIN_VALUE);
  if (leans[0] <= -90 || leans[1] >= 90) throw new InputError(`${name}: expected a shear between -90 and 90 degrees, got [${leans}]`);
  const bilinear = interpolation === "bilinear";
  return imageTransform(
    {
      name,
      needsFloats: bilinear,
      draw(random, image): Inverse {
        const angle = (random.uniform(...angles) * Math.PI) / 180;
        const zoom = random.uniform(...scale);
        const lean = Math.tan((random.uniform(...leans) * Math.PI) / 180);
        const [down, right] = [random.uniform(...shifts) * image.height, random.uniform(...shifts) * image.width];
        // Rows point down: a counter-clockwise turn as seen maps (x, y) to (x cos + y sin, −x sin + y cos). This is its
        // inverse, then the others'.
        const [cos, sin] = [Math.cos(angle) / zoom, Math.sin(angle) / zoom];
        return { xx: cos - lean * sin, xy: -sin - lean * cos, yx: sin, yy: cos, down, right };
      },
      paint: (target, source, image, inverse) => paint(target, source, image, inverse, bilinear, fill),
    },
    rest,
  );
}

/**
 * Turns each image about its middle by an angle drawn evenly: [−degrees, degrees], or the given range,
 * counter-clockwise. Corners that turn outside are lost. [batch, …, height, width] to the same shape.
 *
 * @throws InputError as `randomAffine` does.
 */
export function randomRotation(degrees: Amount, options: SamplingOptions = {}): FieldsTransform {
  checkOptions<SamplingOptions>("randomRotation", options, { fields: true, interpolation: true, fill: true });
  requireKind("randomRotation: degrees", AMOUNT, degrees);
  return randomAffine({ ...options, rotation: degrees });
}

/** Source x = xx (column − right) + xy (row − down), source y = yx … + yy …, all from the middle. */
interface Inverse {
  readonly xx: number;
  readonly xy: number;
  readonly yx: number;
  readonly yy: number;
  readonly down: number;
  readonly right: number;
}

function paint(target: Storage, source: Storage, image: ImageSize, inverse: Inverse, bilinear: boolean, fill: number): void {
  const { planes, height, width } = image;
  const { xx, xy, yx, yy, down, right } = inverse;
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  const area = height * width;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const fromX = column - middleX - right;
      const fromY = row - middleY - down;
      const x = xx * fromX + xy * fromY + middleX;
      const y = yx * fromX + yy * fromY + middleY;
      const left = bilinear ? Math.floor(x) : Math.round(x);
      const top = bilinear ? Math.floor(y) : Math.round(y);
      for (let plane = 0, start = 0, to = row * width + column; plane < planes; plane++, start += area, to += area) {
        const at = start + top * width + left;
        const here = pixel(source, at, left, top, height, width, fill);
        if (!bilinear) {
          target[to] = here;
          continue;
        }
        const u = x - left;
        const v = y - top;
        const upper = here + u * (pixel(source, at + 1, left + 1, top, height, width, fill) - here);
        const below = pixel(source, at + width, left, top + 1, height, width, fill);
        const lower = below + u * (pixel(source, at + width + 1, left + 1, top + 1, height, width, fill) - below);
        target[to] = upper + v * (lower - upper);
      }
    }
  }
}

function pixel(source: Storage, at: number, x: number, y: number, height: number, width: number, fill: number): number {
  return x >= 0 && x < width && y >= 0 && y < height ? source[at]! : fill;
}

function range(amount: Amount, name: string): readonly [number, number] {
  const ends = typeof amount === "number" ? ([-Math.abs(amount), Math.abs(amount)] as const) : amount;
  checkRange(ends, name);
  return ends;
}

const AMOUNT: Kind<Amount> = {
  words: "a number, or two of which the smaller comes first",
  holds: (value): value is Amount => isNumber(value) || withLength(2).holds(value),
};
