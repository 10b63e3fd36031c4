// Ten steps of every optimizer variant against PyTorch: parameters and state.

import { describe, expect, it } from "vitest";
import { adam, adamW, type SgdOptions, sgd } from "../../src/optim/index.ts";
import { expectClose, type Numbers, readGoldens, setGradient, toParameter, toTensor } from "../goldens/goldens.ts";

interface Moment {
  readonly parameters: readonly Numbers[];
  readonly state: Record<string, Numbers>;
}

interface Case {
  readonly name: string;
  readonly start: readonly Numbers[];
  readonly gradients: readonly (readonly Numbers[])[];
  readonly optimizer: "sgd" | "adam" | "adamW";
  readonly options: SgdOptions;
  readonly after: Record<string, Moment>;
}

const makers = { sgd, adam, adamW };
const [given, ...cases] = readGoldens<Case>("optimizers");

describe("ten steps", () => {
  it.each(cases.map((item) => [item.name, item] as const))("%s", (_name, golden) => {
    if (given === undefined) throw new Error("no goldens");
    const parameters = given.start.map(toParameter);
    const optimizer = makers[golden.optimizer](parameters, golden.options);
    given.gradients.forEach((gradients, step) => {
      parameters.forEach((parameter, n) => setGradient(parameter, toTensor(gradients[n] as Numbers)));
      optimizer.step();
      const expected = golden.after[step + 1];
      if (expected === undefined) return;
      parameters.forEach((parameter, n) =>
        expectClose(`parameter ${n} after ${step + 1} steps`, parameter, expected.parameters[n] as Numbers),
      );
      const { tensors } = optimizer.stateDict();
      expect([...tensors.keys()].sort()).toEqual(Object.keys(expected.state).sort());
      for (const [name, value] of Object.entries(expected.state))
        expectClose(`${name} after ${step + 1} steps`, toTensor({ shape: value.shape, data: [...(tensors.get(name)?.data ?? [])] }), value);
    });
  });
});
