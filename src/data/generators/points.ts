// Small sets of points in the plane that a straight line cannot separate: two moons, spirals, XOR.

import { checkOptions } from "../../util/options.ts";
import type { ClassificationTable } from "../table.ts";
import { checkAmount, checkCount, Random } from "./random.ts";

/** How many points to draw, and how scattered. */
export interface PointsOptions {
  /** Number of points; classes differ by at most one point. Default 400. */
  readonly count?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Standard deviation of the Gaussian noise added to both coordinates. */
  readonly noise?: number;
}

/** Points, and the shape of the spirals. */
export interface SpiralsOptions extends PointsOptions {
  /** Number of arms, one class each, at least 2. Default 3. */
  readonly classes?: number;
  /** Full turns of each arm. Default 1. */
  readonly turns?: number;
}

/**
 * Two interleaved half circles of radius 1: x [count, 2], y [count] with 0 for the upper moon. Noise 0.1 by default.
 */
export function moons(options: PointsOptions = {}): ClassificationTable {
  const { count = 400, seed = 0, noise = 0.1 } = checkOptions<PointsOptions>("moons", options, { count: true, seed: true, noise: true });
  return scatter("moons", ["upper", "lower"], { count, seed, noise }, (label, random) => {
    const angle = random.uniform(0, Math.PI);
    return label === 0 ? [Math.cos(angle), Math.sin(angle)] : [1 - Math.cos(angle), 0.5 - Math.sin(angle)];
  });
}

/** Arms winding out from the origin to radius 1: x [count, 2], y [count]. Noise 0.02 by default. */
export function spirals(options: SpiralsOptions = {}): ClassificationTable {
  const {
    count = 600,
    seed = 0,
    noise = 0.02,
    classes = 3,
    turns = 1,
  } = checkOptions<SpiralsOptions>("spirals", options, { count: true, seed: true, noise: true, classes: true, turns: true });
  checkCount(classes, "spirals: classes", 2);
  checkAmount(turns, "spirals: turns");
  const names = Array.from({ length: classes }, (_, index) => `arm ${index + 1}`);
  return scatter("spirals", names, { count, seed, noise }, (label, random) => {
    // The square root spreads points evenly over the length of the arm instead of crowding the middle.
    const radius = 0.08 + 0.92 * Math.sqrt(random.uniform());
    const angle = 2 * Math.PI * (label / classes + turns * radius);
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

/** Four clouds at (±1, ±1): class 1 where the signs differ. x [count, 2], y [count]. Noise 0.3 by default. */
export function xor(options: PointsOptions = {}): ClassificationTable {
  const { count = 400, seed = 0, noise = 0.3 } = checkOptions<PointsOptions>("xor", options, { count: true, seed: true, noise: true });
  return scatter("xor", ["same sign", "different sign"], { count, seed, noise }, (label, random) => {
    const sign = random.chance(0.5) ? 1 : -1;
    return [sign, label === 0 ? sign : -sign];
  });
}

function scatter(
  generator: string,
  classNames: readonly string[],
  { count, seed, noise }: Required<PointsOptions>,
  place: (label: number, random: Random) => readonly [number, number],
): ClassificationTable {
  checkCount(count, `${generator}: count`);
  checkAmount(noise, `${generator}: noise`);
  const random = new Random(seed);
  const labels = new Int32Array(count);
  for (let row = 0; row < count; row++) labels[row] = row % classNames.length;
  random.shuffle(labels);
  const points = new Float64Array(2 * count);
  for (let row = 0; row < count; row++) {
    const [x, y] = place(labels[row]!, random);
    points[2 * row] = x + random.normal(0, noise);
    points[2 * row + 1] = y + random.normal(0, noise);
  }
  return {
    task: "classification",
    x: { shape: [count, 2], data: points },
    y: { shape: [count], data: labels },
    columnNames: ["x", "y"],
    classNames,
    targetName: "class",
  };
}
