// Chooses the register tile for contractions on this engine: the fastest in a short timing, or KASANE_TILE.

import { defineTileProbe, tileCandidates } from "../../kernels/contract/index.ts";
import { ModuleBuilder } from "../../kernels/language/builder.ts";
import type { Machine } from "../../kernels/language/language.ts";
import { BackendError } from "../../util/errors.ts";
import { compileModule } from "./module.ts";
import { makeMemory } from "./room.ts";

type Tile = Machine["tile"];

/** Steps of K per probing call: two panels of it lie well within the first-level cache. */
const DEPTH = 128;
/** Measurements of each tile, and milliseconds of one. */
const ROUNDS = 8;
const WINDOW = 0.4;
/** A later candidate replaces an earlier one when it is this much faster: noise should not decide. */
const CLEARLY = 1.25;

const probed = new Map<string, Tile>();

/**
 * Chosen once per process.
 * @param wanted rows × columns such as "4x8" (KASANE_TILE); undefined: probe
 * @throws BackendError when `wanted` is no tile
 */
export function chooseTile(machine: Machine, wanted: string | undefined): Tile {
  if (wanted !== undefined && wanted !== "") return parseTile(machine, wanted);
  let tile = probed.get(machine.fma);
  if (tile === undefined) {
    tile = probe(machine);
    probed.set(machine.fma, tile);
  }
  return tile;
}

function parseTile(machine: Machine, wanted: string): Tile {
  const [rows, columns] = /^(\d+)x(\d+)$/.exec(wanted)?.slice(1).map(Number) ?? [];
  const fits =
    rows !== undefined && columns !== undefined && rows >= 1 && rows <= 16 && columns >= machine.lanes && columns <= 16 * machine.lanes;
  if (!fits || columns % machine.lanes !== 0) {
    throw new BackendError(`KASANE_TILE: expected rows x columns with columns a multiple of ${machine.lanes}, got "${wanted}"`, {
      hint: "KASANE_TILE=4x8, or leave it unset",
    });
  }
  return { rows, vectors: columns / machine.lanes };
}

function probe(machine: Machine): Tile {
  const module = new ModuleBuilder("tile probe", machine);
  const names = tileCandidates.map((tile) => defineTileProbe(module, tile));
  const compiled = compileModule(module.build(), { relaxedFma: machine.fma !== "separate" });
  const memory = makeMemory({ initial: 1 });
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  const panel = 16 * 1024;
  const speeds = tileCandidates.map(() => 0);
  // Interleaved, so that a disturbance meets all of them; the first rounds also give the engine time to optimize each
  // function.
  for (let round = 0; round < ROUNDS; round++) {
    tileCandidates.forEach(({ rows, vectors }, position) => {
      const run = exports[names[position]!] as (a: number, b: number, c: number, depth: number) => void;
      let calls = 0;
      const start = performance.now();
      let now = start;
      // Browsers' clocks may tick only every 0.1 ms.
      for (; now - start < WINDOW; now = performance.now()) for (let i = 0; i < 64; i++, calls++) run(0, panel, 3 * panel, DEPTH);
      speeds[position] = Math.max(speeds[position]!, (rows * vectors * calls) / (now - start));
    });
  }
  let chosen = 0;
  speeds.forEach((speed, position) => {
    if (speed > speeds[chosen]! * CLEARLY) chosen = position;
  });
  return tileCandidates[chosen]!;
}
