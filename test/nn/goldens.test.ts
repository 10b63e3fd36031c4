// Every layer and every loss against PyTorch: outputs, gradients by input and weights, running statistics.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile, getBackend, setBackend, type Tensor } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { expectClose, type Numbers, readGoldens, settings, toParameter, toTensor } from "../goldens/goldens.ts";

interface LayerCase {
  readonly name: string;
  readonly layer: string;
  /** null: a plain function, not a maker of layers. */
  readonly arguments: readonly unknown[] | null;
  readonly train: boolean;
  readonly parameters: Record<string, Numbers>;
  readonly buffers: Record<string, Numbers>;
  readonly input: Numbers;
  readonly output: Numbers;
  readonly upstream: Numbers;
  readonly gradients: Record<string, Numbers>;
  readonly inputGradient?: Numbers;
  readonly buffersAfter: Record<string, Numbers>;
}

interface LossCase {
  readonly name: string;
  readonly loss: string;
  readonly options: Record<string, unknown>;
  readonly prediction: Numbers;
  readonly target: Numbers & { readonly dtype: "float32" | "int32" };
  readonly output: Numbers;
  readonly upstream: Numbers;
  readonly gradient: Numbers;
  readonly targetGradient?: Numbers;
}

/** Takes layers, not numbers, or two inputs: compared with PyTorch in layers-composed.test.ts. */
const inComposition = ["bilinear", "lazy", "parallel", "residual"];
const library = nn as unknown as Record<string, (...given: readonly unknown[]) => unknown>;
const extended = readGoldens<LayerCase>("layers-extended");
const layers = [...readGoldens<LayerCase>("layers"), ...extended];
const losses = readGoldens<LossCase>("losses");
/** PyTorch has none of them: compared with their definitions in attention.test.ts. */
const positions = ["sinusoidalPositions", "learnedPositions", "rotary"];
/** Compared in sequences.test.ts. */
const sequences = readGoldens<{ readonly layer: string }>("sequences");
/** Of several arguments: compared with PyTorch in losses-more.test.ts. */
const more = readGoldens<{ readonly loss: string }>("losses-more");
const before = getBackend().name;

/** PyTorch computes these with constants of single precision, also in double precision. */
const singleInPyTorch = ["hardSigmoid", "binaryCrossEntropy at the ends"];

function withinOf(name: string, tolerance: number): (what: string, actual: Tensor | undefined, expected: Numbers) => void {
  const own = singleInPyTorch.some((one) => name.startsWith(one)) ? Math.max(tolerance, 1e-7) : tolerance;
  return (what, actual, expected) => expectClose(what, actual, expected, own);
}

it("has a case for every layer and every loss", () => {
  // weightedMean is a part of losses of one's own: test/train/splits.test.ts.
  const others = ["init", "isLayer", "observeLayers", "layer", "sequential", "summary", "weightedMean", ...inComposition, ...positions];
  const ofLosses = [...losses, ...more].map((item) => item.loss);
  const covered = new Set([...[...layers, ...sequences].map((item) => item.layer), ...ofLosses]);
  expect(Object.keys(nn).filter((name) => !others.includes(name) && !covered.has(name))).toEqual([]);
});

for (const { title, backend, dtype, tolerance } of settings)
  describe(title, () => {
    beforeAll(() => setBackend(backend));
    afterAll(() => setBackend(before));

    it.each(layers.map((item) => [item.name, item] as const))("%s", (_name, golden) => {
      const make = library[golden.layer] as (...given: readonly unknown[]) => unknown;
      const call = (golden.arguments === null ? make : make(...golden.arguments)) as nn.Layer;
      if (golden.arguments !== null) {
        call.loadStateDict(
          Object.fromEntries(Object.entries({ ...golden.parameters, ...golden.buffers }).map(([name, value]) => [name, toTensor(value)])),
        );
        call.train(golden.train);
      }
      const x = golden.inputGradient === undefined ? toTensor(golden.input).to("int32") : toParameter(golden.input, dtype);
      const y = call(x);
      const close = withinOf(golden.name, tolerance);
      close("output", y, golden.output);
      y.backward(toTensor(golden.upstream, y.dtype));
      if (golden.inputGradient) close("gradient by the input", x.grad, golden.inputGradient);
      if (golden.arguments === null) return;
      for (const [name, value] of call.namedParameters()) close(`gradient by ${name}`, value.grad, golden.gradients[name] as Numbers);
      expect([...call.namedBuffers().keys()]).toEqual(Object.keys(golden.buffersAfter));
      for (const [name, value] of call.namedBuffers()) expectClose(name, value, golden.buffersAfter[name] as Numbers);
    });

    it.each(extended.map((item) => [item.name, item] as const))("%s, as one compiled step", (_name, golden) => {
      const make = library[golden.layer] as (...given: readonly unknown[]) => unknown;
      const call = (golden.arguments === null ? make : make(...golden.arguments)) as nn.Layer;
      const weights = golden.arguments === null ? [] : call.parameters();
      if (golden.arguments !== null) {
        call.loadStateDict(
          Object.fromEntries(Object.entries({ ...golden.parameters, ...golden.buffers }).map(([name, value]) => [name, toTensor(value)])),
        );
        call.train(golden.train);
      }
      const close = withinOf(golden.name, tolerance);
      const upstream = toTensor(golden.upstream, dtype);
      const x = toParameter(golden.input, dtype);
      const step = compile(() => {
        for (const value of [x, ...weights]) value.zeroGrad();
        const made = call(x);
        made.backward(upstream);
        return [made, ...[x, ...weights].map((value) => value.grad as Tensor)];
      });
      const [y, inputGradient, ...gradients] = step() as Tensor[];
      close("output", y, golden.output);
      close("gradient by the input", inputGradient, golden.inputGradient as Numbers);
      Object.entries(golden.gradients).forEach(([name, expected], n) => close(`gradient by ${name}`, gradients[n], expected));
    });

    it.each(losses.map((item) => [item.name, item] as const))("%s", (_name, golden) => {
      const loss = library[golden.loss] as (x: Tensor, t: Tensor, options: object) => Tensor;
      const close = withinOf(golden.name, tolerance);
      const x = toParameter(golden.prediction, dtype);
      const target = golden.targetGradient ? toParameter(golden.target, dtype) : toTensor(golden.target).to(golden.target.dtype);
      const y = loss(x, target, golden.options);
      close("loss", y, golden.output);
      y.backward(toTensor(golden.upstream, dtype));
      close("gradient by the prediction", x.grad, golden.gradient);
      if (golden.targetGradient) close("gradient by the target", target.grad, golden.targetGradient);
    });
  });
