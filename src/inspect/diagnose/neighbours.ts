// Nearest neighbours: whether samples that are close to each other have similar targets.

import { holdsFractions } from "../../data/array.ts";
import type { Dataset } from "../../data/index.ts";
import type { Samples } from "../../train/index.ts";
import { statisticsOf } from "../draw/graph.ts";
import type { NeighbourFacts } from "./evidence.ts";
import { classCounts, isClasses, spread } from "./facts.ts";
import { mean } from "./statistics.ts";

/** About as many multiplications as are over in a moment. */
const WORK = 4e7;

/**
 * How alike the targets of neighbours are. What neighbours do not show, a model may still find; what they show is
 * there.
 */
export function neighbourFacts(data: Dataset<Samples>): NeighbourFacts {
  const width = Math.max(data.fields.x.data.length, data.fields.y.data.length) / data.size;
  const { x, y } = spread(data, Math.max(32, Math.min(1024, Math.floor(Math.sqrt(WORK / width))))).data.fields;
  const [count = 0] = x.shape;
  const space = spaceOf(x);
  const isSame = !holdsFractions(y);
  const targets = y.data.length / count;
  const apart = (a: number, b: number): number => {
    let sum = 0;
    for (let k = 0; k < targets; k++) {
      const difference = y.data[a * targets + k]! - y.data[b * targets + k]!;
      sum += isSame ? Number(difference !== 0) : difference ** 2;
    }
    return sum;
  };
  const nearest = Array.from({ length: count }, (_, n) => neighboursOf(space, n, VOTERS));
  // Each sample's own distance from the rest: a rare target is far from its neighbours, too.
  const nearer = nearest.map(([first], n) => {
    let all = 0;
    for (let other = 0; other < count; other++) all += apart(n, other);
    return first === undefined ? 0 : all / (count - 1) - apart(n, first);
  });
  const gain = mean(nearer);
  const variance = mean(nearer.map((value) => (value - gain) ** 2));
  const score = variance > 0 ? (gain * Math.sqrt(count)) / Math.sqrt(variance) : 0;
  if (!isClasses(y)) return { score };
  const agreeing = nearest.filter((some, n) => mostFrequent(some.map((other) => y.data[other]!)) === y.data[n]);
  return { score, agreement: agreeing.length / count };
}

function mostFrequent(labels: readonly number[]): number {
  const counts = classCounts({ data: Int32Array.from(labels) });
  return counts.indexOf(Math.max(...counts));
}

/** So many neighbours vote. */
const VOTERS = 10;

/**
 * Of samples that are held for another class than their label, those whose neighbours say the same: nearly all have
 * that class. A model with unstable training, or a bad start, is wrong about whole regions: the neighbours there have
 * the labels that it does not believe.
 */
export function confirmed<One extends { readonly sample: number; readonly label: number; readonly predicted: number }>(
  data: Dataset<Samples>,
  doubtful: readonly One[],
): One[] {
  if (doubtful.length === 0) return [];
  const { x, y } = data.fields;
  const width = x.data.length / data.size;
  const space = spaceOf(x, spread(data, Math.max(256, Math.floor((4 * WORK) / (doubtful.length * width)))).numbers);
  return doubtful.filter(({ sample, label, predicted }) => {
    const labels = neighboursOf(space, sample, VOTERS).map((other) => y.data[other]!);
    const share = (wanted: number): number => labels.filter((one) => one === wanted).length / labels.length;
    return share(predicted) >= 0.8 && share(label) <= 0.1;
  });
}

/** Samples among which neighbours are looked for. */
interface Space {
  readonly data: Samples["x"]["data"];
  readonly width: number;
  /** Their numbers in the data. */
  readonly members: ArrayLike<number>;
  /** Of each column: what gives it deviation 1, so that none counts for its unit. */
  readonly scales: Float64Array;
}

function spaceOf(
  { data, shape: [count = 0] }: Samples["x"],
  members: ArrayLike<number> = Array.from({ length: count }, (_, n) => n),
): Space {
  const width = data.length / count;
  const scales = Float64Array.from({ length: width }, (_, column) => {
    const { std } = statisticsOf(Float64Array.from(members, (member) => data[member * width + column]!));
    return std > 0 ? 1 / std : 0;
  });
  return { data, width, members, scales };
}

/** The samples that are nearest to one, the nearest first. */
function neighboursOf({ data, width, members, scales }: Space, sample: number, most: number): number[] {
  const found: { readonly member: number; readonly distance: number }[] = [];
  for (let place = 0; place < members.length; place++) {
    const member = members[place]!;
    if (member === sample) continue;
    let distance = 0;
    for (let k = 0; k < width; k++) distance += ((data[sample * width + k]! - data[member * width + k]!) * scales[k]!) ** 2;
    if (found.length === most && !(distance < (found.at(-1)?.distance as number))) continue;
    const at = found.findIndex((one) => distance < one.distance);
    found.splice(at < 0 ? found.length : at, 0, { member, distance });
    if (found.length > most) found.pop();
  }
  return found.map(({ member }) => member);
}
