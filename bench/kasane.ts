// kasane itself as a contestant, in this process.

import { Meter, type Ready, sample, warm } from "./measure.ts";
import type { Workload } from "./workload.ts";

export interface Own extends Ready {
  readonly meter: Meter;
}

/** @throws whatever the workload throws: kasane must be able to do them all */
export function prepareOwn({ prepare }: Workload, warmMs: number): Own {
  const { run, outcome, bytes } = prepare();
  const inner = warm(run, warmMs);
  const meter = new Meter();
  return {
    outcome,
    meter,
    sample: async (ms) => meter.meanwhile(() => sample(run, inner, ms)),
    memory: async () => bytes?.(),
  };
}
