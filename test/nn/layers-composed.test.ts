// Layers of layers against PyTorch: outputs, gradients by input and weights; also as one compiled step, and after a round through a state dict.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile, getBackend, linear as product, setBackend, type Tensor } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { expectClose, type Numbers, readGoldens, settings, toParameter, toTensor } from "../goldens/goldens.ts";

interface Composed {
  readonly name: string;
  readonly layer: string;
  readonly parameters: Record<string, Numbers>;
  readonly input: Numbers;
  readonly output: Numbers;
  readonly upstream: Numbers;
  readonly gradients: Record<string, Numbers>;
  readonly inputGradient: Numbers;
}

const { bilinear, conv2d, layer, linear, parallel, residual, sequential, tanh } = nn;
const block = (inputs: number, outputs: number): nn.Layer =>
  sequential(conv2d(inputs, outputs, 3, { padding: 1 }), tanh, conv2d(outputs, outputs, 3, { padding: 1 }));

const builders: Record<string, () => nn.Layer> = {
  residual: () => residual(block(2, 2)),
  "residual with a shortcut": () => residual(block(2, 3), conv2d(2, 3, 1)),
  "parallel concat": () => parallel([conv2d(2, 3, 1), conv2d(2, 1, 3, { padding: 1 })]),
  "parallel add": () => parallel([linear(3, 2), linear(3, 2)], "add"),
  "parallel function": () => parallel([linear(3, 2), linear(3, 2)], (a, b) => a.mul(b)),
  bilinear: () => {
    const pair = bilinear(3, 2, 4);
    const beside = layer({ pair }, (x) => pair(x.slice(null, [0, 3]), x.slice(null, [3, 5])));
    return beside;
  },
  shared: () => {
    const first = linear(3, 3);
    const weight = first.namedParameters().get("weight") as Tensor;
    const again = layer({ weight }, (x) => product(x, weight));
    return sequential({ first, act: tanh, second: first, act2: tanh, again });
  },
};
const cases = readGoldens<Composed>("layers-composed");
const before = getBackend().name;

it("has a builder for every case", () => {
  expect(new Set(cases.map((item) => item.layer))).toEqual(new Set(Object.keys(builders)));
});

for (const { title, backend, dtype, tolerance } of settings)
  describe(title, () => {
    beforeAll(() => setBackend(backend));
    afterAll(() => setBackend(before));

    it.each(cases.map((item) => [item.name, item] as const))("%s", (_name, golden) => {
      const net = (builders[golden.layer] as () => nn.Layer)();
      net.loadStateDict(Object.fromEntries(Object.entries(golden.parameters).map(([name, value]) => [name, toTensor(value)])));
      const copy = (builders[golden.layer] as () => nn.Layer)();
      copy.loadStateDict(net.stateDict());
      const upstream = toTensor(golden.upstream, dtype);
      const eager = (model: nn.Layer): void => {
        const x = toParameter(golden.input, dtype);
        const y = model(x);
        expectClose("output", y, golden.output, tolerance);
        y.backward(upstream);
        expectClose("gradient by the input", x.grad, golden.inputGradient, tolerance);
        for (const [name, value] of model.namedParameters())
          expectClose(`gradient by ${name}`, value.grad, golden.gradients[name] as Numbers, tolerance);
      };
      eager(net);
      eager(copy);
      const names = [...net.namedParameters().keys()];
      const step = compile((x: Tensor) => {
        net.zeroGrad();
        const y = net(x);
        y.backward(upstream);
        return [y, ...net.parameters().map((value) => value.grad as Tensor)];
      });
      const [y, ...gradients] = step(toTensor(golden.input, dtype)) as Tensor[];
      expectClose("compiled output", y, golden.output, tolerance);
      names.forEach((name, n) => {
        expectClose(`compiled gradient by ${name}`, gradients[n], golden.gradients[name] as Numbers, tolerance);
      });
    });
  });
