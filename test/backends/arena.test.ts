// The arena of cells and steps: blocks never overlap, and ten thousand that come and go need no more room than the first few hundred.

import fc from "fast-check";
import { expect, test } from "vitest";
import { Arena } from "../../src/backends/emitted/arena.ts";
import { FIRST_PLACE } from "../../src/backends/emitted/memory.ts";
import type { Heap } from "../../src/backends/emitted/target.ts";
import { SLACK } from "../../src/kernels/language/language.ts";

/** A heap that only remembers how far it was asked to reach. */
function heap(): Heap & { reach: number } {
  const none = { f32: new Float32Array(0), i32: new Int32Array(0), u8: new Uint8Array(0) };
  return {
    ...none,
    most: Number.POSITIVE_INFINITY,
    reach: 0,
    ensure(bytes) {
      this.reach = Math.max(this.reach, bytes);
    },
    release() {},
  };
}

interface Block {
  readonly place: number;
  readonly bytes: number;
}

test("blocks are aligned, keep their slack, and never overlap", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(5000), fc.boolean(), fc.nat(100)), { maxLength: 120 }), (actions) => {
      const memory = heap();
      const arena = new Arena(memory);
      const live: Block[] = [];
      for (const [bytes, frees, which] of actions) {
        if (frees && live.length > 0) {
          arena.free(live.splice(which % live.length, 1)[0]!.place);
          continue;
        }
        const place = arena.allocate(bytes);
        expect(place % 64).toBe(0);
        expect(place).toBeGreaterThanOrEqual(FIRST_PLACE);
        expect(place + bytes + SLACK).toBeLessThanOrEqual(memory.reach);
        for (const other of live) expect(place + bytes + SLACK <= other.place || other.place + other.bytes + SLACK <= place).toBe(true);
        live.push({ place, bytes });
      }
      for (const { place } of live) arena.free(place);
      expect(arena.used).toBe(0);
      // Everything is one piece again.
      expect(arena.allocate(memory.reach - FIRST_PLACE - 2 * SLACK - 64)).toBe(FIRST_PLACE);
    }),
    { seed: 5 },
  );
});

test("ten thousand blocks that come and go leave the arena as large as it was", () => {
  const memory = heap();
  const arena = new Arena(memory);
  const live: number[] = [];
  let state = 7;
  const random = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const churn = (times: number): void => {
    for (let n = 0; n < times; n++) {
      if (live.length >= 20) arena.free(live.splice(random(live.length), 1)[0]!);
      live.push(arena.allocate([100, 4000, 70_000, 1_000_000][random(4)]!));
    }
  };
  churn(500);
  const before = memory.reach;
  churn(10_000);
  expect(memory.reach).toBeLessThanOrEqual(1.5 * before);
  for (const place of live) arena.free(place);
  expect(arena.used).toBe(0);
});
