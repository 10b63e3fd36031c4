// @ts-nocheck: the library is not installed here, so nothing is known of its types
// jax-js on its WebAssembly backend as a peer. node jax-js.mjs THREADS FOLDER

import { resolveObjectURL } from "node:buffer";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker as NodeWorker } from "node:worker_threads";
import { excerpts, labelNumbers, permuted, serve, uniformNumbers } from "./serve.mjs";

const [threads, folder] = [Number(process.argv[2]), process.argv[3]];
// It asks a browser for the number of processors, and for workers where there are several.
Object.defineProperty(globalThis, "navigator", { value: { hardwareConcurrency: threads }, configurable: true });
if (threads > 1) globalThis.Worker = browserWorker();
const main = createRequire(join(folder, "index.js")).resolve("@jax-js/jax");
const { version } = createRequire(main)(join(main, "../../package.json"));
const jax = await import(pathToFileURL(join(main, "../index.js")).href);
const { numpy: np, nn, lax, jit, valueAndGrad, vjp, tree } = jax;
await jax.init("wasm");
jax.defaultDevice("wasm");

/** A browser's Worker from a blob's address, on a thread of Node's. */
function browserWorker() {
  const start = `
    const { parentPort } = require("node:worker_threads");
    globalThis.self = globalThis;
    globalThis.postMessage = (message) => parentPort.postMessage(message);
    parentPort.once("message", (text) => {
      require("node:vm").runInThisContext(text);
      parentPort.on("message", (data) => globalThis.onmessage({ data }));
    });`;
  return class {
    #worker = new NodeWorker(start, { eval: true });
    #ready;
    constructor(address) {
      this.#worker.unref();
      this.#worker.on("message", (data) => this.onmessage?.({ data }));
      this.#worker.on("error", (error) => this.onerror?.(error));
      this.#ready = resolveObjectURL(String(address))
        .text()
        .then((text) => this.#worker.postMessage(text));
    }
    postMessage(message) {
      this.#ready.then(() => this.#worker.postMessage(message));
    }
    terminate() {
      this.#worker.terminate();
    }
  };
}

// Every use of an array gives it away; `ref` keeps one more.
const array = (numbers, shape) => np.array(numbers).reshape(shape);
const uniform = (seed, shape, bound, offset) => array(uniformNumbers(seed, shape, bound, offset), shape);
const oneHot = (seed, count, classes) => {
  const rows = new Float32Array(count * classes);
  labelNumbers(seed, count, classes).forEach((label, n) => void (rows[n * classes + label] = 1));
  return array(rows, [count, classes]);
};
const four = (make) => [0, 1, 2, 3].map(make);
const numbersOf = (given) => given.data();
const done = (given) => jax.blockUntilReady(given);

const weights = (shape, seed, bound) => ({ w: uniform(seed, shape, bound), b: uniform(seed + 1, [shape[0]], bound) });
const denseWeights = (inputs, outputs, seed) => {
  const bound = 1 / Math.sqrt(inputs);
  return {
    w: array(permuted(uniformNumbers(seed, [outputs, inputs], bound), [outputs, inputs], [1, 0]), [inputs, outputs]),
    b: uniform(seed + 1, [outputs], bound),
  };
};
const dense = (x, { w, b }) => np.matmul(x, w).add(b);
const crossEntropy = (logits, target) => {
  const count = logits.shape[0];
  return np.sum(nn.logSoftmax(logits, -1).mul(target)).mul(-1 / count);
};

const sgd = (rate) => ({
  start: () => ({}),
  update: (parameters, gradients, state) => [tree.map((p, g) => p.sub(g.mul(rate)), parameters, gradients), state],
});
const momentum = (rate, memory) => ({
  start: (parameters) => tree.map((p) => np.zeros(p.shape), parameters),
  update(parameters, gradients, state) {
    const velocity = tree.map((v, g) => v.mul(memory).add(g), state, gradients);
    return [tree.map((p, v) => p.sub(v.ref.mul(rate)), parameters, velocity), velocity];
  },
});
const adam = (rate) => ({
  start: (parameters) => {
    const zeros = () => tree.map((p) => np.zeros(p.shape), parameters);
    return { first: zeros(), second: zeros(), left1: np.array(1), left2: np.array(1) };
  },
  update(parameters, gradients, state) {
    const first = tree.map((m, g) => m.mul(0.9).add(g.ref.mul(0.1)), state.first, gradients);
    const second = tree.map((s, g) => s.mul(0.999).add(np.square(g).mul(0.001)), state.second, gradients);
    const [left1, left2] = [state.left1.mul(0.9), state.left2.mul(0.999)];
    const [fix1, fix2] = [np.array(1).sub(left1.ref), np.array(1).sub(left2.ref)];
    const moved = tree.map(
      (p, m, s) =>
        p.sub(
          m.ref
            .div(fix1.ref)
            .mul(rate)
            .div(np.sqrt(s.ref.div(fix2.ref)).add(1e-8)),
        ),
      parameters,
      first,
      second,
    );
    fix1.dispose();
    fix2.dispose();
    return [moved, { first, second, left1, left2 }];
  },
});

/** With jit or without, whichever is faster: convolutions differ much, either way. */
async function fasterOf(ways) {
  const times = [];
  for (const run of ways) {
    await run();
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return ways[times.indexOf(Math.min(...times))];
}

async function training(parameters, optimizer, model, batches, checked) {
  let state = [parameters, optimizer.start(parameters)];
  let count = 0;
  const plain = (p, s, x, target) => {
    const [loss, gradients] = valueAndGrad((q, input, wanted) => crossEntropy(model(q, input), wanted))(tree.ref(p), x, target);
    return [...optimizer.update(p, gradients, s), loss];
  };
  const stepping = (step) => async () => {
    const [x, target] = batches[count++ % batches.length];
    const [p, s, loss] = step(...state, x.ref, target.ref);
    state = [p, s];
    await done(state);
    return (await numbersOf(loss))[0];
  };
  const ways = [stepping(jit(plain)), stepping(plain)];
  const losses = [];
  for (let n = 0; n < checked; n++) losses.push(await ways[0]());
  return { run: await fasterOf(ways), outcome: { losses } };
}

/** @param f gives a list of arrays */
async function computing(f, ...inputs) {
  const keep = () => inputs.map((input) => tree.ref(input));
  const running = (g) => async () => {
    const results = g(...keep());
    await done(results);
    tree.dispose(results);
  };
  const outcome = excerpts(...(await Promise.all(f(...keep()).map(numbersOf))));
  return { run: await fasterOf([running(jit(f)), running(f)]), outcome };
}

/** The gradient of f, and its value where it is wanted. */
const gradientOf =
  (f, withValue = false) =>
  (x, upstream) => {
    const [y, back] = vjp(f, [x]);
    const [gradient] = back(upstream);
    back.dispose?.();
    if (withValue) return [y, gradient];
    y.dispose();
    return [gradient];
  };

const mlpWeights = (sizes) => sizes.slice(1).map((outputs, n) => denseWeights(sizes[n], outputs, 100 + 10 * n));
const mlp = (layers, x) => layers.reduce((value, layer, n) => dense(n === 0 ? value : nn.relu(value), layer), x);
const MNIST = [784, 512, 512, 10];
const mnist = () => four((n) => [uniform(30 + n, [128, 784], 0.5, 0.5), oneHot(40 + n, 128, 10)]);
const conv = (x, w, padding) =>
  lax.convGeneralDilated(
    x,
    w,
    [1, 1],
    [
      [padding, padding],
      [padding, padding],
    ],
  );
const maxPool = (x) => {
  const [n, c, h, w] = x.shape;
  return np.max(x.reshape([n, c, h / 2, 2, w / 2, 2]), [3, 5]);
};
const lenet = ({ first, second, third, last }, x) => {
  const stage = (input, { w, b }) => maxPool(nn.relu(conv(input, w, 0).add(b.reshape([-1, 1, 1]))));
  return dense(nn.relu(dense(stage(stage(x, first), second).reshape([64, 800]), third)), last);
};
const [X, W, DY] = [
  [95, [8, 64, 56, 56]],
  [96, [64, 64, 3, 3], 1 / 24],
  [97, [8, 64, 56, 56]],
];
const eltwise = (f) => computing(gradientOf(f, true), uniform(110, [1024, 4096], 4), uniform(111, [1024, 4096]));

const workloads = {
  "mlp-small": () =>
    training(
      mlpWeights([4, 8, 2]),
      sgd(0.1),
      mlp,
      four((n) => [uniform(10 + n, [32, 4]), oneHot(20 + n, 32, 2)]),
      20,
    ),
  "mlp-mnist-sgd": () => training(mlpWeights(MNIST), sgd(0.01), mlp, mnist(), 10),
  "mlp-mnist-adam": () => training(mlpWeights(MNIST), adam(1e-3), mlp, mnist(), 10),
  "mlp-mnist-fwd": () => computing((layers, x) => [mlp(layers, x)], mlpWeights(MNIST), uniform(30, [128, 784], 0.5, 0.5)),
  lenet: () =>
    training(
      {
        first: weights([20, 1, 5, 5], 200, 1 / 5),
        second: weights([50, 20, 5, 5], 210, 1 / Math.sqrt(500)),
        third: denseWeights(800, 500, 220),
        last: denseWeights(500, 10, 230),
      },
      momentum(0.01, 0.9),
      lenet,
      four((n) => [uniform(50 + n, [64, 1, 28, 28], 0.5, 0.5), oneHot(60 + n, 64, 10)]),
      4,
    ),
  "conv3x3-fwd": () => computing((x, w) => [conv(x, w, 1)], uniform(...X), uniform(...W)),
  "conv3x3-bwd-data": () =>
    computing((x, w, dy) => gradientOf((given) => conv(given, w, 1))(x, dy), uniform(...X), uniform(...W), uniform(...DY)),
  "conv3x3-bwd-weight": () =>
    computing((x, w, dy) => gradientOf((given) => conv(x, given, 1))(w, dy), uniform(...X), uniform(...W), uniform(...DY)),
  maxpool: () => computing(gradientOf(maxPool, true), uniform(98, [8, 64, 224, 224]), uniform(99, [8, 64, 112, 112])),
  "eltwise-sigmoid": () => eltwise((x) => nn.sigmoid(x)),
  "eltwise-gelu": () => eltwise((x) => nn.gelu(x, { approximate: false })),
  "eltwise-softmax": () => eltwise((x) => nn.softmax(x, -1)),
};
for (const size of ["256", "511", "512", "513", "1024", "2048", "128x785x257", "1x1024x1024"]) {
  const [m, k = m, n = m] = size.split("x").map(Number);
  workloads[`gemm-${size}`] = () => computing((a, b) => [np.matmul(a, b)], uniform(1, [m, k]), uniform(2, [k, n]));
}
await serve("jax-js wasm", `${version}, ${threads} thread${threads === 1 ? "" : "s"}`, workloads);
