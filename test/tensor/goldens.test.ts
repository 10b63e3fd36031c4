// Ops against PyTorch: results and gradients, kinks, ties and edges of windows included.

import { it } from "vitest";
import type { Tensor } from "../../src/index.ts";
import * as kasane from "../../src/index.ts";
import { expectClose, type Numbers, readGoldens, toParameter, toTensor } from "../goldens/goldens.ts";
import { onEveryBackend } from "./support.ts";

interface Golden {
  readonly name: string;
  readonly op: string;
  readonly arguments: readonly unknown[];
  readonly inputs: readonly Numbers[];
  readonly output: Numbers;
  /** Absent where no gradient flows. */
  readonly upstream?: Numbers;
  readonly gradients?: readonly Numbers[];
}

type Operation = (...values: unknown[]) => Tensor;

/** A function of the package, or else a method of the first tensor. */
function operationNamed(name: string): Operation {
  const found = (kasane as unknown as Record<string, Operation | undefined>)[name];
  return found ?? ((first, ...rest) => (first as Record<string, Operation>)[name]?.call(first, ...rest) as Tensor);
}

for (const file of ["pointwise", "reductions", "pooling", "convolutions"])
  onEveryBackend(file, () => {
    it.each(readGoldens<Golden>(`ops-${file}`))("$name", (golden) => {
      const inputs = golden.inputs.map((value) => toParameter(value));
      // Convolutions take their bias before the options.
      const gap = golden.op.startsWith("conv") && inputs.length === 2 ? [undefined] : [];
      const y = operationNamed(golden.op)(...inputs, ...gap, ...golden.arguments);
      expectClose("result", y, golden.output);
      if (golden.upstream === undefined) return;
      y.backward(toTensor(golden.upstream));
      golden.gradients?.forEach((gradient, n) => expectClose(`gradient by input ${n}`, inputs[n]?.grad, gradient));
    });
  });
