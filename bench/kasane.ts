// kasane itself as a contestant, in this process.

import { Meter, type Ready, sample, warm } from "./measure.ts";
import type { Workload } from "./workload.ts";

export interface Own extends Ready {
  readonly meter: Meter;
}

/** @throws whatever the workload throws: kasane must be able to do them all */
export function prepareOwn({ prepare }: Workload, warmMs: number): Own {
  const prepared = prepare();
  const inner = warm(prepared, warmMs);
  const meter = new Meter();
  return {
    outcome: prepared.outcome,
    meter,
    sample: async (ms) => meter.meanwhile(() => sample(prepared, inner, ms)),
    memory: async () => prepared.memory?.(),
  };
}
