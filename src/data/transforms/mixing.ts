// Mixup and cutmix: mixes each sample, and its target, with another sample of the batch.

import { InputError } from "../../util/errors.ts";
import { textOf } from "../../util/kind-of.ts";
import { checkOptions } from "../../util/options.ts";
import { shapeText } from "../../util/shape-text.ts";
import { allocateLike, elementCount, type Fields, holdsFractions, type NdArray } from "../array.ts";
import { oneHot } from "../encoders.ts";
import type { Random } from "../generators/random.ts";
import { imageSize } from "./images.ts";
import { boxWithin } from "./pixels.ts";
import { type Draws, fieldOf, type Replaced } from "./transform.ts";

/** How strongly to mix, and what the targets are. */
export interface MixOptions {
  /**
   * Number of classes when y holds class numbers [batch]; without it y must hold floating-point targets, which are
   * mixed as they are.
   */
  readonly classes?: number;
  /**
   * Both parameters of the Beta distribution from which each sample's own share is drawn; 1 is even. Default 0.2 for
   * mixup, 1 for cutmix.
   */
  readonly alpha?: number;
}

/** A transform after which y holds soft targets: [batch, classes] for class numbers, the shape of y otherwise. */
export type MixingTransform = <F extends Fields>(batch: F, draws: Draws) => Replaced<F, "y", NdArray<Float32Array>>;

/**
 * share · sample + (1 − share) · partner for x and y, the share drawn from Beta(alpha, alpha) for each sample (Zhang,
 * Cisse, Dauphin and Lopez-Paz, 2018). Partners are the samples of the same batch in a random order, so that, unlike
 * with other transforms, a sample's result depends on its batch.
 *
 * @throws InputError when `alpha` is not positive; when applied, for x of whole numbers or targets that do not suit
 * `classes`.
 */
export function mixup(options: MixOptions = {}): MixingTransform {
  const { classes, alpha = 0.2 } = checkOptions<MixOptions>("mixup", options, { classes: true, alpha: true });
  checkAlpha("mixup", alpha);
  return (batch, draws) => {
    const x = floats(fieldOf(batch, "x", "mixup"), 'mixup: field "x"');
    const partners = partnersOf(x, draws);
    const shares = Float64Array.from(partners, (_, place) => beta(draws.sample(place), alpha));
    const y = blend(targets("mixup", batch, classes), partners, shares);
    return replaced(batch, blend(x, partners, shares), y);
  };
}

/**
 * Pastes a box of the partner image into each image of x [batch, …, height, width]; y is mixed by the areas (Yun, Han,
 * Oh, Chun, Choe and Yoo, 2019). The box covers 1 − share of the image, with share from Beta(alpha, alpha), about a
 * random pixel; what lies outside is cut off and not counted. Partners as in `mixup`.
 *
 * @throws InputError when `alpha` is not positive; when applied, for x that are no images or targets that do not suit
 * `classes`.
 */
export function cutmix(options: MixOptions = {}): MixingTransform {
  const { classes, alpha = 1 } = checkOptions<MixOptions>("cutmix", options, { classes: true, alpha: true });
  checkAlpha("cutmix", alpha);
  return (batch, draws) => {
    const x = fieldOf(batch, "x", "cutmix");
    const { planes, height, width } = imageSize(x, 'cutmix: field "x"');
    const partners = partnersOf(x, draws);
    const data = allocateLike(x.data, x.data.length);
    data.set(x.data);
    const area = height * width;
    const shares = Float64Array.from(partners, (partner, place) => {
      const random = draws.sample(place);
      const side = Math.sqrt(1 - beta(random, alpha));
      const [rows, columns] = [Math.round(side * height), Math.round(side * width)];
      const [top, left] = [random.integer(height) - Math.floor(rows / 2), random.integer(width) - Math.floor(columns / 2)];
      const box = boxWithin(top, left, rows, columns, { height, width });
      for (let plane = 0; plane < planes; plane++) {
        for (let row = box.top; row < box.bottom; row++) {
          const to = ((place * planes + plane) * height + row) * width;
          const from = ((partner * planes + plane) * height + row) * width;
          for (let column = box.left; column < box.right; column++) data[to + column] = x.data[from + column]!;
        }
      }
      return 1 - ((box.bottom - box.top) * (box.right - box.left)) / area;
    });
    return replaced(batch, { shape: x.shape, data }, blend(targets("cutmix", batch, classes), partners, shares));
  };
}

function replaced<F extends Fields>(batch: F, x: NdArray, y: NdArray): Replaced<F, "y", NdArray<Float32Array>> {
  // x keeps its kind of array, y becomes floats; the spread forgets it.
  return { ...batch, x, y } as unknown as Replaced<F, "y", NdArray<Float32Array>>;
}

function partnersOf({ shape }: NdArray, draws: Draws): Int32Array {
  return draws.batch().shuffle(Int32Array.from({ length: shape[0]! }, (_, place) => place));
}

function blend<A extends NdArray<Float32Array | Float64Array>>(array: A, partners: Int32Array, shares: Float64Array): NdArray {
  const { shape, data: source } = array;
  const width = elementCount(shape.slice(1));
  const data = allocateLike(source, source.length);
  for (const [place, partner] of partners.entries()) {
    const share = shares[place]!;
    const [own, other] = [place * width, partner * width];
    for (let index = 0; index < width; index++) {
      data[own + index] = share * source[own + index]! + (1 - share) * source[other + index]!;
    }
  }
  return { shape, data };
}

function targets(name: string, batch: Fields, classes: number | undefined): NdArray<Float32Array> {
  const y = fieldOf(batch, "y", name);
  if (classes !== undefined && y.shape.length === 1) return oneHot(y, classes);
  const shares = floats(y, `${name}: field "y"`, "classes: the number of classes");
  const { shape } = shares;
  if (classes !== undefined && shape[1] !== classes) {
    throw new InputError(`${name}: expected class numbers [batch] or shares [batch, ${classes}] in y, got shape ${shapeText(shape)}`);
  }
  return { shape, data: Float32Array.from(shares.data) };
}

function floats(array: NdArray, where: string, hint = "standardize or scale to float32 before"): NdArray<Float32Array | Float64Array> {
  if (holdsFractions(array)) return array as NdArray<Float32Array | Float64Array>;
  throw new InputError(`${where} holds whole numbers, which cannot be mixed`, { hint });
}

function checkAlpha(name: string, alpha: number): void {
  if (!(Number.isFinite(alpha) && alpha > 0)) throw new InputError(`${name}: expected a positive alpha, got ${textOf(alpha)}`);
}

/**
 * Beta(alpha, alpha) from two Gamma variables, by their logarithms: for small alpha both can be below the smallest
 * number.
 */
function beta(random: Random, alpha: number): number {
  const difference = logGamma(random, alpha) - logGamma(random, alpha);
  return 1 / (1 + Math.exp(-difference));
}

/** Logarithm of a Gamma(shape, 1) variable (Marsaglia and Tsang, 2000; their remark for shapes below 1). */
function logGamma(random: Random, shape: number): number {
  if (shape < 1) return logGamma(random, shape + 1) + Math.log(positive(random)) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = random.normal();
    const v = (1 + c * normal) ** 3;
    if (v > 0 && Math.log(positive(random)) < 0.5 * normal * normal + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}

function positive(random: Random): number {
  return (random.uint32() + 1) / 2 ** 32;
}
