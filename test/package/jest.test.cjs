// Run by Jest in CommonJS mode with the recipe of docs/platforms.md: in Node's environment and in jsdom's, each a realm of its own.
// @ts-nocheck: it is run in an empty project, where the package is installed.
const { ShapeError, manualSeed, tensor, uniform } = require("kasane");
const { Dataset, BytePairTokenizer } = require("kasane/data");
const { parseSafetensors, serializeSafetensors } = require("kasane/io");
const { crossEntropy, init, linear, relu, sequential } = require("kasane/nn");
const { adam } = require("kasane/optim");
const { accuracy, fit } = require("kasane/train");

test("typed arrays of the test's realm are what they are", () => {
  expect(Array.from(tensor(new Float32Array([-0.5, 300])).data)).toEqual([-0.5, 300]);
  expect(tensor(new Float64Array([-0.5])).dtype).toBe("float64");
});

test("a network learns, and is saved", async () => {
  manualSeed(1);
  const x = uniform([64, 4], -1, 1);
  const net = sequential(linear(4, 16, { init: init.heNormal() }), relu, linear(16, 2));
  const { history } = await fit(net, new Dataset({ x, y: x.slice(null, [0, 2]).argmax(1) }), {
    loss: crossEntropy,
    optimizer: adam(net.parameters(), { learningRate: 0.05 }),
    epochs: 15,
    batchSize: 16,
    metrics: [accuracy()],
  });
  expect(history.at(-1).train.accuracy).toBeGreaterThan(0.9);
  expect(parseSafetensors(serializeSafetensors(net.stateDict())).tensors.get("0.weight").shape).toEqual([16, 4]);
});

test("text becomes tokens and comes back", () => {
  const tokenizer = BytePairTokenizer.train("låg, lågt, lägre", { size: 270 });
  expect(tokenizer.decode(tokenizer.encode("lågt"))).toBe("lågt");
});

test("an error names this file", () => {
  expect(() => tensor([[1, 2, 3]]).matmul(tensor([[1, 2]]))).toThrow(ShapeError);
  expect(() => tensor([[1, 2, 3]]).matmul(tensor([[1, 2]]))).toThrow(/jest\.test\.cjs/);
});
