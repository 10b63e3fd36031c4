// bfloat16 against PyTorch's: conversions and arithmetic to the bit, transcendental functions and sums of products within a rounding.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { availableBackends, getBackend } from "../../src/backends/choose.ts";
import * as kasane from "../../src/index.ts";
import { parameter, setBackend, type Tensor, tensor } from "../../src/index.ts";
import { decodeBfloat16, encodeBfloat16 } from "../../src/nest/bfloat16.ts";

interface Bits {
  readonly shape: readonly number[];
  readonly bits: readonly number[];
}

interface Case {
  readonly op: string;
  readonly arguments: readonly unknown[];
  readonly inputs: readonly Bits[];
  readonly output: Bits;
  readonly upstream: Bits;
  readonly gradients: readonly Bits[];
}

const goldens = JSON.parse(readFileSync(new URL("../goldens/bfloat16.json", import.meta.url), "utf8")) as {
  readonly singles: readonly number[];
  readonly rounded: readonly number[];
  readonly cases: readonly Case[];
};

/** Results to the bit: one rounding of an exact result. */
const exact: ReadonlySet<string> = new Set(["add", "sub", "mul", "div", "relu", "maxPool"]);

const library: Readonly<Record<string, unknown>> = { ...kasane };
const before = getBackend().name;
const toTensor = ({ shape, bits }: Bits): Tensor => tensor(decodeBfloat16(bits), shape, { dtype: "bfloat16" });

function call({ op, arguments: given }: Case, [first, ...rest]: readonly Tensor[]): Tensor {
  const fn = library[op] as ((...args: readonly unknown[]) => Tensor) | undefined;
  if (fn !== undefined) return fn(first, ...rest, ...given.map((argument) => argument ?? undefined));
  const methods = first as unknown as Record<string, (...args: readonly unknown[]) => Tensor>;
  return (methods[op] as (...args: readonly unknown[]) => Tensor).call(first, ...rest, ...given);
}

function compare(what: string, actual: Tensor | undefined, wanted: Bits, isExact: boolean): void {
  expect(actual?.dtype, what).toBe("bfloat16");
  expect(actual?.shape, what).toEqual(wanted.shape);
  const expected = decodeBfloat16(wanted.bits);
  const scale = Math.max(...expected.map(Math.abs));
  actual?.data.forEach((value, n) => {
    const other = expected[n] as number;
    const allowed = isExact ? 0 : 2 ** -7 * Math.abs(other) + 2 ** -10 * scale;
    expect(Math.abs(value - other), `${what}[${n}]: ${value} instead of ${other}`).toBeLessThanOrEqual(allowed);
  });
}

for (const name of availableBackends())
  describe(`bfloat16 as in PyTorch, on ${name}`, () => {
    beforeAll(() => setBackend(name));
    afterAll(() => setBackend(before));

    it("conversions from float32", () => {
      const words = new Uint16Array(goldens.singles.length);
      const singles = new Float32Array(Int32Array.from(goldens.singles).buffer);
      encodeBfloat16(tensor(singles).to("bfloat16").data, words);
      singles.forEach((single, n) => {
        if (Number.isNaN(single)) expect((words[n] as number) & 0x7fff).toBeGreaterThan(0x7f80);
        else expect(words[n], `${single}`).toBe(goldens.rounded[n]);
      });
    });

    it.each(goldens.cases.map((golden, n) => [`${golden.op} ${n}`, golden] as const))("%s", (_, golden) => {
      const inputs = golden.inputs.map((input) => parameter(toTensor(input)));
      const y = call(golden, inputs);
      compare("result", y, golden.output, exact.has(golden.op));
      y.backward(toTensor(golden.upstream));
      golden.gradients.forEach((wanted, n) => {
        compare(`gradient by input ${n}`, inputs[n]?.grad, wanted, false);
      });
    });
  });
