// Run by killed.test.ts: trains without end, saves a checkpoint after every epoch, and goes on from the one it finds.

import { moons, tableDataset } from "../../src/data/index.ts";
import { crossEntropy, dropout, linear, relu, sequential } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { manualSeed, type Tensor } from "../../src/tensor/index.ts";
import { fit } from "../../src/train/index.ts";
import { RunFolder } from "../../src/train/node.ts";

/** A network whose steps threads share; a checkpoint of it, with both moments, is about two megabytes. */
export async function train(epochs: number, folder?: RunFolder): Promise<ReadonlyMap<string, Tensor>> {
  manualSeed(5);
  const model = sequential({ first: linear(2, 384), relu, middle: linear(384, 384), drop: dropout(0.2), last: linear(384, 2) });
  const state = folder !== undefined && (await folder.has("checkpoint")) ? await folder.loadCheckpoint() : undefined;
  await fit(model, tableDataset(moons({ count: 128, seed: 3 })), {
    loss: crossEntropy,
    optimizer: adam(model.namedParameters(), { learningRate: 0.001 }),
    epochs,
    batchSize: 128,
    seed: 11,
    ...(state === undefined ? {} : { resume: state }),
    callbacks: [
      {
        async onEpochEnd(_, training) {
          await folder?.saveCheckpoint(training.checkpoint());
        },
      },
    ],
  });
  return model.stateDict();
}

const path = process.env.KASANE_KILLED_RUN;
if (path !== undefined) await train(1_000_000, await RunFolder.open(path));
