// What is masked is selected, never multiplied: NaN or infinity where nothing may look changes no result and no gradient, on any backend.

import { describe, expect, it } from "vitest";
import {
  compile,
  dropout,
  gradients,
  logSoftmax,
  manualSeed,
  noGrad,
  normal,
  ones,
  type Tensor,
  tensor,
  upsample,
  vmap,
  where,
} from "../../src/index.ts";
import {
  crossEntropy,
  ctcLoss,
  gru,
  klDivergence,
  lstm,
  multiClassHingeLoss,
  multiHeadAttention,
  negativeLogLikelihood,
  rnn,
  scaledDotProductAttention,
  transformerDecoderLayer,
  transformerEncoder,
} from "../../src/nn/index.ts";
import { backendOf, on, variants } from "../conformance/support.ts";

/** One function with places that it must not read. */
interface Masked {
  /** Inputs by name, with the numbers where they are read. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** 1 where an input is not read; of the input's shape, or of its first dimensions. */
  readonly hidden: Readonly<Record<string, Tensor>>;
  /** What is differentiated besides the inputs. */
  readonly parameters?: readonly Tensor[];
  readonly run: (inputs: Readonly<Record<string, Tensor>>) => Tensor;
  /** What stands in the hidden places, and what may stand there instead; default 0, and NaN and both infinities. */
  readonly plain?: number;
  readonly values?: readonly number[];
}

const flags = (values: readonly number[], shape: readonly number[]): Tensor => tensor(values, shape, { dtype: "bool" });
const classes = (...values: number[]): Tensor => tensor(values, { dtype: "int32" });
const total = (x: Tensor): Tensor => x.sum();
const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

const padded = flags([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1], [3, 4]);
const real = padded.logicalNot();
/** Real steps only, with different weights so that gradients differ. */
const realSum = (y: Tensor): Tensor => total(where(real.unsqueeze(2), y.mul(0.3).tanh(), 0));

const recurrent =
  (make: typeof lstm): (() => Masked) =>
  () => {
    const layer = make(3, 2, { layers: 2, bidirectional: true });
    const lengths = [4, 3, 2];
    return {
      inputs: { x: normal([3, 4, 3]) },
      hidden: { x: padded },
      parameters: layer.parameters(),
      run: ({ x }) => {
        const { output, hidden } = layer.run(x as Tensor, { lengths });
        return total(output.mul(output.add(0.3))).add(total(hidden.square()));
      },
    };
  };

const ignoring =
  (options: Parameters<typeof crossEntropy>[2], loss = crossEntropy) =>
  (): Masked => ({
    inputs: { x: normal([5, 3]) },
    hidden: { x: flags([0, 1, 0, 0, 1], [5]) },
    run: ({ x }) => loss(x as Tensor, classes(0, 2, 1, 0, 2), { ignoreIndex: 2, ...options }) as Tensor,
  });

const encoder = (norm: "pre" | "post", causal: boolean) => (): Masked => {
  const net = transformerEncoder(4, 2, { layers: 2, norm, causal, dropout: 0 });
  return {
    inputs: { x: normal([3, 4, 4]) },
    hidden: { x: padded },
    parameters: net.parameters(),
    run: ({ x }) => realSum((net as unknown as (x: Tensor, o: object) => Tensor)(x as Tensor, { keyMask: real })),
  };
};

const attended = (options: (x: Tensor, mask: Tensor) => object) => (): Masked => {
  const layer = multiHeadAttention(4, 2);
  const [x, key] = [normal([3, 4, 4]), normal([3, 4, 4])];
  return {
    inputs: { x, key },
    hidden: { key: padded },
    parameters: layer.parameters(),
    run: (inputs) => total(layer(inputs.x as never, options(inputs.key as Tensor, real)).tanh()),
  };
};

