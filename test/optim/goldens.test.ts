// Ten steps of every optimizer variant against PyTorch: parameters and state.

import { describe, expect, it } from "vitest";
import { compile, type Tensor } from "../../src/index.ts";
import {
  adaDelta,
  adaGrad,
  adam,
  adamax,
  adamW,
  amsGrad,
  lamb,
  lars,
  lion,
  type MakeOptimizer,
  muon,
  nAdam,
  type Optimizer,
  rAdam,
  rmsProp,
  type SgdOptions,
  sgd,
} from "../../src/optim/index.ts";
import { expectClose, type Numbers, readGoldens, setGradient, toParameter, toTensor } from "../goldens/goldens.ts";

interface Moment {
  readonly parameters: readonly Numbers[];
  readonly state: Record<string, Numbers>;
}

interface Case {
  readonly name: string;
  /** Where not those of the first entry. */
  readonly start?: readonly Numbers[];
  readonly gradients?: readonly (readonly Numbers[])[];
  /** Settings of groups of one parameter each. */
  readonly groups?: readonly Partial<SgdOptions>[];
  readonly optimizer: keyof typeof makers;
  readonly options: SgdOptions;
  readonly after: Record<string, Moment>;
}

const makers = { adaDelta, adaGrad, adam, adamax, adamW, amsGrad, lamb, lars, lion, muon, nAdam, rAdam, rmsProp, sgd };
const make = ({ optimizer, options, groups }: Case, parameters: readonly Tensor[]) =>
  (makers[optimizer] as MakeOptimizer<SgdOptions>)(
    groups?.map((settings, n) => ({ parameters: [parameters[n] as Tensor], ...settings })) ?? parameters,
    options,
  );
const [given, ...cases] = readGoldens<Case>("optimizers");

describe("ten steps", () => {
  it.each(cases.map((item) => [item.name, item] as const))("%s", (_name, golden) => {
    const parameters = startOf(golden);
    const optimizer = make(golden, parameters);
    gradientsOf(golden).forEach((gradients, step) => {
      parameters.forEach((parameter, n) => setGradient(parameter, toTensor(gradients[n] as Numbers)));
      optimizer.step();
      const expected = golden.after[step + 1];
      if (expected === undefined) return;
      parameters.forEach((parameter, n) =>
        expectClose(`parameter ${n} after ${step + 1} steps`, parameter, expected.parameters[n] as Numbers),
      );
      const tensors = asPyTorch(optimizer.stateDict().tensors);
      expect([...tensors.keys()].sort()).toEqual(Object.keys(expected.state).sort());
      for (const [name, value] of Object.entries(expected.state))
        expectClose(
          `${name} after ${step + 1} steps`,
          toTensor({ shape: value.shape, data: Array.from(tensors.get(name)?.data ?? []) }),
          value,
        );
    });
  });

  it.each(cases.map((item) => [item.name, item] as const))("%s, compiled, gives what it gives eagerly", (_name, golden) => {
    const [eager, compiled] = [runOf(golden), runOf(golden)];
    const run = compile(compiled.step);
    for (const gradients of gradientsOf(golden)) {
      const tensors = gradients.map((numbers) => toTensor(numbers).to("float32"));
      eager.step(...tensors);
      run(...tensors);
      eager.parameters.forEach((parameter, n) => {
        const found = compiled.parameters[n] as Tensor;
        expectClose(`parameter ${n}`, found, { shape: parameter.shape, data: [...parameter.data] }, 2e-6);
      });
    }
    expect(run.steps).toHaveLength(1);
    expect(compiled.optimizer.stateDict().steps).toEqual(eager.optimizer.stateDict().steps);
  });
});

/** PyTorch's centered RMSprop keeps the mean square, which is the variance and the squared mean. */
function asPyTorch(tensors: ReturnType<Optimizer["stateDict"]>["tensors"]): Map<string, { readonly data: ArrayLike<number> }> {
  return new Map(
    [...tensors].map(([name, value]): [string, { readonly data: ArrayLike<number> }] => {
      if (!name.endsWith(".variance")) return [name, value];
      const mean = tensors.get(name.replace("variance", "firstMoment"))?.data ?? [];
      return [name.replace("variance", "secondMoment"), { data: Array.from(value.data, (v: number, n) => v + (mean[n] as number) ** 2) }];
    }),
  );
}

/** A step on the golden's gradients, which come as arguments. */
function runOf(golden: Case) {
  const parameters = startOf(golden);
  const optimizer = make(golden, parameters);
  const step = (...gradients: Tensor[]): Tensor => {
    optimizer.zeroGrad();
    const loss = parameters.map((parameter, n) => parameter.mul(gradients[n] as Tensor).sum()).reduce((a, b) => a.add(b));
    loss.backward();
    optimizer.step();
    return loss;
  };
  return { parameters, optimizer, step };
}

function gradientsOf(golden: Case): readonly (readonly Numbers[])[] {
  const gradients = golden.gradients ?? given?.gradients;
  if (gradients?.length !== 10) throw new Error("no goldens");
  return gradients;
}

/** As many of the parameters as the case is about: muon takes matrices only. */
function startOf(golden: Case): Tensor[] {
  const count = golden.after["1"]?.parameters.length ?? 0;
  return (golden.start ?? given?.start ?? []).slice(0, count).map((value) => toParameter(value));
}
