// Candidate register tiles and bare micro-kernels, from which each engine's fastest tile is chosen by timing.

import type { ModuleBuilder } from "../language/builder.ts";
import type { Machine } from "../language/language.ts";
import { at } from "../language/values.ts";
import { multiplyTile } from "./micro.ts";

type Tile = Machine["tile"];

/**
 * Rows × vectors for 128-bit engines with 16 registers. The first is never far from the best; another one must be
 * clearly faster.
 */
export const tileCandidates: readonly Tile[] = [
  { rows: 4, vectors: 2 },
  { rows: 3, vectors: 3 },
  { rows: 6, vectors: 2 },
];

/**
 * Defines probe(a, b, c, depth): the products of one tile from packed panels, stored to c.
 * @returns its exported name
 */
export function defineTileProbe(module: ModuleBuilder, { rows, vectors }: Tile): string {
  const bytes = module.machine.lanes * 4;
  const shape = { height: rows, vectors, aRow: 4, aStep: 4 * rows, bStep: vectors * bytes };
  return module.define(
    `probe${rows}x${vectors}`,
    { a: "pointer", b: "pointer", c: "pointer", depth: "i32" },
    (k, p) => {
      multiplyTile(k, shape, p).forEach((row, i) => {
        row.forEach((sum, v) => {
          k.store(at(p.c, undefined, (i * vectors + v) * bytes), sum);
        });
      });
    },
    true,
  );
}