const cases: Readonly<Record<string, () => Masked>> = {
  "rnn with lengths": recurrent(rnn as unknown as typeof lstm),
  "lstm with lengths": recurrent(lstm),
  "gru with lengths": recurrent(gru as unknown as typeof lstm),
  "crossEntropy with an ignored class": ignoring({}),
  "crossEntropy with an ignored class, every loss": () => {
    const made = ignoring({})();
    return {
      ...made,
      run: ({ x }) => total((crossEntropy(x as Tensor, classes(0, 2, 1, 0, 2), { ignoreIndex: 2, reduction: "none" }) as Tensor).square()),
    };
  },
  "crossEntropy with an ignored class, smoothed": ignoring({ labelSmoothing: 0.2 }),
  "crossEntropy with an ignored class, weighted": ignoring({ weights: tensor([1, 2, 3]), labelSmoothing: 0.1 }),
  "crossEntropy with a class of weight 0": () => ({
    ...ignoring({})(),
    run: ({ x }) => crossEntropy(x as Tensor, classes(0, 2, 1, 0, 2), { weights: tensor([1, 2, 0]) }),
  }),
  "crossEntropy of positions": () => ({
    inputs: { x: normal([2, 3, 4]) },
    hidden: { x: flags([0, 0, 1, 0, 1, 0, 0, 0], [2, 1, 4]).broadcastTo([2, 3, 4]) },
    run: ({ x }) => crossEntropy(x as Tensor, tensor([0, 1, 2, 0, 2, 1, 1, 0], [2, 4], { dtype: "int32" }), { ignoreIndex: 2 }),
  }),
  "negativeLogLikelihood with an ignored class": ignoring({}, negativeLogLikelihood as unknown as typeof crossEntropy),
  "klDivergence where the target is 0": () => ({
    inputs: { x: logSoftmax(normal([2, 3])), t: tensor([0.5, 0.5, 0, 0.2, 0, 0.8], [2, 3]) },
    hidden: { x: flags([0, 0, 1, 0, 1, 0], [2, 3]) },
    run: ({ x, t }) => klDivergence(x as Tensor, t as Tensor),
  }),
  "klDivergence where the target is log 0": () => ({
    inputs: { x: logSoftmax(normal([2, 3])), t: tensor([0.5, 0.5, 0, 0.2, 0, 0.8], [2, 3]).log() },
    hidden: { x: flags([0, 0, 1, 0, 1, 0], [2, 3]) },
    run: ({ x, t }) => klDivergence(x as Tensor, t as Tensor, { logTarget: true }),
  }),
  "scaledDotProductAttention where no query may look, or none can see": () => ({
    inputs: { q: normal([2, 3, 4]), k: normal([2, 3, 4]), v: normal([2, 3, 4]) },
    hidden: { q: flags([0, 0, 0, 0, 0, 1], [2, 3]), k: flags([0, 1, 0, 0, 0, 1], [2, 3]), v: flags([0, 1, 0, 0, 0, 1], [2, 3]) },
    run: ({ q, k, v }) =>
      total(
        scaledDotProductAttention(q as Tensor, k as Tensor, v as Tensor, {
          mask: flags([1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0], [2, 3, 3]),
        }).tanh(),
      ),
  }),
  "scaledDotProductAttention with one mask for all queries": () => ({
    inputs: { q: normal([2, 3, 4]), k: normal([2, 3, 4]), v: normal([2, 3, 4]) },
    hidden: { k: flags([0, 1, 0, 0, 0, 1], [2, 3]), v: flags([0, 1, 0, 0, 0, 1], [2, 3]) },
    run: ({ q, k, v }) =>
      total(scaledDotProductAttention(q as Tensor, k as Tensor, v as Tensor, { mask: flags([1, 0, 1, 1, 1, 0], [2, 1, 3]) }).tanh()),
  }),
  "attention across with a mask of keys": attended((key, mask) => ({ key, keyMask: mask })),
  "attention across with a mask": attended((key, mask) => ({ key, mask: mask.unsqueeze(1).broadcastTo([3, 4, 4]) })),
  "attention across with a mask by head": attended((key, mask) => ({
    key,
    value: key.mul(2),
    mask: mask.reshape([3, 1, 1, 4]).broadcastTo([3, 2, 4, 4]),
  })),
  "attention to oneself with a mask of keys": () => {
    const layer = multiHeadAttention(4, 2);
    return {
      inputs: { x: normal([3, 4, 4]) },
      hidden: { x: padded },
      parameters: layer.parameters(),
      run: ({ x }) => realSum(layer(x as never, { keyMask: real }) as Tensor),
    };
  },
  "attention to oneself with a mask of keys and queries": () => {
    const layer = multiHeadAttention(4, 2, { causal: true });
    return {
      inputs: { x: normal([3, 4, 4]) },
      hidden: { x: padded },
      parameters: layer.parameters(),
      run: ({ x }) => realSum(layer(x as never, { mask: real.unsqueeze(1).logicalAnd(real.unsqueeze(2)) }) as Tensor),
    };
  },
  "transformerEncoder, post-norm": encoder("post", false),
  "transformerEncoder, pre-norm, causal": encoder("pre", true),
  "transformerDecoderLayer with padded memory": () => {
    const layer = transformerDecoderLayer(4, 2, { dropout: 0 });
    return {
      inputs: { x: normal([3, 4, 4]), memory: normal([3, 4, 4]) },
      hidden: { x: padded, memory: padded },
      parameters: layer.parameters(),
      run: ({ x, memory }) => realSum(layer(x as never, memory as Tensor, { keyMask: real, memoryKeyMask: real }) as Tensor),
    };
  },
  "ctcLoss beyond a sample's time": () => ({
    inputs: { x: logSoftmax(normal([2, 5, 4])) },
    hidden: { x: flags([0, 0, 0, 0, 0, 0, 0, 0, 1, 1], [2, 5]) },
    run: ({ x }) => ctcLoss(x as Tensor, tensor([1, 2, 3, 1], [2, 2], { dtype: "int32" }), { time: [5, 3], labels: [2, 1] }),
  }),
  "ctcLoss at the class of a label beyond its labels": () => ({
    inputs: { x: logSoftmax(normal([1, 4, 3])) },
    hidden: { x: flags([0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1], [1, 4, 3]) },
    run: ({ x }) => ctcLoss(x as Tensor, tensor([1, 2], [1, 2], { dtype: "int32" }), { time: [4], labels: [1] }),
  }),
  "multiClassHingeLoss with an impossible class": () => ({
    inputs: { x: normal([2, 3]) },
    hidden: { x: flags([0, 0, 1, 0, 1, 0], [2, 3]) },
    // What the smallest finite score gives too: nothing.
    run: ({ x }) => multiClassHingeLoss(x as Tensor, classes(0, 2)),
    plain: -1e30,
    values: [-infinity],
  }),
  "crossEntropy of probabilities 0 and logits of −∞": () => ({
    inputs: { x: normal([2, 3]) },
    hidden: { x: flags([0, 0, 1, 0, 1, 0], [2, 3]) },
    run: ({ x }) => crossEntropy(x as Tensor, tensor([0.5, 0.5, 0, 0.2, 0, 0.8], [2, 3])),
    plain: -1e30,
    values: [-infinity],
  }),
  "logSumExp of −∞": () => ({
    inputs: { x: normal([3, 3]) },
    hidden: { x: flags([0, 0, 1, 0, 1, 0, 1, 1, 0], [3, 3]) },
    run: ({ x }) => total((x as Tensor).logSumExp(1)),
    plain: -1e30,
    values: [-infinity],
  }),
  "linear upsampling at the places of elements": () => ({
    inputs: { x: normal([1, 1, 3]) },
    hidden: { x: flags([0, 0, 1], [1, 1, 3]) },
    run: ({ x }) =>
      total(
        upsample(x as Tensor, { size: [5], mode: "linear", alignCorners: true })
          .slice(null, null, [0, 3])
          .tanh(),
      ),
  }),
  "dropout of what is dropped": () => {
    manualSeed(5);
    const dropped = noGrad(() => dropout(ones([6, 6]), 0.5)).equal(0);
    return {
      inputs: { x: normal([6, 6]) },
      hidden: { x: dropped },
      run: ({ x }) => {
        manualSeed(5);
        return total(dropout(x as Tensor, 0.5).tanh());
      },
    };
  },
  where: () => ({
    inputs: { a: normal([4]), b: normal([4]) },
    hidden: { a: flags([1, 0, 1, 0], [4]), b: flags([0, 1, 0, 1], [4]) },
    run: ({ a, b }) => total(where(flags([0, 1, 0, 1], [4]), a as Tensor, b as Tensor).tanh()),
  }),
  "where, mapped": () => ({
    inputs: { a: normal([2, 4]) },
    hidden: { a: flags([1, 0, 1, 0, 0, 1, 1, 1], [2, 4]) },
    run: ({ a }) =>
      total(
        vmap((row: Tensor, keep: Tensor) => where(keep, row, 0).tanh())(a as Tensor, flags([0, 1, 0, 1, 1, 0, 0, 0], [2, 4])) as Tensor,
      ),
  }),
};

