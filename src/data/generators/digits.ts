// Draws handwritten-like digits offline: pen strokes with random shape, slant, bending, thickness and noise.

import { checkOptions } from "../../util/options.ts";
import type { NdArray } from "../array.ts";
import type { InkLine } from "./pen.ts";
import { drawLine, eraseSpot, smoothCurve } from "./pen.ts";
import { checkCount, Random } from "./random.ts";
import type { Glyph } from "./strokes.ts";
import { glyphs } from "./strokes.ts";

/** How many digits to draw. */
export interface DigitsOptions {
  /** Number of images; the ten classes differ by at most one image. */
  readonly count: number;
  /** Default 0. The same seed and count give the same bits. */
  readonly seed?: number;
}

/** Images with the class of each. */
export interface LabelledImages {
  /** [count, channels, height, width], values in [0, 1], ink is bright. */
  readonly images: NdArray<Float32Array>;
  /** [count], class indices. */
  readonly labels: NdArray<Int32Array>;
  readonly classNames: readonly string[];
}

const SIZE = 28;
const STEPS_PER_SPAN = 4;

/**
 * Draws `count` grey digits of 28 × 28 pixels: images [count, 1, 28, 28] in [0, 1] and labels [count], in random order.
 * Elastic bending follows the idea of Simard, Steinkraus and Platt (2003), applied to the strokes instead of the
 * pixels.
 *
 * @throws InputError when `count` is not a positive whole number or `seed` is not a non-negative one.
 */
export function digits(options: DigitsOptions): LabelledImages {
  const { count, seed = 0 } = checkOptions<DigitsOptions>("digits", options, { count: true, seed: true });
  checkCount(count, "digits: count");
  const labels = new Int32Array(count);
  for (let index = 0; index < count; index++) labels[index] = index % 10;
  new Random(seed).shuffle(labels);
  const images = new Float32Array(count * SIZE * SIZE);
  for (let index = 0; index < count; index++) {
    const image = images.subarray(index * SIZE * SIZE, (index + 1) * SIZE * SIZE);
    drawDigit(image, labels[index]!, new Random(seed, index + 1));
  }
  return {
    images: { shape: [count, 1, SIZE, SIZE], data: images },
    labels: { shape: [count], data: labels },
    classNames: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  };
}

function drawDigit(image: Float32Array, digit: number, random: Random): void {
  const glyph = pickGlyph(glyphs[digit]!, random);
  const place = randomPlacement(random);
  const bend = randomBend(random);
  const jitter = random.uniform(0.012, 0.032);
  const thickness = random.uniform(0.75, 1.75);
  const softness = random.uniform(0.9, 1.5);
  const darkness = random.uniform(0.8, 1);
  const lines = glyph.strokes.map(({ points, corners }): InkLine => {
    const moved = points.map((value) => value + random.normal(0, jitter));
    const curve = smoothCurve(moved, corners, STEPS_PER_SPAN);
    for (let index = 0; index < curve.length; index += 2) {
      const [x, y] = bend(curve[index]!, curve[index + 1]!);
      [curve[index], curve[index + 1]] = place(x, y);
    }
    return { points: curve, radii: randomPressure(curve.length / 2, thickness, random) };
  });
  for (const line of lines) drawLine(image, SIZE, line, softness, darkness);
  if (random.chance(0.1)) addGap(image, random.pick(lines), random);
  if (random.chance(0.12)) addClutter(image, random, softness, darkness);
  addNoise(image, random);
}

function pickGlyph(choices: readonly Glyph[], random: Random): Glyph {
  let rest = random.uniform(
    0,
    choices.reduce((sum, { weight }) => sum + weight, 0),
  );
  for (const choice of choices) {
    rest -= choice.weight;
    if (rest < 0) return choice;
  }
  return choices[choices.length - 1]!;
}

type PointMap = (x: number, y: number) => [number, number];

