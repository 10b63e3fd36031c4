// A target that checks every memory access and fills memory with NaN (KASANE_CHECK=1): a failed check ends the run.

import { type CheckedRegion, checkAccesses, REPORT_WORDS } from "../../kernels/language/check.ts";
import { BackendError } from "../../util/errors.ts";
import { REPORTS_PLACE } from "./memory.ts";
import type { Heap, Target } from "./target.ts";

/** The same machine; calls of its code throw BackendError after a run in which an access failed. */
export function checkedTarget<Memory extends Heap>(target: Target<Memory>): Target<Memory> {
  const { machine } = target;
  return {
    ...target,
    checks: true,
    describe: () => `${target.describe()}, every access checked (KASANE_CHECK)`,
    load(module, heap) {
      const checked = checkAccesses(module, machine, target.pointer(heap, REPORTS_PLACE));
      const code = target.load(checked.module, heap);
      const report = (): void => {
        const at = REPORTS_PLACE / 4;
        if (heap.i32[at] === 0) return;
        const [number, offset, bytes] = heap.i32.slice(at, at + REPORT_WORDS) as unknown as [number, number, number];
        heap.i32.fill(0, at, at + REPORT_WORDS);
        throw failed(target.name, checked.regions[number - 1]!, offset, bytes);
      };
      return {
        call(argumentsAt) {
          code.call(argumentsAt);
          report();
        },
        callShared(argumentsAt) {
          code.callShared(argumentsAt);
          report();
        },
        release: () => code.release(),
      };
    },
    // The addresses in a listing are those of no heap.
    listCode: (module) => target.listCode(checkAccesses(module, machine, { op: "constant", type: "pointer", value: REPORTS_PLACE }).module),
  };
}

function failed(backend: string, { kernel, buffer, bytes, elementBytes }: CheckedRegion, offset: number, accessed: number): BackendError {
  const first = Math.floor(offset / elementBytes);
  const last = Math.floor((offset + Math.abs(accessed) - 1) / elementBytes);
  const elements = last === first ? `element ${first}` : `elements ${first} to ${last}`;
  return new BackendError(
    `${backend}: kernel "${kernel}" ${accessed < 0 ? "writes" : "reads"} ${elements} of ${buffer}, which has ${bytes / elementBytes}; the results of this run are not valid`,
    { hint: "this is a fault in kasane: please report it with the formula and the shapes" },
  );
}
