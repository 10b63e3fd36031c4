// Recurrent and attention layers against PyTorch: outputs, states, gradients by inputs and weights, eager and compiled.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile, getBackend, gradients, setBackend, type Tensor, tensor } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { expectClose, type Numbers, readGoldens, settings, toParameter, toTensor } from "../goldens/goldens.ts";

type Named<Of> = Readonly<Record<string, Of>>;

interface SequenceCase {
  readonly name: string;
  readonly layer: string;
  readonly arguments: readonly unknown[];
  readonly call: keyof typeof calls;
  readonly train: boolean;
  readonly options: Named<unknown>;
  readonly parameters: Named<Numbers>;
  readonly inputs: Named<Numbers>;
  readonly results: Named<Numbers>;
  readonly upstream: Named<Numbers>;
  readonly gradients: Named<Numbers>;
}

type Made = nn.LayerMembers & ((...inputs: unknown[]) => unknown) & { run(...inputs: unknown[]): Named<Tensor> };

const library = nn as unknown as Record<string, (...given: readonly unknown[]) => Made>;
const cases = readGoldens<SequenceCase>("sequences");
const before = getBackend().name;

/** How a case calls its layer: from inputs by name to results by name. */
const calls = {
  cell(made: Made, { x, ...state }: Named<Tensor>): Named<Tensor> {
    if (made.kind === "lstmCell") return made(x, state.hidden && state) as Named<Tensor>;
    return { hidden: made(x, state.hidden) as Tensor };
  },
  run: (made: Made, inputs: Named<Tensor>, options: Named<unknown>) => made.run(inputs.x, sequenceOptions(inputs, options)),
  call: (made: Made, inputs: Named<Tensor>, options: Named<unknown>) => ({
    output: made(inputs.x, sequenceOptions(inputs, options)) as Tensor,
  }),
  attention: (made: Made, { x, ...sources }: Named<Tensor>, options: Named<unknown>) => made.run(x, { ...sources, ...masks(options) }),
  transformer: (made: Made, { x, memory }: Named<Tensor>, options: Named<unknown>) => ({
    output: made(...[x, memory].filter((one) => one !== undefined), masks(options)) as Tensor,
  }),
  product: (_made: Made | undefined, { query, key, value }: Named<Tensor>, options: Named<unknown>) => ({
    output: nn.scaledDotProductAttention(query as Tensor, key as Tensor, value as Tensor, masks(options)),
  }),
};

function masks(options: Named<unknown>): Named<unknown> {
  const read = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    const { flags, shape } = value as { readonly flags: readonly number[]; readonly shape: readonly number[] };
    return tensor(flags, shape, { dtype: "bool" });
  };
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, read(value)]));
}

function sequenceOptions({ x: _, ...state }: Named<Tensor>, options: Named<unknown>): Named<unknown> {
  return state.hidden ? { ...options, state } : options;
}

function madeFor(golden: SequenceCase): Made {
  if (golden.call === "product") return nn.identity() as unknown as Made;
  const made = (library[golden.layer] as (...given: readonly unknown[]) => Made)(...golden.arguments);
  made.loadStateDict(Object.fromEntries(Object.entries(golden.parameters).map(([name, value]) => [name, toTensor(value)])));
  return made.train(golden.train);
}

for (const { title, backend, dtype, tolerance } of settings)
  describe(title, () => {
    beforeAll(() => setBackend(backend));
    afterAll(() => setBackend(before));

    it.each(cases.map((item) => [item.name, item] as const))("%s", (_name, golden) => {
      const made = madeFor(golden);
      const inputs = Object.fromEntries(
        Object.entries(golden.inputs).map(([name, value]) => [
          name,
          golden.gradients[name] ? toParameter(value, dtype) : toTensor(value, dtype),
        ]),
      );
      const leaves = { ...inputs, ...Object.fromEntries(made.namedParameters()) };
      const names = Object.keys(leaves).filter((name) => golden.gradients[name]);
      const step = (): Named<Tensor> => {
        const results = calls[golden.call](made, inputs, golden.options);
        const total = Object.entries(results)
          .map(([name, value]) => value.mul(toTensor(golden.upstream[name] as Numbers, dtype)).sum())
          .reduce((sum, value) => sum.add(value));
        const found = gradients(
          total,
          names.map((name) => leaves[name] as Tensor),
        );
        return { ...results, ...Object.fromEntries(names.map((name, n) => [`gradient by ${name}`, found[n] as Tensor])) };
      };
      expect([...made.namedParameters().keys()].sort()).toEqual(Object.keys(golden.parameters).sort());
      const ways = backend === "reference" ? { eager: step } : { eager: step, compiled: compile(step) };
      for (const [way, run] of Object.entries(ways)) {
        const found = run();
        expect(
          Object.keys(found)
            .filter((name) => !name.startsWith("gradient"))
            .sort(),
        ).toEqual(Object.keys(golden.results).sort());
        for (const [name, value] of Object.entries(golden.results)) expectClose(`${way} ${name}`, found[name], value, tolerance);
        for (const name of names)
          expectClose(`${way} gradient by ${name}`, found[`gradient by ${name}`], golden.gradients[name] as Numbers, tolerance);
      }
    });
  });

it("has a golden case for every gradient", () => {
  for (const { name, parameters, gradients: found } of cases)
    expect(
      Object.keys(parameters).filter((key) => !(key in found)),
      name,
    ).toEqual([]);
});