/** Unit box to pixels: size and aspect, slant, rotation, and a place near the middle of the image. */
function randomPlacement(random: Random): PointMap {
  const height = random.uniform(16, 21);
  const width = height * random.uniform(0.55, 0.85);
  const slant = clampedNormal(random, 0.12, 0.18, 0.45);
  const angle = clampedNormal(random, 0, 0.12, 0.3);
  const centreX = SIZE / 2 + clampedNormal(random, 0, 1.3, 3);
  const centreY = SIZE / 2 + clampedNormal(random, 0, 1.2, 2.5);
  const cosine = Math.cos(angle);
  const sine = Math.sin(angle);
  return (x, y) => {
    const v = (y - 0.5) * height;
    const u = (x - 0.5) * width - slant * v;
    return [centreX + cosine * u - sine * v, centreY + sine * u + cosine * v];
  };
}

/** A smooth displacement of the unit box: three plane waves per axis, longer than a quarter of the box. */
function randomBend(random: Random): PointMap {
  const strength = random.uniform(0.01, 0.04);
  const waves = Array.from({ length: 6 }, () => ({
    x: random.uniform(-6, 6),
    y: random.uniform(-6, 6),
    phase: random.uniform(0, 2 * Math.PI),
    amount: random.normal(0, strength),
  }));
  return (x, y) => {
    let movedX = x;
    let movedY = y;
    for (const [index, wave] of waves.entries()) {
      const shift = wave.amount * Math.sin(wave.x * x + wave.y * y + wave.phase);
      if (index % 2 === 0) movedX += shift;
      else movedY += shift;
    }
    return [movedX, movedY];
  };
}

/** Pen radius along a stroke in pixels: `thickness` with a slow rise and fall. */
function randomPressure(count: number, thickness: number, random: Random): Float64Array {
  const phase = random.uniform(0, 2 * Math.PI);
  const speed = random.uniform(0.5, 2) * Math.PI;
  const swing = random.uniform(0, 0.25);
  return Float64Array.from({ length: count }, (_, index) => {
    return thickness * (1 + swing * Math.sin(phase + (speed * index) / count));
  });
}

/** The pen skips: a small hole somewhere on a stroke. */
function addGap(image: Float32Array, line: InkLine, random: Random): void {
  const index = random.integer(line.radii.length);
  const radius = 1 + random.uniform(0.3, 0.8) * line.radii[index]!;
  eraseSpot(image, SIZE, line.points[2 * index]!, line.points[2 * index + 1]!, radius);
}

/** A short stray mark near the border. */
function addClutter(image: Float32Array, random: Random, softness: number, darkness: number): void {
  const angle = random.uniform(0, 2 * Math.PI);
  const x = SIZE / 2 + random.uniform(10, 14) * Math.cos(angle);
  const y = SIZE / 2 + random.uniform(10, 14) * Math.sin(angle);
  const direction = random.uniform(0, 2 * Math.PI);
  const length = random.uniform(0.5, 4);
  const radius = random.uniform(0.4, 0.9);
  const points = Float64Array.of(x, y, x + length * Math.cos(direction), y + length * Math.sin(direction));
  drawLine(image, SIZE, { points, radii: Float64Array.of(radius, radius) }, softness, darkness);
}

/** Paper grain everywhere and uneven ink where there is some. */
function addNoise(image: Float32Array, random: Random): void {
  const grain = random.uniform(0, 0.05);
  const unevenness = random.uniform(0, 0.12);
  for (let pixel = 0; pixel < image.length; pixel++) {
    const ink = image[pixel]!;
    // The sum of two uniforms is close enough to a Gaussian here and costs no logarithm.
    const wobble = random.uniform(-1, 1) + random.uniform(-1, 1);
    image[pixel] = Math.min(1, Math.max(0, ink + wobble * (grain + unevenness * ink)));
  }
}

function clampedNormal(random: Random, mean: number, deviation: number, limit: number): number {
  return mean + Math.max(-limit, Math.min(limit, random.normal(0, deviation)));
}
