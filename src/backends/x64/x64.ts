// The x64 backend: AVX-512 or AVX2 machine code over one region of memory, on native threads.

import type { Backend } from "../backend.ts";
import { createEmittedBackend } from "../emitted/backend.ts";
import { Pace } from "../emitted/pace.ts";
import type { Target } from "../emitted/target.ts";
import { type Team, teamInWords, wantedTeam } from "../emitted/threads.ts";
import { chooseMachine, type MachineName } from "./runtime/cpu.ts";
import { ARGUMENT_BYTES, LoadedModule, listCode, writeArgument } from "./runtime/loaded.ts";
import { Heap } from "./runtime/memory.ts";
import { type Native, native } from "./runtime/native.ts";
import { startedThreads, theThreads } from "./runtime/threads.ts";

/**
 * @param name which machine code; undefined: KASANE_X64, else the widest this processor runs
 * @param team default: KASANE_THREADS, else a thread per processor
 * @throws BackendError where machine code cannot run
 */
export function createX64Backend(name?: MachineName, team: Team = wantedTeam()): Backend {
  return createEmittedBackend(x64Target(name, team));
}

export function x64Target(name: MachineName | undefined, team: Team): Target<Heap> {
  const machine = chooseMachine(name);
  const system = native() as Native;
  const { lanes, tile } = machine;
  const pace = new Pace(team);
  const started = (): { joined?: number; obstacle?: string } => {
    const joined = startedThreads();
    return joined === undefined ? {} : { joined, obstacle: "the system refused more" };
  };
  return {
    name: "x64",
    describe: () =>
      `x64: emitted ${lanes === 16 ? "AVX-512" : "AVX2 and FMA"} machine code, ${lanes} lanes, tile ${tile.rows}×${tile.vectors * lanes}, ${teamInWords(team, pace.threads, started())}`,
    machine,
    team,
    manyCalls: false,
    makeHeap: () => new Heap(system),
    // The heap never moves.
    pointer: (heap, place) => ({ op: "constant", type: "pointer", value: heap.address + place }),
    defineMain(module, count, write) {
      const names = Array.from({ length: count }, (_, number) => `given${number}`);
      const parameters = Object.fromEntries(names.map((given) => [given, "pointer" as const]));
      module.define(
        "main",
        parameters,
        (k, given) =>
          write(
            k,
            names.map((name) => given[name]!),
          ),
        true,
      );
    },
    argumentBytes: ARGUMENT_BYTES,
    writeArgument: (heap, argumentsAt, number, place) => writeArgument(heap.i32, argumentsAt, number, heap.address + place),
    load(module, heap) {
      const loaded = new LoadedModule(system, module, machine);
      return {
        call: (argumentsAt) => loaded.run(heap.address + argumentsAt),
        callShared: (argumentsAt) =>
          pace.run(loaded, (threads) => loaded.runOn(theThreads(system, team.threads - 1), heap.address + argumentsAt, threads - 1)),
        release: () => loaded.release(),
      };
    },
    listCode: (module) => listCode(module, machine),
  };
}
