// The largest run the command line accepts, checked before memory is allocated.

import { UsageError } from "../util/errors.ts";

export const MOST = {
  epochs: 1e9,
  batch: 1e9,
  /** Of any kind of data; generated data have limits of their own. */
  samples: 1e9,
  /** Layers, and units in one of them. */
  hiddenLayers: 100,
  hidden: 1e7,
  /** Classes, or columns of a table. */
  names: 1e6,
  /** Numbers of one sample: an image of 4096 × 4096 pixels. */
  inputs: 2 ** 24,
  /** With gradients and two moments of Adam about 1.6 GB. */
  parameters: 1e8,
} as const;

/** Samples of generated data: a gigabyte of float32. */
const MOST_GENERATED = { digits: 340_000, moons: 1e7, spirals: 1e7, xor: 1e7, wine: 1e7 } as const;

/** For a number of samples that was asked for. @throws UsageError above the limit of the kind */
export function checkSamples(kind: string, samples: number | undefined): void {
  const limit = Object.hasOwn(MOST_GENERATED, kind) ? MOST_GENERATED[kind as keyof typeof MOST_GENERATED] : MOST.samples;
  if (samples !== undefined && samples > limit)
    throw new UsageError(`--samples: expected at most ${limit} for ${kind}, got ${samples}`, { hint: `--samples ${limit / 10}` });
}
