// Runs a computation compiled, with its inputs and results kept in the backend's own memory, as a larger program would.

import { type CompiledStep, compile, type Tensor, zeros } from "kasane";
import { excerpt } from "./agreement.ts";
import type { Memory } from "./measure.ts";
import type { Prepared } from "./workload.ts";

/** @param compute reads tensors made outside of it; its results are written to tensors that stay where they are */
export function resident(compute: () => readonly Tensor[]): Prepared {
  // Shapes come from a trace, not from running it: the eager way may need far more memory.
  let shapes: (readonly number[])[] = [];
  const measureShapes = compile(() => {
    shapes = compute().map((result) => result.shape);
  });
  measureShapes();
  const targets = shapes.map((shape) => zeros(shape));
  const run = compile(() => {
    compute().forEach((result, number) => targets[number]?.assign(result));
  });
  run();
  return { run, profile: () => run.profile().kernels, memory: () => memoryOf(run), outcome: { results: targets.map(excerpt) } };
}

/** Of the only thing that was compiled. */
export function memoryOf({ steps: [step] }: { readonly steps: readonly CompiledStep[] }): Memory {
  return { bytes: step?.bytes ?? 0, scratchBytes: step?.scratchBytes ?? 0 };
}

/** The same, eagerly: every call copies operands to the backend and results back. */
export function eagerly(compute: () => Tensor): Prepared {
  return { run: compute, outcome: { results: [excerpt(compute())] } };
}
