// Transforms that move pixels: crops and flips.

import { isNumber, type Kind, requireKind, withLength } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import type { Storage } from "../array.ts";
import { checkCount } from "../generators/random.ts";
import { checkProbability, type ImageOptions, type ImageSize, imageTransform } from "./images.ts";
import type { FieldsTransform } from "./transform.ts";

/** What to cut out of each image. */
export interface CropOptions extends ImageOptions {
  /** Height and width of the result in pixels; one number for a square. */
  readonly size: number | readonly [height: number, width: number];
}

/** What to cut out at random. */
export interface RandomCropOptions extends CropOptions {
  /** Pixels added on all four sides before cutting (default 0). */
  readonly padding?: number;
  /** What the added pixels hold: `fill`, or the image mirrored about its outermost pixels. Default "constant". */
  readonly paddingMode?: "constant" | "reflect";
  /** Value of constant padding (default 0). */
  readonly fill?: number;
}

/**
 * Cuts a window out of each image at a random place, all places equally likely. [batch, …, height, width] gives [batch,
 * …, ...size].
 *
 * @throws InputError for options out of range; when applied, where the window is larger than the padded image or a
 * reflection as wide as the image.
 */
export function randomCrop(options: RandomCropOptions): FieldsTransform {
  const {
    size,
    padding = 0,
    paddingMode = "constant",
    fill = 0,
    ...rest
  } = checkOptions<RandomCropOptions>("randomCrop", options, { fields: true, size: true, padding: true, paddingMode: true, fill: true });
  const name = "randomCrop";
  const [height, width] = cropSize(size, name);
  checkCount(padding, `${name}: padding`, 0);
  const reflect = paddingMode === "reflect";
  return imageTransform(
    {
      name,
      size(image) {
        checkFits(name, [height, width], image, padding);
        if (reflect && padding >= Math.min(image.height, image.width)) {
          throw new InputError(`${name}: a reflection of ${padding} pixels needs a larger image than ${image.height} × ${image.width}`, {
            hint: 'less padding, or paddingMode: "constant"',
          });
        }
        return [height, width];
      },
      draw: (random, image) => ({
        top: random.integer(image.height + 2 * padding - height + 1) - padding,
        left: random.integer(image.width + 2 * padding - width + 1) - padding,
      }),
      paint: (target, source, image, { top, left }) =>
        paintWindow(target, source, image, { top, left, height, width, fill: reflect ? undefined : fill }),
    },
    rest,
  );
}

/**
 * Cuts the middle out of each image (half a pixel up and left where it does not divide evenly): for validation, beside
 * `randomCrop`.
 *
 * @throws InputError for a size out of range; when applied, where the window is larger than the image.
 */
export function centerCrop(options: CropOptions): FieldsTransform {
  const { size, ...rest } = checkOptions<CropOptions>("centerCrop", options, { fields: true, size: true });
  const name = "centerCrop";
  const [height, width] = cropSize(size, name);
  return imageTransform(
    {
      name,
      size(image) {
        checkFits(name, [height, width], image, 0);
        return [height, width];
      },
      draw: () => undefined,
      paint(target, source, image) {
        const [top, left] = [Math.floor((image.height - height) / 2), Math.floor((image.width - width) / 2)];
        paintWindow(target, source, image, { top, left, height, width, fill: 0 });
      },
    },
    rest,
  );
}

/** How often to flip. */
export interface FlipOptions extends ImageOptions {
  /** Probability of exchanging left and right (default 0.5). */
  readonly horizontal?: number;
  /** Probability of exchanging top and bottom (default 0). */
  readonly vertical?: number;
}

/**
 * Mirrors each image with the given probabilities. [batch, …, height, width] to the same shape.
 *
 * @throws InputError for a probability outside 0 … 1.
 */
export function randomFlip(options: FlipOptions = {}): FieldsTransform {
  const {
    horizontal = 0.5,
    vertical = 0,
    ...rest
  } = checkOptions<FlipOptions>("randomFlip", options, { fields: true, horizontal: true, vertical: true });
  checkProbability(horizontal, "randomFlip: horizontal");
  checkProbability(vertical, "randomFlip: vertical");
  return imageTransform(
    {
      name: "randomFlip",
      draw: (random) => ({ mirrored: random.chance(horizontal), upsideDown: random.chance(vertical) }),
      paint(target, source, { planes, height, width }, { mirrored, upsideDown }) {
        for (let row = 0; row < planes * height; row++) {
          const inPlane = row % height;
          const from = (upsideDown ? row - inPlane + height - 1 - inPlane : row) * width;
          const to = row * width;
          if (mirrored) for (let column = 0; column < width; column++) target[to + column] = source[from + width - 1 - column]!;
          else for (let column = 0; column < width; column++) target[to + column] = source[from + column]!;
        }
      },
    },
    rest,
  );
}

interface Window {
  /** Row of the image that becomes the first one; may be negative. */
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  /** Value outside the image; undefined mirrors the image. */
  readonly fill: number | undefined;
}

function paintWindow(target: Storage, source: Storage, image: ImageSize, { top, left, height, width, fill }: Window): void {
  let to = 0;
  for (let plane = 0; plane < image.planes; plane++) {
    for (let row = top; row < top + height; row++) {
      const y = fill === undefined ? mirror(row, image.height) : row;
      const start = (plane * image.height + y) * image.width;
      for (let column = left; column < left + width; column++) {
        const x = fill === undefined ? mirror(column, image.width) : column;
        const inside = y >= 0 && y < image.height && x >= 0 && x < image.width;
        target[to++] = inside ? source[start + x]! : (fill as number);
      }
    }
  }
}

/** The index whose pixel is seen at `index` when the first and the last one are mirrors. */
function mirror(index: number, extent: number): number {
  const positive = Math.abs(index);
  return positive < extent ? positive : 2 * (extent - 1) - positive;
}

function cropSize(size: CropOptions["size"], name: string): readonly [number, number] {
  requireKind(`${name}: size`, SIZE, size);
  const [height, width] = typeof size === "number" ? [size, size] : size;
  checkCount(height, `${name}: height`);
  checkCount(width, `${name}: width`);
  return [height, width];
}

function checkFits(name: string, [height, width]: readonly [number, number], image: ImageSize, padding: number): void {
  const [rows, columns] = [image.height + 2 * padding, image.width + 2 * padding];
  if (height <= rows && width <= columns) return;
  const padded = padding === 0 ? "" : ` with ${padding} pixels of padding on each side`;
  throw new InputError(`${name}: cannot cut ${height} × ${width} out of images of ${image.height} × ${image.width}${padded}`, {
    hint: "a smaller size, or more padding with randomCrop",
  });
}

const SIZE: Kind<CropOptions["size"]> = {
  words: "a number of pixels, or [height, width]",
  holds: (value): value is CropOptions["size"] => isNumber(value) || withLength(2).holds(value),
};
