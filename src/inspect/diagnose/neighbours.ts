// Whether inputs tell anything about targets, asked without a model: are the targets of similar samples more alike than those of any two?

import type { Dataset } from "../../data/index.ts";
import type { Samples } from "../../train/index.ts";
import { spread } from "./facts.ts";

/** About as many multiplications as are over in a moment. */
const WORK = 4e7;

/**
 * By how many standard errors the targets of nearest neighbours are nearer to each other than those of samples drawn at random. Above 3 the inputs tell
 * something; below, nothing is said: what neighbours do not show, a model may still find.
 */
export function neighbourScore(data: Dataset<Samples>): number {
  const width = data.fields.x.data.length / data.size;
  const { x, y } = spread(data, Math.max(32, Math.min(1024, Math.floor(Math.sqrt(WORK / width))))).data.fields;
  const [count = 0] = x.shape;
  const rows = standardised(x.data, count, width);
  const isSame = !(y.data instanceof Float32Array || y.data instanceof Float64Array);
  const targets = y.data.length / count;
  const apart = (a: number, b: number): number => {
    let sum = 0;
    for (let k = 0; k < targets; k++) {
      const difference = (y.data[a * targets + k] as number) - (y.data[b * targets + k] as number);
      sum += isSame ? Number(difference !== 0) : difference ** 2;
    }
    return sum;
  };
  // Each sample's own distance from the rest: a rare target is far from its neighbours, too.
  const nearer = Float64Array.from({ length: count }, (_, n) => {
    let all = 0;
    for (let other = 0; other < count; other++) all += apart(n, other);
    return all / (count - 1) - apart(n, nearest(rows, n, count, width));
  });
  const mean = nearer.reduce((a, b) => a + b, 0) / count;
  const variance = nearer.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
  return variance > 0 ? (mean * Math.sqrt(count)) / Math.sqrt(variance) : 0;
}

function nearest(rows: Float64Array, n: number, count: number, width: number): number {
  let [found, least] = [n, Number.POSITIVE_INFINITY];
  for (let other = 0; other < count; other++) {
    if (other === n) continue;
    let distance = 0;
    for (let k = 0; k < width; k++) distance += ((rows[n * width + k] as number) - (rows[other * width + k] as number)) ** 2;
    if (distance < least) [found, least] = [other, distance];
  }
  return found;
}

/** Columns of deviation 1, so that none counts for its unit. */
function standardised(data: ArrayLike<number>, count: number, width: number): Float64Array {
  const rows = Float64Array.from(data);
  for (let k = 0; k < width; k++) {
    let [sum, squares] = [0, 0];
    for (let n = 0; n < count; n++) sum += rows[n * width + k] as number;
    for (let n = 0; n < count; n++) squares += ((rows[n * width + k] as number) - sum / count) ** 2;
    const deviation = Math.sqrt(squares / count);
    for (let n = 0; n < count; n++) rows[n * width + k] = deviation > 0 ? (rows[n * width + k] as number) / deviation : 0;
  }
  return rows;
}
