// The WebAssembly backend: emitted SIMD code over one linear memory for programs and one for steps, one thread.
import type { Machine, Value } from "../../kernels/language.ts";
import * as v from "../../kernels/values.ts";
import { environment } from "../../util/environment.ts";
import type { Backend } from "../backend.ts";
import { createEmittedBackend } from "../emitted/backend.ts";
import type { Target } from "../emitted/target.ts";
import { teamOf } from "../emitted/threads.ts";
import { features, wasmMachine } from "./features.ts";
import { LinearMemory, wasmLimits } from "./memory.ts";
import { compileModule } from "./module.ts";
import { chooseTile } from "./tile.ts";

const multiply = {
  fused: "relaxed SIMD, fused multiply-add",
  relaxed: "relaxed SIMD",
  separate: "no relaxed SIMD here: multiply and add apart",
} as const satisfies Record<Machine["fma"], string>;

/** Throws BackendError where WebAssembly SIMD is missing. */
export function createWasmBackend(): Backend {
  const found = wasmMachine();
  return createEmittedBackend(wasmTarget({ ...found, tile: chooseTile(found, environment("KASANE_TILE")) }));
}

function wasmTarget(machine: Machine): Target<LinearMemory> {
  const { rows, vectors } = machine.tile;
  const relaxedFma = machine.fma !== "separate" && features().relaxedFma;
  return {
    name: "wasm",
    description: `wasm: emitted WebAssembly SIMD, ${machine.lanes} lanes, ${multiply[machine.fma]}, tile ${rows}×${vectors * machine.lanes}, one thread`,
    machine,
    team: teamOf(1),
    manyCalls: true,
    makeHeap: () => new LinearMemory(),
    limits: () => wasmLimits,
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
      const instance = new WebAssembly.Instance(compileModule(module, { relaxedFma }), { env: { memory: heap.memory } });
      const main = instance.exports.main as (table: number) => void;
      const call = (argumentsAt: number) => main(argumentsAt | 0);
      return { call, callShared: call, release: () => {} };
    },
    listCode: () => undefined,
  };
}

/** Addresses above 2 GiB are negative as i32. */
const address = (place: number): Value => v.constant("pointer", place | 0);
