// onnxruntime-node as a peer: inference only. node onnxruntime.mjs THREADS FOLDER MODELS (written by torch_peer.py --export)

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { excerpts, serve, uniformNumbers } from "./serve.mjs";

const [threads = "1", folder = "", models = ""] = process.argv.slice(2);
const runtime = createRequire(join(folder, "index.js"))("onnxruntime-node");

/** @type {Record<string, readonly (readonly [seed: number, shape: readonly number[], bound?: number, offset?: number])[]>} */
const inputs = {
  "mlp-mnist-fwd": [[30, [128, 784], 0.5, 0.5]],
  "lenet-fwd": [[50, [64, 1, 28, 28], 0.5, 0.5]],
  "convnet-cifar-fwd": [[70, [64, 3, 32, 32]]],
  "lstm-fwd": [[120, [64, 32, 256]]],
  "transformer-block-fwd": [[130, [8, 128, 256]]],
  "conv3x3-fwd": [[95, [8, 64, 56, 56]]],
  "maxpool-fwd": [[98, [8, 64, 224, 224]]],
  "resnet18-fwd-b1": [[90, [1, 3, 224, 224]]],
  "resnet18-fwd-b8": [[90, [8, 3, 224, 224]]],
};
for (const name of ["sigmoid", "gelu", "softmax"]) inputs[`eltwise-${name}-fwd`] = [[110, [1024, 4096], 4]];
for (const size of [256, 511, 512, 513, 1024, 2048]) inputs[`gemm-${size}`] = [1, 2].map((seed) => [seed, [size, size]]);

/** @param {string} name @param {(typeof inputs)[string]} given */
async function prepare(name, given) {
  const file = join(models, `${name}.onnx`);
  if (!existsSync(file)) throw new Error("PyTorch did not write its model");
  const session = await runtime.InferenceSession.create(file, {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: Number(threads),
    interOpNumThreads: 1,
  });
  const feeds = Object.fromEntries(
    given.map(([seed, shape, bound, offset], n) => [
      session.inputNames[n],
      new runtime.Tensor("float32", uniformNumbers(seed, shape, bound, offset), shape),
    ]),
  );
  const [output] = session.outputNames;
  const run = () => session.run(feeds);
  return { run, outcome: excerpts((await run())[output].data) };
}

const workloads = Object.fromEntries(Object.entries(inputs).map(([name, given]) => [name, () => prepare(name, given)]));
await serve("onnxruntime-node", runtime.env.versions.node, workloads);
