// The WebAssembly backend: emitted SIMD code over one linear memory, on worker threads where memory may be shared.

import type { Machine, Value } from "../../kernels/language/language.ts";
import * as v from "../../kernels/language/values.ts";
import { environment } from "../../util/environment.ts";
import type { Backend } from "../backend.ts";
import { createEmittedBackend } from "../emitted/backend.ts";
import { Pace } from "../emitted/pace.ts";
import type { Target } from "../emitted/target.ts";
import { type Team, teamInWords, teamOf, threadsInWords, wantedTeam } from "../emitted/threads.ts";
import { mayBlock, noSharing } from "./crew.ts";
import type { EmitOptions } from "./emit.ts";
import { features, wasmMachine } from "./features.ts";
import { LinearMemory } from "./memory.ts";
import { compileBinary, encodeModule } from "./module.ts";
import { chooseTile } from "./tile.ts";

const MULTIPLY = {
  fused: "relaxed SIMD, fused multiply-add",
  relaxed: "relaxed SIMD",
  separate: "no relaxed SIMD here: multiply and add apart",
} as const satisfies Record<Machine["fma"], string>;

/**
 * @param team default: KASANE_THREADS, else a thread per processor; one thread where memory cannot be shared
 * @throws BackendError where WebAssembly SIMD is missing
 */
export function createWasmBackend(team: Team = wantedTeam()): Backend {
  return createEmittedBackend(wasmTarget(team));
}

export function wasmTarget(wanted: Team): Target<LinearMemory> {
  const obstacle = wanted.threads === 1 ? undefined : noSharing();
  const team = obstacle === undefined ? wanted : teamOf(1);
  const found = wasmMachine();
  const machine: Machine = { ...found, tile: chooseTile(found, environment("KASANE_TILE")) };
  const { rows, vectors } = machine.tile;
  const relaxedFma = machine.fma !== "separate" && features().relaxedFma;
  const isShared = team.threads > 1;
  const options: EmitOptions = { relaxedFma, ...(isShared ? { shared: { mayBlock: mayBlock() } } : {}) };
  const heaps: LinearMemory[] = [];
  const pace = new Pace(team);
  const threads = (): string =>
    obstacle === undefined ? teamInWords(team, pace.threads, crewOf(heaps)) : `${threadsInWords(1)}: ${obstacle}`;
  let modules = 0;
  return {
    name: "wasm",
    describe: () =>
      `wasm: emitted WebAssembly SIMD, ${machine.lanes} lanes, ${MULTIPLY[machine.fma]}, tile ${rows}×${vectors * machine.lanes}, ${threads()}`,
    machine,
    team,
    manyCalls: true,
    makeHeap() {
      const heap = new LinearMemory(team.threads - 1);
      heaps.push(heap);
      return heap;
    },
    endThreads() {
      for (const heap of heaps) heap.release();
    },
    pointer: (_, place) => address(place),
    // A function may have 1000 parameters and a step more cells: the addresses lie in a table.
    defineMain(module, count, write) {
      module.define(
        "main",
        { table: "pointer" },
        (k, { table }) => {
          const entry = (number: number): Value => v.loadAs("i32", "i32", v.at(table, undefined, number * 4));
          write(
            k,
            Array.from({ length: count }, (_, number) => k.let(v.advance(address(0), entry(number)), "given")),
          );
        },
        true,
      );
    },
    argumentBytes: 4,
    writeArgument(heap, argumentsAt, number, place) {
      heap.i32[argumentsAt / 4 + number] = place;
    },
    load(module, heap) {
      const binary = encodeModule(module, options);
      const instance = new WebAssembly.Instance(compileBinary(module, binary), { env: { memory: heap.memory } });
      const main = instance.exports.main as (table: number) => void;
      const forCrew = { id: ++modules, binary, wasPosted: false };
      return {
        call: (argumentsAt) => main(argumentsAt | 0),
        callShared: (argumentsAt) => pace.run(forCrew, (threads) => heap.crew.run(forCrew, main, argumentsAt | 0, threads - 1)),
        release: () => {},
      };
    },
    listCode: () => undefined,
  };
}

/** Addresses above 2 GiB are negative as i32. */
const address = (place: number): Value => v.constant("pointer", place | 0);

/** The workers that came, once they were asked for, and why there are no more. */
function crewOf(heaps: readonly LinearMemory[]): { joined?: number; obstacle?: string } {
  const crews = heaps.flatMap(({ startedCrew }) => startedCrew ?? []);
  if (crews.length === 0) return {};
  const obstacle = crews.find((crew) => crew.obstacle !== undefined)?.obstacle;
  return { joined: Math.max(...crews.map(({ joined }) => joined)), ...(obstacle === undefined ? {} : { obstacle }) };
}
