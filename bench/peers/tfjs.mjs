// @ts-nocheck: the library is not installed here, so nothing is known of its types
// TensorFlow.js on its WebAssembly backend as a peer. node tfjs.mjs THREADS FOLDER

import { createRequire } from "node:module";
import { join } from "node:path";
import { excerpts, labelNumbers, permuted, serve, uniformNumbers } from "./serve.mjs";

const [threads, folder] = [Number(process.argv[2]), process.argv[3]];
const load = createRequire(join(folder, "index.js"));
if (threads > 1) allowThreads();
const tf = load("@tensorflow/tfjs");
const wasm = load("@tensorflow/tfjs-backend-wasm");
if (threads > 1) {
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", true);
  wasm.setThreadsCount(threads);
}
await tf.setBackend("wasm");
await tf.ready();
tf.enableProdMode();

/**
 * The package runs on one thread under Node: it starts its threads as a browser would, from a blob's address, takes its own file's name from there,
 * and at most half of the processors. Here the blob is its text, the name is the file, and there are twice as many processors.
 */
function allowThreads() {
  const workers = load("node:worker_threads");
  const system = load("node:os");
  const built = join(load.resolve("@tensorflow/tfjs-backend-wasm/package.json"), "../wasm-out/tfjs-backend-wasm-threaded-simd");
  const { wasmWorkerContents } = load(`${built}.worker.js`);
  const { Worker } = workers;
  workers.Worker = class extends Worker {
    constructor(address, options) {
      const isBlob = String(address).startsWith("blob:");
      super(isBlob ? wasmWorkerContents.replaceAll("\n", "\\n") : address, isBlob ? { eval: true } : options);
      this.unref();
    }
    postMessage(message, transfer) {
      super.postMessage(message?.cmd === "load" ? { ...message, urlOrBlob: `${built}.js` } : message, transfer);
    }
  };
  const processors = system.cpus;
  system.cpus = () => [...processors(), ...processors()];
}

const uniform = (seed, shape, bound, offset) => tf.tensor(uniformNumbers(seed, shape, bound, offset), shape);
const uniformAs = (order, seed, shape, bound, offset) =>
  tf.tensor(
    permuted(uniformNumbers(seed, shape, bound, offset), shape, order),
    order.map((d) => shape[d]),
  );
const channelsLast = (...rest) => uniformAs([0, 2, 3, 1], ...rest);
const filters = (...rest) => uniformAs([2, 3, 1, 0], ...rest);
const oneHot = (seed, count, classes) => tf.oneHot(tf.tensor1d(labelNumbers(seed, count, classes), "int32"), classes).toFloat();
const four = (make) => [0, 1, 2, 3].map(make);

function dense(inputs, outputs, seed) {
  const bound = 1 / Math.sqrt(inputs);
  const weight = tf.variable(uniformAs([1, 0], seed, [outputs, inputs], bound));
  const bias = tf.variable(uniform(seed + 1, [outputs], bound));
  return (x) => x.matMul(weight).add(bias);
}

function mlp(sizes) {
  const layers = sizes.slice(1).map((outputs, n) => dense(sizes[n], outputs, 100 + 10 * n));
  return (x) => layers.reduce((value, layer, n) => layer(n === 0 ? value : value.relu()), x);
}

function training(model, optimizer, batches, checked) {
  let done = 0;
  const step = () =>
    tf.tidy(() => {
      const [x, target] = batches[done++ % batches.length];
      return optimizer.minimize(() => tf.losses.softmaxCrossEntropy(target, model(x)), true).dataSync()[0];
    });
  return { run: step, outcome: { losses: Array.from({ length: checked }, step) } };
}

const forward = (compute, read = (y) => y.dataSync()) => ({
  run: () => compute().dispose(),
  outcome: excerpts(tf.tidy(() => Float32Array.from(read(compute())))),
});

