// Endless batches for trials, made as training makes them.

import { DataLoader, type Dataset } from "../../data/index.ts";
import type { FitOptions, Samples } from "../../train/index.ts";

/** Batches for ever, each pass in another order. */
export function* endless(
  data: Dataset<Samples>,
  { batchSize = 32, transform, seed = 0 }: Pick<FitOptions, "batchSize" | "transform" | "seed">,
): Generator<Samples> {
  const loader = new DataLoader(data, {
    batchSize: Math.min(batchSize, data.size),
    shuffle: true,
    dropLast: true,
    seed,
    transform,
  });
  for (let epoch = 0; ; epoch++) yield* loader.batches({ epoch }) as Iterable<Samples>;
}
