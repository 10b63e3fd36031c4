// What cases of advice train: a small model, a few samples, a folder.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Dataset } from "../../src/data/index.ts";
import { type Tensor, tensor } from "../../src/index.ts";
import { crossEntropy, type Layer, linear, relu, sequential } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { fit } from "../../src/train/index.ts";

export const net = () => sequential(linear(2, 4), relu, linear(4, 2));
export const x = (rows = 3): Tensor<[number, 2]> => tensor(new Float32Array(2 * rows).fill(0.5), [rows, 2]);
export const labels = (rows = 3): Tensor => tensor(new Int32Array(rows), [rows], { dtype: "int32" });
export const samples = (rows = 3) => new Dataset({ x: x(rows), y: labels(rows) } as never) as never;

/** One epoch of training. */
export const once = (model: unknown = net(), more: object = {}, data = samples()) =>
  fit(model as never, data, { loss: crossEntropy, optimizer: adam((model as Layer).parameters()), epochs: 1, ...more } as never);

/** Runs with a folder of its own, by its `join`. */
export async function inFolder<Result>(run: (path: (...names: string[]) => string) => Result): Promise<Awaited<Result>> {
  const folder = await mkdtemp(join(tmpdir(), "kasane-hints-"));
  try {
    return await run((...names) => join(folder, ...names));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
