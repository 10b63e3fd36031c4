// Arguments of another kind where one of kasane's own errors is due: dtypes, extents and functions.

import { describe, expect, it } from "vitest";
import * as kasane from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";

const x = kasane.tensor([
  [1, 2],
  [3, 4],
]);
const ids = kasane.tensor([0, 1], { dtype: "int32" });

describe.each(["float", "Float32", "constructor", "", undefined, null, 32, Symbol("float32"), {}])("the dtype %s", (given) => {
  const dtype = given as never;
  const takers: Readonly<Record<string, () => unknown>> = {
    "x.to": () => x.to(dtype),
    fromData: () => kasane.fromData(new Float32Array(2), [2], dtype),
    // Options of these are left out.
    ...(given === undefined || given === null
      ? {}
      : {
          zeros: () => kasane.zeros([2], { dtype }),
          full: () => kasane.full([2], 1, { dtype }),
          eye: () => kasane.eye(2, { dtype }),
          arange: () => kasane.arange(0, 3, 1, { dtype }),
          tensor: () => kasane.tensor([1, 2], { dtype }),
        }),
  };
  it.each(Object.keys(takers))("is refused by %s", (name) => {
    expect(takers[name]).toThrow(kasane.InputError);
    expect(takers[name]).toThrow(/unknown dtype/);
  });
});

describe.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, "2", null, undefined, {}, []])("the extent %s", (given) => {
  const extent = given as never;
  const takers: Readonly<Record<string, () => unknown>> = {
    scatterAdd: () => kasane.scatterAdd(x, ids, extent),
    oneHot: () => kasane.oneHot(ids, extent),
    broadcastTo: () => x.broadcastTo([extent, 2, 2]),
    eye: () => kasane.eye(extent),
    zeros: () => kasane.zeros([extent]),
  };
  it.each(Object.keys(takers))("is refused by %s", (name) => {
    expect(takers[name]).toThrow(kasane.KasaneError);
    expect(takers[name]).toThrow(/whole number|non-negative integers|of at most 2147483647/);
  });
});

describe.each([undefined, null, 3, "net", {}, [], x, Promise.resolve(1)])("in the place of a function, %s", (given) => {
  const fn = given as never;
  const takers: Readonly<Record<string, () => unknown>> = {
    noGrad: () => kasane.noGrad(fn),
    withScope: () => kasane.withScope("block", fn),
    live: () => kasane.live(fn),
    dependsOn: () => kasane.dependsOn(fn),
    autocast: () => kasane.autocast("bfloat16", fn),
    checkpoint: () => kasane.checkpoint(fn),
    compile: () => kasane.compile(fn),
    vmap: () => kasane.vmap(fn),
    grad: () => kasane.grad(fn),
    valueAndGrad: () => kasane.valueAndGrad(fn),
    jacobian: () => kasane.jacobian(fn),
    hessian: () => kasane.hessian(fn),
    hessianVectorProduct: () => kasane.hessianVectorProduct(fn),
    jacobianVectorProduct: () => kasane.jacobianVectorProduct(fn),
    vectorJacobianProduct: () => kasane.vectorJacobianProduct(fn),
  };
  it.each(Object.keys(takers))("is refused by %s", (name) => {
    expect(takers[name]).toThrow(kasane.InputError);
    expect(takers[name]).toThrow(`${name}: expected a function, got `);
  });
});

describe("a layer", () => {
  const layers: Readonly<Record<string, () => unknown>> = {
    linear: () => nn.linear(2, 2),
    sequential: () => nn.sequential(nn.linear(2, 2), nn.relu),
    parallel: () => nn.parallel([nn.linear(2, 2)]),
    residual: () => nn.residual(nn.linear(2, 2)),
    batchNorm: () => nn.batchNorm(2),
    layerNorm: () => nn.layerNorm(2),
    groupNorm: () => nn.groupNorm(1, 2),
    conv2d: () => nn.conv2d(1, 1, 3),
    maxPool2d: () => nn.maxPool2d(2),
    embedding: () => nn.embedding(2, 2),
    lstm: () => nn.lstm(2, 2),
    gru: () => nn.gru(2, 2),
    multiHeadAttention: () => nn.multiHeadAttention(2, 1),
    dropout: () => nn.dropout(0.5),
    reshape: () => nn.reshape([2]),
    flatten: () => nn.flatten(),
    lazy: () => nn.lazy(([, features = 0]) => nn.linear(features, 2)),
  };
  const wrong = [undefined, null, 3, "a", true, [[1, 2]], new Float32Array(2), {}, nn.linear(2, 2), Promise.resolve(1)];

  it.each(Object.keys(layers))("%s called with something else says so", (name) => {
    for (const given of wrong) {
      const call = () => (layers[name]!() as (input?: unknown) => unknown)(given);
      expect(call).toThrow(kasane.KasaneError);
      expect(call).toThrow(/expected .*tensor.*, got /);
    }
  });

  it("in the place of a function is called with nothing, and says how it is called", () => {
    for (const run of [kasane.noGrad, kasane.live, kasane.dependsOn] as readonly ((given: never) => unknown)[])
      expect(() => run(nn.sequential(nn.linear(2, 2)) as never)).toThrow(
        /linear: expected a tensor, got nothing.*\n.*noGrad\(\(\) => net\(x\)\)/,
      );
  });

  it("leaves an error of the user's own code as it is", () => {
    const own = nn.layer({ inner: nn.linear(2, 2) }, (given) => (given as unknown as { nothing: { here: number } }).nothing.here as never);
    expect(() => own({} as never)).toThrow(TypeError);
  });
});
