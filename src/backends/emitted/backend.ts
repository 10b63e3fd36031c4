// Makes a backend from a target: a machine that code is emitted for.

import { environment } from "../../util/environment.ts";
import type { Backend } from "../backend.ts";
import { processorFacts } from "../processor.ts";
import { checkedTarget } from "./checked.ts";
import { Engine } from "./engine.ts";
import type { Heap, Target } from "./target.ts";

let made = 0;

export function createEmittedBackend<Memory extends Heap>(plain: Target<Memory>): Backend {
  const chosen = environment("KASANE_WINOGRAD") === "0" ? withoutWinograd(plain) : plain;
  const target = environment("KASANE_CHECK") === "1" ? checkedTarget(chosen) : chosen;
  const engine = new Engine(target);
  return {
    name: target.name,
    key: `${target.name} ${++made}`,
    threads: target.team.threads,
    get description() {
      return target.describe();
    },
    memory: "host",
    dtypes: new Set(["float32", "bfloat16", "int32", "uint8", "bool"]),
    facts: processorFacts,
    compile: (plan) => engine.executable(plan),
    makeCell: (operand) => engine.makeCell(operand),
    endThreads: () => target.endThreads?.(),
  };
}

/** The same machine; convolutions are summed as they are defined. */
function withoutWinograd<Memory extends Heap>(target: Target<Memory>): Target<Memory> {
  const describe = (): string => `${target.describe()}, convolutions as they are defined (KASANE_WINOGRAD=0)`;
  return { ...target, describe, machine: { ...target.machine, winograd: false } };
}
