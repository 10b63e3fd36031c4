// Jacobians, Hessians, their products and gradients per example against PyTorch's (scripts/goldens/higher_order.py).

import { it } from "vitest";
import {
  conv,
  grad,
  hessian,
  hessianVectorProduct,
  jacobian,
  jacobianVectorProduct,
  linear,
  maxPool,
  type Tensor,
  tensor,
  vectorJacobianProduct,
  vmap,
} from "../../src/index.ts";
import { crossEntropy } from "../../src/nn/index.ts";
import { expectClose, type Numbers, readGoldens, toTensor } from "../goldens/goldens.ts";
import { onEveryBackend } from "./support.ts";

type Named = "x" | "w" | "v" | "u" | "jacobian" | "vectorJacobianProduct" | "jacobianVectorProduct" | "hessian" | "hessianVectorProduct";

interface Golden extends Readonly<Record<Named, Numbers>> {
  readonly examples: Readonly<Record<"images" | "kernel" | "readout" | "byKernel" | "byReadout", Numbers>> & {
    readonly labels: readonly number[];
  };
}

const [golden] = readGoldens<Golden>("higher-order") as [Golden];

onEveryBackend("functions of functions agree with PyTorch", () => {
  const [x, w, v, u] = [golden.x, golden.w, golden.v, golden.u].map((value) => toTensor(value)) as [Tensor, Tensor, Tensor, Tensor];
  const scores = (a: Tensor): Tensor => linear(a.tanh(), w).logSoftmax(1);
  const energy = (a: Tensor): Tensor => scores(a).mul(u).sum().add(a.pow(3).mean());

  it("Jacobians and Hessians", () => {
    expectClose("jacobian", jacobian(scores)(x), golden.jacobian);
    expectClose("vectorJacobianProduct", vectorJacobianProduct(scores)(x, u), golden.vectorJacobianProduct);
    expectClose("jacobianVectorProduct", jacobianVectorProduct(scores)(x, v), golden.jacobianVectorProduct);
    expectClose("hessian", hessian(energy)(x), golden.hessian);
    expectClose("hessianVectorProduct", hessianVectorProduct(energy)(x, v), golden.hessianVectorProduct);
  });

  it("gradients per example of a convolutional network", () => {
    const { images, kernel, readout, labels, byKernel, byReadout } = golden.examples;
    const loss = (weights: { readonly k: Tensor; readonly r: Tensor }, image: Tensor, label: Tensor): Tensor => {
      const features = maxPool(conv(image.unsqueeze(0), weights.k, undefined, { padding: 1 }).tanh(), 2).mean([2, 3]);
      return crossEntropy(linear(features, weights.r), label.reshape([1]));
    };
    const each = vmap(grad(loss), { inputs: [null, 0, 0] });
    const found = each({ k: toTensor(kernel), r: toTensor(readout) }, toTensor(images), tensor(Int32Array.from(labels)));
    expectClose("by kernel", found.k, byKernel);
    expectClose("by readout", found.r, byReadout);
  });
});
