// Advice of looking inside: recordings, elements, profiles.

import { compile, parameter, type Tensor, tensor } from "../../src/index.ts";
import {
  explainElement,
  findLearningRate,
  firstElement,
  nudge,
  profile,
  Recorder,
  type Recording,
  RunCursor,
  record,
  selectElement,
} from "../../src/inspect/index.ts";
import { crossEntropy } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { type Advice, advice } from "./advice.ts";
import { labels, net, samples, x } from "./models.ts";

/** A step of a model, as far as is asked for. */
function recorded(...parts: readonly ("backward" | "step")[]): Recording {
  const model = net();
  const optimizer = sgd(model.parameters(), { learningRate: 0.1 });
  return record(() => {
    const y = model(x()) as Tensor;
    const found = crossEntropy(y, labels()) as Tensor;
    if (parts.includes("backward")) found.backward();
    if (parts.includes("step")) optimizer.step();
    return { y, found, unused: tensor([1]).add(1) };
  }, model);
}

const sums = (more: (sum: Tensor) => void = () => {}): Recording =>
  record(() => {
    const sum = parameter(tensor([1, 2])).sum() as Tensor;
    more(sum);
    return { sum };
  });
const tensorOf = (run: Recording) => run.tensors[0] as never;
const cursor = () => new RunCursor(sums((sum) => sum.backward()));
const range = (options: object) => {
  const model = net();
  return findLearningRate(model as never, samples(20), {
    optimizer: sgd(model.parameters(), { learningRate: 0.1 }),
    steps: 12,
    ...options,
  } as never);
};

export const inspectAdvice: readonly Advice[] = [
  advice(
    "new Recorder(net)",
    () => new Recorder(Math.exp as never),
    () => new Recorder(net()),
  ),
  advice(
    "record the function that applies ops",
    () => new RunCursor(record(() => 1)),
    () => new RunCursor(record(() => tensor([1]).add(1))),
  ),
  advice(
    "a number from 1 to …",
    () => cursor().goTo(99),
    () => cursor().goTo(1),
    () => cursor().goTo(cursor().count),
  ),
  advice(
    "an op of the same recording that computes something",
    () => cursor().goTo(recorded().ops[0] as never),
    () => {
      const run = sums((sum) => sum.backward());
      new RunCursor(run).goTo(run.ops[0] as never);
    },
  ),
  advice(
    'the name of a layer, "loss", or a gradient',
    () => new RunCursor(recorded("backward")).goTo("0.weight"),
    () => new RunCursor(recorded("backward")).goTo("0"),
    () => new RunCursor(recorded("backward")).goTo("loss"),
    () => new RunCursor(recorded("backward")).goTo("0.weight.grad"),
  ),
  advice(
    "give one coordinate per dimension, counted from 0",
    () => explainElement(selectElement(recorded(), "y[0, 0]").tensor, [3, 0]),
    () => explainElement(selectElement(recorded(), "y[0, 0]").tensor, [2, 0]),
  ),
  advice(
    "hidden1[0, 3], output.weight.grad[1, 2] or loss",
    () => selectElement(recorded("backward"), "y[0"),
    () => selectElement(recorded("backward"), "y[0, 1]"),
    () => selectElement(recorded("backward"), "0.weight.grad[1, 1]"),
    () => selectElement(recorded("backward"), "loss"),
  ),
  advice(
    "record a function that computes a tensor",
    () => firstElement(record(() => 1)),
    () => firstElement(record(() => tensor([1, 2]).add(1))),
  ),
  advice(
    "call backward() in the recorded function; the number must be of a float tensor that the result depends on",
    () => {
      const run = recorded("backward");
      return nudge(run, selectElement(run, "unused").tensor, [0]);
    },
    () => {
      const run = recorded("backward");
      return nudge(run, selectElement(run, "y").tensor, [0, 0]);
    },
  ),
  advice(
    "record the function that computes it; of a compiled function its arguments and results are known",
    () => recorded().tensorOf(tensor([7])),
    () => {
      const made = tensor([1]);
      return record(() => made.add(1)).tensorOf(made);
    },
    () => {
      const [made, twice] = [tensor([1]), compile((v: Tensor) => v.mul(2))];
      return record(() => twice(made)).tensorOf(made);
    },
  ),
  advice(
    "names: …",
    () => selectElement(recorded(), "quite"),
    () => selectElement(recorded(), "found"),
  ),
  advice(
    "did you mean 0.weight?",
    () => selectElement(recorded(), "0.wieght"),
    () => selectElement(recorded(), "0.weight"),
  ),
  advice(
    "the recorded run must call backward()",
    () => selectElement(recorded(), "y.grad"),
    () => selectElement(recorded("backward"), "y.grad"),
  ),
  advice(
    "the recorded run must call the optimizer's step()",
    () => selectElement(recorded("backward"), "0.weight.new"),
    () => selectElement(recorded("backward", "step"), "0.weight.new"),
  ),
  advice(
    "call loss.backward() in the recorded function",
    () => {
      const run = sums();
      return nudge(run, tensorOf(run), [0]);
    },
    () => {
      const run = sums((sum) => sum.backward());
      return nudge(run, tensorOf(run), [0]);
    },
  ),
  advice(
    "profile(compile((x) => …), [x])",
    () => profile(((v: Tensor) => v) as never, [x()]),
    () =>
      profile(
        compile((v: Tensor) => v.add(1)),
        [x()],
      ),
  ),
  advice(
    "targets of other classes than ignoreIndex, and weights above 0",
    () => range({ loss: (p: Tensor, t: Tensor) => crossEntropy(p, t, { ignoreIndex: 0 }) }),
    () => range({ loss: (p: Tensor, t: Tensor) => crossEntropy(p, t, { ignoreIndex: 1 }) }),
    () => range({ loss: (p: Tensor, t: Tensor) => crossEntropy(p, t, { weights: tensor([1, 2]) }) }),
  ),
];
