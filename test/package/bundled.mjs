// A program that is bundled, served and run in every way of scripts/lib/bundles.mjs, and reports what became of it.
// @ts-nocheck: it is run in an empty project, where the package is installed.

import { compile, getBackend, manualSeed, ShapeError, setThreads, tensor, uniform } from "kasane";
import { Dataset } from "kasane/data";
import { elementText, explainElement, record } from "kasane/inspect";
import { parseSafetensors, serializeSafetensors } from "kasane/io";
import { crossEntropy, linear, relu, sequential } from "kasane/nn";
import { adam } from "kasane/optim";
import { accuracy, fit } from "kasane/train";

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What a wrong program is told: the name of the error, and where it says the mistake is. */
function mistake() {
  try {
    tensor([[1, 2, 3]]).matmul(tensor([[1, 2]]));
  } catch (error) {
    return { name: error.name, isShapeError: error instanceof ShapeError, where: error.where ?? "" };
  }
  return { name: "none", isShapeError: false, where: "" };
}

/** A product large enough to be shared, until the workers are there that can come. */
async function threads() {
  const a = uniform([160, 160], -1, 1);
  const product = compile(() => a.matmul(a).sum());
  const first = product().item();
  let same = true;
  for (let round = 0; round < 100 && !/, 2 threads/.test(getBackend().description); round++) {
    await wait(20);
    same &&= product().item() === first;
  }
  return { same, description: getBackend().description };
}

async function report() {
  setThreads(2);
  manualSeed(1);
  const x = uniform([64, 4], -1, 1);
  const net = sequential(linear(4, 16), relu, linear(16, 2));
  const { history } = await fit(net, new Dataset({ x, y: x.slice(null, [0, 2]).argmax(1) }), {
    loss: crossEntropy,
    optimizer: adam(net.parameters(), { learningRate: 0.05 }),
    epochs: 15,
    batchSize: 16,
    metrics: [accuracy()],
  });
  let output;
  const run = record(() => {
    output = net(x);
  }, net);
  return {
    accuracy: history.at(-1).train.accuracy,
    explained: elementText(explainElement(run.tensorOf(output), [0, 0])).join(" "),
    saved: [...parseSafetensors(serializeSafetensors(net.stateDict())).tensors.keys()].sort().join(),
    float32: tensor(new Float32Array([-0.5, 300])).data.join(),
    mistake: mistake(),
    threads: await threads(),
  };
}

globalThis.kasaneReport = report().catch((error) => ({ failed: `${error.name}: ${error.message}`, stack: error.stack }));
if (typeof process !== "undefined" && process.stdout && !globalThis.kasaneIsQuiet)
  globalThis.kasaneReport.then((seen) => process.stdout.write(`${JSON.stringify(seen)}\n`));
