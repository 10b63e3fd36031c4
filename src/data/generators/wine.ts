// An invented table of wines: age, alcohol, colour and smell of bottles that are white or red.

import { checkOptions } from "../../util/options.ts";
import type { ClassificationTable } from "../table.ts";
import { checkCount, Random } from "./random.ts";

/** How many bottles to draw. */
export interface WineOptions {
  /** Number of bottles, half white and half red. Default 600. */
  readonly count?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * A fictional table: x [count, 4] (age in years, alcohol in percent by volume, colour from 0 pale to 10 dark, smell
 * from 0 faint to 10 strong), y [count] with 0 for white and 1 for red.
 *
 * How long the skins were left in the juice darkens a wine of either kind and dulls its smell, so neither column says
 * enough alone; together they do. Ages and strengths overlap widely and only help a little.
 */
export function wine(options: WineOptions = {}): ClassificationTable {
  const { count = 600, seed = 0 } = checkOptions<WineOptions>("wine", options, { count: true, seed: true });
  checkCount(count, "wine: count");
  const random = new Random(seed);
  const labels = new Int32Array(count);
  for (let row = 0; row < count; row++) labels[row] = row % 2;
  random.shuffle(labels);
  const values = new Float64Array(4 * count);
  for (let row = 0; row < count; row++) {
    const red = labels[row] === 1 ? 1 : -1;
    const skins = random.normal();
    const age = Math.exp(random.normal(1.2 + 0.25 * red, 0.45));
    const alcohol = random.normal(12.4 + 0.5 * red, 0.8);
    const colour = random.normal(5 + 1.25 * red + 1.1 * skins, 0.65);
    const smell = random.normal(5 + 0.7 * red - skins, 0.65);
    values.set([round(age, 0.3, 30), round(alcohol, 8, 17), round(colour, 0, 10), round(smell, 0, 10)], 4 * row);
  }
  return {
    task: "classification",
    x: { shape: [count, 4], data: values },
    y: { shape: [count], data: labels },
    columnNames: ["age", "alcohol", "colour", "smell"],
    classNames: ["white", "red"],
    targetName: "kind",
  };
}

/** One decimal, as a person would write such a table down. */
function round(value: number, least: number, most: number): number {
  return Math.round(10 * Math.min(most, Math.max(least, value))) / 10;
}
