// kasane check-gradients: compares gradients of a training step, or of a module's function, with finite differences.

import { checkGradients, elementName } from "../inspect/index.ts";
import { type RecordedSamples, recordPath } from "./recorded.ts";
import type { Terminal } from "./terminal.ts";

export interface CheckOptions extends RecordedSamples {
  /** Numbers of each tensor. */
  readonly elements?: number;
}

/** @returns the exit code: 1 when gradients disagree */
export async function checkGradientsOf(terminal: Terminal, path: string, options: CheckOptions): Promise<number> {
  // Every difference computes the whole step again: a few samples say as much as many.
  const run = await recordPath(terminal.host.cwd, path, { most: 4, ...options });
  const check = checkGradients(run, options.elements === undefined ? {} : { elements: options.elements });
  terminal.print(String(check));
  const { checked, kinks, failures, culprit } = check;
  terminal.result({
    checked,
    kinks,
    failures: failures.map(({ tensor, position, gradient, difference }) => ({
      element: elementName(tensor, position),
      gradient,
      difference,
    })),
    ...(culprit === undefined ? {} : { culprit: { op: culprit.op.op.name, layer: culprit.op.path, site: culprit.op.site } }),
  });
  return failures.length === 0 ? 0 : 1;
}
