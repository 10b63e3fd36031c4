// The memory that programs work in: always as large as asked, no larger than what is kept when others are done, and as it was where it cannot grow.

import fc from "fast-check";
import { expect, test } from "vitest";
import { Arena } from "../../../src/backends/emitted/arena.ts";
import type { Heap } from "../../../src/backends/emitted/target.ts";
import { WorkMemory } from "../../../src/backends/emitted/work.ts";

/** A heap without bytes, that holds so many. */
function heapOf(most: number): Heap {
  const none = { f32: new Float32Array(0), i32: new Int32Array(0), u8: new Uint8Array(0) };
  const ensure = (bytes: number): void => {
    if (bytes > most) throw new Error("full");
  };
  return { ...none, most, ensure, release() {} };
}

const most = 2 ** 17;

test("whoever comes in whatever order, cells and programs that are kept stay apart and find their room", () => {
  const action = fc.tuple(fc.constantFrom("run", "keep", "free", "cell", "drop"), fc.nat(40_000), fc.nat(100));
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const arena = new Arena(heapOf(most));
      const work = new WorkMemory(arena);
      const kept: number[] = [];
      const cells: { readonly place: number; readonly bytes: number }[] = [];
      const attempt = (run: () => void): void => {
        try {
          run();
        } catch (error) {
          expect((error as Error).message).toBe("full");
        }
      };
      const expectApart = (place: number, bytes: number): void => {
        for (const cell of cells) expect(place + bytes <= cell.place || cell.place + cell.bytes <= place).toBe(true);
      };
      for (const [kind, bytes, which] of actions) {
        if (kind === "run") attempt(() => expectApart(work.at(bytes), bytes));
        else if (kind === "keep")
          attempt(() => {
            work.keep(bytes);
            kept.push(bytes);
          });
        else if (kind === "free" && kept.length > 0) work.free(kept.splice(which % kept.length, 1)[0]!);
        else if (kind === "cell") attempt(() => void cells.push({ place: arena.allocate(bytes), bytes }));
        else if (kind === "drop" && cells.length > 0) arena.free(cells.splice(which % cells.length, 1)[0]!.place);
        // What is kept runs, however full the memory is.
        for (const own of kept) expectApart(work.at(own), own);
      }
      for (const own of kept.splice(0)) work.free(own);
      for (const { place } of cells) arena.free(place);
      work.trim();
      expect(arena.used).toBe(0);
    }),
    { seed: 3, numRuns: 300 },
  );
});

test("programs that nobody keeps give back what is beyond those that are kept", () => {
  const arena = new Arena(heapOf(most));
  const work = new WorkMemory(arena);
  work.keep(1000);
  const least = arena.used;
  const place = work.at(50_000);
  expect(arena.used).toBeGreaterThan(50_000);
  work.trim();
  expect(arena.used).toBe(least);
  expect(work.at(1000)).toBe(place);
});