/** The result and all gradients, with `fill` in the hidden places. */
function numbersOf(made: Masked, fill: number, isCompiled: boolean): number[][] {
  const names = Object.keys(made.inputs);
  const leaves = names.map((name) => {
    const x = made.inputs[name] as Tensor;
    const hidden = made.hidden[name];
    const places = hidden?.reshape([...hidden.shape, ...Array.from({ length: x.rank - hidden.rank }, () => 1)]);
    return tensor((places === undefined ? x : where(places, fill, x)).data, x.shape, { requiresGrad: true });
  });
  const all = [...leaves, ...(made.parameters ?? [])];
  const step = (): Tensor[] => {
    const loss = made.run(Object.fromEntries(names.map((name, n) => [name, leaves[n] as Tensor])));
    return [loss.detach(), ...gradients(loss, all)];
  };
  return (isCompiled ? compile(step) : step)().map((x) => [...x.data]);
}

describe.each(Object.entries(cases))("%s", (_name, make) => {
  for (const backend of variants.filter((variant) => !variant.includes("threads") && typeof backendOf(variant) !== "string"))
    it.each([false, true])(`${backend}: does not look where nothing may (compiled: %s)`, (isCompiled) => {
      on(backend, () => {
        manualSeed(11);
        const made = make();
        const { plain = 0, values = [nan, infinity, -infinity] } = made;
        const expected = numbersOf(made, plain, isCompiled);
        expect(expected.flat().every(Number.isFinite)).toBe(true);
        for (const value of values) expect(numbersOf(made, value, isCompiled), `filled with ${value}`).toEqual(expected);
      });
    });
});
