// The probe gives one of the candidates and stays with it; KASANE_TILE's text is checked.

import { describe, expect, it } from "vitest";
import { wasmMachine } from "../../src/backends/wasm/features.ts";
import { chooseTile } from "../../src/backends/wasm/tile.ts";
import { tileCandidates } from "../../src/kernels/contract/index.ts";

describe("the register tile", () => {
  const machine = wasmMachine();

  it("is probed once", () => {
    const tile = chooseTile(machine, undefined);
    expect(tileCandidates).toContain(tile);
    expect(chooseTile(machine, undefined)).toBe(tile);
  });

  it("can be given as rows x columns", () => {
    expect(chooseTile(machine, "3x12")).toEqual({ rows: 3, vectors: 3 });
    for (const wrong of ["4", "4x7", "0x8", "4x8x2", "99x8"]) expect(() => chooseTile(machine, wrong)).toThrow(/KASANE_TILE/);
  });
});