const MNIST = [784, 512, 512, 10];
const mnist = () => four((n) => [uniform(30 + n, [128, 784], 0.5, 0.5), oneHot(40 + n, 128, 10)]);
const channelsFirst = (y) => y.transpose([0, 3, 1, 2]).dataSync();
const straight = { strides: [1, 1], pad: 1, dataFormat: "NHWC" };
const [X, W, DY] = [
  [95, [8, 64, 56, 56]],
  [96, [64, 64, 3, 3], 1 / 24],
  [97, [8, 64, 56, 56]],
];

const kernel = (name, inputs, attributes, read) => forward(() => tf.engine().runKernel(name, inputs, attributes), read);

/** f and its gradient. */
function both(f) {
  const [x, upstream] = [uniform(110, [1024, 4096], 4), uniform(111, [1024, 4096])];
  const gradient = tf.grad(f);
  return {
    run: () => gradient(x, upstream).dispose(),
    outcome: tf.tidy(() => excerpts(f(x).dataSync(), gradient(x, upstream).dataSync())),
  };
}

const workloads = {
  "mlp-small": () =>
    training(
      mlp([4, 8, 2]),
      tf.train.sgd(0.1),
      four((n) => [uniform(10 + n, [32, 4]), oneHot(20 + n, 32, 2)]),
      20,
    ),
  "mlp-mnist-sgd": () => training(mlp(MNIST), tf.train.sgd(0.01), mnist(), 10),
  "mlp-mnist-adam": () => training(mlp(MNIST), tf.train.adam(1e-3, 0.9, 0.999, 1e-8), mnist(), 10),
  "mlp-mnist-fwd": () => {
    const [model, x] = [mlp(MNIST), uniform(30, [128, 784], 0.5, 0.5)];
    return forward(() => tf.tidy(() => model(x)));
  },
  lenet() {
    const conv = (seed, shape) => {
      const bound = 1 / Math.sqrt(shape[1] * 25);
      const [weight, bias] = [tf.variable(filters(seed, shape, bound)), tf.variable(uniform(seed + 1, shape.slice(0, 1), bound))];
      return (x) => tf.conv2d(x, weight, 1, "valid").add(bias).relu().maxPool(2, 2, "valid");
    };
    const [first, second, third, last] = [conv(200, [20, 1, 5, 5]), conv(210, [50, 20, 5, 5]), dense(800, 500, 220), dense(500, 10, 230)];
    const batches = four((n) => [channelsLast(50 + n, [64, 1, 28, 28], 0.5, 0.5), oneHot(60 + n, 64, 10)]);
    const model = (x) => last(third(second(first(x)).transpose([0, 3, 1, 2]).reshape([64, 800])).relu());
    return training(model, tf.train.momentum(0.01, 0.9), batches, 10);
  },
  "conv3x3-fwd"() {
    const [x, w] = [channelsLast(...X), filters(...W)];
    return forward(() => tf.conv2d(x, w, 1, 1), channelsFirst);
  },
  "conv3x3-bwd-data": () =>
    kernel(
      "Conv2DBackpropInput",
      { dy: channelsLast(...DY), filter: filters(...W) },
      { ...straight, inputShape: [8, 56, 56, 64] },
      channelsFirst,
    ),
  "conv3x3-bwd-weight": () =>
    kernel("Conv2DBackpropFilter", { x: channelsLast(...X), dy: channelsLast(...DY) }, { ...straight, filterShape: [3, 3, 64, 64] }),
  "eltwise-sigmoid": () => both((x) => x.sigmoid()),
  "eltwise-gelu": () => both((x) => x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1))),
  "eltwise-softmax": () => both((x) => x.softmax(-1)),
};
for (const size of ["256", "511", "512", "513", "1024", "2048", "128x785x257", "1x1024x1024"]) {
  const [m, k = m, n = m] = size.split("x").map(Number);
  workloads[`gemm-${size}`] = () => {
    const [a, b] = [uniform(1, [m, k]), uniform(2, [k, n])];
    return forward(() => a.matMul(b));
  };
}
await serve(
  "TensorFlow.js wasm",
  `${tf.version.tfjs}, ${threads > 1 && wasm.getThreadsCount() > 1 ? `${wasm.getThreadsCount()} threads` : "1 thread"}`,
  workloads,
);
